//! Queries of runs: asked of the engine, answered by a worker, written nowhere.

use crate::ids::{RunId, RunKey};
use crate::payload::{Name, Payload};
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// A request to ask a query of a run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct AskQuery {
    /// The run.
    #[n(0)]
    pub run: RunId,
    /// The query.
    #[n(1)]
    pub query: Name,
    /// Its argument.
    #[n(2)]
    pub input: Payload,
    /// How long to wait for an answer, in milliseconds; absent: ten seconds.
    #[n(3)]
    pub timeout_ms: Option<u64>,
}

/// A query for a worker. It answers with [`FromPeer::QueryDone`](super::FromPeer::QueryDone).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Query {
    /// The run.
    #[n(0)]
    pub run: RunKey,
    /// Workflow and id.
    #[n(1)]
    pub id: RunId,
    /// The version of the workflow that the run is pinned to.
    #[n(2)]
    pub version: u32,
    /// What the answer is to name.
    #[n(3)]
    pub number: u64,
    /// The query.
    #[n(4)]
    pub query: Name,
    /// Its argument.
    #[n(5)]
    pub input: Payload,
    /// The run's history, as chunks, to be replayed for this; absent: the worker holds the run.
    #[n(6)]
    pub chunks: Option<Vec<Payload>>,
    /// When the run was accepted.
    #[n(7)]
    pub started_at: Timestamp,
    /// The time at which the engine sent the query.
    #[n(8)]
    pub now: Timestamp,
}

/// What a worker says to a query.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum QueryAnswer {
    /// The answer.
    #[n(0)]
    Value(#[n(0)] Payload),
    /// The workflow has no such query.
    #[n(1)]
    Unknown(#[n(0)] Name),
    /// It panicked, asked for something, got a wrong argument, or the history could not be replayed.
    #[n(2)]
    Failed(#[n(0)] Name),
    /// The worker does not hold the run any more: it wants the history.
    #[n(3)]
    NotHeld,
}
