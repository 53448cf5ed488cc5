//! A token bucket: the limit that the shop itself keeps.

use crate::judge::Limits;

/// Tokens in thousandths, so that a refill of a fraction of a token is not lost.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    limits: Limits,
    millitokens: u64,
    filled_at_us: u64,
}

impl Bucket {
    /// A full bucket: it holds as many tokens as the burst.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            millitokens: limits.burst * 1_000,
            filled_at_us: 0,
        }
    }

    /// Takes a token, if there is one. Times do not go back; one that does fills nothing.
    pub(super) fn takes_one(&mut self, at_us: u64) -> bool {
        let elapsed_us = at_us.saturating_sub(self.filled_at_us);
        let refill = elapsed_us * self.limits.rate_per_second / 1_000;
        if refill > 0 {
            self.millitokens = (self.millitokens + refill).min(self.limits.burst * 1_000);
            // What the division cut off stays for the next time.
            self.filled_at_us += refill * 1_000 / self.limits.rate_per_second;
        }
        let takes = self.millitokens >= 1_000;
        if takes {
            self.millitokens -= 1_000;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Limits};

    fn taken(bucket: &mut Bucket, from_us: u64, step_us: u64, times: u64) -> u64 {
        (0..times)
            .map(|at| u64::from(bucket.takes_one(from_us + at * step_us)))
            .sum()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut bucket = Bucket::new(Limits {
            rate_per_second: 500,
            burst: 20,
        });
        assert_eq!(taken(&mut bucket, 0, 0, 100), 20);
        // Ten requests a millisecond for two seconds: a thousand of them pass.
        assert_eq!(taken(&mut bucket, 0, 100, 20_001), 1_000);
        // After a long pause no more than the burst has been saved.
        assert_eq!(taken(&mut bucket, 60_000_000, 0, 100), 20);
    }

    #[test]
    fn requests_at_the_rate_all_pass() {
        let mut bucket = Bucket::new(Limits {
            rate_per_second: 480,
            burst: 1,
        });
        assert_eq!(taken(&mut bucket, 0, 2_084, 5_000), 5_000);
    }
}
