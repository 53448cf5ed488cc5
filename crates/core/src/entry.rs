//! The history of a run: one total order of **commands** (what its code asked for) and **notifications** (what came back).
//!
//! Entries are numbered from zero. A [`Entry::Turn`] marks that a turn has consumed every notification before `upto`; the
//! commands that follow it are those of that turn. Replaying the notifications one at a time, in order, makes the same
//! code ask for the same commands in the same order, so nothing else needs recording.
//!
//! The encoding (CBOR with numbered fields) is the same on disk and on the wire: a field may be added, a number is never
//! used again for something else.

#[cfg(test)]
mod tests;

use crate::egress::NewJob;
use crate::failure::Failure;
use crate::ids::{CommandId, Nonce, RunId};
use crate::payload::{Name, Payload};
use crate::peer::OnConflict;
use crate::policy::RetryPolicy;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// One entry of a run's history.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Entry {
    /// Something came back, or in, to the run.
    #[n(0)]
    Notification(#[n(0)] Timestamp, #[n(1)] Notification),
    /// A turn consumed the notifications with an index below `upto`. Its commands follow.
    #[n(1)]
    Turn {
        /// One past the last index consumed.
        #[n(0)]
        upto: u32,
    },
    /// The run's code asked for something.
    #[n(2)]
    Command(#[n(0)] Command),
}

/// What comes back, or in, to a run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Notification {
    /// The run begins. Always entry 0.
    #[n(0)]
    Started {
        /// The argument of the workflow.
        #[n(0)]
        input: Payload,
        /// Seed of the run's deterministic randomness.
        #[n(1)]
        seed: u64,
        /// The tags that the run begins with; absent: none.
        #[n(2)]
        tags: Option<Vec<Name>>,
    },
    /// A task succeeded.
    #[n(1)]
    TaskCompleted {
        /// The command that scheduled it.
        #[n(0)]
        command: CommandId,
        /// What it returned.
        #[n(1)]
        result: Payload,
    },
    /// A task failed for good.
    #[n(2)]
    TaskFailed {
        /// The command that scheduled it.
        #[n(0)]
        command: CommandId,
        /// Why.
        #[n(1)]
        failure: Failure,
    },
    /// A timer came due.
    #[n(3)]
    TimerFired {
        /// The command that set it.
        #[n(0)]
        command: CommandId,
    },
    /// A signal arrived.
    #[n(4)]
    Signal {
        /// The channel it is for.
        #[n(0)]
        channel: Name,
        /// Its value.
        #[n(1)]
        payload: Payload,
        /// The sender's nonce: a repeat is dropped.
        #[n(2)]
        nonce: Nonce,
    },
    /// An inline step ended.
    #[n(5)]
    StepDone {
        /// The command that began it.
        #[n(0)]
        command: CommandId,
        /// How it ended.
        #[n(1)]
        outcome: Outcome,
    },
    /// Somebody asked the run to cancel. What it waits for ends with a cancellation; its clean-up runs.
    #[n(6)]
    CancelRequested {
        /// Why, for a person.
        #[n(0)]
        reason: Name,
    },
    /// Somebody called a method of the run. The entry's index names the call.
    #[n(10)]
    MethodCalled {
        /// The method.
        #[n(0)]
        method: Name,
        /// Its argument.
        #[n(1)]
        input: Payload,
        /// The caller's nonce: a repeat gets the answer of the first.
        #[n(2)]
        nonce: Nonce,
    },
    /// A method that this run called, of another run or of its own, has ended, or the call was refused.
    #[n(11)]
    MethodEnded {
        /// The `CallMethod` command.
        #[n(0)]
        command: CommandId,
        /// How it ended.
        #[n(1)]
        outcome: Outcome,
    },
    /// The run goes on from here again: what later turns had asked for was dropped, by a retry or for a fork.
    #[n(29)]
    Rewound {
        /// The number that the next command claims: those below may have been used by what was dropped.
        #[n(0)]
        next: CommandId,
        /// Turns and commands that were dropped.
        #[n(1)]
        dropped: u32,
        /// The run whose history this was, if this is a fork.
        #[n(2)]
        source: Option<RunId>,
    },
    /// A child has been accepted. Only told to code that wants to know.
    #[n(7)]
    ChildStarted {
        /// The command that started it.
        #[n(0)]
        command: CommandId,
    },
    /// A child has ended, or could not be started.
    #[n(8)]
    ChildEnded {
        /// The command that started it.
        #[n(0)]
        command: CommandId,
        /// How it ended.
        #[n(1)]
        outcome: Outcome,
    },
    /// What was asked of another run was done there, or was refused.
    #[n(9)]
    Answered {
        /// The command that asked.
        #[n(0)]
        command: CommandId,
        /// `null`, or why not.
        #[n(1)]
        outcome: Outcome,
    },
}

/// What a run's code asks for.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Command {
    /// Have a worker do a task. Answered by `TaskCompleted` or `TaskFailed`.
    #[n(0)]
    ScheduleTask {
        /// The command's number.
        #[n(0)]
        command: CommandId,
        /// The service that has the task.
        #[n(1)]
        service: Name,
        /// The task's name within the service.
        #[n(2)]
        task: Name,
        /// Its argument.
        #[n(3)]
        input: Payload,
        /// Times and retries.
        #[n(4)]
        options: Box<TaskOptions>,
    },
    /// Wait. Answered by `TimerFired`, unless cancelled.
    #[n(1)]
    StartTimer {
        /// The command's number.
        #[n(0)]
        command: CommandId,
        /// When it is due, milliseconds since 1970: an instant, so that a late commit does not stretch a sleep.
        #[n(1)]
        at: Timestamp,
        /// The call whose method set it; absent: the run's own code.
        #[n(2)]
        call: Option<u32>,
    },
    /// The code no longer waits for timer `target`.
    #[n(2)]
    CancelTimer {
        /// The `StartTimer` command.
        #[n(0)]
        target: CommandId,
    },
    /// Set a property.
    #[n(3)]
    SetProperty {
        /// Its name.
        #[n(0)]
        name: Name,
        /// Its new value.
        #[n(1)]
        value: Payload,
    },
    /// Add tags to the run.
    #[n(4)]
    AddTags {
        /// The tags, `key:value` by habit.
        #[n(0)]
        tags: Vec<Name>,
    },
    /// Remove tags from the run.
    #[n(5)]
    RemoveTags {
        /// The tags.
        #[n(0)]
        tags: Vec<Name>,
    },
    /// Run a closure in the worker. Answered by `StepDone`.
    #[n(6)]
    BeginStep {
        /// The command's number.
        #[n(0)]
        command: CommandId,
        /// The step's name.
        #[n(1)]
        name: Name,
    },
    /// Ship a job out. It is accepted with the turn's commit; nothing comes back.
    #[n(7)]
    CreateJob {
        /// The command's number; with the run it makes the job's id.
        #[n(0)]
        command: CommandId,
        /// The job.
        #[n(1)]
        job: Box<NewJob>,
    },
    /// The run's code has returned. Always the last command.
    #[n(8)]
    Finish {
        /// How the run ended.
        #[n(0)]
        outcome: Outcome,
    },
    /// The code was asked whether it is patched, and the run is young enough to say yes. On replay the mark says yes again.
    #[n(15)]
    Patch {
        /// The patch.
        #[n(0)]
        name: Name,
    },
    /// A method has returned.
    #[n(16)]
    MethodReturned {
        /// The call: the index of its `MethodCalled`.
        #[n(0)]
        call: u32,
        /// How it ended.
        #[n(1)]
        outcome: Outcome,
    },
    /// Call a method of a run, another or this one. Answered by `MethodEnded`.
    #[n(17)]
    CallMethod {
        /// The command's number.
        #[n(0)]
        command: CommandId,
        /// The run.
        #[n(1)]
        run: RunId,
        /// The method.
        #[n(2)]
        method: Name,
        /// Its argument.
        #[n(3)]
        input: Payload,
    },
    /// Have task `target` end as cancelled. An attempt of it that is under way is asked to, and has its grace.
    #[n(9)]
    CancelTask {
        /// The `ScheduleTask` command.
        #[n(0)]
        target: CommandId,
    },
    /// Start a run that belongs to this one. Answered by `ChildEnded`.
    #[n(10)]
    StartChild {
        /// The command's number.
        #[n(0)]
        command: CommandId,
        /// Workflow and id.
        #[n(1)]
        run: RunId,
        /// The version; absent: the newest that a worker registered. The engine fills it in.
        #[n(2)]
        version: Option<u32>,
        /// The workflow's argument.
        #[n(3)]
        input: Payload,
        /// How it is started, and what becomes of it.
        #[n(4)]
        options: ChildOptions,
    },
    /// Send a signal to another run, or to this one. Answered by `Answered`.
    #[n(11)]
    SignalRun {
        /// The command's number.
        #[n(0)]
        command: CommandId,
        /// The run.
        #[n(1)]
        run: RunId,
        /// The channel.
        #[n(2)]
        channel: Name,
        /// The value.
        #[n(3)]
        payload: Payload,
    },
    /// Send a signal to every live run of a workflow that has a tag, this one included. Answered by `Answered`, with how many.
    #[n(12)]
    SignalTagged {
        /// The command's number.
        #[n(0)]
        command: CommandId,
        /// The workflow.
        #[n(1)]
        workflow: Name,
        /// The tag.
        #[n(2)]
        tag: Name,
        /// The channel.
        #[n(3)]
        channel: Name,
        /// The value.
        #[n(4)]
        payload: Payload,
    },
    /// Ask another run to cancel. Answered by `Answered`.
    #[n(13)]
    CancelRun {
        /// The command's number.
        #[n(0)]
        command: CommandId,
        /// The run.
        #[n(1)]
        run: RunId,
        /// Why, for a person.
        #[n(2)]
        reason: Name,
    },
    /// The run goes on as if it had been started anew, with an empty history. Always the last command.
    #[n(14)]
    ContinueAsNew {
        /// The argument from here on.
        #[n(0)]
        input: Payload,
        /// The version from here on; absent: as before.
        #[n(1)]
        version: Option<u32>,
        /// Entries of the history that come along: signals that turns have consumed and the code has not received.
        #[n(2)]
        carry: Vec<u32>,
    },
    /// The code no longer waits for child `target`, because the run was asked to cancel: the child is asked too.
    #[n(23)]
    CancelChild {
        /// The `StartChild` command.
        #[n(0)]
        target: CommandId,
    },
}

impl Notification {
    /// True for what comes from outside and not as the answer to a command: it is not lost when a run continues as new.
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        matches!(self, Self::Signal { .. } | Self::CancelRequested { .. })
    }
}

/// How a task attempt, a step or a run ended.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Outcome {
    /// It returned a value.
    #[n(0)]
    Completed(#[n(0)] Payload),
    /// It failed.
    #[n(1)]
    Failed(#[n(0)] Failure),
}

/// Times and retries of a task.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct TaskOptions {
    /// How failed attempts are repeated; absent: [`RetryPolicy::default`].
    #[n(0)]
    pub retry: Option<RetryPolicy>,
    /// How long one attempt may take, in milliseconds; absent: [`TaskOptions::ATTEMPT_TIMEOUT_MS`].
    #[n(1)]
    pub attempt_timeout_ms: Option<u64>,
    /// How long all attempts and the waits between them may take, in milliseconds; absent: without end.
    #[n(2)]
    pub total_timeout_ms: Option<u64>,
    /// How long an attempt may be silent between two heartbeats, in milliseconds; absent: it needs none.
    #[n(3)]
    pub heartbeat_timeout_ms: Option<u64>,
    /// How long an attempt that was asked to end may go on, in milliseconds; absent: [`TaskOptions::GRACE_MS`].
    #[n(4)]
    pub grace_ms: Option<u64>,
    /// Tags, for people and filters.
    #[n(5)]
    pub tags: Option<Vec<Name>>,
    /// What the attempts know from the beginning; each may change it for the next.
    #[n(6)]
    pub meta: Option<Meta>,
}

/// Named values that go along with a task, sorted by name.
pub type Meta = Vec<(Name, Payload)>;

impl TaskOptions {
    /// The time-out of an attempt that names none: five minutes. A worker that hangs is found out in that time.
    pub const ATTEMPT_TIMEOUT_MS: u64 = 300_000;
    /// How long an attempt that was asked to end may go on if the task does not say.
    pub const GRACE_MS: u64 = 5_000;

    /// How long an attempt that was asked to end may go on.
    #[must_use]
    pub fn grace_ms(&self) -> u64 {
        self.grace_ms.unwrap_or(Self::GRACE_MS)
    }
}

/// How a child is started, and what becomes of it when its parent ends.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct ChildOptions {
    /// Its tags.
    #[n(0)]
    pub tags: Vec<Name>,
    /// What to do if the id is taken.
    #[n(1)]
    pub on_conflict: OnConflict,
    /// What becomes of it when its parent ends, or continues as new, before it has ended.
    #[n(2)]
    pub on_parent_end: OnParentEnd,
    /// How long it may take, in milliseconds.
    #[n(3)]
    pub timeout_ms: Option<u64>,
    /// True: the code wants `ChildStarted`.
    #[n(4)]
    pub announce: Option<bool>,
}

/// What becomes of a child whose parent ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum OnParentEnd {
    /// It is asked to cancel, and cleans up.
    #[default]
    #[n(0)]
    Cancel,
    /// Nothing: it goes on by itself.
    #[n(1)]
    Abandon,
    /// It is ended without asking its code.
    #[n(2)]
    Terminate,
}
