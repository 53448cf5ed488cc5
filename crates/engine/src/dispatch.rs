//! The workers, and their free slots: how many turns and tasks each may be given.
//!
//! Slots are shared by all shard threads. A thread that has ready work dispatches with the lock on the workers held, so
//! that two threads never give out the same slot. Slots are freed by the sessions without the lock, and each time some are,
//! the threads whose ready work had found no worker are woken. Nobody polls.
//!
//! A slot is taken by `ToPeer::Turn` and `ToPeer::Task`, and freed when the worker answers, whether or not the core takes
//! the answer; an abandoned task keeps its slot until then, because the worker is still busy with it.

use crate::inbox::Inbox;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trunkline_core::ids::PeerId;
use trunkline_core::peer::Registration;
use trunkline_core::shard::Offer;

/// All workers.
#[derive(Debug)]
pub(crate) struct Workers {
    registered: Mutex<Registered>,
    inboxes: Arc<[Arc<Inbox>]>,
    /// How often slots were freed or workers registered: tells a thread that it should look again.
    freed: AtomicU64,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Registered {
    workers: HashMap<PeerId, Worker>,
    /// One per worker that takes work, in the order of registration. Reused from dispatch to dispatch.
    offers: Vec<Offer>,
    slots: Vec<Arc<Slots>>,
}

#[derive(Debug)]
struct Worker {
    slots: Arc<Slots>,
}

/// The free slots of a worker. Negative while it holds more than a newer registration allows.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    turns: AtomicI64,
    tasks: AtomicI64,
    turns_max: AtomicI64,
    tasks_max: AtomicI64,
}

impl Workers {
    pub(crate) fn new(inboxes: Arc<[Arc<Inbox>]>) -> Self {
        Self {
            registered: Mutex::default(),
            inboxes,
            freed: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// A worker offers to work, or changes what it offers.
    pub(crate) fn register(&self, peer: PeerId, abilities: Registration) -> Arc<Slots> {
        let mut registered = self.lock();
        let worker = registered.workers.entry(peer).or_insert_with(|| Worker {
            slots: Arc::default(),
        });
        let slots = Arc::clone(&worker.slots);
        slots.resize(&abilities);
        registered.withdraw(peer);
        registered.offers.push(Offer {
            peer,
            abilities: Arc::new(abilities),
            turns: 0,
            tasks: 0,
        });
        registered.slots.push(Arc::clone(&slots));
        drop(registered);
        self.feed();
        slots
    }

    /// A worker takes no more work.
    pub(crate) fn drain(&self, peer: PeerId) {
        self.lock().withdraw(peer);
    }

    /// A worker is gone.
    pub(crate) fn remove(&self, peer: PeerId) {
        let mut registered = self.lock();
        registered.withdraw(peer);
        registered.workers.remove(&peer);
    }

    /// A worker has answered.
    pub(crate) fn free(&self, slots: &Slots, turns: u32, tasks: u32) {
        give(&slots.turns, &slots.turns_max, turns);
        give(&slots.tasks, &slots.tasks_max, tasks);
        self.feed();
    }

    /// No worker gets any more work.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// A number that changes when slots are freed: to be read before [`Workers::dispatch`].
    pub(crate) fn freed(&self) -> u64 {
        self.freed.load(Ordering::SeqCst)
    }

    /// Calls `dispatch` with what the workers can take, and takes the slots that it used.
    pub(crate) fn dispatch(&self, dispatch: impl FnOnce(&mut [Offer])) {
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        let mut registered = self.lock();
        let Registered { offers, slots, .. } = &mut *registered;
        for (offer, slots) in offers.iter_mut().zip(slots.iter()) {
            offer.turns = free(&slots.turns);
            offer.tasks = free(&slots.tasks);
        }
        let before: Vec<(u32, u32)> = offers
            .iter()
            .map(|offer| (offer.turns, offer.tasks))
            .collect();
        dispatch(offers);
        for ((offer, slots), (turns, tasks)) in offers.iter().zip(slots.iter()).zip(before) {
            take(&slots.turns, turns - offer.turns);
            take(&slots.tasks, tasks - offer.tasks);
        }
    }

    fn feed(&self) {
        self.freed.fetch_add(1, Ordering::SeqCst);
        for inbox in self.inboxes.iter() {
            inbox.feed();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    fn withdraw(&mut self, peer: PeerId) {
        if let Some(index) = self.offers.iter().position(|offer| offer.peer == peer) {
            self.offers.remove(index);
            self.slots.remove(index);
        }
    }
}

impl Slots {
    fn resize(&self, abilities: &Registration) {
        let resize = |free: &AtomicI64, max: &AtomicI64, slots: u32| {
            let before = max.swap(i64::from(slots), Ordering::SeqCst);
            free.fetch_add(i64::from(slots) - before, Ordering::SeqCst);
        };
        resize(&self.turns, &self.turns_max, abilities.turn_slots);
        resize(&self.tasks, &self.tasks_max, abilities.task_slots);
    }
}

fn free(free: &AtomicI64) -> u32 {
    u32::try_from(free.load(Ordering::SeqCst)).unwrap_or(0)
}

fn take(free: &AtomicI64, slots: u32) {
    if slots > 0 {
        free.fetch_sub(i64::from(slots), Ordering::SeqCst);
    }
}

/// Frees slots, but never more than there are: a worker that answers twice gains nothing.
fn give(free: &AtomicI64, max: &AtomicI64, slots: u32) {
    if slots > 0 {
        let max = max.load(Ordering::SeqCst);
        let _ = free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| {
            Some((free + i64::from(slots)).min(max))
        });
    }
}

#[cfg(test)]
mod tests;
