//! When the server is killed: at random moments on the way, measured in work done, so that each lies on the way however
//! fast the machine is.

use crate::dice::Dice;

/// The moments that are still to come.
#[derive(Debug)]
pub(super) struct Crashes {
    /// In thousandths of all work, descending: the next is the last.
    moments: Vec<u64>,
    dice: Dice,
}

impl Crashes {
    /// So many crashes, spread by chance.
    pub(super) fn new(count: u32, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut moments: Vec<u64> = (0..count).map(|_| 20 + dice.below(940)).collect();
        moments.sort_unstable_by(|a, b| b.cmp(a));
        Self { moments, dice }
    }

    /// True, once for each crash, when so much of the work is done.
    pub(super) fn is_due(&mut self, per_mille_done: u64) -> bool {
        let is_due = self
            .moments
            .last()
            .is_some_and(|moment| *moment <= per_mille_done);
        if is_due {
            self.moments.pop();
        }
        is_due
    }

    /// How long the server stays down this time, in milliseconds.
    pub(super) fn down_ms(&mut self) -> u64 {
        self.dice.below(800)
    }
}

#[cfg(test)]
mod tests {
    use super::Crashes;

    #[test]
    fn every_crash_comes_once_and_before_the_end() {
        for seed in 0..100 {
            let mut crashes = Crashes::new(3, seed);
            let due = (0..=1_000).filter(|done| crashes.is_due(*done)).count();
            let mut rest = 0;
            while crashes.is_due(1_000) {
                rest += 1;
            }
            assert_eq!(due + rest, 3, "seed {seed}");
        }
    }

    #[test]
    fn nothing_is_due_before_the_work_begins() {
        assert!(!Crashes::new(3, 1).is_due(0));
        assert!(!Crashes::new(0, 1).is_due(1_000));
    }
}
