//! Requests about jobs that wait, lanes that stand still, and destinations that fail.

use crate::egress::Limiter;
use crate::ids::JobId;
use crate::payload::Name;
use crate::time::Timestamp;
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
    /// Create or replace a shared limiter: `Reply::Done`.
    #[n(61)]
    PutLimiter {
        /// The limiter.
        #[n(0)]
        limiter: Limiter,
    },
    /// All shared limiters: `Reply::Limiters`.
    #[n(62)]
    ListLimiters,
    /// A shared limiter: `Reply::Limiters` with that one.
    #[n(64)]
    DescribeLimiter {
        /// Its name.
        #[n(0)]
        name: Name,
    },
    /// Delete a shared limiter: `Reply::Done`.
    #[n(63)]
    DeleteLimiter {
        /// Its name.
        #[n(0)]
        name: Name,
    },
}

/// A shared limiter and how it stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LimiterStatus {
    /// The limiter.
    #[n(0)]
    pub limiter: Limiter,
    /// How much is granted to destinations that have not yet said whether they used it.
    #[n(1)]
    pub reserved: u64,
    /// Calls under way.
    #[n(2)]
    pub in_flight: u64,
    /// Permits that are wanted.
    #[n(3)]
    pub waiting: u64,
    /// When the next call is admitted, if not now.
    #[n(4)]
    pub next_at: Option<Timestamp>,
    /// Somebody asked for patience until then.
    #[n(5)]
    pub held_until: Option<Timestamp>,
    /// Calls that have left with its permits, since it was made.
    #[n(6)]
    pub calls: u64,
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
