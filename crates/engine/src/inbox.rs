//! The inbox of a shard thread: where its inputs wait, and what it parks on.
//!
//! It is taken whole each time. It is not bounded itself, because reports of workers must get in; requests of clients are
//! refused at the door while [`Inbox::is_overloaded`].

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use trunkline_core::ids::ShardId;
use trunkline_core::input::Input;
use trunkline_core::time::Timestamp;

/// Where the inputs of a shard thread wait.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    /// What waits or is being worked on, for the door.
    inputs: AtomicUsize,
    bytes: AtomicUsize,
    /// The thread has ready work that found no worker: it wants to be woken when a slot is freed.
    hungry: AtomicBool,
    /// On a virtual clock: what the thread waits for, in milliseconds; the largest number if for nothing.
    deadline_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    taken: Taken,
    parked: bool,
    /// How often something came in.
    changes: u64,
}

/// Everything that waited.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The inputs, in the order of their arrival.
    pub(crate) inputs: Vec<(ShardId, Input)>,
    pub(crate) bytes: usize,
    /// Somebody wants the thread to look again, be it for a freed slot.
    pub(crate) woken: bool,
    /// The checkpoint is written.
    pub(crate) checkpointed: bool,
    /// Who wants to know when all of the state is in the store.
    pub(crate) checkpoints: Vec<oneshot::Sender<()>>,
    /// Write a last checkpoint, and end.
    pub(crate) stop: bool,
    /// End at once.
    pub(crate) halt: bool,
}

impl Taken {
    fn is_empty(&self) -> bool {
        self.inputs.is_empty()
            && self.checkpoints.is_empty()
            && !(self.woken || self.checkpointed || self.stop || self.halt)
    }
}

impl Inbox {
    /// Adds inputs of `bytes` in all, and leaves none.
    pub(crate) fn push(&self, inputs: &mut Vec<(ShardId, Input)>, bytes: usize) {
        if inputs.is_empty() {
            return;
        }
        self.inputs.fetch_add(inputs.len(), Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.change(|taken| {
            taken.bytes += bytes;
            if taken.inputs.is_empty() {
                std::mem::swap(&mut taken.inputs, inputs);
            } else {
                taken.inputs.append(inputs);
            }
        });
    }

    /// Has the thread look again.
    pub(crate) fn wake(&self) {
        self.change(|taken| taken.woken = true);
    }

    /// Wakes the thread if it waits for a slot.
    pub(crate) fn feed(&self) {
        if self.hungry.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// The thread says whether it waits for a slot.
    pub(crate) fn set_hungry(&self, hungry: bool) {
        self.hungry.store(hungry, Ordering::SeqCst);
    }

    pub(crate) fn checkpointed(&self) {
        self.change(|taken| taken.checkpointed = true);
    }

    /// Asks for a checkpoint of everything so far. The receiver ends when it is written, or can no longer be.
    pub(crate) fn checkpoint(&self) -> oneshot::Receiver<()> {
        let (done, written) = oneshot::channel();
        self.change(|taken| taken.checkpoints.push(done));
        written
    }

    pub(crate) fn stop(&self) {
        self.change(|taken| taken.stop = true);
    }

    pub(crate) fn halt(&self) {
        self.change(|taken| taken.halt = true);
    }

    fn change(&self, change: impl FnOnce(&mut Taken)) {
        let mut waiting = self.lock();
        waiting.changes = waiting.changes.wrapping_add(1);
        change(&mut waiting.taken);
        if std::mem::take(&mut waiting.parked) {
            self.arrived.notify_one();
        }
    }

    /// Takes everything into `into`, which is empty; parks until there is something, or for `limit`, and calls `rest` before.
    /// True if it parked.
    pub(crate) fn take(
        &self,
        into: &mut Taken,
        limit: Option<Duration>,
        rest: impl FnOnce(),
    ) -> bool {
        let mut waiting = self.lock();
        let mut parked = false;
        if waiting.taken.is_empty() && limit != Some(Duration::ZERO) {
            parked = true;
            waiting.parked = true;
            rest();
            waiting = match limit {
                Some(limit) => {
                    self.arrived
                        .wait_timeout_while(waiting, limit, |waiting| waiting.parked)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .arrived
                    .wait_while(waiting, |waiting| waiting.parked)
                    .unwrap_or_else(PoisonError::into_inner),
            };
            waiting.parked = false;
        }
        std::mem::swap(&mut waiting.taken, into);
        parked
    }

    /// Waits until the checkpoint is written, and leaves everything else; false if the thread is to end at once.
    pub(crate) fn await_checkpoint(&self) -> bool {
        let mut waiting = self.lock();
        while !waiting.taken.checkpointed && !waiting.taken.halt {
            waiting.parked = true;
            waiting = self
                .arrived
                .wait_while(waiting, |waiting| waiting.parked)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.taken.checkpointed = false;
        !waiting.taken.halt
    }

    /// Says what the thread waits for, for those who move a virtual clock.
    pub(crate) fn set_deadline(&self, deadline: Option<Timestamp>) {
        let deadline_ms = deadline.map_or(u64::MAX, |deadline| deadline.0);
        self.deadline_ms.store(deadline_ms, Ordering::SeqCst);
    }

    /// What the thread waits for, if it has said so.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let deadline_ms = self.deadline_ms.load(Ordering::SeqCst);
        (deadline_ms != u64::MAX).then_some(Timestamp(deadline_ms))
    }

    /// How often something has come in, if the thread is parked and nothing waits for it.
    pub(crate) fn changes_at_rest(&self) -> Option<u64> {
        let waiting = self.lock();
        (waiting.parked && waiting.taken.is_empty()).then_some(waiting.changes)
    }

    /// The thread is through with inputs that it took.
    pub(crate) fn done(&self, inputs: usize, bytes: usize) {
        self.inputs.fetch_sub(inputs, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// True if so much waits that clients are to be refused.
    pub(crate) fn is_overloaded(&self, inputs_max: usize, bytes_max: usize) -> bool {
        self.inputs.load(Ordering::Relaxed) >= inputs_max
            || self.bytes.load(Ordering::Relaxed) >= bytes_max
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
