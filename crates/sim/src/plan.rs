//! Plans: what happens in a simulated world, step by step, made from one seed.
//!
//! A plan is made in full before anything runs, and names what it touches by small numbers, so that it can lose any of its
//! steps and still is a plan. That is what [shrinking](crate::shrink) does with it. How workers, destinations and threads
//! behave in between is decided by the [`Setup`].

use crate::dice::Dice;
use trunkline_journal::CrashPolicy;

/// Everything that decides what happens in a world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// How the world is set up.
    pub setup: Setup,
    /// What happens before any fault.
    pub warm: Vec<Step>,
    /// What happens among faults. Afterwards the world heals, and all work has to end.
    pub chaos: Vec<Step>,
}

/// The size of a world, and how likely its inhabitants do what. Everything is in percent unless it says otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// Decides what chance decides.
    pub seed: u64,
    /// Shards.
    pub shards: u16,
    /// Shard threads, each with a journal and a store.
    pub threads: u16,
    /// The size of a journal's segments, in KiB.
    pub segment_kib: u16,
    /// A checkpoint is due after so many KiB of commits.
    pub checkpoint_kib: u16,
    /// How long finished runs and settled jobs are kept, in milliseconds.
    pub retention_ms: u32,
    /// Runs that may stay in memory while nothing goes on in them.
    pub idle_runs_max: u16,
    /// Workers at the start.
    pub workers: u8,
    /// A shard thread works off its inbox when it could.
    pub step: u8,
    /// A writer syncs when it could.
    pub sync: u8,
    /// A keeper does its chores when it could.
    pub keep: u8,
    /// A worker keeps the future of a run.
    pub hold: u8,
    /// A worker drops a future that it keeps.
    pub evict: u8,
    /// A worker sends an answer twice.
    pub twice: u8,
    /// An answer takes very long.
    pub late: u8,
    /// A worker never answers.
    pub hang: u8,
    /// A worker that holds a run plays the result of its task at once.
    pub ahead: u8,
    /// An attempt of a task fails.
    pub fail: u8,
    /// A destination answers with an error.
    pub error: u8,
    /// A destination refuses for good.
    pub refuse: u8,
    /// A destination asks for patience.
    pub patience: u8,
    /// The answer of a destination is lost: whether it acted is unknown.
    pub lost: u8,
    /// No report of a delivery ever comes.
    pub silent: u8,
    /// A client asks again when it does not know what became of its request.
    pub again: u8,
}

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(
    missing_docs,
    reason = "the fields are small numbers that name what the step is about"
)]
pub enum Step {
    /// A client starts a run. `nonce` 0 is none.
    Start {
        run: u8,
        program: u16,
        nonce: u16,
        attach: bool,
        wait: bool,
    },
    /// A client sends a signal. The same `nonce` again is a repeat.
    Signal { run: u8, nonce: u16 },
    /// A client asks a run to cancel.
    Cancel { run: u8 },
    /// An operator ends a run.
    Terminate { run: u8 },
    /// An operator holds a run back.
    Pause { run: u8 },
    /// An operator lets a run go on.
    Resume { run: u8 },
    /// A client waits for the end of a run.
    Await { run: u8 },
    /// A client looks at a run: `what` is one of description, history, property, what it waits for.
    Look { run: u8, what: u8 },
    /// A client lists runs and destinations, and reads counters, of one shard.
    List { shard: u8 },
    /// A listener reads on in the event feed of one shard.
    Follow { shard: u8 },
    /// An operator configures a destination. `rate` is calls a second, 0 without.
    Put {
        destination: u8,
        rate: u8,
        burst: u8,
        concurrency: u8,
        attempts: u8,
        skip: bool,
        paused: bool,
    },
    /// A client ships jobs. The same `key` again is a repeat.
    Ship {
        destination: u8,
        lane: u8,
        count: u8,
        key: u16,
        delay_ms: u16,
    },
    /// An operator replays the dead letter with this place among those there are.
    Replay { place: u8 },
    /// An operator cancels the job with this place among those that wait or are dead.
    Drop { place: u8 },
    /// A worker connects.
    WorkerComes { worker: u8 },
    /// A worker's connection breaks. It comes back with the next [`Step::WorkerComes`].
    WorkerGoes { worker: u8 },
    /// A client's connection breaks.
    ClientGoes { client: u8 },
    /// Time passes.
    Pass { ms: u32 },
    /// The clock jumps ahead, over whatever was due in between.
    Jump { ms: u32 },
    /// Somebody sets the clock back: it stands still for so long.
    Stall { ms: u32 },
    /// All threads do everything that they can.
    Settle,
    /// A checkpoint is due.
    Checkpoint { thread: u8 },
    /// The machine loses power.
    Crash {
        policy: CrashPolicy,
        seed: u16,
        during_recovery: u8,
        clock_back_ms: u16,
    },
    /// The process is killed, and started again.
    Kill,
    /// The disk operation that comes `after` so many others fails: 0 plainly, 1 losing what a sync should write, 2 with a
    /// short write, 3 halfway.
    DiskFault { after: u8, fault: u8 },
    /// Only so many KiB more fit on the disk.
    DiskFull { kib: u8 },
    /// There is space again.
    DiskSpace,
    /// The machine loses power in a copy of the world, which must recover to what this one is.
    Clone { policy: CrashPolicy, seed: u16 },
    /// A bit flips in a journal at rest, in a copy of the world, which must refuse it or be whole.
    Flip { seed: u16 },
}

/// How many run ids there are.
pub const RUNS: u8 = 40;
/// How many of them are chosen half of the time, so that much happens to the same runs.
const HOT_RUNS: u64 = 6;
/// How many workers there are.
pub const WORKERS: u8 = 4;
/// How many clients there are.
pub const CLIENTS: u8 = 3;

impl Plan {
    /// The plan that `seed` makes. Each seed switches on a random subset of operations and faults, with random weights.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let setup = Setup::of_seed(seed);
        let mut dice = Dice::new(seed, 0x706c_616e);
        let mut maker = Maker {
            signals: 0,
            keys: 0,
            starts: 0,
            setup: &setup,
        };
        let mut warm = maker.prologue(&mut dice);
        let calm = weights(&mut dice, &OPERATIONS);
        warm.extend((0..dice.between(5, 40)).map(|_| maker.step(&mut dice, &calm)));
        let mut wild = weights(&mut dice, &OPERATIONS);
        wild.extend(weights(&mut dice, &FAULTS));
        let count = dice.between(40, 260);
        let chaos = (0..count).map(|_| maker.step(&mut dice, &wild)).collect();
        Self { setup, warm, chaos }
    }

    /// The number of steps.
    #[must_use]
    pub fn len(&self) -> usize {
        self.warm.len() + self.chaos.len()
    }

    /// True if nothing happens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Setup {
    fn of_seed(seed: u64) -> Self {
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
        let threads = dice.between(1, 3) as u16;
        Self {
            seed,
            shards: threads + dice.below(4) as u16,
            threads,
            segment_kib: *dice.pick(&[64, 64, 128, 256]),
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
            error,
            refuse,
            patience,
            lost,
            silent,
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
    Await,
    Look,
    List,
    Follow,
    Put,
    Ship,
    RepeatShip,
    Replay,
    Drop,
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
                    program: dice.below(400) as u16,
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
            Make::Await => Step::Await { run },
            Make::Look => Step::Look {
                run,
                what: dice.below(4) as u8,
            },
            Make::List => Step::List { shard: place },
            Make::Follow => Step::Follow { shard: place },
            Make::Put => put(dice, place % 3),
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
