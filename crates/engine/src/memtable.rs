//! The memory table: the rows that changed since a checkpoint, as they lie in the bodies of the commits that changed them.
//!
//! Nothing is copied: keys and values are slices of the commits' buffers, which live as long as a row points into them. So
//! a table holds on to about as many bytes as the journal grew by. Rows of one kind and shard have a hash table of their
//! own, so that a scan, which has to sort, looks at those only. Reading a row, which happens for every input, costs one hash.

use bytes::Bytes;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use trunkline_core::output::changes_in;
use trunkline_journal::{Error, Position};

/// The first bytes of a key: its kind and its shard.
type Prefix = [u8; 4];

/// Rows that changed; none as value: the row is gone.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    tables: BTreeMap<Prefix, HashMap<Bytes, Option<Bytes>>>,
    bytes: usize,
}

impl Memtable {
    /// Takes the changes in the body of a commit.
    pub(crate) fn apply(&mut self, body: &Bytes) -> Result<(), Error> {
        let changes = changes_in(body)
            .ok_or_else(|| Error::corrupt("the body of a commit is not a list of changed rows"))?;
        self.bytes += body.len();
        for change in changes {
            let key = body.slice(change.key);
            let value = change.value.map(|value| body.slice(value));
            self.tables
                .entry(prefix(&key))
                .or_default()
                .insert(key, value);
        }
        Ok(())
    }

    /// What the table says of a row: nothing, that it is gone, or its value.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&Bytes>> {
        Some(self.tables.get(&prefix(key))?.get(key)?.as_ref())
    }

    /// The changes with keys in `from..to`, in the order of the keys.
    pub(crate) fn range(&self, from: &[u8], to: &[u8]) -> Vec<(&Bytes, Option<&Bytes>)> {
        let mut changes: Vec<_> = self
            .tables
            .range(prefix(from)..=prefix(to))
            .flat_map(|(_, table)| table)
            .filter(|(key, _)| from <= &key[..] && &key[..] < to)
            .map(|(key, value)| (key, value.as_ref()))
            .collect();
        changes.sort_unstable_by_key(|(key, _)| *key);
        changes
    }

    /// All changes, in the order of their keys.
    pub(crate) fn sorted(&self) -> Vec<(&Bytes, Option<&Bytes>)> {
        let mut sorted = Vec::with_capacity(self.tables.values().map(HashMap::len).sum());
        for table in self.tables.values() {
            let start = sorted.len();
            sorted.extend(table.iter().map(|(key, value)| (key, value.as_ref())));
            sorted[start..].sort_unstable_by_key(|(key, _): &(&Bytes, _)| *key);
        }
        sorted
    }

    /// Bytes of the commits taken.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

/// A table that takes no more changes, and the position of the last commit in it: what a checkpoint writes.
#[derive(Clone, Debug)]
pub struct Frozen {
    pub(crate) table: std::sync::Arc<Memtable>,
    pub(crate) position: Position,
}

impl Frozen {
    /// The position up to which a store is complete that holds this.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Writes the rows to `store`, in the order of their keys, with the position; returns how many.
    ///
    /// # Errors
    /// What the store says.
    pub fn write_to(&self, store: &dyn trunkline_journal::Store) -> Result<u64, Error> {
        let rows = self.table.sorted();
        let mut changes = rows
            .iter()
            .map(|(key, value)| (&key[..], value.map(|value| &value[..])));
        store.apply(&mut changes, self.position)?;
        Ok(rows.len() as u64)
    }
}

/// Shorter keys do not occur as rows, but as the ends of ranges.
fn prefix(key: &[u8]) -> Prefix {
    let mut prefix = [0; 4];
    let len = key.len().min(4);
    prefix[..len].copy_from_slice(&key[..len]);
    prefix
}
