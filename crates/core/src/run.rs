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
}

/// Where a run stands.
///
/// ```text
/// running ⇄ paused
///    │        │
///    └────────┴──▶ completed | failed | cancelled | terminated     (final)
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
    /// An operator ended it.
    #[n(5)]
    Terminated,
}

impl RunStatus {
    /// All statuses, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Terminated,
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
        }
    }
}
