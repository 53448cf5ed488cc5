//! Plans: what happens in a simulated world, step by step, made from one seed.
//!
//! A plan is made in full before anything runs, and names what it touches by small numbers, so that it can lose any of its
//! steps and still is a plan. That is what [shrinking](crate::shrink) does with it. How workers, destinations and threads
//! behave in between is decided by the [`Setup`].

use trunkline_journal::CrashPolicy;

mod making;

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
    /// A worker hands a task on to somebody who answers it later.
    pub delegate: u8,
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
    /// A rule of the destination judges what came of a call.
    pub rules: u8,
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
    /// An operator retries a run: from its last failure, or from before the turn that asked for command `at` - 1.
    Retry { run: u8, at: u8 },
    /// An operator starts run `new` with the history of `run` before the turn that asked for command `at`.
    Fork { run: u8, at: u8, new: u8 },
    /// An operator has a run forgotten that has ended.
    Purge { run: u8 },
    /// A client calls a method. The same `nonce` again is a repeat.
    Call {
        run: u8,
        method: u8,
        nonce: u16,
        wait: bool,
    },
    /// A client asks a query.
    Query { run: u8 },
    /// A client has the timers of a run fire at once.
    Hurry { run: u8 },
    /// Somebody outside answers the task with this place among those that are open.
    Answer { place: u8, number: u16 },
    /// Somebody has a task end.
    CancelTask { place: u8 },
    /// Somebody says that a task is being worked on.
    Beat { place: u8 },
    /// Somebody puts a schedule, or changes it.
    Schedule {
        name: u8,
        every: u8,
        overlap: u8,
        catch_up: u8,
        program: u16,
    },
    /// Somebody holds the clock of a schedule back, or lets it go on.
    PauseSchedule { name: u8, pause: bool },
    /// Somebody deletes a schedule.
    DeleteSchedule { name: u8 },
    /// Somebody has a schedule fire now.
    Trigger { name: u8, nonce: u16 },
    /// Somebody has a schedule fire for a while that is past.
    Backfill { name: u8, back_ms: u16, nonce: u16 },
    /// An operator begins a bulk operation. `rate` is runs a second, 0 without.
    Bulk {
        id: u8,
        action: u8,
        which: u8,
        rate: u8,
    },
    /// An operator stops a bulk operation.
    StopBulk { id: u8 },
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
    /// An operator makes the limiter that destinations share.
    Limit,
    /// An operator says what a destination does when it fails: `head` 0 blocks, 1 skips, 2 parks; `breaker` 0 is none, else
    /// after how many failed calls it opens; `trips` is how often it may before the destination is paused.
    Guard {
        destination: u8,
        attempts: u8,
        concurrency: u8,
        head: u8,
        breaker: u8,
        trips: u8,
        coalesce: bool,
    },
    /// An operator makes a destination a connector that takes so many jobs a call.
    Connect {
        destination: u8,
        batch: u8,
        attempts: u8,
        concurrency: u8,
        rate: u8,
        coalesce: bool,
    },
    /// An operator puts a job with another body in the place of the dead letter with this place among those there are.
    Correct { place: u8, key: u16 },
    /// An operator lets the lane go on that has this place among those that stand still.
    ReleaseLane { place: u8, give_up: bool },
    /// An operator opens or closes the breaker of a destination.
    Breaker { destination: u8, open: bool },
    /// An operator enables a paused destination; what waits is delivered, or cancelled, or dead letters are delivered too.
    Enable {
        destination: u8,
        backlog: u8,
        number: u16,
    },
    /// A client ships jobs that wait for others: of a batch, or about objects. The same `key` again is a repeat.
    Belt {
        destination: u8,
        count: u8,
        key: u16,
    },
    /// A client ships what became of objects: newer changes make older ones superfluous, and after `lives_ms` they are not
    /// wanted any more, if it is not 0.
    Change {
        destination: u8,
        count: u8,
        key: u16,
        delay_ms: u16,
        lives_ms: u16,
    },
    /// An operator lets the job go with this place among those that wait for others.
    ReleaseJob { place: u8 },
    /// An operator lets all jobs of a batch go.
    ReleaseBatch { destination: u8, batch: u8 },
    /// An operator begins a bulk operation on jobs. `rate` is jobs a second, 0 without.
    BulkJobs {
        id: u8,
        action: u8,
        which: u8,
        rate: u8,
    },
    /// An operator stops a bulk operation on jobs.
    StopBulkJobs { id: u8 },
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
