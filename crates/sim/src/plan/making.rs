//! How a plan is made from a seed: which operations, faults and behaviours a world has, and how much of each.

use super::{CLIENTS, HOT_RUNS, Plan, RUNS, Setup, Step, WORKERS};
use crate::dice::Dice;
use crate::program::{Flavour, PROGRAMS};
use steering::{STEERING, Steer};
use trunkline_journal::CrashPolicy;

mod steering;

impl Plan {
    /// The plan that `seed` makes. Each seed switches on a random subset of operations and faults, with random weights.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        Self::made(seed, steering::groups_of(seed))
    }

    /// The plan that `seed` made when worlds knew only the first `groups` groups of steps that go into all of egress: what it
    /// found then it finds with this.
    #[must_use]
    pub fn early_of_seed(seed: u64, groups: usize) -> Self {
        let mut steered = steering::groups_of(seed);
        steered[groups.min(steering::GROUPS)..].fill(false);
        Self::made(seed, steered)
    }

    fn made(seed: u64, steered: [bool; steering::GROUPS]) -> Self {
        let setup = Setup::of_seed(seed, steered);
        let mut dice = Dice::new(seed, 0x706c_616e);
        let mut maker = Maker {
            signals: 0,
            keys: 0,
            starts: 0,
            calls: 0,
            flavours: 0,
            setup: &setup,
        };
        let mut warm = maker.prologue(&mut dice);
        let mut common = OPERATIONS.to_vec();
        for (group, flavour) in GROUPS {
            if dice.percent(40) {
                common.extend_from_slice(group);
                maker.flavours |= flavour;
            }
        }
        for (group, _) in STEERING.iter().zip(steered).filter(|(_, is_on)| *is_on) {
            common.extend(
                group
                    .iter()
                    .map(|(kind, weight)| (Make::Steer(*kind), *weight)),
            );
        }
        warm.extend(steering::prologue(seed, steered));
        let calm = weights(&mut dice, &common);
        warm.extend((0..dice.between(5, 40)).map(|_| maker.step(&mut dice, &calm)));
        let mut wild = weights(&mut dice, &common);
        wild.extend(weights(&mut dice, &FAULTS));
        let count = dice.between(40, 260);
        let chaos = (0..count).map(|_| maker.step(&mut dice, &wild)).collect();
        Self { setup, warm, chaos }
    }
}

impl Setup {
    fn of_seed(seed: u64, steered: [bool; steering::GROUPS]) -> Self {
        let mut dice = Dice::new(seed, 0x7365_7475);
        // A behaviour is off in half of the worlds, rare in most of the others.
        let mut some = |most: u64| {
            if dice.percent(50) {
                0
            } else {
                dice.between(1, most) as u8
            }
        };
        let (evict, twice, late, hang) = (some(30), some(30), some(30), some(15));
        let (fail, error, refuse) = (some(60), some(50), some(15));
        let (patience, lost, silent) = (some(20), some(30), some(8));
        let delegate = some(40);
        let threads = dice.between(1, 3) as u16;
        Self {
            seed,
            shards: threads + dice.below(4) as u16,
            threads,
            segment_kib: *dice.pick(&[128, 128, 128, 256]),
            checkpoint_kib: *dice.pick(&[2, 8, 32, 1_024]),
            retention_ms: *dice.pick(&[5_000, 60_000, 86_400_000, 86_400_000]),
            idle_runs_max: *dice.pick(&[0, 1, 1_000]),
            workers: dice.between(1, u64::from(WORKERS)) as u8,
            step: *dice.pick(&[30, 70, 100]),
            sync: *dice.pick(&[20, 60, 100]),
            keep: *dice.pick(&[10, 50, 100]),
            hold: *dice.pick(&[0, 50, 100]),
            evict,
            twice,
            late,
            hang,
            ahead: *dice.pick(&[0, 50, 100]),
            fail,
            error: error.max(steering::errors_of(seed, steered)),
            refuse: refuse.max(steering::refusals_of(seed, steered)),
            patience,
            lost,
            silent,
            rules: steering::rules_of(seed, steered),
            delegate,
            again: *dice.pick(&[0, 50, 100]),
        }
    }
}

/// The kinds of steps that are no faults, with how common they are.
const OPERATIONS: [(Make, u64); 20] = [
    (Make::Follow, 4),
    (Make::Start, 14),
    (Make::Signal, 10),
    (Make::RepeatSignal, 3),
    (Make::Cancel, 2),
    (Make::Terminate, 1),
    (Make::Pause, 2),
    (Make::Resume, 3),
    (Make::Await, 2),
    (Make::Look, 2),
    (Make::List, 1),
    (Make::Put, 3),
    (Make::Ship, 8),
    (Make::RepeatShip, 2),
    (Make::Replay, 3),
    (Make::Drop, 2),
    (Make::Pass, 16),
    (Make::Settle, 5),
    (Make::Checkpoint, 3),
    (Make::Clone, 2),
];

/// What only some worlds have, each group as a whole: steps, and what programs do.
const GROUPS: &[(&[(Make, u64)], u64)] = &[
    (&[], Flavour::PARENT),
    (&[], Flavour::AGAIN),
    (
        &[(Make::Answer, 4), (Make::CancelTask, 2), (Make::Beat, 2)],
        0,
    ),
    (
        &[
            (Make::Schedule, 5),
            (Make::PauseSchedule, 3),
            (Make::DeleteSchedule, 1),
            (Make::Trigger, 3),
            (Make::Backfill, 2),
        ],
        0,
    ),
    (
        &[
            (Make::Call, 8),
            (Make::RepeatCall, 4),
            (Make::Query, 5),
            (Make::Hurry, 1),
        ],
        Flavour::SOCIAL,
    ),
    (
        &[
            (Make::Retry, 8),
            (Make::Fork, 4),
            (Make::Purge, 3),
            (Make::Bulk, 5),
            (Make::StopBulk, 1),
        ],
        Flavour::UNLUCKY,
    ),
    (&[(Make::Limit, 6), (Make::Put, 4), (Make::Ship, 6)], 0),
];

/// The kinds of steps that are faults.
const FAULTS: [(Make, u64); 11] = [
    (Make::WorkerComes, 6),
    (Make::WorkerGoes, 4),
    (Make::ClientGoes, 1),
    (Make::Jump, 1),
    (Make::Stall, 1),
    (Make::Crash, 4),
    (Make::Kill, 2),
    (Make::DiskFault, 3),
    (Make::DiskFull, 2),
    (Make::DiskSpace, 3),
    (Make::Flip, 1),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Make {
    Start,
    Signal,
    RepeatSignal,
    Cancel,
    Terminate,
    Pause,
    Resume,
    Retry,
    Fork,
    Purge,
    Bulk,
    StopBulk,
    Call,
    RepeatCall,
    Query,
    Hurry,
    Answer,
    CancelTask,
    Beat,
    Schedule,
    PauseSchedule,
    DeleteSchedule,
    Trigger,
    Backfill,
    Await,
    Look,
    List,
    Follow,
    Put,
    Limit,
    Ship,
    RepeatShip,
    Replay,
    Drop,
    /// What only worlds do that go into all of egress.
    Steer(Steer),
    Pass,
    Settle,
    Checkpoint,
    Clone,
    WorkerComes,
    WorkerGoes,
    ClientGoes,
    Jump,
    Stall,
    Crash,
    Kill,
    DiskFault,
    DiskFull,
    DiskSpace,
    Flip,
}

/// A random subset of `kinds`, each as often in the result as it weighs.
fn weights(dice: &mut Dice, kinds: &[(Make, u64)]) -> Vec<Make> {
    let mut bag = vec![Make::Pass];
    for (kind, weight) in kinds {
        if dice.percent(65) {
            let weight = dice.between(1, 2 * weight);
            bag.extend((0..weight).map(|_| *kind));
        }
    }
    bag
}

/// Makes steps.
struct Maker<'a> {
    signals: u16,
    keys: u16,
    starts: u16,
    calls: u16,
    /// What programs may do in this world.
    flavours: u64,
    setup: &'a Setup,
}

impl Maker<'_> {
    /// What every world begins with: workers, and destinations.
    fn prologue(&mut self, dice: &mut Dice) -> Vec<Step> {
        let mut steps: Vec<Step> = (0..self.setup.workers)
            .map(|worker| Step::WorkerComes { worker })
            .collect();
        for destination in 0..3 {
            if dice.percent(80) {
                steps.push(put(dice, destination));
            }
        }
        steps
    }

    /// A program, of some of the flavours that this world has.
    fn program(&self, dice: &mut Dice) -> u16 {
        let flavour = dice.below(1 << 4) & self.flavours;
        (dice.below(PROGRAMS) + PROGRAMS * flavour) as u16
    }

    fn step(&mut self, dice: &mut Dice, bag: &[Make]) -> Step {
        let most = if dice.percent(50) {
            HOT_RUNS
        } else {
            u64::from(RUNS)
        };
        let run = dice.below(most) as u8;
        let worker = dice.below(u64::from(WORKERS)) as u8;
        let place = dice.below(8) as u8;
        let policy = *dice.pick(&CrashPolicy::ALL);
        let seed = dice.below(1 << 16) as u16;
        match dice.pick(bag) {
            Make::Start => {
                self.starts += 1;
                Step::Start {
                    run,
                    program: self.program(dice),
                    nonce: if dice.percent(50) { self.starts } else { 0 },
                    attach: dice.percent(20),
                    wait: dice.percent(20),
                }
            }
            Make::Signal => {
                self.signals += 1;
                let nonce = self.signals;
                Step::Signal { run, nonce }
            }
            Make::RepeatSignal => Step::Signal {
                run,
                nonce: dice.between(1, u64::from(self.signals.max(1))) as u16,
            },
            Make::Cancel => Step::Cancel { run },
            Make::Terminate => Step::Terminate { run },
            Make::Pause => Step::Pause { run },
            Make::Resume => Step::Resume { run },
            Make::Retry => Step::Retry {
                run,
                at: if dice.percent(70) {
                    0
                } else {
                    dice.between(1, 9) as u8
                },
            },
            Make::Fork => Step::Fork {
                run,
                at: dice.below(7) as u8,
                new: dice.below(12) as u8,
            },
            Make::Purge => Step::Purge { run },
            Make::Call => {
                self.calls += 1;
                let nonce = self.calls;
                call(dice, run, nonce)
            }
            Make::RepeatCall => {
                let nonce = dice.between(1, u64::from(self.calls.max(1))) as u16;
                call(dice, run, nonce)
            }
            Make::Query => Step::Query { run },
            Make::Hurry => Step::Hurry { run },
            Make::Answer => Step::Answer {
                place: seed as u8,
                number: seed,
            },
            Make::CancelTask => Step::CancelTask { place: seed as u8 },
            Make::Beat => Step::Beat { place: seed as u8 },
            Make::Schedule => Step::Schedule {
                name: place,
                every: dice.below(4) as u8,
                overlap: dice.below(6) as u8,
                catch_up: dice.below(4) as u8,
                program: dice.below(PROGRAMS) as u16,
            },
            Make::PauseSchedule => Step::PauseSchedule {
                name: place,
                pause: dice.percent(35),
            },
            Make::DeleteSchedule => Step::DeleteSchedule { name: place },
            Make::Trigger => {
                self.calls += 1;
                let nonce = self.calls;
                Step::Trigger { name: place, nonce }
            }
            Make::Backfill => {
                self.calls += 1;
                Step::Backfill {
                    name: place,
                    back_ms: dice.between(500, 60_000) as u16,
                    nonce: self.calls,
                }
            }
            Make::Bulk => Step::Bulk {
                id: dice.below(12) as u8,
                action: dice.below(8) as u8,
                which: dice.below(8) as u8,
                rate: *dice.pick(&[0, 1, 5, 40]),
            },
            Make::StopBulk => Step::StopBulk {
                id: dice.below(12) as u8,
            },
            Make::Await => Step::Await { run },
            Make::Look => Step::Look {
                run,
                what: dice.below(4) as u8,
            },
            Make::List => Step::List { shard: place },
            Make::Follow => Step::Follow { shard: place },
            Make::Put => put(dice, place % 3),
            Make::Limit => Step::Limit,
            Make::Ship => {
                self.keys += 1;
                ship(dice, self.keys)
            }
            Make::RepeatShip => {
                let key = dice.between(1, u64::from(self.keys.max(1))) as u16;
                ship(dice, key)
            }
            Make::Replay => Step::Replay { place },
            Make::Drop => Step::Drop { place },
            Make::Steer(steer) => self.steer(dice, *steer),
            Make::Pass => {
                let most = 2 << dice.below(11);
                let ms = dice.between(1, most) as u32;
                Step::Pass { ms }
            }
            Make::Settle => Step::Settle,
            Make::Checkpoint => Step::Checkpoint { thread: place },
            Make::Clone => Step::Clone { policy, seed },
            Make::WorkerComes => Step::WorkerComes { worker },
            Make::WorkerGoes => Step::WorkerGoes { worker },
            Make::ClientGoes => Step::ClientGoes {
                client: dice.below(u64::from(CLIENTS)) as u8,
            },
            Make::Jump => Step::Jump {
                ms: dice.between(1_000, 200_000) as u32,
            },
            Make::Stall => Step::Stall {
                ms: dice.between(10, 5_000) as u32,
            },
            Make::Crash => Step::Crash {
                policy,
                seed,
                during_recovery: if dice.percent(30) {
                    dice.between(1, 40) as u8
                } else {
                    0
                },
                clock_back_ms: if dice.percent(20) {
                    dice.between(1, 5_000) as u16
                } else {
                    0
                },
            },
            Make::Kill => Step::Kill,
            Make::DiskFault => Step::DiskFault {
                after: dice.below(20) as u8,
                fault: dice.below(4) as u8,
            },
            Make::DiskFull => Step::DiskFull {
                kib: dice.below(250) as u8,
            },
            Make::DiskSpace => Step::DiskSpace,
            Make::Flip => Step::Flip { seed },
        }
    }
}

/// A call: `nonce` says of which method.
fn call(dice: &mut Dice, run: u8, nonce: u16) -> Step {
    Step::Call {
        run,
        method: (nonce % 3) as u8,
        nonce,
        wait: dice.percent(60),
    }
}

fn put(dice: &mut Dice, destination: u8) -> Step {
    Step::Put {
        destination,
        rate: *dice.pick(&[0, 1, 3, 10, 50]),
        burst: dice.between(1, 4) as u8,
        concurrency: dice.between(1, 4) as u8,
        attempts: dice.between(1, 5) as u8,
        skip: dice.percent(20),
        paused: dice.percent(10),
    }
}

fn ship(dice: &mut Dice, key: u16) -> Step {
    Step::Ship {
        destination: dice.below(3) as u8,
        lane: dice.below(3) as u8,
        count: dice.between(1, 4) as u8,
        key,
        delay_ms: if dice.percent(20) {
            dice.between(1, 2_000) as u16
        } else {
            0
        },
    }
}
