//! Retry policies as builders.

use crate::span::whole_ms;
use std::time::Duration;
use trunkline_api::core::payload::Name;
use trunkline_api::core::policy::RetryPolicy;

/// How failed attempts of a task are repeated.
///
/// ```
/// use trunkline::prelude::*;
/// let retry = Retry::exponential().attempts(5).initial(millis(200)).max(secs(10));
/// ```
///
/// Without one, a task is repeated after 1 s, 2 s, 4 s … up to 100 s, without end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retry(RetryPolicy);

impl Retry {
    /// The delay doubles from attempt to attempt: 1 s first, 100 s at most, 20 % of it random, without end.
    #[must_use]
    pub fn exponential() -> Self {
        Self(RetryPolicy::default())
    }

    /// The same delay before every attempt, without end.
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self(RetryPolicy {
            initial_ms: whole_ms(delay),
            max_ms: whole_ms(delay),
            factor_percent: 100,
            jitter_percent: 0,
            ..RetryPolicy::default()
        })
    }

    /// One attempt, no more.
    #[must_use]
    pub fn never() -> Self {
        Self::exponential().attempts(1)
    }

    /// How many attempts there are in all; 0 is without end.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// The delay before the second attempt.
    #[must_use]
    pub fn initial(mut self, delay: Duration) -> Self {
        self.0.initial_ms = whole_ms(delay);
        self
    }

    /// The longest delay.
    #[must_use]
    pub fn max(mut self, delay: Duration) -> Self {
        self.0.max_ms = whole_ms(delay);
        self
    }

    /// How the delay grows from attempt to attempt, in percent: 200 doubles it.
    #[must_use]
    pub fn factor_percent(mut self, percent: u32) -> Self {
        self.0.factor_percent = percent;
        self
    }

    /// How much of the delay is random, in percent (0 to 100).
    #[must_use]
    pub fn jitter_percent(mut self, percent: u8) -> Self {
        self.0.jitter_percent = percent.min(100);
        self
    }

    /// Errors with this name are final at once. An error's name is the variant of its enum, or its struct's name.
    #[must_use]
    pub fn never_on(mut self, name: impl Into<Name>) -> Self {
        self.0.non_retryable.push(name.into());
        self
    }

    /// No attempt begins later than this after the call. Unlike a `total_timeout` it ends no attempt that is under way.
    #[must_use]
    pub fn max_elapsed(mut self, span: Duration) -> Self {
        self.0.elapsed_ms = Some(whole_ms(span));
        self
    }

    pub(crate) fn into_policy(self) -> RetryPolicy {
        self.0
    }
}
