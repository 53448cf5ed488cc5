//! Effects: what a shard wants done in the world once the rows of the same commit are durable.

use crate::egress::{Destination, Job};
use crate::ids::{PeerId, ShardId, Token};
use crate::input::Message;
use crate::peer::ToPeer;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Something to do in the outside world. Held back until its commit is durable; lost in a crash before that, and then
/// wanted again by the recovered state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Tell a peer something. Dropped if it is gone.
    Tell {
        /// Whom.
        peer: PeerId,
        /// What.
        message: ToPeer,
    },
    /// Call a destination, and report with `Input::Delivered`.
    Deliver {
        /// The destination as it stands.
        destination: Box<Destination>,
        /// The job.
        job: Box<Job>,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// The token of its lease.
        token: Token,
    },
    /// Call a connector with several jobs, and report each with `Input::Delivered`.
    DeliverBatch {
        /// The destination as it stands.
        destination: Box<Destination>,
        /// The jobs: all of one action and object type, no two of one lane.
        items: Vec<BatchItem>,
    },
    /// Hand a message to another shard: `Input::Message` there.
    Send {
        /// To which.
        to: ShardId,
        /// Its number.
        sequence: u64,
        /// The message.
        message: Message,
    },
    /// Events up to the feed's row `upto` can be read.
    Events {
        /// The newest row.
        upto: u64,
    },
    /// Tell another shard that its messages up to `sequence` are durably taken: `Input::MessagesTaken` there.
    Acknowledge {
        /// Whom.
        to: ShardId,
        /// Up to where.
        sequence: u64,
    },
}

/// A job in a call to a connector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchItem {
    /// The job.
    pub job: Job,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The token of its lease.
    pub token: Token,
}

impl BatchItem {
    pub(crate) fn new(job: Job, token: Token) -> Self {
        Self {
            attempt: job.attempts + 1,
            job,
            token,
        }
    }
}
