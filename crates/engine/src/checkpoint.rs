//! The keeper of a journal: works in the background so that the writer need not wait.
//!
//! It reads which rows the store has, it prepares spare segments, and it writes checkpoints: the rows that changed and still exist, in the order of their keys,
//! with the position up to which they are complete, in one atomic step. Then the journal is trimmed.
//!
//! A checkpoint is written only when all of its commits are durable (the writer passes it on), so the store is never ahead
//! of the journal. A full disk is met before the store is touched. While it lasts, and only then, the keeper looks once a
//! second whether there is space again.

use crate::filter::FilteredStore;
use crate::inbox::Inbox;
use crate::memtable::Frozen;
use crate::node::Node;
use crate::stats::add;
use crate::writer::{Desk, Work};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trunkline_journal::{Disk, Error, Space, SpareMaker};

/// How long to wait before looking again for disk space.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a keeper is to do.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    list: Mutex<List>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct List {
    prepare: bool,
    frozen: Option<Frozen>,
    halted: bool,
}

impl Chores {
    /// Asks for spare segments.
    pub(crate) fn prepare(&self) {
        self.change(|list| list.prepare = true);
    }

    /// Asks for a checkpoint to be written. There is never more than one.
    pub(crate) fn checkpoint(&self, frozen: Frozen) {
        self.change(|list| list.frozen = Some(frozen));
    }

    pub(crate) fn halt(&self) {
        self.change(|list| list.halted = true);
    }

    fn change(&self, change: impl FnOnce(&mut List)) {
        change(&mut self.lock());
        self.arrived.notify_one();
    }

    /// Takes the chores; waits for some, or for `limit`. Nothing if the keeper is to end.
    fn take(&self, limit: Option<Duration>) -> Option<List> {
        let idle = |list: &mut List| !list.prepare && list.frozen.is_none() && !list.halted;
        let list = self.lock();
        let mut list = match limit {
            Some(limit) => {
                self.arrived
                    .wait_timeout_while(list, limit, idle)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => self
                .arrived
                .wait_while(list, idle)
                .unwrap_or_else(PoisonError::into_inner),
        };
        (!list.halted).then(|| std::mem::take(&mut *list))
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keeper of one journal.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) node: Arc<Node>,
    pub(crate) chores: Arc<Chores>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store: Arc<FilteredStore>,
    pub(crate) spares: SpareMaker,
    pub(crate) free_bytes_min: u64,
}

impl Keeper {
    /// Works until there is an end to it.
    pub(crate) fn run(self) {
        if let Err(error) = self.store.learn() {
            self.node.fail(&format!("store: {error}"));
            return;
        }
        let mut full = false;
        let mut postponed = None;
        while let Some(chores) = self.chores.take(full.then_some(LOOK_AGAIN)) {
            let frozen = chores.frozen.or(postponed.take());
            match self.work(frozen, &mut postponed) {
                Ok(space) => {
                    self.set_full(&mut full, space == Space::Low);
                    if full && self.node.is_closing() {
                        // The journal has everything that was acknowledged; the next opening replays it.
                        self.node.end();
                    }
                }
                Err(error) => {
                    self.node.fail(&format!("checkpoint: {error}"));
                    return;
                }
            }
        }
    }

    /// Writes the checkpoint, or postpones it, and prepares spares.
    fn work(&self, frozen: Option<Frozen>, postponed: &mut Option<Frozen>) -> Result<Space, Error> {
        if let Some(frozen) = frozen {
            if self.has_room_for(&frozen)? {
                self.write(&frozen)?;
            } else {
                *postponed = Some(frozen);
            }
        }
        let space = self.spares.prepare()?;
        Ok(if postponed.is_some() {
            Space::Low
        } else {
            space
        })
    }

    fn write(&self, frozen: &Frozen) -> Result<(), Error> {
        let begun = Instant::now();
        let rows = frozen.write_to(&*self.store)?;
        let figures = &self.node.figures;
        add(&figures.checkpoints, 1);
        add(&figures.checkpoint_rows, rows);
        add(&figures.checkpoint_us, begun.elapsed().as_micros() as u64);
        self.desk.push(Work::Trim(frozen.position().next()));
        self.inbox.checkpointed();
        Ok(())
    }

    /// True if the disk has room for the rows, and for the pages that a copy-on-write store needs beside them.
    fn has_room_for(&self, frozen: &Frozen) -> Result<bool, Error> {
        let wanted = 2 * frozen.table.bytes() as u64 + self.free_bytes_min;
        let free = self
            .disk
            .free_bytes()
            .map_err(|error| Error::io("", "ask for free space", error))?;
        Ok(free >= wanted)
    }

    fn set_full(&self, full: &mut bool, now: bool) {
        if now != *full {
            *full = now;
            self.node.vitals.journal_is_full(now);
            if now {
                tracing::warn!("the disk is full: new work is refused");
                // A checkpoint may free segments.
                drop(self.inbox.checkpoint());
            } else {
                tracing::info!("there is disk space again");
            }
        }
        if !now {
            self.desk.feed();
        }
    }
}
