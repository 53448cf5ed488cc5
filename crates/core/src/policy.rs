//! Retry policies: how often, and after what delay.

use crate::payload::Name;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// How failed attempts are repeated: exponential backoff with full bounds.
///
/// The delay before attempt `n + 1` is `initial_ms × (factor_percent / 100)^(n - 1)`, at most `max_ms`, lowered by up to
/// `jitter_percent` of itself.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct RetryPolicy {
    /// Delay before the second attempt, in milliseconds.
    #[n(0)]
    pub initial_ms: u64,
    /// Growth of the delay from attempt to attempt, in percent: 200 doubles it.
    #[n(1)]
    pub factor_percent: u32,
    /// Upper bound of the delay, in milliseconds.
    #[n(2)]
    pub max_ms: u64,
    /// How many attempts there are in all; 0 is without end.
    #[n(3)]
    pub attempts: u32,
    /// How much of the delay is random, in percent (0 to 100).
    #[n(4)]
    pub jitter_percent: u8,
    /// Names of failures that are final at once.
    #[n(5)]
    pub non_retryable: Vec<Name>,
    /// No attempt begins later than this after the task was scheduled, in milliseconds; absent: without end.
    #[n(6)]
    pub elapsed_ms: Option<u64>,
}

impl Default for RetryPolicy {
    /// 1 s, doubled up to 100 s, without end: the defaults that users of Temporal know.
    fn default() -> Self {
        Self {
            initial_ms: 1_000,
            factor_percent: 200,
            max_ms: 100_000,
            attempts: 0,
            jitter_percent: 20,
            non_retryable: Vec::new(),
            elapsed_ms: None,
        }
    }
}

impl RetryPolicy {
    /// The delay in milliseconds after the failure of attempt `attempt` (the first is 1), or nothing if that was the last.
    /// `seed` decides the jitter, so that the same attempt always gets the same delay.
    #[must_use]
    pub fn delay_ms(&self, attempt: u32, seed: u64) -> Option<u64> {
        if self.attempts != 0 && attempt >= self.attempts {
            return None;
        }
        let mut delay = self.initial_ms;
        for _ in 1..attempt {
            if delay >= self.max_ms {
                break;
            }
            delay = delay.saturating_mul(u64::from(self.factor_percent)) / 100;
        }
        let delay = delay.min(self.max_ms);
        let span = delay / 100 * u64::from(self.jitter_percent.min(100));
        Some(
            delay
                - if span == 0 {
                    0
                } else {
                    scramble(seed ^ u64::from(attempt)) % (span + 1)
                },
        )
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[must_use]
pub fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
