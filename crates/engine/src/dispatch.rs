//! The workers, and their free slots: how many turns and tasks each may be given.
//!
//! Slots are shared by all shard threads. A thread that has ready work dispatches with the lock on the workers held, so
//! that two threads never give out the same slot. Slots are freed by the sessions without the lock, and each time some are,
//! the threads whose ready work had found no worker are woken. Nobody polls.
//!
//! A slot is taken by `ToPeer::Turn` and `ToPeer::Task`. It is freed once, by whatever comes first: the worker's answer,
//! whether or not the core takes it; that the worker no longer holds the run (`Evicted`); or that the engine tells it to
//! forget the run or to abandon the task. What is with a worker is therefore known one by one: an answer to nothing frees
//! nothing, and a turn that a worker adds to a result (`then`) needs no slot.

use crate::inbox::Inbox;
use hashbrown::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trunkline_core::ids::{PeerId, RunKey, Token};
use trunkline_core::peer::{FromPeer, Registration, ToPeer};
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
    /// One per worker that takes work, in the order of registration. Reused from dispatch to dispatch.
    offers: Vec<Offer>,
    slots: Vec<Arc<Slots>>,
}

/// The slots of a worker.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// Free slots. Negative while it holds more than a newer registration allows.
    turns: AtomicI64,
    tasks: AtomicI64,
    held: Mutex<Held>,
}

/// What is with a worker, and how much it has said may be.
#[derive(Debug, Default)]
struct Held {
    turns: HashSet<RunKey>,
    tasks: HashSet<(RunKey, Token)>,
    turns_max: u32,
    tasks_max: u32,
}

/// How many slots were freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Freed {
    turns: u32,
    tasks: u32,
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

    /// A worker offers to work, or changes what it offers. Its slots are the same each time.
    pub(crate) fn register(&self, peer: PeerId, slots: Arc<Slots>, abilities: Registration) {
        slots.resize(&abilities);
        let mut registered = self.lock();
        registered.withdraw(peer);
        registered.offers.push(Offer {
            peer,
            abilities: Arc::new(abilities),
            turns: 0,
            tasks: 0,
        });
        registered.slots.push(slots);
        drop(registered);
        self.feed();
    }

    /// A worker takes no more work, or is gone.
    pub(crate) fn withdraw(&self, peer: PeerId) {
        self.lock().withdraw(peer);
    }

    /// A worker has sent this: what it answers frees slots.
    pub(crate) fn heard(&self, slots: &Slots, messages: &[FromPeer]) {
        let mut freed = Freed::default();
        let mut held = slots.held();
        for message in messages {
            match message {
                FromPeer::TurnDone(turn) => freed.turn(held.turns.remove(&turn.run)),
                FromPeer::TurnStuck { run, .. } | FromPeer::Evicted { run } => {
                    freed.turn(held.turns.remove(run));
                }
                FromPeer::TaskDone { run, token, .. } => {
                    freed.task(held.tasks.remove(&(*run, *token)));
                }
                FromPeer::StepDone { .. }
                | FromPeer::Request(..)
                | FromPeer::Register(_)
                | FromPeer::Drain => {}
            }
        }
        drop(held);
        self.free(slots, freed);
    }

    /// A worker is about to be told this: what it is to do takes the slots that dispatch gave out, what it is to forget
    /// frees them.
    pub(crate) fn told(&self, slots: &Slots, messages: &[ToPeer]) {
        let mut freed = Freed::default();
        let mut held = slots.held();
        for message in messages {
            match message {
                ToPeer::Turn(turn) => {
                    held.turns.insert(turn.run);
                }
                ToPeer::Task(task) => {
                    held.tasks.insert((task.run, task.token));
                }
                ToPeer::Forget { run } => freed.turn(held.turns.remove(run)),
                ToPeer::AbandonTask { run, token, .. } => {
                    freed.task(held.tasks.remove(&(*run, *token)));
                }
                ToPeer::Reply(..) | ToPeer::Refused { .. } => {}
            }
        }
        drop(held);
        self.free(slots, freed);
    }

    fn free(&self, slots: &Slots, freed: Freed) {
        if freed != Freed::default() {
            slots
                .turns
                .fetch_add(i64::from(freed.turns), Ordering::SeqCst);
            slots
                .tasks
                .fetch_add(i64::from(freed.tasks), Ordering::SeqCst);
            self.feed();
        }
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
        let Registered { offers, slots } = &mut *registered;
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
        let mut held = self.held();
        let before = (held.turns_max, held.tasks_max);
        (held.turns_max, held.tasks_max) = (abilities.turn_slots, abilities.task_slots);
        let grow = |free: &AtomicI64, before: u32, now: u32| {
            free.fetch_add(i64::from(now) - i64::from(before), Ordering::SeqCst);
        };
        grow(&self.turns, before.0, abilities.turn_slots);
        grow(&self.tasks, before.1, abilities.task_slots);
    }

    /// True if nothing is with the worker but attempts that `asleep` knows.
    pub(crate) fn is_at_rest(&self, asleep: &dyn Fn(RunKey, Token) -> bool) -> bool {
        let held = self.held();
        held.turns.is_empty() && held.tasks.iter().all(|(run, token)| asleep(*run, *token))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Freed {
    fn turn(&mut self, freed: bool) {
        self.turns += u32::from(freed);
    }

    fn task(&mut self, freed: bool) {
        self.tasks += u32::from(freed);
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

#[cfg(test)]
mod tests;
