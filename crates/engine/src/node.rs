//! The node: what all threads of an engine share.

use crate::access::Access;
use crate::checkpoint::Chores;
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::delivery::Deliveries;
use crate::dispatch::Workers;
use crate::feed::Feed;
use crate::health::Vitals;
use crate::inbox::Inbox;
use crate::peers::{Peer, Peers};
use crate::requests::Requests;
use crate::stats::{Figures, add, subtract};
use crate::weight;
use crate::workflows::Workflows;
use crate::writer::Desk;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use trunkline_core::ids::{PeerId, ShardId};
use trunkline_core::input::Input;
use trunkline_core::peer::ToPeer;

/// What all threads of an engine share.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) shards: u16,
    pub(crate) bounds: Bounds,
    pub(crate) clock: Clock,
    pub(crate) vitals: Vitals,
    pub(crate) figures: Figures,
    pub(crate) peers: Peers,
    pub(crate) workers: Workers,
    pub(crate) workflows: Workflows,
    pub(crate) requests: Requests,
    pub(crate) feed: Feed,
    pub(crate) deliveries: Deliveries,
    pub(crate) credentials: Credentials,
    pub(crate) access: Access,
    /// Of each shard thread: its inbox, its writer's desk, its keeper's chores.
    pub(crate) inboxes: Arc<[Arc<Inbox>]>,
    pub(crate) desks: Vec<Arc<Desk>>,
    pub(crate) chores: Vec<Arc<Chores>>,
    /// True once the last checkpoint is being written: everything there is to come has come.
    closing: AtomicBool,
    /// True once the threads are gone: nothing is answered any more.
    ended: AtomicBool,
}

/// How much may wait where, and how long what has ended is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) mailbox_bytes: usize,
    pub(crate) inbox_inputs: usize,
    pub(crate) inbox_bytes: usize,
    pub(crate) retention_ms: u64,
}

impl Node {
    pub(crate) fn new(
        shards: u16,
        threads: u16,
        bounds: Bounds,
        clock: Clock,
        deliveries: Deliveries,
        feed: Feed,
        credentials: Credentials,
    ) -> Self {
        let inboxes: Arc<[Arc<Inbox>]> = (0..threads).map(|_| Arc::default()).collect();
        Self {
            shards,
            bounds,
            clock,
            vitals: Vitals::new(),
            figures: Figures::default(),
            peers: Peers::new(),
            workers: Workers::new(Arc::clone(&inboxes)),
            workflows: Workflows::default(),
            requests: Requests::default(),
            feed,
            deliveries,
            credentials,
            access: Access::default(),
            inboxes,
            desks: (0..threads).map(|_| Arc::default()).collect(),
            chores: (0..threads).map(|_| Arc::default()).collect(),
            closing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    /// The thread that owns `shard`.
    pub(crate) fn thread_of(&self, shard: ShardId) -> usize {
        usize::from(shard.0) % self.inboxes.len()
    }

    /// Has a shard take an input.
    pub(crate) fn submit(&self, shard: ShardId, input: Input) {
        let bytes = weight::of_input(&input);
        self.inboxes[self.thread_of(shard)].push(&mut vec![(shard, input)], bytes);
    }

    /// Tells a peer something; one that does not read is disconnected.
    pub(crate) fn tell(&self, peer: &Peer, messages: &mut Vec<ToPeer>, bytes: usize) {
        if messages.is_empty() {
            return;
        }
        if let Some(slots) = peer.slots() {
            self.workers.told(slots, messages);
        }
        if !peer.post.post(messages, bytes, self.bounds.mailbox_bytes) {
            tracing::warn!(peer = peer.id.0, "disconnected: the peer does not read");
            add(&self.figures.peers_dropped, 1);
            self.disconnect(peer.id);
        }
    }

    pub(crate) fn connect(&self) -> Arc<Peer> {
        let peer = self.peers.connect(self.shards);
        add(&self.figures.peers, 1);
        if self.has_ended() {
            peer.post.close();
        }
        peer
    }

    /// A peer is gone: it gets no more work, and the shards that know it forget it.
    pub(crate) fn disconnect(&self, id: PeerId) {
        let Some(peer) = self.peers.remove(id) else {
            return;
        };
        subtract(&self.figures.peers, 1);
        peer.post.close();
        // In this order: a dispatch that still found the worker comes before the input that voids its leases.
        self.workers.withdraw(id);
        for shard in (0..self.shards).map(ShardId) {
            if peer.is_known_to(shard) {
                self.submit(shard, Input::PeerGone { peer: id });
            }
        }
    }

    /// Fail-stop: nothing is released or acknowledged from now on.
    pub(crate) fn fail(&self, reason: &str) {
        if self.vitals.fail(reason.to_owned()) {
            tracing::error!(reason, "the engine has failed and stops");
        }
        self.end();
    }

    /// Has the threads write a last checkpoint and end.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        for thread in 0..self.inboxes.len() {
            self.inboxes[thread].stop();
            // With a full disk there will be no checkpoint: the keeper says so.
            self.chores[thread].prepare();
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Stops all threads at once, and lets go of everyone who waits.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        for thread in 0..self.inboxes.len() {
            self.inboxes[thread].halt();
            self.desks[thread].halt();
            self.chores[thread].halt();
        }
        for peer in self.peers.all() {
            peer.post.close();
        }
        self.requests.abandon();
        self.feed.wake();
        self.deliveries.close();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}
