//! The wakers of a run, one for its own code and one for each method under way, which know whether it was called by the run's own executor.
//!
//! Durable futures wake the run while its executor delivers a notification. A wake at any other time, or from another
//! thread, comes from something that replay cannot reproduce.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

thread_local! {
    /// The waker of the run that this thread's executor is in. Only compared, never followed.
    static ACTIVE: Cell<*const RunWaker> = const { Cell::new(ptr::null()) };
}

#[derive(Debug, Default)]
pub(crate) struct RunWaker {
    woken: AtomicBool,
    foreign: AtomicBool,
}

/// While it lives, wakes on this thread are the run's own.
pub(crate) struct Entered;

impl RunWaker {
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        ACTIVE.set(Arc::as_ptr(self));
        Entered
    }

    pub(crate) fn rest(&self) {
        self.woken.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }

    pub(crate) fn was_woken_from_outside(&self) -> bool {
        self.foreign.load(Ordering::Acquire)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        ACTIVE.set(ptr::null());
    }
}

/// The waker of one of the methods of a run.
#[derive(Debug)]
pub(crate) struct MethodWaker {
    woken: AtomicBool,
    run: Arc<RunWaker>,
}

impl MethodWaker {
    /// A waker that has been woken: a method is polled when it is called.
    pub(crate) fn new(run: &Arc<RunWaker>) -> Self {
        Self {
            woken: AtomicBool::new(true),
            run: Arc::clone(run),
        }
    }

    pub(crate) fn rest(&self) {
        self.woken.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }
}

impl Wake for MethodWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if ptr::eq(ACTIVE.get(), Arc::as_ptr(&self.run)) {
            self.woken.store(true, Ordering::Relaxed);
        } else {
            self.run.foreign.store(true, Ordering::Release);
        }
    }
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if ptr::eq(ACTIVE.get(), Arc::as_ptr(self)) {
            self.woken.store(true, Ordering::Relaxed);
        } else {
            self.foreign.store(true, Ordering::Release);
        }
    }
}
