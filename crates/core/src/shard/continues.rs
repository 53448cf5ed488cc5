//! Continuing as new: a run goes on under its id with an empty history, in place.
//!
//! What belongs to the run stays: its id, tags, properties, those who wait for its end, who started it, its time-out. What belongs
//! to the generation goes: its history, tasks, timers, steps and children. What came from outside and was not received comes along.

use super::Shard;
use super::hot::Hot;
use super::tags::tags_at_start;
use crate::entry::{Entry, Notification};
use crate::ids::{Nonce, RunKey};
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::Payload;
use crate::policy::scramble;
use crate::run::Generation;
use alloc::vec::Vec;

/// Nonces of signals and calls that are remembered beyond the history they were in: enough for whoever still waits for an answer.
const NONCES_KEPT: usize = 100;

impl Shard {
    /// Begins the next generation. `upto` is where the turn ended that asked for it: what lies behind has not been consumed.
    pub(super) fn continue_as_new(
        &mut self,
        io: &mut Io<'_>,
        (key, hot): (RunKey, &mut Hot),
        input: Payload,
        version: Option<u32>,
        (carry, upto): (&[u32], u32),
    ) {
        let (carried, nonces) = self.carried(io, key, hot, carry, upto);
        if hot.run.open_tasks > 0 {
            self.abandon_tasks(io, key);
            hot.run.open_tasks = 0;
        }
        if hot.run.open_timers > 0 {
            self.cancel_code_timers(io, key);
            hot.run.open_timers = 0;
        }
        self.leave_children(io, key, hot);
        self.part_with_history(io, key, hot, 0);
        for chunk in 0..hot.run.chunks {
            io.delete(&self.keys.history(key, chunk));
        }
        hot.forget_history();
        Self::forget_calls(hot);
        let before = hot.run.began_at();
        let began_at = io.now.max(before.plus_ms(1));
        let number = hot
            .run
            .generation
            .as_ref()
            .map_or(0, |generation| generation.number);
        hot.run.generation = Some(Generation {
            number: number + 1,
            began_at,
            nonces,
        });
        hot.run.version = version.unwrap_or(hot.run.version);
        hot.run.cancelling = carried
            .iter()
            .any(|notification| matches!(notification, Notification::CancelRequested { .. }));
        let seed = scramble(key.0 as u64 ^ began_at.0);
        let tags = tags_at_start(&hot.run);
        self.notify(io, key, hot, Notification::Started { input, seed, tags });
        for notification in carried {
            if matches!(notification, Notification::Signal { .. }) {
                hot.run.signals += 1;
            }
            self.notify(io, key, hot, notification);
        }
        // What came along has been told of when it came.
        self.close_chunk(io, key, hot);
        self.tell_rewound(key, hot, false, &[]);
    }

    /// What comes along into the next generation, and the newest nonces of this one and those before.
    fn carried(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        carry: &[u32],
        upto: u32,
    ) -> (Vec<Notification>, Vec<Nonce>) {
        let mut nonces = hot
            .run
            .generation
            .as_ref()
            .map(|generation| generation.nonces.clone())
            .unwrap_or_default();
        let mut carried = Vec::new();
        if hot.run.signals + hot.run.calls > 0 || hot.run.unconsumed > 0 || !carry.is_empty() {
            self.close_chunk(io, key, hot);
            let mut index = 0;
            for chunk in 0..hot.run.chunks {
                for entry in self.chunk_entries(io, key, chunk) {
                    if let Entry::Notification(
                        _,
                        Notification::Signal { nonce, .. }
                        | Notification::MethodCalled { nonce, .. },
                    ) = &entry
                        && *nonce != Nonce(0)
                    {
                        nonces.push(*nonce);
                    }
                    if let Entry::Notification(_, notification) = entry
                        && notification.is_from_outside()
                        && (index >= upto || carry.contains(&index))
                        && !mutant::is(Mutant::CarryLost)
                    {
                        carried.push(notification);
                    }
                    index += 1;
                }
            }
        }
        if mutant::is(Mutant::NoncesLost) {
            nonces.clear();
        }
        let old = nonces.len().saturating_sub(NONCES_KEPT);
        nonces.drain(..old);
        (carried, nonces)
    }
}
