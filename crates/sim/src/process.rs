//! The process under test: production drivers, scribes and keepers on a simulated disk, without their threads.
//!
//! It opens a data folder as the engine does. What the engine's threads do in loops is a method here, so that the world
//! decides who does what when, and in between it can look, crash and count.

use crate::plan::Setup;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use trunkline_core::effect::Effect;
use trunkline_core::ids::{PeerId, ShardId};
use trunkline_core::input::Input;
use trunkline_core::peer::Registration;
use trunkline_core::shard::Settings;
use trunkline_core::time::Timestamp;
use trunkline_engine::dispatch::{Slots, Workers};
use trunkline_engine::driver::{Batch, Driver, Share};
use trunkline_engine::filter::FilteredStore;
use trunkline_engine::scribe::Scribe;
use trunkline_engine::upkeep::Upkeep;
use trunkline_journal::folder::{journal_dir, store_file};
use trunkline_journal::{
    CrashPolicy, Disk, Error, ErrorKind, Folder, FolderMeta, Options, Position, RedbStore, SimDisk,
    Space, Store,
};

/// A process that has opened the data folder.
#[derive(Debug)]
pub struct Process {
    /// Its shard threads.
    pub parts: Vec<Part>,
    /// The workers it knows, and their slots.
    pub workers: Workers,
    slots: BTreeMap<PeerId, Arc<Slots>>,
    next_peer: u64,
    _folder: Folder,
}

/// A shard thread with its journal and its keeper.
#[derive(Debug)]
pub struct Part {
    /// The shards.
    pub driver: Driver,
    /// The journal's writer.
    pub scribe: Scribe,
    /// The keeper.
    pub upkeep: Upkeep,
    /// Inputs that wait.
    pub inbox: VecDeque<(ShardId, Input)>,
    /// A checkpoint that waits until all of its commits are durable.
    pub frozen: Option<trunkline_engine::driver::Frozen>,
    /// The batches whose effects the scribe holds: when each was made, its last commit, and its groups of effects.
    pub held: VecDeque<HeldBatch>,
    /// True after the keeper found no space.
    pub starved: bool,
}

/// A batch that the scribe has taken and not released.
#[derive(Clone, Copy, Debug)]
pub struct HeldBatch {
    /// When it was made.
    pub now: Timestamp,
    /// The position of its last commit, or of the last before it.
    pub last: Position,
    /// How many groups of effects it has.
    pub groups: usize,
}

/// What was released together: the batch's time, and the effects of one shard.
pub type Released = (HeldBatch, ShardId, Vec<Effect>);

/// How a thread was opened.
#[derive(Debug)]
pub struct Opened {
    /// The position of the last commit in its journal.
    pub recovered: Position,
    /// The batch that opening gave.
    pub first: Batch,
    /// True if an incomplete tail was cut.
    pub cut: bool,
    /// Frames that were replayed.
    pub replayed: u64,
}

impl Process {
    /// Opens the data folder on `disk`, or makes it.
    ///
    /// # Errors
    /// What folder, journals or stores say.
    pub fn open(
        disk: &SimDisk,
        setup: &Setup,
        now: Timestamp,
    ) -> Result<(Self, Vec<Opened>), Error> {
        let any: Arc<dyn Disk> = Arc::new(disk.clone());
        let meta = FolderMeta {
            id: u128::from(setup.seed) << 32 | 1,
            shards: u32::from(setup.shards),
            journals: u32::from(setup.threads),
        };
        let folder = Folder::open_or_create(Arc::clone(&any), meta)?;
        let mut process = Self {
            parts: Vec::new(),
            workers: Workers::alone(),
            slots: BTreeMap::new(),
            // Number 0 is the engine itself.
            next_peer: 1,
            _folder: folder,
        };
        let mut opened = Vec::new();
        for thread in 0..setup.threads {
            let (part, how) = Part::open(&any, setup, &meta, thread, now)?;
            process.parts.push(part);
            opened.push(how);
        }
        Ok((process, opened))
    }

    /// The thread that owns `shard`.
    #[must_use]
    pub fn owner(&self, shard: ShardId) -> usize {
        usize::from(shard.0) % self.parts.len()
    }

    /// Has a shard take an input, at some time.
    pub fn submit(&mut self, shard: ShardId, input: Input) {
        let owner = self.owner(shard);
        self.parts[owner].inbox.push_back((shard, input));
    }

    /// Somebody connects.
    pub fn connect(&mut self) -> PeerId {
        self.next_peer += 1;
        PeerId(self.next_peer - 1)
    }

    /// A peer offers to work.
    pub fn register(&mut self, peer: PeerId, abilities: Registration) {
        for (workflow, version) in &abilities.workflows {
            let (workflow, version) = (workflow.clone(), *version);
            self.submit(ShardId(0), Input::WorkflowKnown { workflow, version });
        }
        let slots = Arc::clone(self.slots.entry(peer).or_default());
        self.workers.register(peer, slots, abilities);
    }

    /// The slots of a peer that works.
    #[must_use]
    pub fn slots(&self, peer: PeerId) -> Option<Arc<Slots>> {
        self.slots.get(&peer).cloned()
    }

    /// A peer is gone.
    pub fn disconnect(&mut self, peer: PeerId, shards: u16) {
        self.workers.withdraw(peer);
        self.slots.remove(&peer);
        for shard in 0..shards {
            self.submit(ShardId(shard), Input::PeerGone { peer });
        }
    }
}

impl Part {
    fn open(
        disk: &Arc<dyn Disk>,
        setup: &Setup,
        meta: &FolderMeta,
        thread: u16,
        now: Timestamp,
    ) -> Result<(Self, Opened), Error> {
        let number = u32::from(thread);
        let store = RedbStore::open(&**disk, &store_file(number), 256 << 10)?;
        let store = Arc::new(FilteredStore::new(Arc::new(store)));
        let mut options = Options::new(meta.journal_id(number));
        options.segment_bytes = u64::from(setup.segment_kib) << 10;
        options.frame_bytes_max = options.segment_bytes as usize - 8_192;
        options.free_bytes_min = FREE_BYTES_MIN;
        let share = Share {
            thread,
            threads: setup.threads,
            settings: Settings {
                shards: setup.shards,
                retention_ms: u64::from(setup.retention_ms),
                idle_runs_max: usize::from(setup.idle_runs_max),
                ..Settings::default()
            },
        };
        let (driver, journal, first) = Driver::open(
            share,
            Arc::clone(&store) as Arc<dyn Store>,
            Arc::clone(disk),
            &journal_dir(number),
            options,
            now,
        )?;
        let opened = Opened {
            recovered: journal.last(),
            first,
            cut: journal.recovery().cut.is_some(),
            replayed: journal.recovery().frames,
        };
        let upkeep = Upkeep::new(
            Arc::clone(disk),
            store,
            journal.spare_maker(),
            FREE_BYTES_MIN,
        );
        upkeep.learn()?;
        let part = Self {
            driver,
            scribe: Scribe::new(journal),
            upkeep,
            inbox: VecDeque::new(),
            frozen: None,
            held: VecDeque::new(),
            starved: false,
        };
        Ok((part, opened))
    }

    /// The journal's writer takes a batch made at `now`.
    ///
    /// # Errors
    /// What the journal says.
    pub fn write(&mut self, now: Timestamp, batch: Batch) -> Result<(), Error> {
        let held = HeldBatch {
            now,
            last: self.driver.position(),
            groups: batch.effects.len(),
        };
        self.scribe.take(batch)?;
        self.held.push_back(held);
        Ok(())
    }

    /// The journal's writer syncs. False if the disk is full.
    ///
    /// # Errors
    /// Any error but that of a full disk.
    pub fn sync(&mut self) -> Result<bool, Error> {
        match self.scribe.flush() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Full => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the scribe lets go, with the batches that it came from.
    pub fn release(&mut self) -> Vec<Released> {
        let mut released = Vec::new();
        for (shard, effects) in self.scribe.release() {
            while self.held.front().is_some_and(|held| held.groups == 0) {
                self.held.pop_front();
            }
            let held = self.held.front_mut().expect("effects are of a batch");
            held.groups -= 1;
            released.push((*held, shard, effects));
        }
        released
    }

    /// The keeper does its chores. Says how many rows a checkpoint wrote, if it wrote one, and whether there is
    /// space.
    ///
    /// # Errors
    /// What store or journal say.
    pub fn keep(&mut self) -> Result<(Option<u64>, Space), Error> {
        let durable = self.scribe.durable();
        let ready = self.frozen.take_if(|frozen| frozen.position() <= durable);
        let written = self.upkeep.checkpoint(ready)?;
        if let Some((position, _)) = written {
            self.scribe.trim(position.next())?;
            self.driver.thaw();
        }
        let space = self.upkeep.prepare()?;
        Ok((written.map(|(_, rows)| rows), space))
    }
}

/// A journal makes a segment, and a keeper a checkpoint, only if so many bytes stay free.
const FREE_BYTES_MIN: u64 = 16 << 10;

/// The disk as a power failure leaves it. The store keeps both of its roots in one sector, so it does not survive that one
/// becomes garbage that was being written; the journal does.
#[must_use]
pub fn after_power_failure(disk: &SimDisk, policy: CrashPolicy, seed: u64) -> SimDisk {
    disk.crash_by_file(policy, seed, &|name| match policy {
        CrashPolicy::GarbageSector if name.contains(".redb") => CrashPolicy::RandomSectors,
        other => other,
    })
}
