//! Messages between shards: each arrives exactly once, in order.
//!
//! The sender writes the message as a row in the commit that wants it sent, and sends it when that commit is durable. The
//! receiver takes it in a commit that also writes the number of the last message taken, so a repeat is recognised; when that
//! commit is durable it says so, and the sender drops the rows. After a crash the sender sends again whatever it still has.

use super::Shard;
use crate::effect::Effect;
use crate::ids::ShardId;
use crate::input::Message;
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::row::Kind;
use alloc::collections::BTreeMap;

/// What is under way between this shard and others.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    outbox: BTreeMap<ShardId, Outbox>,
    /// The number of the last message taken, by sender.
    taken: BTreeMap<ShardId, u64>,
    /// Senders to tell, once the batch is durable, what has been taken.
    acknowledge: BTreeMap<ShardId, u64>,
}

/// Messages to one shard: those with the numbers `unacknowledged..=last` are rows.
#[derive(Clone, Copy, Debug)]
struct Outbox {
    last: u64,
    unacknowledged: u64,
}

impl Mail {
    /// Messages that wait for their acknowledgement.
    pub(crate) fn waiting(&self) -> u64 {
        self.outbox
            .values()
            .map(|outbox| outbox.last + 1 - outbox.unacknowledged)
            .sum()
    }
}

impl Shard {
    pub(super) fn open_mail(&mut self, io: &mut Io<'_>) {
        let (from, to) = self.keys.all(Kind::Inbox);
        io.scan((&from, &to), &mut |key, value| {
            self.mail.taken.insert(shard_at(key, 4), decode(value));
            true
        });
        let (from, to) = self.keys.all(Kind::Outbox);
        let mut again = alloc::vec::Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            let to = shard_at(key, 4);
            let sequence = sequence_at(key, 6);
            if sequence == 0 {
                let last: u64 = decode(value);
                self.mail.outbox.insert(
                    to,
                    Outbox {
                        last,
                        unacknowledged: last + 1,
                    },
                );
            } else {
                let outbox = self.mail.outbox.get_mut(&to).expect("row 0 comes first");
                outbox.unacknowledged = outbox.unacknowledged.min(sequence);
                again.push((to, sequence, decode::<Message>(value)));
            }
            true
        });
        if mutant::is(Mutant::OutboxLost) {
            again.clear();
        }
        for (to, sequence, message) in again {
            io.effect(Effect::Send {
                to,
                sequence,
                message,
            });
        }
    }

    /// Sends a message once this commit is durable.
    pub(super) fn send(&mut self, io: &mut Io<'_>, to: ShardId, message: Message) {
        let outbox = self.mail.outbox.entry(to).or_insert(Outbox {
            last: 0,
            unacknowledged: 1,
        });
        outbox.last += 1;
        let sequence = outbox.last;
        // Row 0 holds the last number: it must survive when all messages have been taken.
        io.put(&self.keys.outbox(to, 0), &sequence);
        io.create(&self.keys.outbox(to, sequence), &message);
        io.effect(Effect::Send {
            to,
            sequence,
            message,
        });
    }

    pub(super) fn message(
        &mut self,
        io: &mut Io<'_>,
        from: ShardId,
        sequence: u64,
        message: Message,
    ) {
        let taken = self.mail.taken.entry(from).or_insert(0);
        // A message from beyond a gap cannot come from a sender that keeps the order; it will be sent again.
        if sequence == *taken + 1 {
            *taken = sequence;
            self.take(io, message);
        }
        let taken = self.mail.taken.get(&from).copied().unwrap_or(0);
        self.mail.acknowledge.insert(from, taken);
    }

    pub(super) fn messages_taken(&mut self, io: &mut Io<'_>, by: ShardId, sequence: u64) {
        let Some(outbox) = self.mail.outbox.get_mut(&by) else {
            return;
        };
        while outbox.unacknowledged <= sequence.min(outbox.last) {
            io.delete(&self.keys.outbox(by, outbox.unacknowledged));
            outbox.unacknowledged += 1;
        }
    }

    /// Writes how far messages have been taken, and acknowledges them with the commit.
    pub(super) fn seal_mail(&mut self, io: &mut Io<'_>) {
        for (from, sequence) in core::mem::take(&mut self.mail.acknowledge) {
            io.put(&self.keys.inbox(from), &sequence);
            io.effect(Effect::Acknowledge { to: from, sequence });
        }
    }
}

fn shard_at(key: &[u8], at: usize) -> ShardId {
    let bytes = key[at..at + 2].try_into().expect("two bytes");
    ShardId(u16::from_be_bytes(bytes))
}

fn sequence_at(key: &[u8], at: usize) -> u64 {
    let bytes = key[at..at + 8].try_into().expect("eight bytes");
    u64::from_be_bytes(bytes)
}
