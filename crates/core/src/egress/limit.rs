//! Limits of destinations beyond their own rate and concurrency: quotas, shared limiters, and jobs that make others superfluous.

use super::Rate;
use crate::payload::Name;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// At most so many calls in each span of time. Spans lie one behind the other from 1970 on: a span of 3,600,000 ms is an hour of
/// the clock in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Quota {
    /// Calls, or points of cost. At least 1.
    #[n(0)]
    pub calls: u32,
    /// The length of a span, in milliseconds. At least 1.
    #[n(1)]
    pub per_ms: u64,
}

/// A newer job about an object takes the place of an older one that has not left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Coalesce {
    /// An object that has waited for longer than this, in milliseconds, keeps its place: so that one which changes all the time is
    /// delivered too.
    #[n(0)]
    pub within_ms: u32,
}

impl Default for Coalesce {
    fn default() -> Self {
        Self { within_ms: 60_000 }
    }
}

/// A limiter that destinations share, such as that of a marketplace or of a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Limiter {
    /// Its name.
    #[n(0)]
    pub name: Name,
    /// How often; absent: without limit.
    #[n(1)]
    pub rate: Option<Rate>,
    /// How many in spans of time.
    #[n(2)]
    pub quotas: Option<Vec<Quota>>,
    /// How many at once; absent: without limit.
    #[n(3)]
    pub concurrency: Option<u32>,
}

/// How a destination uses a shared limiter.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LimiterUse {
    /// The limiter's name.
    #[n(0)]
    pub limiter: Name,
    /// Only jobs with this action; absent: all.
    #[n(1)]
    pub action: Option<Name>,
    /// How much of the rate and the quotas a call takes. At least 1.
    #[n(2)]
    pub cost: u32,
    /// Whether `Retry-After` of this destination holds the limiter, and so everybody who shares it.
    #[n(3)]
    pub shares_patience: bool,
}
