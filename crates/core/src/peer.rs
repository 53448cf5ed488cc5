//! The conversation between the engine and its peers: clients, which ask, and workers, which work.
//!
//! One connection may be both. In library mode these values are handed over as they are; over a network they travel in
//! batches in the compact encoding (CBOR), or as JSON.
//!
//! # How a worker and the engine move a run along
//!
//! The engine sends [`ToPeer::Turn`]: the run's history from entry `from` on, without gaps. `from` is zero unless the worker
//! still holds the run's future from the turn before, with `consumed` as it is now. The worker plays the notifications from
//! index `consumed` on to the workflow's code, one at a time, and answers with [`FromPeer::TurnDone`]: the commands that
//! came of it. (A worker that holds the future passes over `Entry::Turn` and `Entry::Command` of a continued history: they
//! are its own. Notifications that arrived while its last turn was under way stand before them.) The engine accepts a turn
//! only if `consumed` is still what the turn began from, so two workers can never both move a run.
//!
//! An accepted turn appends `Entry::Turn { upto }` and its commands to the history; a turn that consumed nothing and asks
//! for nothing appends nothing. A worker that does not hold what a continued turn needs answers with
//! [`FromPeer::Evicted`], and gets the turn again from entry 0.
//!
//! A worker that finishes a task (or an inline step) of a run whose future it holds may play the result to it at once and
//! send task and turn together, in `then`. The turn is accepted only if the result did become the run's next entry; else
//! the engine takes the result alone and sends the turn again, from entry 0.

use crate::code::Code;
use crate::egress::{Destination, Job, JobState, NewJob};
use crate::entry::{Command, Outcome, TaskOptions};
use crate::ids::{CommandId, JobId, Nonce, RequestId, RunId, RunKey, Token};
use crate::payload::{Name, Payload};
use crate::run::{Run, RunStatus};
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// What a peer tells the engine.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum FromPeer {
    /// A request; answered by exactly one [`ToPeer::Reply`].
    #[n(0)]
    Request(#[n(0)] RequestId, #[n(1)] Op),
    /// The peer offers to work. A second registration replaces the first.
    #[n(1)]
    Register(#[n(0)] Registration),
    /// A turn is done.
    #[n(2)]
    TurnDone(#[n(0)] TurnDone),
    /// A turn could not be done: the run is paused, with the reason.
    #[n(3)]
    TurnStuck {
        /// The run.
        #[n(0)]
        run: RunKey,
        /// The turn's token.
        #[n(1)]
        token: Token,
        /// What is wrong, for a person: a mismatch with its history field by field, a panic, a foreign await.
        #[n(2)]
        reason: Name,
    },
    /// An attempt of a task is done.
    #[n(4)]
    TaskDone {
        /// The run.
        #[n(0)]
        run: RunKey,
        /// The command that scheduled the task.
        #[n(1)]
        command: CommandId,
        /// The attempt's token.
        #[n(2)]
        token: Token,
        /// How it ended.
        #[n(3)]
        outcome: Outcome,
        /// The turn that follows at once, if the worker holds the run.
        #[n(4)]
        then: Option<TurnDone>,
    },
    /// An inline step is done.
    #[n(5)]
    StepDone {
        /// The run.
        #[n(0)]
        run: RunKey,
        /// The command that began the step.
        #[n(1)]
        command: CommandId,
        /// How it ended.
        #[n(2)]
        outcome: Outcome,
        /// The turn that follows at once.
        #[n(3)]
        then: Option<TurnDone>,
    },
    /// The worker takes no new work; what it has it finishes.
    #[n(6)]
    Drain,
    /// The worker no longer holds the run's future.
    #[n(7)]
    Evicted {
        /// The run.
        #[n(0)]
        run: RunKey,
    },
}

/// A finished turn.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TurnDone {
    /// The run.
    #[n(0)]
    pub run: RunKey,
    /// The turn's token; in a `then` it is the token of the run's previous turn on this worker.
    #[n(1)]
    pub token: Token,
    /// What `consumed` was when the turn began.
    #[n(2)]
    pub from: u32,
    /// One past the last notification consumed.
    #[n(3)]
    pub upto: u32,
    /// What the code asked for.
    #[n(4)]
    pub commands: Vec<Command>,
    /// True if the worker keeps the run's future.
    #[n(5)]
    pub held: bool,
}

/// What a worker offers.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Registration {
    /// The worker's name, for people.
    #[n(0)]
    pub name: Option<Name>,
    /// Workflows with their versions.
    #[n(1)]
    pub workflows: Vec<(Name, u32)>,
    /// Services.
    #[n(2)]
    pub services: Vec<Name>,
    /// Turns that may be with the worker at once.
    #[n(3)]
    pub turn_slots: u32,
    /// Tasks that may be with the worker at once.
    #[n(4)]
    pub task_slots: u32,
}

/// What the engine tells a peer.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ToPeer {
    /// The answer to a request.
    #[n(0)]
    Reply(#[n(0)] RequestId, #[n(1)] Result<Reply, Rejection>),
    /// Do a turn.
    #[n(1)]
    Turn(#[n(0)] Turn),
    /// Do a task.
    #[n(2)]
    Task(#[n(0)] TaskAttempt),
    /// The run has ended, or another worker has it: forget its future. Nothing is answered.
    #[n(3)]
    Forget {
        /// The run.
        #[n(0)]
        run: RunKey,
    },
    /// Nobody waits for this attempt any more.
    #[n(4)]
    AbandonTask {
        /// The run.
        #[n(0)]
        run: RunKey,
        /// The command that scheduled the task.
        #[n(1)]
        command: CommandId,
        /// The attempt's token.
        #[n(2)]
        token: Token,
    },
    /// The engine refused what the worker sent (an unknown or late token). Its slot is free again.
    #[n(5)]
    Refused {
        /// The run.
        #[n(0)]
        run: RunKey,
        /// Why.
        #[n(1)]
        rejection: Rejection,
    },
}

/// A turn to do.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Turn {
    /// The run.
    #[n(0)]
    pub run: RunKey,
    /// Workflow and id.
    #[n(1)]
    pub id: RunId,
    /// The version of the workflow that the run is pinned to.
    #[n(2)]
    pub version: u32,
    /// Proves that this worker has the turn.
    #[n(3)]
    pub token: Token,
    /// What has been consumed by turns so far.
    #[n(4)]
    pub consumed: u32,
    /// The index of the first entry in `chunks`: zero, or where the worker's own copy ends.
    #[n(5)]
    pub from: u32,
    /// The entries from `from` on, as the history's chunks: each is one CBOR array of [`crate::entry::Entry`].
    #[n(6)]
    pub chunks: Vec<Payload>,
    /// When the run was accepted. With the run and a command it makes a job's id.
    #[n(7)]
    pub started_at: Timestamp,
    /// The time at which the engine sent the turn: what `cx.now()` says during it.
    #[n(8)]
    pub now: Timestamp,
}

/// An attempt of a task to do.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TaskAttempt {
    /// The run.
    #[n(0)]
    pub run: RunKey,
    /// Workflow and id.
    #[n(1)]
    pub id: RunId,
    /// The command that scheduled the task. With the run it is the task's stable identity.
    #[n(2)]
    pub command: CommandId,
    /// Proves that this worker has the attempt.
    #[n(3)]
    pub token: Token,
    /// The service.
    #[n(4)]
    pub service: Name,
    /// The task.
    #[n(5)]
    pub task: Name,
    /// Its argument.
    #[n(6)]
    pub input: Payload,
    /// Which attempt this is, from 1.
    #[n(7)]
    pub attempt: u32,
    /// Times and retries.
    #[n(8)]
    pub options: TaskOptions,
}

/// A request.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Op {
    /// Start a run.
    #[n(0)]
    Start(#[n(0)] Start),
    /// Send a signal to a run. Answered by `Reply::Done`.
    #[n(1)]
    Signal {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The channel.
        #[n(1)]
        channel: Name,
        /// The value.
        #[n(2)]
        payload: Payload,
        /// A repeat with the same nonce is dropped.
        #[n(3)]
        nonce: Nonce,
    },
    /// Answer once the run has ended: `Reply::Outcome`.
    #[n(2)]
    AwaitOutcome {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// Describe a run: `Reply::Run`.
    #[n(3)]
    DescribeRun {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// A run's history, from entry `from` on: `Reply::History`.
    #[n(4)]
    History {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The first entry wanted.
        #[n(1)]
        from: u32,
    },
    /// The value of a property: `Reply::Property`.
    #[n(5)]
    Property {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The property's name.
        #[n(1)]
        name: Name,
    },
    /// Ask a run to cancel: `Reply::Done`.
    #[n(6)]
    Cancel {
        /// The run.
        #[n(0)]
        run: RunId,
        /// Why.
        #[n(1)]
        reason: Name,
    },
    /// End a run without asking its code: `Reply::Done`.
    #[n(7)]
    Terminate {
        /// The run.
        #[n(0)]
        run: RunId,
        /// Why.
        #[n(1)]
        reason: Name,
    },
    /// Hold a run back: `Reply::Done`.
    #[n(8)]
    Pause {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// Let a paused run go on: `Reply::Done`.
    #[n(9)]
    Resume {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// List runs of one shard: `Reply::Runs`. The engine asks shard after shard.
    #[n(10)]
    ListRuns(#[n(0)] RunFilter),
    /// Create or replace a destination: `Reply::Done`.
    #[n(11)]
    PutDestination {
        /// The destination.
        #[n(0)]
        destination: Destination,
    },
    /// Describe a destination and its work: `Reply::Destination`.
    #[n(12)]
    DescribeDestination {
        /// Its name.
        #[n(0)]
        name: Name,
    },
    /// All destinations of one shard: `Reply::Destinations`.
    #[n(13)]
    ListDestinations,
    /// Accept jobs for one destination: `Reply::Jobs`. All or none.
    #[n(14)]
    CreateJobs {
        /// The jobs with their identities; one whose identity is known is not accepted twice.
        #[n(0)]
        jobs: Vec<(JobId, NewJob)>,
    },
    /// Describe a job: `Reply::Job`.
    #[n(15)]
    DescribeJob {
        /// Its destination.
        #[n(0)]
        destination: Name,
        /// Its identity.
        #[n(1)]
        job: JobId,
    },
    /// List jobs of a destination: `Reply::JobList`.
    #[n(16)]
    ListJobs {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// Only jobs in this state.
        #[n(1)]
        state: Option<JobState>,
        /// Only jobs of this lane.
        #[n(2)]
        lane: Option<Name>,
        /// Go on after this job.
        #[n(3)]
        after: Option<JobId>,
        /// At most so many.
        #[n(4)]
        limit: u32,
    },
    /// Put a dead letter back to the end of its lane, with all its attempts: `Reply::Done`.
    #[n(17)]
    ReplayJob {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// The dead job.
        #[n(1)]
        job: JobId,
    },
    /// Cancel a pending or dead job: `Reply::Done`.
    #[n(18)]
    CancelJob {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// The job.
        #[n(1)]
        job: JobId,
    },
    /// Counters of one shard: `Reply::Counters`.
    #[n(19)]
    Counters,
    /// What a run waits for: `Reply::Waits`.
    #[n(20)]
    Waits {
        /// The run.
        #[n(0)]
        run: RunId,
    },
}

/// A request to start a run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Start {
    /// Workflow and id.
    #[n(0)]
    pub run: RunId,
    /// The version; absent: the newest that a worker registered. The engine fills it in.
    #[n(1)]
    pub version: Option<u32>,
    /// The workflow's argument.
    #[n(2)]
    pub input: Payload,
    /// Tags.
    #[n(3)]
    pub tags: Vec<Name>,
    /// A repeat with the same nonce gets the same answer, whatever `on_conflict` says.
    #[n(4)]
    pub nonce: Nonce,
    /// What to do if the id is taken.
    #[n(5)]
    pub on_conflict: OnConflict,
    /// True: answer with `Reply::Outcome` when the run has ended; false: with `Reply::Started` when it is accepted.
    #[n(6)]
    pub wait: bool,
}

/// What to do if the id of a new run is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum OnConflict {
    /// Refuse.
    #[default]
    #[n(0)]
    Reject,
    /// Answer for the run that has it.
    #[n(1)]
    Attach,
}

/// Which runs to list.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct RunFilter {
    /// Only of this workflow.
    #[n(0)]
    pub workflow: Option<Name>,
    /// Only in this status.
    #[n(1)]
    pub status: Option<RunStatus>,
    /// Only with this tag.
    #[n(2)]
    pub tag: Option<Name>,
    /// Only with this id.
    #[n(3)]
    pub id: Option<Name>,
    /// Go on after this run.
    #[n(4)]
    pub after: Option<RunKey>,
    /// At most so many.
    #[n(5)]
    pub limit: u32,
}

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Reply {
    /// Done, and durable.
    #[n(0)]
    Done,
    /// The run is accepted, and durable.
    #[n(1)]
    Started {
        /// False if the run was there before.
        #[n(0)]
        created: bool,
        /// The version it is pinned to.
        #[n(1)]
        version: u32,
    },
    /// How a run ended.
    #[n(2)]
    Outcome {
        /// Its final status.
        #[n(0)]
        status: RunStatus,
        /// The value or the failure.
        #[n(1)]
        outcome: Outcome,
    },
    /// A run.
    #[n(3)]
    Run(#[n(0)] Run),
    /// Part of a run's history.
    #[n(4)]
    History {
        /// The index of the first entry in `chunks`.
        #[n(0)]
        from: u32,
        /// Chunks as in [`Turn::chunks`]; the last may be followed by more.
        #[n(1)]
        chunks: Vec<Payload>,
        /// Where to go on; absent at the end.
        #[n(2)]
        next: Option<u32>,
    },
    /// A property's value.
    #[n(5)]
    Property(#[n(0)] Payload),
    /// A page of runs.
    #[n(6)]
    Runs {
        /// The runs, in the order of their keys.
        #[n(0)]
        runs: Vec<Run>,
        /// Where to go on; absent at the end of the shard.
        #[n(1)]
        next: Option<RunKey>,
    },
    /// A destination and its work.
    #[n(7)]
    Destination(#[n(0)] DestinationStatus),
    /// All destinations of the shard.
    #[n(8)]
    Destinations(#[n(0)] Vec<DestinationStatus>),
    /// The jobs are accepted, and durable.
    #[n(9)]
    Jobs {
        /// Accepted now.
        #[n(0)]
        accepted: u32,
        /// Known before.
        #[n(1)]
        known: u32,
    },
    /// A job.
    #[n(10)]
    Job {
        /// The job.
        #[n(0)]
        job: Job,
        /// What it waits for, in words; absent when it waits for nothing or is settled.
        #[n(1)]
        blocked_on: Option<Name>,
    },
    /// A page of jobs.
    #[n(11)]
    JobList {
        /// The jobs.
        #[n(0)]
        jobs: Vec<Job>,
        /// Where to go on; absent at the end.
        #[n(1)]
        next: Option<JobId>,
    },
    /// Counters.
    #[n(12)]
    Counters(#[n(0)] Counters),
    /// What a run waits for, in words, one line each.
    #[n(13)]
    Waits(#[n(0)] Vec<Name>),
}

/// A destination and how its work stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct DestinationStatus {
    /// The destination.
    #[n(0)]
    pub destination: Destination,
    /// Jobs waiting.
    #[n(1)]
    pub pending: u64,
    /// Jobs being delivered.
    #[n(2)]
    pub in_flight: u64,
    /// Jobs delivered, since the destination was made.
    #[n(3)]
    pub succeeded: u64,
    /// Dead letters, as they stand now.
    #[n(4)]
    pub dead: u64,
    /// Lanes with work.
    #[n(5)]
    pub lanes: u64,
    /// What holds the whole destination back, in words.
    #[n(6)]
    pub blocked_on: Option<Name>,
}

/// Counters of a shard, or the sum of several.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Counters {
    /// Runs by status, in the order of [`RunStatus::ALL`].
    #[n(0)]
    pub runs: [u64; 6],
    /// Runs ready for a turn and not with a worker.
    #[n(1)]
    pub turns_ready: u64,
    /// Turns with workers.
    #[n(2)]
    pub turns_in_flight: u64,
    /// Tasks ready and not with a worker.
    #[n(3)]
    pub tasks_ready: u64,
    /// Tasks with workers.
    #[n(4)]
    pub tasks_in_flight: u64,
    /// Tasks waiting for their next attempt.
    #[n(5)]
    pub tasks_delayed: u64,
    /// Timers set.
    #[n(6)]
    pub timers: u64,
    /// Jobs waiting.
    #[n(7)]
    pub jobs_pending: u64,
    /// Jobs being delivered.
    #[n(8)]
    pub jobs_in_flight: u64,
    /// Jobs delivered.
    #[n(9)]
    pub jobs_succeeded: u64,
    /// Dead letters.
    #[n(10)]
    pub jobs_dead: u64,
    /// Messages to other shards that wait for their acknowledgement.
    #[n(11)]
    pub outbox: u64,
}

/// A request that was refused: nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Rejection {
    /// Which rule refused it.
    #[n(0)]
    pub code: Code,
    /// What exactly, for a person.
    #[n(1)]
    pub detail: Name,
}

impl Rejection {
    /// A refusal under `code`.
    pub fn new(code: Code, detail: impl Into<Name>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}
