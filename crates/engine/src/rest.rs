//! Rest: whether anything is going on in an engine, for tests that move its clock when nothing is.
//!
//! ```text
//! inbox ─▶ shard thread ─▶ desk ─▶ writer ─▶ mailboxes, deliveries ─▶ workers and clients ─▶ inbox
//! ```
//!
//! Work moves along this circle, and is put down at the next place before it is taken from the one before. So it is looked
//! for along the circle, and whatever came into an inbox meanwhile makes the look count for nothing.

use crate::engine::Engine;
use trunkline_core::ids::{RunKey, Token};
use trunkline_core::time::Timestamp;

impl Engine {
    /// True if nothing is going on: no input waits or is worked on, nothing is on its way to a peer or a destination, and no
    /// worker has anything to do, apart from the attempts that `asleep` knows to be waiting for the time to pass.
    /// `elsewhere` is asked last: whether the peers are at rest, as far as only they know.
    pub fn is_at_rest(
        &self,
        asleep: &dyn Fn(RunKey, Token) -> bool,
        elsewhere: impl FnOnce() -> bool,
    ) -> bool {
        let node = self.node();
        let mut changes = Vec::with_capacity(node.inboxes.len());
        for inbox in node.inboxes.iter() {
            match inbox.changes_at_rest() {
                Some(count) => changes.push(count),
                None => return false,
            }
        }
        let is_quiet = node.desks.iter().all(|desk| desk.is_at_rest())
            && node.deliveries.are_done()
            && node.peers.all().iter().all(|peer| {
                peer.post.is_at_rest() && peer.slots().is_none_or(|slots| slots.is_at_rest(asleep))
            })
            && elsewhere();
        is_quiet
            && node
                .inboxes
                .iter()
                .zip(changes)
                .all(|(inbox, before)| inbox.changes_at_rest() == Some(before))
    }

    /// Where something is going on, for a person.
    #[must_use]
    pub fn busy(&self) -> Vec<String> {
        let node = self.node();
        let mut busy = Vec::new();
        for inbox in node.inboxes.iter() {
            if inbox.changes_at_rest().is_none() {
                busy.push("a shard thread".into());
            }
        }
        for desk in &node.desks {
            if !desk.is_at_rest() {
                busy.push("a writer".into());
            }
        }
        if !node.deliveries.are_done() {
            busy.push("deliveries".into());
        }
        for peer in node.peers.all() {
            if !peer.post.is_at_rest() {
                busy.push(format!("the mailbox of peer {}", peer.id.0));
            }
            if peer
                .slots()
                .is_some_and(|slots| !slots.is_at_rest(&|_, _| false))
            {
                busy.push(format!("worker {}", peer.id.0));
            }
        }
        busy
    }

    /// When the engine wants to act next, if nothing else happens. Only known on a virtual clock, and at rest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let deadlines = self.node().inboxes.iter();
        deadlines.filter_map(|inbox| inbox.deadline()).min()
    }

    /// Wakes the threads whose deadlines have come, after the virtual clock was moved.
    pub fn wake_for_deadlines(&self) {
        let now = self.node().clock.now();
        for inbox in self.node().inboxes.iter() {
            if inbox.deadline().is_some_and(|deadline| deadline <= now) {
                inbox.wake();
            }
        }
    }

    /// Stops at once, as the end of the process would: nothing more is said to anybody, and what was not acknowledged may
    /// be lost.
    pub fn kill(&self) {
        self.node().end();
    }

    /// True once nothing is answered any more: after [`kill`](Self::kill), a failure or a shutdown.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.node().has_ended() || self.node().vitals.is_failed()
    }
}
