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

mod bulk;
mod egress;
mod filter;
mod jobs;
mod kept;
mod method;
mod op;
mod query;
mod reply;
mod start;
mod task;

use crate::entry::{Command, Meta, Outcome, TaskOptions};
use crate::failure::Failure;
use crate::ids::{CommandId, RequestId, RunId, RunKey, TaskId, Token};
use crate::payload::{Name, Payload};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

pub use bulk::{Bulk, BulkState, BulkStatus, JobWork, Work};
pub use egress::{EgressOp, LimiterStatus, WhichJobs};
pub use filter::{Action, Fitness, RunFilter};
pub use jobs::{
    Backlog, BreakerState, DestinationFigures, JobAction, JobFilter, JobPlace, JobsOp, LaneStatus,
    Moment,
};
pub use kept::{CredentialNews, Keep, Kept};
pub use method::{CallMethod, WhichTimers};
pub use op::Op;
pub use query::{AskQuery, Query, QueryAnswer};
pub use reply::{Counters, DestinationStatus, Rejection, Reply};
pub use start::{OnConflict, Start};
pub use task::{TaskState, TaskStatus};

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
    /// An attempt is alive.
    #[n(8)]
    Heartbeat {
        /// The run.
        #[n(0)]
        run: RunKey,
        /// The command that scheduled the task.
        #[n(1)]
        command: CommandId,
        /// The attempt's token.
        #[n(2)]
        token: Token,
        /// How far it has come, for the next attempt; absent: as it was.
        #[n(3)]
        details: Option<Payload>,
        /// What the next attempt is to know; absent: as it was.
        #[n(4)]
        meta: Option<Meta>,
    },
    /// An attempt has ended without a result: somebody answers the task later, by its [`TaskId`].
    #[n(9)]
    TaskDelegated {
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
    /// A query is done.
    #[n(10)]
    QueryDone {
        /// The run.
        #[n(0)]
        run: RunKey,
        /// The query's number.
        #[n(1)]
        number: u64,
        /// What it says.
        #[n(2)]
        answer: QueryAnswer,
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
    /// Tasks of single services that may be with the worker at once, within `task_slots`.
    #[n(5)]
    pub service_slots: Option<Vec<(Name, u32)>>,
    /// Turns of single workflows that may be with the worker at once, within `turn_slots`.
    #[n(6)]
    pub workflow_slots: Option<Vec<(Name, u32)>>,
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
    Task(#[n(0)] Box<TaskAttempt>),
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
    /// An attempt is to come to its end: nobody waits for it any more, or it has taken too long. After the grace it is
    /// abandoned.
    #[n(6)]
    CancelTask {
        /// The run.
        #[n(0)]
        run: RunKey,
        /// The command that scheduled the task.
        #[n(1)]
        command: CommandId,
        /// The attempt's token.
        #[n(2)]
        token: Token,
        /// How long it may go on, in milliseconds.
        #[n(3)]
        grace_ms: u64,
        /// True if it has taken too long: another attempt may follow, and what this one returns is not looked at.
        #[n(4)]
        timed_out: bool,
    },
    /// Answer a query of a run, and change nothing.
    #[n(7)]
    Query(#[n(0)] Query),
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
    /// What earlier attempts made of the task's meta; absent: it is as in the options.
    #[n(9)]
    pub meta: Option<Meta>,
    /// How the attempt before failed.
    #[n(10)]
    pub last_failure: Option<Box<Failure>>,
    /// What the last heartbeat of an earlier attempt said.
    #[n(11)]
    pub heartbeat_details: Option<Payload>,
    /// When the run's count of commands began: with run and command it makes the task's id.
    #[n(12)]
    pub began: Timestamp,
}

impl TaskAttempt {
    /// The identity of the task: the same for all its attempts.
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        TaskId {
            run: self.run,
            began: self.began,
            command: self.command,
        }
    }
}
