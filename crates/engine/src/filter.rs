//! A store that knows what it does not have.
//!
//! Most rows that are asked for and are not in memory do not exist: each start of a run asks whether there is one already.
//! A Bloom filter over the keys of the store (B. Bloom, 1970; in blocks of one cache line: Putze, Sanders, Singler, 2007)
//! answers that without a look into the store. It is in memory only: it learns the keys of an existing store in the
//! background, and until then every question goes to the store.
//!
//! Invariant: a key that the store has is in the filter, once the filter is ready. Keys go in before the store has them,
//! and never out.

use hashbrown::DefaultHashBuilder;
use std::hash::BuildHasher;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use trunkline_core::mutant::{self, Mutant};
use trunkline_journal::store::{Change, KeyRange, Visit};
use trunkline_journal::{Error, Position, Store};

/// Bits of memory for each key; with [`BITS_SET`] of them set, one question in a few hundred goes to the store in vain.
const BITS_PER_KEY: u64 = 12;
/// Bits that a key sets in its block.
const BITS_SET: u32 = 6;
/// Words of a block: one cache line.
const BLOCK_WORDS: usize = 8;
/// Keys that a filter has room for at least: 1.5 MiB.
const KEYS_MIN: u64 = 1 << 20;

/// A store behind a filter.
#[derive(Debug)]
pub struct FilteredStore {
    store: Arc<dyn Store>,
    filter: RwLock<Arc<Filter>>,
    ready: AtomicBool,
}

impl FilteredStore {
    /// Puts a filter before `store`. It is of use after [`FilteredStore::learn`].
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            filter: RwLock::new(Arc::new(Filter::new(KEYS_MIN))),
            ready: AtomicBool::new(false),
        }
    }

    /// Reads all keys. Not to be called while an apply is under way.
    ///
    /// # Errors
    /// What the store says.
    pub fn learn(&self) -> Result<(), Error> {
        // A guess at the number of keys from the size of the file; if it is wrong the filter is made anew later.
        let guess = self.store.len_bytes()? / 256;
        self.learn_with(guess.max(KEYS_MIN))
    }

    fn learn_with(&self, keys_max: u64) -> Result<(), Error> {
        let filter = Filter::new(keys_max);
        let everything = (Bound::Unbounded, Bound::Unbounded);
        self.store.scan(everything, &mut |key, _| {
            filter.insert(key);
            ControlFlow::Continue(())
        })?;
        *self.filter.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(filter);
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    fn filter(&self) -> Arc<Filter> {
        let filter = self.filter.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&filter)
    }
}

impl Store for FilteredStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if self.ready.load(Ordering::Acquire) {
            let filter = self.filter.read().unwrap_or_else(PoisonError::into_inner);
            if !filter.may_have(key) {
                return Ok(None);
            }
        }
        self.store.get(key)
    }

    fn scan(&self, range: KeyRange<'_>, visit: Visit<'_>) -> Result<(), Error> {
        self.store.scan(range, visit)
    }

    fn apply(
        &self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
        position: Position,
    ) -> Result<(), Error> {
        let filter = self.filter();
        let mut noted = changes.inspect(|(key, value)| {
            if value.is_some() && !mutant::is(Mutant::FilterForgets) {
                filter.insert(key);
            }
        });
        self.store.apply(&mut noted, position)?;
        if filter.is_full() && self.ready.load(Ordering::Acquire) {
            self.learn_with(4 * filter.keys_max)?;
        }
        Ok(())
    }

    fn position(&self) -> Result<Position, Error> {
        self.store.position()
    }

    fn len_bytes(&self) -> Result<u64, Error> {
        self.store.len_bytes()
    }
}

/// Which keys there may be.
#[derive(Debug)]
struct Filter {
    words: Box<[AtomicU64]>,
    hasher: DefaultHashBuilder,
    keys: AtomicU64,
    keys_max: u64,
}

impl Filter {
    fn new(keys_max: u64) -> Self {
        let blocks = (keys_max * BITS_PER_KEY / 64).div_ceil(BLOCK_WORDS as u64) as usize;
        Self {
            words: (0..blocks * BLOCK_WORDS)
                .map(|_| AtomicU64::new(0))
                .collect(),
            hasher: DefaultHashBuilder::default(),
            keys: AtomicU64::new(0),
            keys_max,
        }
    }

    /// Notes a key. Only one thread does so at a time.
    fn insert(&self, key: &[u8]) {
        let mut is_new = false;
        for (word, bit) in self.places(key) {
            is_new |= word.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        }
        self.keys.fetch_add(u64::from(is_new), Ordering::Relaxed);
    }

    fn may_have(&self, key: &[u8]) -> bool {
        self.places(key)
            .all(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn is_full(&self) -> bool {
        self.keys.load(Ordering::Relaxed) > self.keys_max
    }

    /// The bits of a key: the upper half of its hash chooses the block, nine bits each of the lower and of the whole,
    /// scrambled, choose one of the block's 512.
    fn places(&self, key: &[u8]) -> impl Iterator<Item = (&AtomicU64, u64)> {
        let hash = self.hasher.hash_one(key);
        let blocks = (self.words.len() / BLOCK_WORDS) as u64;
        let block = (((hash >> 32) * blocks) >> 32) as usize * BLOCK_WORDS;
        let bits = trunkline_core::policy::scramble(hash);
        (0..BITS_SET).map(move |index| {
            let bit = (bits >> (9 * index)) as usize % (64 * BLOCK_WORDS);
            (&self.words[block + bit / 64], 1 << (bit % 64))
        })
    }
}

#[cfg(test)]
mod tests;
