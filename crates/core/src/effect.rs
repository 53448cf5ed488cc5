//! Effects: what a shard wants done in the world once the rows of the same commit are durable.

use crate::egress::{Destination, Job};
use crate::ids::{PeerId, ShardId, Token};
use crate::input::Message;
use crate::peer::ToPeer;
use alloc::boxed::Box;

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
