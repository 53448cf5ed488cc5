//! What one input may touch: the time, the rows as they are now, and the output.

use crate::effect::Effect;
use crate::ids::{PeerId, RequestId};
use crate::output::Output;
use crate::peer::{Rejection, Reply, ToPeer};
use crate::row::Rows;
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// The reach of one input.
pub(crate) struct Io<'a> {
    pub(crate) now: Timestamp,
    rows: &'a dyn Rows,
    pub(crate) out: &'a mut Output,
}

impl<'a> Io<'a> {
    pub(crate) fn new(now: Timestamp, rows: &'a dyn Rows, out: &'a mut Output) -> Self {
        Self { now, rows, out }
    }

    /// The bytes of a row, with what this batch has written on top.
    pub(crate) fn get_bytes(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.out.get(key) {
            Some(newest) => newest.map(<[u8]>::to_vec),
            None => self.rows.get(key),
        }
    }

    /// A row's value.
    pub(crate) fn get<T: for<'b> Decode<'b, ()>>(&self, key: &[u8]) -> Option<T> {
        self.get_bytes(key).map(|bytes| decode(&bytes))
    }

    /// Visits the rows in a range, in order, with what this batch has written on top, until `visit` answers false.
    pub(crate) fn scan(
        &self,
        (from, to): (&[u8], &[u8]),
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) {
        let mut newer: BTreeMap<&[u8], Option<&[u8]>> = self.out.changes_within(from, to).collect();
        let mut go_on = true;
        self.rows.scan(from, to, &mut |key, value| {
            while let Some((&first, &change)) = newer.first_key_value() {
                if first > key {
                    break;
                }
                newer.pop_first();
                if let Some(written) = change {
                    go_on = visit(first, written);
                }
                if first == key || !go_on {
                    return go_on;
                }
            }
            go_on = visit(key, value);
            go_on
        });
        for (key, value) in newer {
            if !go_on {
                return;
            }
            if let Some(value) = value {
                go_on = visit(key, value);
            }
        }
    }

    /// Writes a row.
    pub(crate) fn put<T: Encode<()>>(&mut self, key: &[u8], value: &T) {
        self.out.change(key, Some(&encode(value)));
    }

    /// Writes a row that does not exist so far.
    pub(crate) fn create<T: Encode<()>>(&mut self, key: &[u8], value: &T) {
        self.out.create(key, &encode(value));
    }

    /// Removes a row.
    pub(crate) fn delete(&mut self, key: &[u8]) {
        self.out.change(key, None);
    }

    /// Wants something done once this is durable.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }

    /// Tells a peer something.
    pub(crate) fn tell(&mut self, peer: PeerId, message: ToPeer) {
        self.effect(Effect::Tell { peer, message });
    }

    /// Answers a request.
    pub(crate) fn reply(
        &mut self,
        (peer, request): (PeerId, RequestId),
        answer: Result<Reply, Rejection>,
    ) {
        self.tell(peer, ToPeer::Reply(request, answer));
    }
}

/// Encodes a value for a row or a chunk.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    encode_onto(value, &mut bytes);
    bytes
}

/// Encodes a value at the end of `bytes`.
pub(crate) fn encode_onto<T: Encode<()>>(value: &T, bytes: &mut Vec<u8>) {
    minicbor::encode(value, bytes).expect("writing to memory cannot fail");
}

/// Decodes a row's value. A row was written by this code or an earlier version of it and is protected by checksums below,
/// so a value that does not decode is a bug, and the process must not go on with it.
pub(crate) fn decode<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> T {
    match minicbor::decode(bytes) {
        Ok(value) => value,
        Err(error) => panic!("a row does not decode: {error}"),
    }
}
