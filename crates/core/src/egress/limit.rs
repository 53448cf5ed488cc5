//! Limits of destinations beyond their own rate and concurrency: quotas, and limiters that destinations share.

use super::Rate;
use crate::payload::Name;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// At most so many calls in any span of time of this length, wherever it begins: so it holds whether the receiver counts by the
/// clock, in whatever time zone, or looks back from each call (ADR 0023).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Quota {
    /// Calls, or points of cost. At least 1.
    #[n(0)]
    pub calls: u32,
    /// The length of the span, in milliseconds. At least 1.
    #[n(1)]
    pub per_ms: u64,
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
    /// How many points of the rate and the quotas a call takes. At least 1.
    #[n(2)]
    pub cost: u32,
    /// Whether `Retry-After` of this destination holds the limiter, and so everybody who shares it.
    #[n(3)]
    pub shares_patience: bool,
}
