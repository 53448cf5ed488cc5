//! Inputs: everything that can happen to a shard.

use crate::egress::{Delivery, NewJob};
use crate::ids::{JobId, PeerId, RequestId, ShardId, Token};
use crate::payload::Name;
use crate::peer::{FromPeer, Op};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Something that happened, for one shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A peer asks. Answered by exactly one reply to it.
    Request {
        /// Who asks.
        peer: PeerId,
        /// The number of the request.
        request: RequestId,
        /// What for.
        op: Op,
    },
    /// A worker reports: `TurnDone`, `TurnStuck`, `TaskDone`, `StepDone` or `Evicted`.
    Report {
        /// Which worker.
        peer: PeerId,
        /// What.
        report: FromPeer,
    },
    /// A peer's connection is gone: its leases are void, its questions moot.
    PeerGone {
        /// Which.
        peer: PeerId,
    },
    /// A worker registered a workflow. Remembered, so that starts of unknown workflows are refused.
    WorkflowKnown {
        /// The workflow.
        workflow: Name,
        /// Its version.
        version: u32,
    },
    /// Another shard sent a message. Repeats are possible; they are recognised by the sequence.
    Message {
        /// Which shard.
        from: ShardId,
        /// Its number among the messages from there to here: from 1, without gaps.
        sequence: u64,
        /// What it says.
        message: Message,
    },
    /// Another shard has durably taken all messages up to `sequence`.
    MessagesTaken {
        /// Which shard.
        by: ShardId,
        /// Up to where.
        sequence: u64,
    },
    /// A delivery has ended.
    Delivered {
        /// The destination.
        destination: Name,
        /// The job.
        job: JobId,
        /// The token of its lease.
        token: Token,
        /// How it ended.
        delivery: Delivery,
    },
    /// The shard's deadline has come.
    Tick,
}

/// A message from shard to shard.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Message {
    /// Accept jobs that a run has created.
    #[n(0)]
    CreateJobs {
        /// The jobs with their identities.
        #[n(0)]
        jobs: Vec<(JobId, NewJob)>,
        /// The run, as `workflow/id`.
        #[n(1)]
        source: Name,
    },
}
