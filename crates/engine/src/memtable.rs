//! The memory table: the rows that changed since a checkpoint, as they lie in the bodies of the commits that changed them.
//!
//! Nothing is copied: keys and values are slices of the commits' buffers, which live as long as a row points into them. So
//! a table holds on to about as many bytes as the journal grew by.
//!
//! Reading a row, which happens for every input, costs one hash. Rows of one kind and shard have a hash table of their own,
//! and in it the rows of one subject (the 16 bytes behind kind and shard: a run, a destination) lie together. So a scan of one
//! subject's rows is as cheap as reading one, and a longer scan, which has to sort, sorts no more than one kind in one shard.

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;
use trunkline_core::mutant::{self, Mutant};
use trunkline_core::output::changes_in;
use trunkline_journal::{Error, Position};

/// The first bytes of a key: its kind and its shard.
type Prefix = [u8; 4];

/// The bytes behind the prefix, padded with zeros, as a number. In the order of the keys.
type Subject = u128;

/// A row's key, and its value; none: the row is gone.
type Change<'a> = (&'a Bytes, Option<&'a Bytes>);

/// Rows that changed.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    tables: BTreeMap<Prefix, HashMap<Subject, Rows>>,
    bytes: usize,
}

/// The rows of one subject.
#[derive(Debug)]
enum Rows {
    /// Just one, as most have.
    One(Bytes, Row),
    Many(BTreeMap<Bytes, Row>),
}

/// What became of a row.
#[derive(Debug)]
struct Row {
    value: Option<Bytes>,
    /// It was created since the last checkpoint, so nothing below knows of it: when it goes, it goes without a trace, and
    /// the store never hears of it.
    is_new: bool,
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
            let row = Row {
                value,
                is_new: change.created,
            };
            let table = self.tables.entry(prefix(&key)).or_default();
            match table.entry(subject(&key)) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Rows::One(key, row));
                }
                Entry::Occupied(mut rows) => {
                    if rows.get_mut().change(key, row) {
                        rows.remove();
                    }
                }
            }
        }
        Ok(())
    }

    /// What the table says of a row: nothing, that it is gone, or its value.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&Bytes>> {
        match self.tables.get(&prefix(key))?.get(&subject(key))? {
            Rows::One(only, row) => (*only == key).then_some(row.value.as_ref()),
            Rows::Many(rows) => rows.get(key).map(|row| row.value.as_ref()),
        }
    }

    /// The changes with keys in `from..to`, in the order of the keys.
    pub(crate) fn range(&self, from: &[u8], to: &[u8]) -> Vec<Change<'_>> {
        let mut changes = Vec::new();
        let within = |(key, _): &Change<'_>| from <= &key[..] && &key[..] < to;
        for (prefix_of, table) in self.tables.range(prefix(from)..=prefix(to)) {
            let (first, last) = (subject(from), subject(to));
            if *prefix_of == prefix(from) && prefix(from) == prefix(to) && last - first <= 1 {
                let near = [Some(first), (last > first).then_some(last)];
                for rows in near
                    .into_iter()
                    .flatten()
                    .filter_map(|near| table.get(&near))
                {
                    changes.extend(rows.iter().filter(within));
                }
            } else {
                let all = table.values().flat_map(Rows::iter);
                changes.extend(all.filter(within));
            }
        }
        changes.sort_unstable_by_key(|(key, _)| *key);
        changes
    }

    /// All changes, in the order of their keys.
    pub(crate) fn sorted(&self) -> Vec<Change<'_>> {
        let mut sorted: Vec<Change<'_>> = Vec::new();
        for table in self.tables.values() {
            let start = sorted.len();
            sorted.extend(table.values().flat_map(Rows::iter));
            sorted[start..].sort_unstable_by_key(|(key, _)| *key);
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

impl Rows {
    /// Takes a change; true if no row is left.
    fn change(&mut self, key: Bytes, row: Row) -> bool {
        match self {
            Self::One(only, old) if *only == key => old.change(row),
            Self::One(only, old) => {
                let first = (std::mem::take(only), old.take());
                *self = Self::Many(BTreeMap::from([first, (key, row)]));
                false
            }
            Self::Many(rows) => {
                match rows.entry(key) {
                    btree_map::Entry::Vacant(vacant) => {
                        vacant.insert(row);
                    }
                    btree_map::Entry::Occupied(mut old) => {
                        if old.get_mut().change(row) {
                            old.remove();
                        }
                    }
                }
                rows.is_empty()
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        let (one, many) = match self {
            Self::One(key, row) => (Some((key, row.value.as_ref())), None),
            Self::Many(rows) => (None, Some(rows)),
        };
        let many = many.into_iter().flatten();
        one.into_iter()
            .chain(many.map(|(key, row)| (key, row.value.as_ref())))
    }
}

impl Row {
    /// Takes a newer state of the same row; true if the row is to be forgotten.
    fn change(&mut self, newer: Self) -> bool {
        self.value = newer.value;
        (self.is_new || mutant::is(Mutant::DeletedRowReturns)) && self.value.is_none()
    }

    fn take(&mut self) -> Self {
        Self {
            value: self.value.take(),
            is_new: self.is_new,
        }
    }
}

/// A table that takes no more changes, and the position of the last commit in it: what a checkpoint writes.
#[derive(Clone, Debug)]
pub struct Frozen {
    pub(crate) table: Arc<Memtable>,
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
            .map(|(key, value)| (&key[..], value.map(|value| &value[..])))
            .filter(|(key, _)| !(mutant::is(Mutant::TimerDropped) && key.starts_with(b"ti")));
        let position = if mutant::is(Mutant::CheckpointAhead) {
            self.position.next()
        } else {
            self.position
        };
        store.apply(&mut changes, position)?;
        Ok(rows.len() as u64)
    }
}

/// Shorter keys do not occur as rows, but as the ends of ranges.
fn prefix(key: &[u8]) -> Prefix {
    padded(key)
}

fn subject(key: &[u8]) -> Subject {
    u128::from_be_bytes(padded(key.get(4..).unwrap_or_default()))
}

fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    let len = bytes.len().min(N);
    padded[..len].copy_from_slice(&bytes[..len]);
    padded
}
