//! A run: one instance of a workflow, as its row holds it. The history is in rows of its own.

use crate::entry::Outcome;
use crate::ids::{CommandId, Nonce, RunId};
use crate::payload::Name;
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Everything about a run except its history and its properties' values.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Run {
    /// Workflow and id.
    #[n(0)]
    pub id: RunId,
    /// The version of the workflow that it is pinned to.
    #[n(1)]
    pub version: u32,
    /// Where it stands.
    #[n(2)]
    pub status: RunStatus,
    /// Its tags, sorted.
    #[n(3)]
    pub tags: Vec<Name>,
    /// When it was accepted.
    #[n(4)]
    pub started_at: Timestamp,
    /// When it reached its final status.
    #[n(5)]
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    #[n(6)]
    pub outcome: Option<Outcome>,
    /// Entries in its history.
    #[n(7)]
    pub entries: u32,
    /// Rows that hold them.
    #[n(8)]
    pub chunks: u32,
    /// Notifications with an index below this have been consumed by a turn.
    #[n(9)]
    pub consumed: u32,
    /// Notifications at or above `consumed`: the run is ready for a turn while there are any.
    #[n(10)]
    pub unconsumed: u32,
    /// Inline steps that have begun and not ended. After their worker is gone another must run them.
    #[n(11)]
    pub open_steps: Vec<CommandId>,
    /// Tasks that have been scheduled and have not ended.
    #[n(12)]
    pub open_tasks: u32,
    /// Timers that are set.
    #[n(13)]
    pub open_timers: u32,
    /// The caller's nonce of the start.
    #[n(14)]
    pub nonce: Nonce,
    /// Names of its properties, sorted.
    #[n(15)]
    pub properties: Vec<Name>,
    /// Why it is paused, for a person.
    #[n(16)]
    pub paused_because: Option<Name>,
    /// Signals in its history.
    #[n(18)]
    pub signals: u32,
    /// Bytes of its history.
    #[n(19)]
    pub history_bytes: u64,
    /// True once a cancellation has been asked for.
    #[n(17)]
    pub cancelling: bool,
    /// Who started it, if that was not a client: its end is told there.
    #[n(20)]
    pub origin: Option<Origin>,
    /// When it is ended if it has not ended by then.
    #[n(21)]
    pub timeout_at: Option<Timestamp>,
    /// Children that it has started and whose end it has not heard of; absent: none.
    #[n(22)]
    pub open_children: Option<u32>,
    /// How often it has continued as new; absent: never.
    #[n(23)]
    pub generation: Option<Generation>,
    /// Who else is to be told of its end: runs that found it there when they wanted to start it.
    #[n(24)]
    pub listeners: Option<Vec<Origin>>,
    /// Before this it gets no turn; absent: it may have begun.
    #[n(32)]
    pub start_at: Option<Timestamp>,
    /// Calls of methods that have not returned, in their order.
    #[n(25)]
    #[cbor(skip_if = "Vec::is_empty")]
    pub open_methods: Vec<OpenCall>,
    /// Calls of methods in its history.
    #[n(26)]
    #[cbor(skip_if = "is_zero")]
    pub calls: u32,
    /// True once it was retried: what was open then was asked for again, so that two answers may come.
    #[n(33)]
    #[cbor(skip_if = "is_false")]
    pub asked_again: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the derive wants a reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the derive wants a reference"
)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A call of a method that has not returned.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct OpenCall {
    /// The index of its `MethodCalled` in the history.
    #[n(0)]
    pub call: u32,
    /// The run that called, if it was one: it is told how the method ended.
    #[n(1)]
    pub origin: Option<Origin>,
}

impl Run {
    /// True if a timer is set for it: by its code, for its time-out, or for its start.
    #[must_use]
    pub fn has_timers(&self) -> bool {
        self.open_timers > 0 || self.timeout_at.is_some() || self.start_at.is_some()
    }

    /// Where it stands, for a person: a run that is to begin later is `scheduled`.
    #[must_use]
    pub fn status_shown(&self) -> &'static str {
        if self.status == RunStatus::Running && self.start_at.is_some() {
            "scheduled"
        } else {
            self.status.as_str()
        }
    }

    /// When the present generation began: with the run it names what is fenced by generation, such as the ids of jobs. No two
    /// generations of a run have the same.
    #[must_use]
    pub fn began_at(&self) -> Timestamp {
        self.generation
            .as_ref()
            .map_or(self.started_at, |generation| generation.began_at)
    }
}

/// A run's life between two times that it continues as new.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Generation {
    /// Its number: 1 after the run has continued as new for the first time.
    #[n(0)]
    pub number: u32,
    /// When it began. Later than the one before, also within one millisecond.
    #[n(1)]
    pub began_at: Timestamp,
    /// The newest nonces of the signals of earlier generations, whose histories are gone: a repeat is still recognised.
    #[n(2)]
    pub nonces: Vec<Nonce>,
}

/// Who wants to know how something ends: what it is told goes there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub enum Origin {
    /// A run, with one of its commands.
    #[n(0)]
    Run {
        /// The run.
        #[n(0)]
        run: RunId,
        /// When the run's generation began, so that no other is answered.
        #[n(1)]
        began_at: Timestamp,
        /// The command.
        #[n(2)]
        command: CommandId,
    },
    /// A schedule.
    #[n(1)]
    Schedule {
        /// Its name.
        #[n(0)]
        name: Name,
        /// The time that this start was due.
        #[n(1)]
        at: Timestamp,
    },
}

impl Run {
    /// What a running run does, as far as its row says; nothing if it is at work, held back or ended.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        let at_rest = self.unconsumed == 0 && self.open_steps.is_empty() && self.open_tasks == 0;
        match self.status {
            RunStatus::Running if self.start_at.is_some() => Some(Phase::Scheduled),
            RunStatus::Running if at_rest => Some(Phase::Suspended),
            _ => None,
        }
    }
}

/// What a running run does: derived from its row, never stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Phase {
    /// It is accepted, and its time has not come.
    #[n(0)]
    Scheduled,
    /// It does nothing: it waits for a timer, a signal or another run.
    #[n(1)]
    Suspended,
}

impl Phase {
    /// All phases, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Scheduled, Self::Suspended];

    /// The phase in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Suspended => "suspended",
        }
    }
}

/// Where a run stands.
///
/// ```text
/// running ⇄ paused
///    │        │
///    └────────┴──▶ completed | failed | cancelled | terminated | timed_out     (final)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum RunStatus {
    /// It runs, or waits for something.
    #[n(0)]
    Running,
    /// It is held back: by an operator, or because its code no longer matches its history.
    #[n(1)]
    Paused,
    /// It returned a value.
    #[n(2)]
    Completed,
    /// It returned an error.
    #[n(3)]
    Failed,
    /// It ended after a request to cancel.
    #[n(4)]
    Cancelled,
    /// An operator, or a parent, ended it.
    #[n(5)]
    Terminated,
    /// It did not end within its time-out.
    #[n(6)]
    TimedOut,
}

impl RunStatus {
    /// All statuses, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Terminated,
        Self::TimedOut,
    ];

    /// True if the run has ended: nothing changes it any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Running | Self::Paused)
    }

    /// The status in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Terminated => "terminated",
            Self::TimedOut => "timed_out",
        }
    }
}
