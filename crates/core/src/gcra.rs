//! The generic cell rate algorithm (ITU-T I.371): a rate limit in one number.
//!
//! The number is the *theoretical arrival time*, `due_us`: when the next call would come if calls came exactly at the rate. A
//! call is admitted if it is not more than the burst's worth ahead of it. Because the number is a point in time and is
//! stored with the commit that admits a call, no window is ever exceeded across a restart.

use crate::egress::Rate;
use crate::mutant::{self, Mutant};
use crate::time::Timestamp;

/// A rate limiter. Microseconds since 1970, so that rates above 1,000 a second are exact enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gcra {
    interval_us: u64,
    tolerance_us: u64,
    due_us: u64,
}

impl Gcra {
    /// A limiter at `rate` whose next call is due at `due_us`.
    #[must_use]
    pub fn new(rate: Rate, due_us: u64) -> Self {
        let interval_us = (1_000_000 / u64::from(rate.per_second.max(1))).max(1);
        let tolerance_us = interval_us
            * u64::from(rate.burst.max(1) - 1 + u32::from(mutant::is(Mutant::BurstByOne)));
        Self {
            interval_us,
            tolerance_us,
            due_us,
        }
    }

    /// The theoretical arrival time: what has to survive a restart.
    #[must_use]
    pub fn due_us(&self) -> u64 {
        self.due_us
    }

    /// When the next call is admitted, if not now.
    #[must_use]
    pub fn wait_until(&self, now: Timestamp) -> Option<Timestamp> {
        let now_us = now.0.saturating_mul(1_000);
        let earliest_us = self.due_us.saturating_sub(self.tolerance_us);
        (earliest_us > now_us).then(|| Timestamp(earliest_us.div_ceil(1_000)))
    }

    /// Calls that may leave at once after a pause.
    #[must_use]
    pub fn burst(&self) -> u64 {
        self.tolerance_us / self.interval_us + 1
    }

    /// When so many calls at once are admitted, if not now. More than the burst never are.
    #[must_use]
    pub fn wait_until_all(&self, now: Timestamp, calls: u64) -> Option<Timestamp> {
        let now_us = now.0.saturating_mul(1_000);
        let ahead_us = calls.saturating_sub(1).saturating_mul(self.interval_us);
        let slack_us = self.tolerance_us.saturating_sub(ahead_us);
        let over_us = ahead_us.saturating_sub(self.tolerance_us);
        let from_us = if over_us > 0 {
            // Not even an unused limiter admits them: after this long, if none of them has come to anything.
            self.due_us.max(now_us).saturating_add(over_us)
        } else {
            self.due_us.saturating_sub(slack_us)
        };
        (from_us > now_us).then(|| Timestamp(from_us.div_ceil(1_000)))
    }

    /// Counts what left at `at`.
    pub fn count(&mut self, at: Timestamp, calls: u64) {
        let taken_us = calls.saturating_mul(self.interval_us);
        self.due_us = self
            .due_us
            .max(at.0.saturating_mul(1_000))
            .saturating_add(taken_us);
    }

    /// Counts a call at `now`. To be asked for only when [`Gcra::wait_until`] says nothing.
    pub fn admit(&mut self, now: Timestamp) {
        debug_assert!(
            self.wait_until(now).is_none(),
            "a call is admitted only when it may leave"
        );
        self.due_us = self.due_us.max(now.0.saturating_mul(1_000)) + self.interval_us;
    }
}

#[cfg(test)]
mod tests;
