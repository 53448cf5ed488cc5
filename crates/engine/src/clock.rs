//! The clock: wall-clock time in milliseconds that never runs backwards while the process lives.
//!
//! Wall-clock time, because timers must survive a restart. When somebody sets the clock back, time stands still until it
//! has caught up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trunkline_core::time::Timestamp;

/// The clock that all threads of an engine share.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    latest_ms: AtomicU64,
}

impl Clock {
    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        let wall = since_epoch().as_millis() as u64;
        let before = self.latest_ms.fetch_max(wall, Ordering::Relaxed);
        Timestamp(wall.max(before))
    }

    /// How long from now until `deadline` has come: zero if it has.
    pub(crate) fn until(&self, deadline: Timestamp) -> Duration {
        if self.now() >= deadline {
            return Duration::ZERO;
        }
        // Exact, not whole milliseconds: whoever sleeps for it wakes up at the deadline, neither before nor much later.
        // A clock that was set back gives the longer wait that is right then.
        Duration::from_millis(deadline.0)
            .saturating_sub(since_epoch())
            .max(Duration::from_micros(1))
    }
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
