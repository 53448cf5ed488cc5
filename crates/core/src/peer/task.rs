//! A task that has not ended, as others see it.

use crate::entry::Meta;
use crate::failure::Failure;
use crate::ids::TaskId;
use crate::payload::{Name, Payload};
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// A task that has not ended.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TaskStatus {
    /// The task.
    #[n(0)]
    pub id: TaskId,
    /// Its service.
    #[n(1)]
    pub service: Name,
    /// Its name within the service.
    #[n(2)]
    pub task: Name,
    /// Where it stands.
    #[n(3)]
    pub state: TaskState,
    /// The attempt that is under way or comes next, from 1.
    #[n(4)]
    pub attempt: u32,
    /// When the run asked for it.
    #[n(5)]
    pub scheduled_at: Timestamp,
    /// When something happens to it by itself: its next attempt, or a time-out.
    #[n(6)]
    pub due_at: Option<Timestamp>,
    /// Its tags.
    #[n(7)]
    pub tags: Vec<Name>,
    /// What the next attempt will know.
    #[n(8)]
    pub meta: Meta,
    /// What the last heartbeat said.
    #[n(9)]
    pub heartbeat_details: Option<Payload>,
    /// How the newest attempt failed.
    #[n(10)]
    pub last_failure: Option<Failure>,
    /// True if it was asked to end.
    #[n(11)]
    pub cancelling: bool,
    /// True if its answer is here and kept until the attempt ends.
    #[n(12)]
    pub answered: bool,
}

/// Where a task stands that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum TaskState {
    /// It waits for a worker.
    #[n(0)]
    Ready,
    /// It waits for the time of its next attempt.
    #[n(1)]
    Delayed,
    /// An attempt is with a worker.
    #[n(2)]
    Running,
    /// Its attempt has ended without a result; somebody answers it later.
    #[n(3)]
    Delegated,
}

impl TaskState {
    /// The state in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Delayed => "delayed",
            Self::Running => "running",
            Self::Delegated => "delegated",
        }
    }
}
