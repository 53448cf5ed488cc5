//! The workers, and their free slots: how many turns and tasks each may be given.
//!
//! Slots are shared by all shard threads. A thread that has ready work dispatches with the lock on the workers held, so
//! that two threads never give out the same slot. Slots are freed by the sessions without the lock, and each time some are,
//! the threads whose ready work had found no worker are woken. Nobody polls.
//!
//! A slot is taken by `ToPeer::Turn` and `ToPeer::Task`. It is freed once, by whatever comes first: the worker's answer,
//! whether or not the core takes it; that the worker no longer holds the run (`Evicted`); or that the engine tells it to
//! forget the run or to abandon the task. What is with a worker is therefore known one by one: an answer to nothing frees
//! nothing, and a turn that a worker adds to a result (`then`) needs no slot. Queries need none either: they wait for nothing.

use crate::inbox::Inbox;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trunkline_core::ids::{PeerId, RunKey, Token};
use trunkline_core::payload::Name;
use trunkline_core::peer::{FromPeer, Registration, ToPeer};
use trunkline_core::shard::Offer;

/// All workers.
#[derive(Debug)]
pub struct Workers {
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
pub struct Slots {
    /// Free slots. Negative while it holds more than a newer registration allows.
    turns: AtomicI64,
    tasks: AtomicI64,
    held: Mutex<Held>,
}

/// What is with a worker, and how much it has said may be.
#[derive(Debug, Default)]
struct Held {
    /// Turns, each with its workflow if that has a limit of its own.
    turns: HashMap<RunKey, Option<Name>>,
    /// Attempts, each with its service if that has a limit of its own.
    tasks: HashMap<(RunKey, Token), Option<Name>>,
    turns_max: u32,
    tasks_max: u32,
    /// The limits of single services, and of single workflows.
    services: Vec<Limit>,
    workflows: Vec<Limit>,
}

/// The limit of one service or workflow at one worker.
#[derive(Debug)]
struct Limit {
    name: Name,
    max: u32,
    /// Negative while the worker holds more than a newer registration allows.
    free: i64,
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

    /// Workers of an engine whose threads need not be woken.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(Arc::new([]))
    }

    /// A worker offers to work, or changes what it offers. Its slots are the same each time.
    pub fn register(&self, peer: PeerId, slots: Arc<Slots>, abilities: Registration) {
        let mut registered = self.lock();
        // With the lock held: a dispatch that is under way counts by the limits that it began with.
        slots.resize(&abilities);
        registered.withdraw(peer);
        registered.offers.push(Offer {
            peer,
            abilities: Arc::new(abilities),
            turns: 0,
            tasks: 0,
            service_tasks: Vec::new(),
            workflow_turns: Vec::new(),
        });
        registered.slots.push(slots);
        drop(registered);
        self.feed();
    }

    /// A worker takes no more work, or is gone.
    pub fn withdraw(&self, peer: PeerId) {
        self.lock().withdraw(peer);
    }

    /// A worker has sent this: what it answers frees slots.
    pub fn heard(&self, slots: &Slots, messages: &[FromPeer]) {
        let mut freed = Freed::default();
        let mut held = slots.held();
        for message in messages {
            match message {
                FromPeer::TurnDone(turn) => held.end_turn(turn.run, &mut freed),
                FromPeer::TurnStuck { run, .. } | FromPeer::Evicted { run } => {
                    held.end_turn(*run, &mut freed);
                }
                FromPeer::TaskDone { run, token, .. }
                | FromPeer::TaskDelegated { run, token, .. } => {
                    held.end_task((*run, *token), &mut freed);
                }
                FromPeer::StepDone { .. }
                | FromPeer::QueryDone { .. }
                | FromPeer::Request(..)
                | FromPeer::Register(_)
                | FromPeer::Heartbeat { .. }
                | FromPeer::Drain => {}
            }
        }
        drop(held);
        self.free(slots, freed);
    }

    /// A worker is about to be told this: what it is to do takes the slots that dispatch gave out, what it is to forget
    /// frees them.
    pub fn told(&self, slots: &Slots, messages: &[ToPeer]) {
        let mut freed = Freed::default();
        let mut held = slots.held();
        for message in messages {
            match message {
                ToPeer::Turn(turn) => {
                    let limited = limited(&held.workflows, &turn.id.workflow);
                    held.turns.insert(turn.run, limited);
                }
                ToPeer::Task(task) => {
                    let limited = limited(&held.services, &task.service);
                    held.tasks.insert((task.run, task.token), limited);
                }
                ToPeer::Forget { run } => held.end_turn(*run, &mut freed),
                ToPeer::AbandonTask { run, token, .. } => {
                    held.end_task((*run, *token), &mut freed);
                }
                ToPeer::Reply(..)
                | ToPeer::Refused { .. }
                | ToPeer::CancelTask { .. }
                | ToPeer::Query(_) => {}
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
    pub fn dispatch(&self, dispatch: impl FnOnce(&mut [Offer])) {
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        let mut registered = self.lock();
        let Registered { offers, slots } = &mut *registered;
        for (offer, slots) in offers.iter_mut().zip(slots.iter()) {
            offer.turns = free(&slots.turns);
            offer.tasks = free(&slots.tasks);
            if has_limits(&offer.abilities) {
                let held = slots.held();
                offer.service_tasks = held.services.iter().map(Limit::room).collect();
                offer.workflow_turns = held.workflows.iter().map(Limit::room).collect();
            }
        }
        let before: Vec<(u32, u32)> = offers
            .iter()
            .map(|offer| (offer.turns, offer.tasks))
            .collect();
        dispatch(offers);
        for ((offer, slots), (turns, tasks)) in offers.iter().zip(slots.iter()).zip(before) {
            take(&slots.turns, turns - offer.turns);
            take(&slots.tasks, tasks - offer.tasks);
            if has_limits(&offer.abilities) {
                let mut held = slots.held();
                take_limited(&mut held.services, &offer.service_tasks);
                take_limited(&mut held.workflows, &offer.workflow_turns);
            }
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
        resize_limits(&mut held.services, abilities.service_slots.as_deref());
        resize_limits(&mut held.workflows, abilities.workflow_slots.as_deref());
    }

    /// True if nothing is with the worker but attempts that `asleep` knows.
    pub(crate) fn is_at_rest(&self, asleep: &dyn Fn(RunKey, Token) -> bool) -> bool {
        let held = self.held();
        held.turns.is_empty() && held.tasks.keys().all(|(run, token)| asleep(*run, *token))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn end_turn(&mut self, run: RunKey, freed: &mut Freed) {
        if let Some(limited) = self.turns.remove(&run) {
            freed.turns += 1;
            give_back(&mut self.workflows, limited);
        }
    }

    fn end_task(&mut self, attempt: (RunKey, Token), freed: &mut Freed) {
        if let Some(limited) = self.tasks.remove(&attempt) {
            freed.tasks += 1;
            give_back(&mut self.services, limited);
        }
    }
}

impl Limit {
    fn room(&self) -> u32 {
        u32::try_from(self.free).unwrap_or(0)
    }
}

fn has_limits(abilities: &Registration) -> bool {
    abilities.service_slots.is_some() || abilities.workflow_slots.is_some()
}

/// The name, if it has a limit of its own.
fn limited(limits: &[Limit], name: &Name) -> Option<Name> {
    let limit = limits.iter().find(|limit| limit.name == *name)?;
    Some(limit.name.clone())
}

fn give_back(limits: &mut [Limit], limited: Option<Name>) {
    if let Some(name) = limited
        && let Some(limit) = limits.iter_mut().find(|limit| limit.name == name)
    {
        limit.free = i64::from(limit.max).min(limit.free + 1);
    }
}

/// Puts the limits of a registration in the place of those before; what is out stays counted.
fn resize_limits(limits: &mut Vec<Limit>, now: Option<&[(Name, u32)]>) {
    let before = std::mem::take(limits);
    limits.extend(now.unwrap_or_default().iter().map(|(name, max)| {
        let known = before.iter().find(|limit| limit.name == *name);
        let out = known.map_or(0, |limit| i64::from(limit.max) - limit.free);
        Limit {
            name: name.clone(),
            max: *max,
            free: i64::from(*max) - out,
        }
    }));
}

/// Takes what a dispatch has used: `left` is what it left of the room.
fn take_limited(limits: &mut [Limit], left: &[u32]) {
    for (limit, left) in limits.iter_mut().zip(left) {
        limit.free -= i64::from(limit.room().saturating_sub(*left));
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
