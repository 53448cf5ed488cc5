//! The rows of one shard thread: memory over memory being checkpointed over the store.
//!
//! ```text
//! table    rows changed since the last freeze      ─┐
//! frozen   rows that a checkpoint is writing        ├─ a row is what the uppermost says that knows it
//! store    rows as of the last checkpoint          ─┘
//! ```
//!
//! Reading cannot fail for the core. An error of the store is kept, and whoever drives the state asks for it before
//! anything that was decided upon it leaves: see [`State::check`].

use crate::memtable::{Frozen, Memtable};
use bytes::Bytes;
use std::cell::RefCell;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use trunkline_core::row::Rows;
use trunkline_journal::{Error, Position, Store};

/// The rows of the shards of one thread.
#[derive(Debug)]
pub struct State {
    table: Memtable,
    frozen: Option<Frozen>,
    store: Arc<dyn Store>,
    broken: RefCell<Option<Error>>,
}

impl State {
    /// The rows in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            table: Memtable::default(),
            frozen: None,
            store,
            broken: RefCell::new(None),
        }
    }

    /// Takes the changes of a commit.
    ///
    /// # Errors
    /// If `body` is not the body of a commit.
    pub fn apply(&mut self, body: &Bytes) -> Result<(), Error> {
        self.table.apply(body)
    }

    /// Bytes of commits since the last freeze.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        self.table.bytes()
    }

    /// True while a checkpoint is being written.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Begins a checkpoint: what changed so far stands still, to be written; `position` is that of the last commit in it.
    /// Nothing if there is nothing to write, or another checkpoint has not [ended](State::thaw).
    pub fn freeze(&mut self, position: Position) -> Option<Frozen> {
        if self.frozen.is_some() || self.table.is_empty() {
            return None;
        }
        let frozen = Frozen {
            table: Arc::new(std::mem::take(&mut self.table)),
            position,
        };
        self.frozen = Some(frozen.clone());
        Some(frozen)
    }

    /// Ends a checkpoint: the store has it.
    pub fn thaw(&mut self) {
        self.frozen = None;
    }

    /// The error that a read met, if one did. What was decided since must not leave.
    ///
    /// # Errors
    /// That error, once.
    pub fn check(&self) -> Result<(), Error> {
        self.broken.borrow_mut().take().map_or(Ok(()), Err)
    }
}

impl Rows for State {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let frozen = self.frozen.as_ref().map(|frozen| &*frozen.table);
        for table in [Some(&self.table), frozen].into_iter().flatten() {
            if let Some(known) = table.get(key) {
                return known.map(|value| value.to_vec());
            }
        }
        self.store.get(key).unwrap_or_else(|error| {
            self.broken.borrow_mut().get_or_insert(error);
            None
        })
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
        let changes = self.changes(from, to);
        let mut changes = changes.into_iter().peekable();
        let mut going = true;
        let range = (Bound::Included(from), Bound::Excluded(to));
        let scanned = self.store.scan(range, &mut |key, value| {
            while let Some((changed, new)) = changes.next_if(|(changed, _)| &changed[..] < key) {
                going = new.is_none_or(|new| visit(changed, new));
                if !going {
                    return ControlFlow::Break(());
                }
            }
            going = match changes.next_if(|(changed, _)| &changed[..] == key) {
                Some((_, new)) => new.is_none_or(|new| visit(key, new)),
                None => visit(key, value),
            };
            if going {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        if let Err(error) = scanned {
            self.broken.borrow_mut().get_or_insert(error);
            return;
        }
        for (changed, new) in changes {
            going = going && new.is_none_or(|new| visit(changed, new));
            if !going {
                return;
            }
        }
    }
}

impl State {
    /// The newest changes in memory with keys in `from..to`, in order.
    fn changes(&self, from: &[u8], to: &[u8]) -> Vec<(&Bytes, Option<&Bytes>)> {
        let newer = self.table.range(from, to);
        let Some(frozen) = &self.frozen else {
            return newer;
        };
        let older = frozen.table.range(from, to);
        let mut merged = Vec::with_capacity(newer.len() + older.len());
        let mut older = older.into_iter().peekable();
        for change in newer {
            while let Some(earlier) = older.next_if(|(key, _)| *key < change.0) {
                merged.push(earlier);
            }
            older.next_if(|(key, _)| *key == change.0);
            merged.push(change);
        }
        merged.extend(older);
        merged
    }
}

#[cfg(test)]
mod tests;
