//! Stores: rows by key, where checkpoints go.
//!
//! A store belongs to one journal. A checkpoint [applies](Store::apply) the rows that changed and the
//! position of the journal up to which they are complete, in one atomic step; once that returned, the
//! journal may be trimmed below that position. Recovery reads [`Store::position`] and replays the
//! journal from there.
//!
//! A store is not where a commit becomes durable: between two checkpoints it knows nothing of what
//! happened, and need not. But rows that were checkpointed and trimmed from the journal are only here,
//! so a store that cannot be read is reported ([`crate::ErrorKind::Corrupt`]), never recreated.
//!
//! Reads run at the same time as an apply, from other threads, and see the state before it or the
//! state after it, never something in between. One conformance suite (`store/tests.rs`) runs on every
//! implementation.

use std::fmt::Debug;
use std::ops::{Bound, ControlFlow};

use crate::{Error, Position};

pub mod memory;
pub mod redb;
#[cfg(test)]
mod tests;

/// A change of a row: its key, and its new value, or `None` if it is gone.
pub type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// A row: its key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A range of keys.
pub type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// What a scan hands each row to. It says whether to go on.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Rows by key, in the order of the keys' bytes.
pub trait Store: Send + Sync + Debug {
    /// The value of a row.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Hands the rows of a range to `visit`, in the order of their keys, until it breaks. All of them
    /// come from one state of the store.
    fn scan(&self, range: KeyRange<'_>, visit: Visit<'_>) -> Result<(), Error>;

    /// Makes all changes, and the position up to which the rows are complete now, durable in one
    /// atomic step. Changes come in the order of their keys, each key once: that is what makes it
    /// fast. One apply runs at a time.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Full`] and [`crate::ErrorKind::Io`] leave the store as it was, or with
    /// the changes made; drop it and open it again to know.
    fn apply(
        &self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
        position: Position,
    ) -> Result<(), Error>;

    /// The position of the last apply, [`Position::ZERO`] before the first.
    fn position(&self) -> Result<Position, Error>;

    /// How many bytes the store takes, on disk if it is there.
    fn len_bytes(&self) -> Result<u64, Error>;

    /// The first rows of a range, at most `limit`.
    fn list(&self, range: KeyRange<'_>, limit: usize) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok(rows);
        }
        self.scan(range, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            if rows.len() == limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(rows)
    }
}

/// Whether a range holds no key, because it ends before it starts.
fn is_empty(range: KeyRange<'_>) -> bool {
    match range {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        _ => false,
    }
}
