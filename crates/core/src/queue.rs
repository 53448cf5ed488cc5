//! The queue: one scheduler for tasks and for egress.
//!
//! A queue decides which message goes out next. It keeps FIFO groups with at most one message of a group in flight, delays,
//! leases with fencing tokens, a rate and a concurrency limit that admit before a message leaves, and says in words what a
//! message waits for. Tasks use it without groups and limits; egress uses all of it: a group is a lane.
//!
//! What it is not: it is not durable, and it does not know what a message is. It is an index in memory, rebuilt on open from
//! rows that others keep. Leases are volatile: what was in flight in a crash is ready again.
//!
//! ```text
//!            push                take                 settle
//!   (new) ──────────▶ waiting ──────────▶ leased ──────────────▶ (gone)
//!                        ▲                  │ retry, release, lapse
//!                        └──────────────────┘
//! ```
//!
//! Invariants: of a group at most one message is leased, and it is the first of its line; a message is ready only if it is
//! ungrouped or the first of its line; every message is in exactly one of ready, delayed, leased, or behind in its line.

use crate::allowance::Allowance;
use crate::ids::{PeerId, Token};
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

mod along;
mod lines;

/// A scheduling index over messages with the keys `K`.
#[derive(Debug)]
pub struct Queue<K> {
    /// How often messages may leave.
    allowance: Allowance,
    /// How many may be leased at once.
    concurrency: usize,
    /// Nothing leaves before this time, because the receiver asked for patience.
    held_until: Timestamp,
    messages: BTreeMap<K, Message>,
    /// Messages that may leave now, in order.
    ready: VecDeque<K>,
    /// Messages that may leave at a later time.
    delayed: BTreeSet<(Timestamp, K)>,
    /// Lines of messages with the same group; the first is ready, delayed or leased.
    groups: BTreeMap<Name, VecDeque<K>>,
    /// When leases run out.
    deadlines: BTreeSet<(Timestamp, K)>,
    leased: usize,
    /// Those of the leased that left together with another, and count for no limit.
    riders: BTreeSet<K>,
}

#[derive(Debug)]
struct Message {
    group: Option<Name>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ready,
    Delayed(Timestamp),
    /// In its group's line, not first. Holds the time before which it must not leave.
    Behind(Timestamp),
    Leased(Lease),
    /// First in its line, and kept back until somebody [restores](Queue::restore) it.
    Aside,
}

/// Who has a message, until when, and what proves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The holder.
    pub peer: PeerId,
    /// The proof.
    pub token: Token,
    /// When it runs out.
    pub deadline: Timestamp,
}

impl<K: Copy + Ord + Debug> Default for Queue<K> {
    fn default() -> Self {
        Self {
            allowance: Allowance::default(),
            concurrency: usize::MAX,
            held_until: Timestamp(0),
            messages: BTreeMap::new(),
            ready: VecDeque::new(),
            delayed: BTreeSet::new(),
            groups: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            leased: 0,
            riders: BTreeSet::new(),
        }
    }
}

impl<K: Copy + Ord + Debug> Queue<K> {
    /// Sets the limits. Applies to what leaves from now on.
    pub fn limit(&mut self, allowance: Allowance, concurrency: usize) {
        self.allowance = allowance;
        self.concurrency = concurrency;
    }

    /// How often messages may leave, with what is used of it.
    #[must_use]
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// How many may be leased at once.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Lets nothing leave before `until`. Never shortens an earlier hold.
    pub fn hold(&mut self, until: Timestamp) {
        self.held_until = self.held_until.max(until);
    }

    /// Until when nothing leaves.
    #[must_use]
    pub fn held_until(&self) -> Timestamp {
        self.held_until
    }

    /// Adds a message, at the end of its group's line. It leaves not before `ready_at`. A key that is here already is left
    /// as it is.
    pub fn push(&mut self, now: Timestamp, key: K, group: Option<Name>, ready_at: Timestamp) {
        if self.messages.contains_key(&key) {
            return;
        }
        let first = match &group {
            None => true,
            Some(name) => {
                if let Some(line) = self.groups.get_mut(name) {
                    line.push_back(key);
                    line.len() == 1
                } else {
                    self.groups.insert(name.clone(), VecDeque::from([key]));
                    true
                }
            }
        };
        self.messages.insert(
            key,
            Message {
                group,
                state: State::Behind(ready_at),
            },
        );
        if first {
            self.advance(now, key);
        }
    }

    /// True if the limits would let a message leave now, and one is ready.
    pub fn admits(&mut self, now: Timestamp) -> bool {
        self.ripen(now);
        let full = self.calls() >= self.concurrency && !mutant::is(Mutant::ConcurrencyIgnored);
        !full && !self.ready.is_empty() && self.limited_until(now).is_none()
    }

    /// Keeps a message back that is first in its line: it does not leave, nor does its line, until it is restored. Ends its
    /// lease if it has one.
    pub fn set_aside(&mut self, key: K) {
        let Some(message) = self.messages.get_mut(&key) else {
            return;
        };
        if matches!(message.state, State::Behind(_) | State::Aside) {
            return;
        }
        let state = core::mem::replace(&mut message.state, State::Aside);
        if self.ready.front() == Some(&key) {
            // The common case, and so not by looking through all of them.
            self.ready.pop_front();
        } else {
            self.detach(key, state);
        }
    }

    /// Makes a message ready that was set aside.
    pub fn restore(&mut self, key: K) {
        if let Some(message) = self.messages.get_mut(&key)
            && message.state == State::Aside
        {
            message.state = State::Ready;
            self.ready.push_back(key);
        }
    }

    /// True if a message is set aside.
    #[must_use]
    pub fn is_aside(&self, key: K) -> bool {
        self.messages
            .get(&key)
            .is_some_and(|message| message.state == State::Aside)
    }

    /// Messages that are set aside.
    #[must_use]
    pub fn aside(&self) -> usize {
        let indexed = self.ready.len() + self.delayed.len() + self.leased;
        self.groups.len().saturating_sub(indexed)
    }

    /// The first message of a group's line.
    #[must_use]
    pub fn first_of(&self, group: &str) -> Option<K> {
        self.groups.get(group)?.front().copied()
    }

    /// Leases the next message that may leave, if there is one and the limits admit it.
    pub fn take(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        token: Token,
        deadline: Timestamp,
    ) -> Option<K> {
        self.ripen(now);
        let full = self.calls() >= self.concurrency && !mutant::is(Mutant::ConcurrencyIgnored);
        if full || self.held_until > now {
            return None;
        }
        if self.allowance.wait_until(now, 0, 1).is_some() {
            return None;
        }
        let key = self.ready.pop_front()?;
        self.allowance.count(now, 1);
        let message = self.messages.get_mut(&key).expect("what is ready is here");
        message.state = State::Leased(Lease {
            peer,
            token,
            deadline,
        });
        self.leased += 1;
        self.deadlines.insert((deadline, key));
        Some(key)
    }

    /// The lease of `key`, if `token` proves that it is the present one.
    #[must_use]
    pub fn lease(&self, key: K, token: Token) -> Option<Lease> {
        match self.messages.get(&key)?.state {
            State::Leased(lease) if lease.token == token => Some(lease),
            _ => None,
        }
    }

    /// Lets the lease of `key` run out at `deadline`, if `token` proves that it is the present one.
    pub fn extend(&mut self, key: K, token: Token, deadline: Timestamp) {
        let Some(message) = self.messages.get_mut(&key) else {
            return;
        };
        if let State::Leased(lease) = &mut message.state
            && lease.token == token
        {
            self.deadlines.remove(&(lease.deadline, key));
            lease.deadline = deadline;
            self.deadlines.insert((deadline, key));
        }
    }

    /// The present lease of `key`, if it has one.
    #[must_use]
    pub fn leased(&self, key: K) -> Option<Lease> {
        match self.messages.get(&key)?.state {
            State::Leased(lease) => Some(lease),
            State::Ready | State::Delayed(_) | State::Behind(_) | State::Aside => None,
        }
    }

    /// The message that [`Queue::take`] would lease, if the limits admit it.
    #[must_use]
    pub fn peek(&self) -> Option<K> {
        self.ready.front().copied()
    }

    /// Removes a message, whatever its state; the next of its line moves up. Returns its lease if it had one.
    pub fn remove(&mut self, now: Timestamp, key: K) -> Option<Lease> {
        let message = self.messages.remove(&key)?;
        let lease = self.detach(key, message.state);
        if let Some(name) = message.group {
            let line = self
                .groups
                .get_mut(&name)
                .expect("a grouped message is in its line");
            if line.front() == Some(&key) {
                line.pop_front();
            } else {
                line.retain(|other| *other != key);
            }
            match line.front().copied() {
                None => {
                    self.groups.remove(&name);
                }
                Some(next) => self.advance(now, next),
            }
        }
        lease
    }

    /// Ends the lease of a message, which keeps its place in its line and leaves again not before `ready_at`.
    pub fn retry(&mut self, now: Timestamp, key: K, ready_at: Timestamp) {
        let Some(message) = self.messages.get_mut(&key) else {
            return;
        };
        let state = core::mem::replace(&mut message.state, State::Behind(ready_at));
        let group = mutant::is(Mutant::PlaceLost).then(|| message.group.clone());
        self.detach(key, state);
        if let Some(line) = group.flatten().and_then(|name| self.groups.get_mut(&name)) {
            line.rotate_left(1);
            let first = line[0];
            return self.advance(now, first);
        }
        self.advance(now, key);
    }

    /// Ends the leases of `peer`; its messages are ready again, before the others.
    pub fn release(&mut self, peer: PeerId) -> Vec<K> {
        let held: Vec<K> = self
            .deadlines
            .iter()
            .map(|(_, key)| *key)
            .filter(|key| {
                matches!(self.messages.get(key).map(|message| message.state),
                    Some(State::Leased(lease)) if lease.peer == peer)
            })
            .collect();
        for key in held.iter().rev() {
            let message = self.messages.get_mut(key).expect("just seen");
            let state = core::mem::replace(&mut message.state, State::Ready);
            self.detach(*key, state);
            self.ready.push_front(*key);
        }
        held
    }

    /// The messages whose lease has run out by `now`. The caller settles or retries each.
    #[must_use]
    pub fn lapsed(&self, now: Timestamp) -> Vec<(K, Lease)> {
        self.deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline <= now)
            .filter_map(|(_, key)| match self.messages.get(key)?.state {
                State::Leased(lease) => Some((*key, lease)),
                State::Ready | State::Delayed(_) | State::Behind(_) | State::Aside => None,
            })
            .collect()
    }

    /// When something happens here by itself: a delay or a lease ends, or the limits admit what is ready.
    #[must_use]
    pub fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let delay = self.delayed.first().map(|(at, _)| *at);
        let lapse = self.deadlines.first().map(|(at, _)| *at);
        let admitted = if self.ready.is_empty() || self.calls() >= self.concurrency {
            None
        } else {
            self.limited_until(now)
        };
        [delay, lapse, admitted].into_iter().flatten().min()
    }

    /// Until when the hold or the rate keeps everything back; nothing if they do not.
    #[must_use]
    pub fn limited_until(&self, now: Timestamp) -> Option<Timestamp> {
        let held = (self.held_until > now).then_some(self.held_until);
        held.max(self.allowance.wait_until(now, 0, 1))
    }

    /// True if a message could leave if somebody took it.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Messages ready, delayed or behind; and leased.
    #[must_use]
    pub fn waiting_and_leased(&self) -> (usize, usize) {
        (self.messages.len() - self.leased, self.leased)
    }

    /// Messages ready; and delayed.
    #[must_use]
    pub fn ready_and_delayed(&self) -> (usize, usize) {
        (self.ready.len(), self.delayed.len())
    }

    /// Groups that have messages.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// True if `key` is here.
    #[must_use]
    pub fn contains(&self, key: K) -> bool {
        self.messages.contains_key(&key)
    }

    /// What `key` waits for, in words; nothing if it is not here or does not wait.
    #[must_use]
    pub fn blocked_on(&self, now: Timestamp, key: K) -> Option<String> {
        let message = self.messages.get(&key)?;
        match message.state {
            State::Leased(_) | State::Aside => None,
            State::Delayed(at) => Some(format!("its next attempt, in {} ms", at.since_ms(now))),
            State::Behind(_) => {
                let name = message.group.as_ref()?;
                let place = self
                    .groups
                    .get(name)?
                    .iter()
                    .position(|other| *other == key)?;
                Some(format!("{place} earlier in lane `{name}`"))
            }
            State::Ready if self.held_until > now => Some(format!(
                "the destination asked for patience, for {} ms more",
                self.held_until.since_ms(now)
            )),
            State::Ready if self.calls() >= self.concurrency => {
                Some(format!("the concurrency limit of {}", self.concurrency))
            }
            State::Ready => self
                .limited_until(now)
                .map(|at| format!("the rate limit, next slot in {} ms", at.since_ms(now))),
        }
    }

    /// Moves delayed messages whose time has come to the ready ones.
    pub fn ripen(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.delayed.first().copied() {
            if at > now {
                break;
            }
            self.delayed.pop_first();
            let message = self
                .messages
                .get_mut(&key)
                .expect("what is delayed is here");
            message.state = State::Ready;
            self.ready.push_back(key);
        }
    }

    /// Makes a message that is first in its line, or has none, ready or delayed.
    fn advance(&mut self, now: Timestamp, key: K) {
        let message = self
            .messages
            .get_mut(&key)
            .expect("a line holds what is here");
        let State::Behind(ready_at) = message.state else {
            return;
        };
        if ready_at > now {
            message.state = State::Delayed(ready_at);
            self.delayed.insert((ready_at, key));
        } else {
            message.state = State::Ready;
            self.ready.push_back(key);
        }
    }

    /// Takes a message out of the index that its state put it into.
    fn detach(&mut self, key: K, state: State) -> Option<Lease> {
        match state {
            State::Ready => self.ready.retain(|other| *other != key),
            State::Delayed(at) => {
                self.delayed.remove(&(at, key));
            }
            State::Behind(_) | State::Aside => {}
            State::Leased(lease) => {
                self.deadlines.remove(&(lease.deadline, key));
                self.leased -= 1;
                self.riders.remove(&key);
                return Some(lease);
            }
        }
        None
    }
}

mod check;
#[cfg(test)]
mod tests;
