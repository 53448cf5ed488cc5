//! How an engine is: well, short of disk, stopping or failed. It only ever gets worse, except that a full disk heals.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// How an engine is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// All is well.
    Ok,
    /// The disk is full: new work is refused, until there is space.
    DiskFull,
    /// It stops: new work is refused, what runs may finish.
    Stopping,
    /// A write failed. Nothing is acknowledged any more; the process is to exit.
    Failed(String),
}

/// The health that all threads share.
#[derive(Debug)]
pub(crate) struct Vitals {
    state: watch::Sender<Stage>,
    /// Journals without space for another segment.
    journals_full: AtomicUsize,
}

#[derive(Clone, Debug)]
enum Stage {
    Running,
    Stopping,
    Failed(String),
}

impl Vitals {
    pub(crate) fn new() -> Self {
        Self {
            state: watch::Sender::new(Stage::Running),
            journals_full: AtomicUsize::new(0),
        }
    }

    pub(crate) fn health(&self) -> Health {
        match &*self.state.borrow() {
            Stage::Failed(reason) => Health::Failed(reason.clone()),
            Stage::Stopping => Health::Stopping,
            Stage::Running if self.is_full() => Health::DiskFull,
            Stage::Running => Health::Ok,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.journals_full.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn is_failed(&self) -> bool {
        matches!(&*self.state.borrow(), Stage::Failed(_))
    }

    pub(crate) fn is_stopping(&self) -> bool {
        !matches!(&*self.state.borrow(), Stage::Running)
    }

    /// One more journal is out of space, or one fewer.
    pub(crate) fn journal_is_full(&self, full: bool) {
        if full {
            self.journals_full.fetch_add(1, Ordering::Relaxed);
        } else {
            self.journals_full.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn stop(&self) {
        self.state.send_if_modified(|stage| {
            let running = matches!(stage, Stage::Running);
            if running {
                *stage = Stage::Stopping;
            }
            running
        });
    }

    /// Records the first failure; true if this was it.
    pub(crate) fn fail(&self, reason: String) -> bool {
        self.state.send_if_modified(|stage| {
            let first = !matches!(stage, Stage::Failed(_));
            if first {
                *stage = Stage::Failed(reason);
            }
            first
        })
    }

    pub(crate) async fn failed(&self) {
        let mut watched = self.state.subscribe();
        // The sender is `self`, so waiting cannot end otherwise.
        let _ = watched
            .wait_for(|stage| matches!(stage, Stage::Failed(_)))
            .await;
    }
}
