//! A [`Store`] in memory, for tests and for nodes that keep nothing.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::{Change, KeyRange, Store, Visit, is_empty};
use crate::{Error, Position};

/// Rows in a sorted map. Nothing survives the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    position: Position,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.state().rows.get(key).cloned())
    }

    fn scan(&self, range: KeyRange<'_>, visit: Visit<'_>) -> Result<(), Error> {
        if is_empty(range) {
            return Ok(());
        }
        for (key, value) in self.state().rows.range::<[u8], _>(range) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn apply(
        &self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
        position: Position,
    ) -> Result<(), Error> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            match value {
                Some(value) => {
                    state.rows.insert(key.to_vec(), value.to_vec());
                }
                None => {
                    state.rows.remove(key);
                }
            }
        }
        state.position = position;
        Ok(())
    }

    fn position(&self) -> Result<Position, Error> {
        Ok(self.state().position)
    }

    fn len_bytes(&self) -> Result<u64, Error> {
        let bytes = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.len() + value.len()) as u64;
        Ok(self.state().rows.iter().map(bytes).sum())
    }
}
