//! Attempts that nobody waits for any more and that may still go on for a while: their grace.
//!
//! They are in memory only. A crash ends all leases anyway, and a worker keeps the grace by itself; what is known here
//! abandons the attempt if it does not.

use super::TaskKey;
use crate::ids::{PeerId, Token};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};

/// The attempts that have their grace.
#[derive(Debug, Default)]
pub(crate) struct Lingering {
    attempts: BTreeMap<(TaskKey, Token), (PeerId, Timestamp)>,
    ends: BTreeSet<(Timestamp, TaskKey, Token)>,
}

impl Lingering {
    pub(super) fn insert(&mut self, key: TaskKey, token: Token, peer: PeerId, until: Timestamp) {
        self.attempts.insert((key, token), (peer, until));
        self.ends.insert((until, key, token));
    }

    /// Forgets an attempt, because its worker says that it has ended; false if it is not here.
    pub(super) fn remove(&mut self, key: TaskKey, token: Token, peer: PeerId) -> bool {
        match self.attempts.get(&(key, token)) {
            Some((holder, until)) if *holder == peer => {
                self.ends.remove(&(*until, key, token));
                self.attempts.remove(&(key, token));
                true
            }
            _ => false,
        }
    }

    /// True if the attempt is here.
    pub(super) fn contains(&self, key: TaskKey, token: Token, peer: PeerId) -> bool {
        let attempt = self.attempts.get(&(key, token));
        attempt.is_some_and(|(holder, _)| *holder == peer)
    }

    /// Takes the first attempt whose grace is over by `now`.
    pub(super) fn lapsed(&mut self, now: Timestamp) -> Option<(TaskKey, Token, PeerId)> {
        let (until, key, token) = self.ends.first().copied()?;
        if until > now {
            return None;
        }
        self.ends.pop_first();
        let (peer, _) = self.attempts.remove(&(key, token))?;
        Some((key, token, peer))
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.ends.first().map(|(until, ..)| *until)
    }

    pub(super) fn release(&mut self, peer: PeerId) {
        let ends = &mut self.ends;
        self.attempts.retain(|(key, token), (holder, until)| {
            let stays = *holder != peer;
            if !stays {
                ends.remove(&(*until, *key, *token));
            }
            stays
        });
    }
}
