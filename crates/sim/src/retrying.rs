//! How the destinations of the real program are tried again: soon, and until they answer.

use trunkline::core::policy::RetryPolicy;

/// Within a fifth of a second at most, without an end: what waits for a destination is to arrive in the end.
pub(crate) fn soon_for_ever() -> RetryPolicy {
    RetryPolicy {
        initial_ms: 20,
        max_ms: 200,
        attempts: 0,
        ..RetryPolicy::default()
    }
}
