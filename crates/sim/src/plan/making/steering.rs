//! Steps that go into all of egress: destinations that fail and are held back, jobs that wait for others or make each other
//! superfluous, and bulk operations on jobs.
//!
//! Whether a world has them is drawn apart from everything else, so that the others are the same with and without.

use super::{Maker, Step};
use crate::dice::Dice;

/// The kinds of such steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Steer {
    Guard,
    ReleaseLane,
    Breaker,
    Enable,
    Belt,
    Change,
    RepeatChange,
    ReleaseJob,
    ReleaseBatch,
    BulkJobs,
    StopBulkJobs,
    Connect,
    Correct,
}

/// The groups, of which a world has some: destinations that are in trouble, jobs that know of each other, many jobs at once,
/// connectors and dead letters that are corrected.
pub(super) const STEERING: [&[(Steer, u64)]; GROUPS] = [
    &[
        (Steer::Guard, 4),
        (Steer::ReleaseLane, 5),
        (Steer::Breaker, 3),
        (Steer::Enable, 5),
        (Steer::Change, 4),
    ],
    &[
        (Steer::Belt, 9),
        (Steer::Change, 9),
        (Steer::RepeatChange, 2),
        (Steer::ReleaseJob, 2),
        (Steer::ReleaseBatch, 1),
    ],
    &[
        (Steer::BulkJobs, 6),
        (Steer::StopBulkJobs, 1),
        (Steer::Change, 5),
        (Steer::Belt, 2),
    ],
    &[
        (Steer::Connect, 3),
        (Steer::Correct, 7),
        (Steer::Change, 5),
        (Steer::Belt, 4),
    ],
];

/// How many groups there are.
pub(super) const GROUPS: usize = 4;

/// Which of the groups a world has.
pub(super) fn groups_of(seed: u64) -> [bool; GROUPS] {
    let mut dice = Dice::new(seed, 0x7374_6565);
    [(); GROUPS].map(|()| dice.percent(35))
}

/// How often rules judge the answers of destinations.
pub(super) fn rules_of(seed: u64, [in_trouble, ..]: [bool; GROUPS]) -> u8 {
    let mut dice = Dice::new(seed, 0x7275_6c65);
    if in_trouble && dice.percent(70) {
        dice.between(5, 50) as u8
    } else {
        0
    }
}

/// How often calls fail at least.
pub(super) fn errors_of(seed: u64, [in_trouble, ..]: [bool; GROUPS]) -> u8 {
    let mut dice = Dice::new(seed, 0x6572_726f);
    if in_trouble {
        dice.between(5, 60) as u8
    } else {
        0
    }
}

/// How often destinations refuse jobs for good at least: dead letters, to be corrected.
pub(super) fn refusals_of(seed: u64, [.., connects]: [bool; GROUPS]) -> u8 {
    let mut dice = Dice::new(seed, 0x7265_6675);
    if connects {
        dice.between(2, 25) as u8
    } else {
        0
    }
}

/// What such a world begins with.
pub(super) fn prologue(seed: u64, [in_trouble, .., connects]: [bool; GROUPS]) -> Vec<Step> {
    let mut dice = Dice::new(seed, 0x6775_6172);
    let mut steps = Vec::new();
    for destination in 0..3 {
        if in_trouble && dice.percent(70) {
            steps.push(guard(&mut dice, destination));
        }
        if connects && dice.percent(60) {
            steps.push(connect(&mut dice, destination));
        }
    }
    steps
}

impl Maker<'_> {
    pub(super) fn steer(&mut self, dice: &mut Dice, steer: Steer) -> Step {
        let destination = dice.below(3) as u8;
        let place = dice.below(8) as u8;
        match steer {
            Steer::Guard => guard(dice, destination),
            Steer::ReleaseLane => Step::ReleaseLane {
                place,
                give_up: dice.percent(30),
            },
            Steer::Breaker => Step::Breaker {
                destination,
                open: dice.percent(40),
            },
            Steer::Enable => {
                self.calls += 1;
                Step::Enable {
                    destination,
                    backlog: dice.below(4) as u8,
                    number: self.calls,
                }
            }
            Steer::Belt => {
                self.keys += 1;
                Step::Belt {
                    destination,
                    count: dice.between(1, 4) as u8,
                    key: self.keys,
                }
            }
            Steer::Change => {
                self.keys += 1;
                change(dice, destination, self.keys)
            }
            Steer::RepeatChange => {
                let key = dice.between(1, u64::from(self.keys.max(1))) as u16;
                change(dice, destination, key)
            }
            Steer::ReleaseJob => Step::ReleaseJob { place },
            Steer::ReleaseBatch => Step::ReleaseBatch {
                destination,
                batch: place % 2,
            },
            Steer::BulkJobs => Step::BulkJobs {
                id: dice.below(20) as u8,
                action: dice.below(5) as u8,
                which: dice.below(8) as u8,
                rate: *dice.pick(&[0, 2, 5, 40]),
            },
            Steer::StopBulkJobs => Step::StopBulkJobs {
                id: dice.below(20) as u8,
            },
            Steer::Connect => connect(dice, destination),
            Steer::Correct => {
                self.keys += 1;
                Step::Correct {
                    place,
                    key: self.keys,
                }
            }
        }
    }
}

fn guard(dice: &mut Dice, destination: u8) -> Step {
    Step::Guard {
        destination,
        attempts: dice.between(1, 4) as u8,
        concurrency: dice.between(1, 4) as u8,
        head: *dice.pick(&[0, 1, 2, 2]),
        breaker: *dice.pick(&[0, 2, 3, 5]),
        trips: *dice.pick(&[0, 0, 1, 2]),
        coalesce: dice.percent(60),
    }
}

fn connect(dice: &mut Dice, destination: u8) -> Step {
    Step::Connect {
        destination,
        batch: dice.between(1, 4) as u8,
        attempts: dice.between(1, 4) as u8,
        concurrency: dice.between(1, 3) as u8,
        rate: *dice.pick(&[0, 2, 10]),
        coalesce: dice.percent(40),
    }
}

fn change(dice: &mut Dice, destination: u8, key: u16) -> Step {
    let some = |dice: &mut Dice, percent| {
        if dice.percent(percent) {
            dice.between(1, 3_000) as u16
        } else {
            0
        }
    };
    Step::Change {
        destination,
        count: dice.between(1, 4) as u8,
        key,
        delay_ms: some(dice, 30),
        lives_ms: some(dice, 30),
    }
}
