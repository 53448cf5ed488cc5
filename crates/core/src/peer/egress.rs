//! Requests about jobs that wait, lanes that stand still, and destinations that fail.

use crate::ids::JobId;
use crate::payload::Name;
use minicbor::{Decode, Encode};

/// What an operator decides about egress.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum EgressOp {
    /// Let a lane go on that stands still: `Reply::Done`.
    #[n(0)]
    ReleaseLane {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// The lane.
        #[n(1)]
        lane: Name,
        /// True: its first job becomes a dead letter; false: it is tried again with all its attempts.
        #[n(2)]
        give_up: bool,
    },
    /// Let jobs go without what they wait for: `Reply::Done` for one, `Reply::Counted` for those of a batch.
    #[n(1)]
    ReleaseJobs {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// Which jobs.
        #[n(1)]
        which: WhichJobs,
    },
    /// Open or close the breaker of a destination: `Reply::Done`.
    #[n(2)]
    SetBreaker {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// True: nothing leaves until somebody closes it.
        #[n(1)]
        open: bool,
    },
}

/// Which jobs.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum WhichJobs {
    /// This one.
    #[n(0)]
    Job(#[n(0)] JobId),
    /// Those of a batch.
    #[n(1)]
    Batch(#[n(0)] Name),
}
