//! The output of a shard: changed rows, encoded once as the body of a commit, and the effects to release behind them.

use crate::effect::Effect;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};
use core::ops::Range;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// What a shard gave out since the last commit: changed rows, and effects to release when they are durable.
#[derive(Debug, Default)]
pub struct Output {
    /// The changed rows, in the form that [`changes_in`] reads.
    encoded: Vec<u8>,
    /// Where the newest change of each key begins, so that a shard can read what it has just written.
    newest: HashTable<u32>,
    /// The effects, in order.
    pub effects: Vec<Effect>,
}

/// The bit that marks a row as new.
const CREATED: u16 = 1 << 15;
/// Bytes before the key of a change.
const HEAD_BYTES: usize = 6;
/// A buffer that grew beyond this is given back after the batch.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

impl Output {
    /// Records that the row `key` now has `value`, or is gone.
    ///
    /// ```text
    /// created: 1 bit, key length: 15 bits │ value length + 1, or 0 if gone: u32 │ key │ value    (little-endian)
    /// ```
    pub fn change(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.record(key, value, 0);
    }

    /// Records a row that does not exist so far. Knowing that, whoever keeps the rows can forget it without a trace if it
    /// goes before it was ever written to the store.
    pub fn create(&mut self, key: &[u8], value: &[u8]) {
        self.record(key, Some(value), CREATED);
    }

    fn record(&mut self, key: &[u8], value: Option<&[u8]>, created: u16) {
        let key_bytes = u16::try_from(key.len()).expect("keys are made of bounded names");
        assert!(key_bytes < CREATED, "keys are made of bounded names");
        let mark = value.map_or(0, |value| {
            u32::try_from(value.len() + 1).expect("values are bounded by the payload limit")
        });
        let at = u32::try_from(self.encoded.len()).expect("a batch is bounded");
        self.encoded
            .extend_from_slice(&(key_bytes | created).to_le_bytes());
        self.encoded.extend_from_slice(&mark.to_le_bytes());
        self.encoded.extend_from_slice(key);
        self.encoded.extend_from_slice(value.unwrap_or_default());
        let encoded = &self.encoded;
        let hash_at = |at: &u32| hash(&encoded[change_at(encoded, *at as usize).key]);
        match self.newest.find_mut(hash(key), |at| {
            encoded[change_at(encoded, *at as usize).key] == *key
        }) {
            Some(newest) => *newest = at,
            None => {
                self.newest.insert_unique(hash(key), at, hash_at);
            }
        }
    }

    /// What this output says of the row `key`: nothing, that it is gone, or its value.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        if self.newest.is_empty() {
            return None;
        }
        let at = self.newest.find(hash(key), |at| {
            self.encoded[change_at(&self.encoded, *at as usize).key] == *key
        })?;
        Some(
            change_at(&self.encoded, *at as usize)
                .value
                .map(|value| &self.encoded[value]),
        )
    }

    /// The newest changes whose keys are in `from..to`, in no order.
    pub(crate) fn changes_within(
        &self,
        from: &[u8],
        to: &[u8],
    ) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.newest.iter().filter_map(move |at| {
            let change = change_at(&self.encoded, *at as usize);
            let key = &self.encoded[change.key];
            (from <= key && key < to).then(|| (key, change.value.map(|value| &self.encoded[value])))
        })
    }

    /// True if no row has changed.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Takes the changed rows as one buffer, the body of a commit, and leaves none. [`changes_in`] reads it.
    #[must_use]
    pub fn take_encoded(&mut self) -> Vec<u8> {
        self.newest.clear();
        // A copy of just the right size: commits stay in memory until their rows are checkpointed, and the buffer, which
        // has grown to the size of a batch, is wanted again at once.
        let encoded = self.encoded.as_slice().to_vec();
        self.encoded.clear();
        self.encoded.shrink_to(BUFFER_BYTES_KEPT);
        encoded
    }
}

/// One changed row within the body of a commit: where its key and its value lie. No value: the row is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The key's bytes.
    pub key: Range<usize>,
    /// The value's bytes.
    pub value: Option<Range<usize>>,
    /// True if the row did not exist before.
    pub created: bool,
}

/// Reads the body of a commit, from any source; nothing if it is malformed.
#[must_use]
pub fn changes_in(body: &[u8]) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let mut at = 0;
    while at < body.len() {
        if body.len() - at < HEAD_BYTES {
            return None;
        }
        let change = change_at(body, at);
        let end = change
            .value
            .as_ref()
            .map_or(change.key.end, |value| value.end);
        if end > body.len() {
            return None;
        }
        changes.push(change);
        at = end;
    }
    Some(changes)
}

/// The change that begins at `at`, where there are at least [`HEAD_BYTES`] bytes.
fn change_at(body: &[u8], at: usize) -> Change {
    let head = &body[at..at + HEAD_BYTES];
    let key_head = u16::from_le_bytes([head[0], head[1]]);
    let mark = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
    let key = at + HEAD_BYTES..at + HEAD_BYTES + usize::from(key_head & !CREATED);
    let value = (mark > 0).then(|| key.end..key.end + mark - 1);
    Change {
        key,
        value,
        created: key_head & CREATED != 0,
    }
}

/// Fixed keys: the same inputs must give the same output everywhere.
fn hash(key: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(key);
    hasher.finish()
}
