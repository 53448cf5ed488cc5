//! Bulk operations: what is asked for, and how one stands.

use super::filter::{Action, RunFilter};
use crate::payload::Name;
use crate::time::Timestamp;
use minicbor::{Decode, Encode};

/// Something to do to every run that a filter lets through.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Bulk {
    /// What it is called. A repeat under the same id is the same operation.
    #[n(0)]
    pub id: Name,
    /// Which runs. Those to which it cannot be done are passed over, and so are those that start later.
    #[n(1)]
    pub filter: RunFilter,
    /// What is done.
    #[n(2)]
    pub action: Action,
    /// At most so many runs a second; absent: as fast as it goes.
    #[n(3)]
    pub per_second: Option<u32>,
}

/// How a bulk operation stands: in one shard, or the sum of all.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct BulkStatus {
    /// What it is called.
    #[n(0)]
    pub id: Name,
    /// What is done.
    #[n(1)]
    pub action: Name,
    /// Whether it goes on.
    #[n(2)]
    pub state: BulkState,
    /// When it began.
    #[n(3)]
    pub started_at: Timestamp,
    /// When it ended.
    #[n(4)]
    pub ended_at: Option<Timestamp>,
    /// Runs that matched when it began.
    #[n(5)]
    pub expected: u64,
    /// Runs to which it has been done.
    #[n(6)]
    pub done: u64,
    /// Runs that refused.
    #[n(7)]
    pub refused: u64,
    /// Why the first of them did.
    #[n(8)]
    pub refusal: Option<Name>,
}

/// Whether a bulk operation goes on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum BulkState {
    /// It goes on.
    #[n(0)]
    Running,
    /// Every run has been looked at.
    #[n(1)]
    Done,
    /// It was stopped before.
    #[n(2)]
    Cancelled,
}

impl BulkState {
    /// The state in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}
