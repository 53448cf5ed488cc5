//! Effects: what a shard wants done in the world once the rows of the same commit are durable.

use crate::egress::{Destination, Job};
use crate::ids::{PeerId, ShardId, Token};
use crate::input::Message;
use crate::peer::ToPeer;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Something to do in the outside world. Held back until its commit is durable; lost in a crash before that, and then
/// wanted again by the recovered state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Tell a peer something. Dropped if it is gone.
    Tell {
        /// Whom.
        peer: PeerId,
        /// What.
        message: ToPeer,
    },
    /// Call a destination, and report with `Input::Delivered`.
    Deliver {
        /// The destination as it stands.
        destination: Box<Destination>,
        /// The job.
        job: Box<Job>,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// The token of its lease.
        token: Token,
    },
    /// Hand a message to another shard: `Input::Message` there.
    Send {
        /// To which.
        to: ShardId,
        /// Its number.
        sequence: u64,
        /// The message.
        message: Message,
    },
    /// Tell another shard that its messages up to `sequence` are durably taken: `Input::MessagesTaken` there.
    Acknowledge {
        /// Whom.
        to: ShardId,
        /// Up to where.
        sequence: u64,
    },
}

/// What a shard gave out since the last commit: changed rows, and effects to release when they are durable.
#[derive(Debug, Default)]
pub struct Output {
    /// The changed rows, encoded: see [`Output::rows`].
    encoded: Vec<u8>,
    /// How many rows changed.
    pub changes: u32,
    /// The effects, in order.
    pub effects: Vec<Effect>,
}

impl Output {
    /// Records that the row `key` now has `value`, or is gone.
    ///
    /// ```text
    /// key length: u16 │ value length + 1, or 0 if gone: u32 │ key │ value          (little-endian)
    /// ```
    pub fn change(&mut self, key: &[u8], value: Option<&[u8]>) {
        debug_assert!(
            key.len() <= usize::from(u16::MAX),
            "keys are made of bounded names"
        );
        let value_mark = value.map_or(0, |value| value.len() as u32 + 1);
        self.encoded
            .extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.encoded.extend_from_slice(&value_mark.to_le_bytes());
        self.encoded.extend_from_slice(key);
        self.encoded.extend_from_slice(value.unwrap_or_default());
        self.changes += 1;
    }

    /// The changed rows as one buffer: the body of a commit. [`changes_in`] reads it.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// Takes the changed rows and leaves none.
    pub fn take_encoded(&mut self) -> Vec<u8> {
        self.changes = 0;
        core::mem::take(&mut self.encoded)
    }
}

/// One changed row within the body of a commit: where its key and its value lie. No value: the row is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The key's bytes.
    pub key: core::ops::Range<usize>,
    /// The value's bytes.
    pub value: Option<core::ops::Range<usize>>,
}

/// Reads the body of a commit; nothing if it is malformed.
#[must_use]
pub fn changes_in(body: &[u8]) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let head = body.get(at..at + 6)?;
        let key_len = usize::from(u16::from_le_bytes([head[0], head[1]]));
        let mark = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
        let key = at + 6..at + 6 + key_len;
        let end = key.end + mark.saturating_sub(1);
        if end > body.len() {
            return None;
        }
        let value = (mark > 0).then_some(key.end..end);
        changes.push(Change { key, value });
        at = end;
    }
    Some(changes)
}
