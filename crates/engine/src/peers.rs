//! Who is connected.

use crate::dispatch::Slots;
use crate::mailbox::Post;
use hashbrown::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use trunkline_core::ids::{PeerId, ShardId};

/// The peer in whose name the engine itself asks. It has no mailbox.
pub(crate) const ENGINE: PeerId = PeerId(0);

/// The connected peers.
#[derive(Debug)]
pub(crate) struct Peers {
    connected: RwLock<HashMap<PeerId, Arc<Peer>>>,
    /// The number of the next one; the engine itself has number 0.
    next: AtomicU64,
}

/// A connected peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) post: Arc<Post>,
    slots: Arc<Slots>,
    /// True once it has registered as a worker.
    works: AtomicBool,
    /// The shards that know it, a bit each: those that need to hear when it is gone.
    shards: Box<[AtomicU64]>,
    /// True once it is gone. Nothing that it sends is taken any more.
    gone: AtomicBool,
}

impl Peers {
    pub(crate) fn new() -> Self {
        Self {
            connected: RwLock::default(),
            next: AtomicU64::new(ENGINE.0 + 1),
        }
    }

    pub(crate) fn connect(&self, shards: u16) -> Arc<Peer> {
        let id = PeerId(self.next.fetch_add(1, Ordering::Relaxed));
        let words = usize::from(shards).div_ceil(64);
        let peer = Arc::new(Peer {
            id,
            post: Arc::default(),
            slots: Arc::default(),
            works: AtomicBool::new(false),
            shards: (0..words).map(|_| AtomicU64::new(0)).collect(),
            gone: AtomicBool::new(false),
        });
        self.connected
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Arc::clone(&peer));
        peer
    }

    pub(crate) fn get(&self, id: PeerId) -> Option<Arc<Peer>> {
        self.connected
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub(crate) fn remove(&self, id: PeerId) -> Option<Arc<Peer>> {
        let peer = self
            .connected
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id)?;
        peer.gone.store(true, Ordering::SeqCst);
        Some(peer)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Peer>> {
        self.connected
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }
}

impl Peer {
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// It is a worker from now on. To be said before it can be given any work, or that work would not be accounted for.
    pub(crate) fn becomes_worker(&self) -> Arc<Slots> {
        self.works.store(true, Ordering::SeqCst);
        Arc::clone(&self.slots)
    }

    /// Its slots, if it is a worker.
    pub(crate) fn slots(&self) -> Option<&Slots> {
        self.works.load(Ordering::SeqCst).then_some(&*self.slots)
    }

    /// Remembers that `shard` knows the peer.
    pub(crate) fn touches(&self, shard: ShardId) {
        let word = &self.shards[usize::from(shard.0 / 64)];
        let bit = 1 << (shard.0 % 64);
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// True if `shard` may know the peer: any shard may have given work to a worker.
    pub(crate) fn is_known_to(&self, shard: ShardId) -> bool {
        let word = self.shards[usize::from(shard.0 / 64)].load(Ordering::Relaxed);
        self.works.load(Ordering::SeqCst) || word & (1 << (shard.0 % 64)) != 0
    }
}
