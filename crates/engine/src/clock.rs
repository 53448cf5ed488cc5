//! The clock: wall-clock time in milliseconds that never runs backwards while the process lives.
//!
//! Wall-clock time, because timers must survive a restart. When somebody sets the clock back, time stands still until it
//! has caught up. Tests may give the engine a [virtual clock](crate::VirtualClock) instead.

use crate::inbox::Inbox;
use crate::virtual_clock::VirtualClock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trunkline_core::time::Timestamp;

/// How long a thread sleeps at most when it waits for a deadline. Sleeping goes by a clock that stands still while the machine
/// is suspended and knows nothing of jumps of the wall clock: this long after one, it is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(15);

/// The clock that all threads of an engine share.
#[derive(Debug)]
pub(crate) enum Clock {
    /// The time of the machine.
    Wall(Wall),
    /// The time of a test.
    Virtual(Arc<VirtualClock>),
}

/// The time of the machine.
#[derive(Debug, Default)]
pub(crate) struct Wall {
    latest_ms: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::Wall(Wall::default())
    }
}

impl Clock {
    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Wall(wall) => wall.now(),
            Self::Virtual(clock) => clock.now(),
        }
    }

    /// How long a thread that waits for `deadline` may sleep; absent: until it is woken. Whoever moves a virtual clock wakes
    /// the threads whose deadlines have come, and finds them at their inboxes.
    pub(crate) fn sleep(&self, deadline: Option<Timestamp>, inbox: &Inbox) -> Option<Duration> {
        match self {
            Self::Wall(wall) => deadline.map(|deadline| wall.until(deadline)),
            Self::Virtual(clock) => {
                inbox.set_deadline(deadline);
                deadline
                    .is_some_and(|deadline| deadline <= clock.now())
                    .then_some(Duration::ZERO)
            }
        }
    }

    /// A thread has nothing to do.
    pub(crate) fn rest(&self) {
        if let Self::Virtual(clock) = self {
            clock.ring();
        }
    }
}

impl Wall {
    fn now(&self) -> Timestamp {
        let wall = since_epoch().as_millis() as u64;
        let before = self.latest_ms.fetch_max(wall, Ordering::Relaxed);
        Timestamp(wall.max(before))
    }

    /// How long to sleep for `deadline`: zero if it has come. After a long one it is to be asked again.
    fn until(&self, deadline: Timestamp) -> Duration {
        if self.now() >= deadline {
            return Duration::ZERO;
        }
        // Exact, not whole milliseconds: whoever sleeps for it wakes up at the deadline, neither before nor much later.
        // A clock that was set back gives the longer wait that is right then.
        Duration::from_millis(deadline.0)
            .saturating_sub(since_epoch())
            .clamp(Duration::from_micros(1), SLEEP_MAX)
    }
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
