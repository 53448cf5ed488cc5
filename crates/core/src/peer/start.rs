//! What starts a run.

use crate::ids::{Nonce, RunId};
use crate::payload::{Name, Payload};
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

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
    /// How long it may take from its start until it is ended with the status `timed_out`; absent: without end.
    #[n(8)]
    pub timeout_ms: Option<u64>,
    /// When it gets its first turn; absent: at once.
    #[n(11)]
    pub start_at: Option<Timestamp>,
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
    /// End the run that has it, without asking its code, and start the new one in its place.
    #[n(2)]
    Replace,
}
