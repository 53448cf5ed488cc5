//! The keeper of a journal: works in the background so that the writer need not wait.
//!
//! It reads which rows the store has, it prepares spare segments, and it writes checkpoints ([`Upkeep`] does all of that);
//! then it has the journal trimmed.
//!
//! A checkpoint is written only when all of its commits are durable (the writer passes it on), so the store is never ahead
//! of the journal. While the disk is full, and only then, the keeper looks once a second whether there is space again.

use crate::inbox::Inbox;
use crate::memtable::Frozen;
use crate::node::Node;
use crate::stats::add;
use crate::upkeep::Upkeep;
use crate::writer::{Desk, Work};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use trunkline_journal::{Error, Space};

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
    pub(crate) upkeep: Upkeep,
}

impl Keeper {
    /// Works until there is an end to it.
    pub(crate) fn run(mut self) {
        if let Err(error) = self.upkeep.learn() {
            self.node.fail(&format!("store: {error}"));
            return;
        }
        let mut full = false;
        while let Some(chores) = self.chores.take(full.then_some(LOOK_AGAIN)) {
            match self.work(chores.frozen) {
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

    fn work(&mut self, frozen: Option<Frozen>) -> Result<Space, Error> {
        let begun = Instant::now();
        if let Some((position, rows)) = self.upkeep.checkpoint(frozen)? {
            let figures = &self.node.figures;
            add(&figures.checkpoints, 1);
            add(&figures.checkpoint_rows, rows);
            add(&figures.checkpoint_us, begun.elapsed().as_micros() as u64);
            self.desk.push(Work::Trim(position.next()));
            self.inbox.checkpointed();
        }
        self.upkeep.prepare()
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
