//! A clock for tests: it stands still until it is moved.
//!
//! An engine that was opened [on such a clock](crate::Engine::open_virtual) says when [nothing is going
//! on](crate::Engine::is_at_rest) in it and what it waits for, so that a test can skip the time in between: a timer of a
//! month costs as much as one of a millisecond. Several engines may share a clock, such as one before and one after a crash.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;
use trunkline_core::time::Timestamp;

/// See the module.
#[derive(Debug)]
pub struct VirtualClock {
    now_ms: AtomicU64,
    /// Counts up whenever something may have come to rest.
    bell: Mutex<u64>,
    rung: Condvar,
}

impl VirtualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now_ms: AtomicU64::new(now.0),
            bell: Mutex::new(0),
            rung: Condvar::new(),
        }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::SeqCst))
    }

    /// Sets it, if `now` is later than what it shows. Engines find out when they are
    /// [woken](crate::Engine::wake_for_deadlines).
    pub fn set(&self, now: Timestamp) {
        self.now_ms.fetch_max(now.0, Ordering::SeqCst);
    }

    /// Says that something may have come to rest.
    pub fn ring(&self) {
        *self.bell.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }

    /// Waits until something may have come to rest since `heard`, or for `limit`. Returns what to give as `heard` next.
    #[must_use]
    pub fn listen(&self, heard: u64, limit: Duration) -> u64 {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        *self
            .rung
            .wait_timeout_while(bell, limit, |bell| *bell == heard)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }
}
