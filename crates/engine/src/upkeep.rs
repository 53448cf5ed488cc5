//! The keeper of a journal, without the thread: writes checkpoints, and prepares spare segments.
//!
//! A checkpoint is the rows that changed and still exist, in the order of their keys, with the position up to which they
//! are complete, in one atomic step. A full disk is met before the store is touched: then the checkpoint is postponed.

use crate::filter::FilteredStore;
use crate::memtable::Frozen;
use std::sync::Arc;
use trunkline_journal::{Disk, Error, Position, Space, SpareMaker};

/// What a keeper works with.
#[derive(Debug)]
pub struct Upkeep {
    disk: Arc<dyn Disk>,
    store: Arc<FilteredStore>,
    spares: SpareMaker,
    free_bytes_min: u64,
    /// A checkpoint for which the disk had no room.
    postponed: Option<Frozen>,
}

impl Upkeep {
    /// Keeps `store` and the journal whose spares `spares` makes. A checkpoint is written only if `free_bytes_min` stay.
    #[must_use]
    pub fn new(
        disk: Arc<dyn Disk>,
        store: Arc<FilteredStore>,
        spares: SpareMaker,
        free_bytes_min: u64,
    ) -> Self {
        Self {
            disk,
            store,
            spares,
            free_bytes_min,
            postponed: None,
        }
    }

    /// Reads which rows the store has. To be done once, first.
    ///
    /// # Errors
    /// What the store says.
    pub fn learn(&self) -> Result<(), Error> {
        self.store.learn()
    }

    /// Writes the checkpoint, or the one that was postponed, if there is one and the disk has room. Says up to which
    /// position the store is complete now, and how many rows were written: the journal is to be trimmed below the next
    /// position, and the driver to be told.
    ///
    /// # Errors
    /// What the store says. Everything is to stop then.
    pub fn checkpoint(&mut self, frozen: Option<Frozen>) -> Result<Option<(Position, u64)>, Error> {
        let Some(frozen) = frozen.or(self.postponed.take()) else {
            return Ok(None);
        };
        if !self.has_room_for(&frozen)? {
            self.postponed = Some(frozen);
            return Ok(None);
        }
        let rows = frozen.write_to(&*self.store)?;
        Ok(Some((frozen.position(), rows)))
    }

    /// Prepares spare segments, and says whether there is disk space for what is to come.
    ///
    /// # Errors
    /// What the journal says. Everything is to stop then.
    pub fn prepare(&self) -> Result<Space, Error> {
        let space = self.spares.prepare()?;
        Ok(if self.postponed.is_some() {
            Space::Low
        } else {
            space
        })
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

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<FilteredStore> {
        &self.store
    }
}
