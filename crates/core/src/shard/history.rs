//! A run's history: entries are appended to an open chunk, and chunks are written once.
//!
//! Entries of one batch share a chunk (up to a limit), so that a turn costs one row. What has been written is never written
//! again. A chunk is a CBOR array of [`Entry`], the same on disk and on the wire.

use super::Shard;
use super::hot::Hot;
use crate::entry::{Entry, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::ids::RunKey;
use crate::io::{Io, decode, encode_onto};
use crate::limits::CHUNK_ENTRIES_MAX;
use crate::payload::Payload;
use alloc::vec::Vec;
use minicbor::Encoder;

/// A history of more chunks, or more bytes, than this is left as it is when its run ends.
const FOLDED_CHUNKS_MAX: u32 = 16;
const FOLDED_BYTES_MAX: usize = 8 << 10;

impl Shard {
    /// Appends a notification: the run is ready for a turn.
    pub(super) fn notify(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        notification: Notification,
    ) {
        hot.run.unconsumed += 1;
        let entry = Entry::Notification(io.now, notification);
        self.append(io, key, hot, &entry);
    }

    /// Appends an entry to the open chunk.
    pub(super) fn append(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot, entry: &Entry) {
        encode_onto(entry, &mut hot.open_chunk);
        hot.open_entries += 1;
        hot.changed = true;
        if hot.open_entries as usize >= CHUNK_ENTRIES_MAX {
            self.close_chunk(io, key, hot);
        }
    }

    /// Writes the open chunk, if it has entries.
    pub(super) fn close_chunk(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot) {
        if hot.open_entries == 0 {
            return;
        }
        hot.run.history_bytes += hot.open_chunk.len() as u64;
        let mut chunk = Vec::with_capacity(hot.open_chunk.len() + 3);
        begin_chunk(&mut chunk, hot.open_entries);
        chunk.append(&mut hot.open_chunk);
        io.out
            .create(&self.keys.history(key, hot.run.chunks), &chunk);
        hot.recent.push((hot.run.entries, Payload::from(chunk)));
        hot.run.chunks += 1;
        hot.run.entries += hot.open_entries;
        hot.open_entries = 0;
        hot.changed = true;
    }

    /// Makes the history of a run that has ended one chunk, if it is short: most runs are, and one row costs less to keep
    /// than several. Chunks that were never written to the store leave no trace there.
    pub(super) fn fold_history(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot) {
        self.close_chunk(io, key, hot);
        // A task that outlives its run finds its argument by the chunk's number.
        if hot.run.open_tasks > 0 || hot.run.chunks < 2 || hot.run.chunks > FOLDED_CHUNKS_MAX {
            return;
        }
        let chunks = self.whole_history(io, key, hot.run.chunks);
        if chunks.iter().map(|chunk| chunk.len()).sum::<usize>() > FOLDED_BYTES_MAX {
            return;
        }
        Self::forget_calls(hot);
        let mut folded = Vec::with_capacity(FOLDED_BYTES_MAX / 8);
        begin_chunk(&mut folded, hot.run.entries);
        for chunk in &chunks {
            folded.extend_from_slice(&chunk[head_len(chunk)..]);
        }
        io.out.change(&self.keys.history(key, 0), Some(&folded));
        for number in 1..hot.run.chunks {
            io.delete(&self.keys.history(key, number));
        }
        hot.run.chunks = 1;
    }

    /// A chunk of a run's history.
    pub(super) fn chunk(&self, io: &Io<'_>, key: RunKey, number: u32) -> Payload {
        let bytes = io.get_bytes(&self.keys.history(key, number));
        Payload::from(bytes.expect("a run's chunks live as long as its row"))
    }

    /// The entries of a chunk.
    pub(super) fn chunk_entries(&self, io: &Io<'_>, key: RunKey, number: u32) -> Vec<Entry> {
        decode(&self.chunk(io, key, number))
    }

    /// The whole history of a run, in chunks.
    pub(super) fn whole_history(&self, io: &Io<'_>, key: RunKey, chunks: u32) -> Vec<Payload> {
        (0..chunks)
            .map(|number| self.chunk(io, key, number))
            .collect()
    }
}

fn begin_chunk(chunk: &mut Vec<u8>, entries: u32) {
    let head = Encoder::new(chunk).array(u64::from(entries)).map(|_| ());
    head.expect("writing to memory cannot fail");
}

/// Bytes before the first entry of a chunk.
fn head_len(chunk: &[u8]) -> usize {
    let mut decoder = minicbor::Decoder::new(chunk);
    decoder.array().expect("a chunk begins with its length");
    decoder.position()
}

/// How many entries a chunk has.
pub(super) fn chunk_len(chunk: &[u8]) -> u32 {
    let length = minicbor::Decoder::new(chunk).array().ok().flatten();
    u32::try_from(length.expect("a chunk begins with its length")).expect("a chunk is small")
}

/// A result as its run's history has room for it: one that does not fit is a failure that says so. False if it did not fit.
pub(super) fn fitting(hot: &Hot, notification: Notification) -> (Notification, bool) {
    let bytes = match &notification {
        Notification::TaskCompleted { result, .. }
        | Notification::StepDone {
            outcome: Outcome::Completed(result),
            ..
        }
        | Notification::MethodEnded {
            outcome: Outcome::Completed(result),
            ..
        }
        | Notification::ChildEnded {
            outcome: Outcome::Completed(result),
            ..
        } => result.len(),
        _ => 0,
    };
    let Some(full) = hot.would_overflow(1, bytes).filter(|_| bytes > 0) else {
        return (notification, true);
    };
    let failure = Failure::new(FailureKind::Application, "TL0015", full);
    let failed = match notification {
        Notification::TaskCompleted { command, .. } => {
            Notification::TaskFailed { command, failure }
        }
        Notification::StepDone { command, .. } => Notification::StepDone {
            command,
            outcome: Outcome::Failed(failure),
        },
        Notification::MethodEnded { command, .. } => Notification::MethodEnded {
            command,
            outcome: Outcome::Failed(failure),
        },
        Notification::ChildEnded { command, .. } => Notification::ChildEnded {
            command,
            outcome: Outcome::Failed(failure),
        },
        other => other,
    };
    (failed, false)
}
