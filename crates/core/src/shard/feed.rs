//! The event feed of a shard: what happened, in the order in which it was committed.
//!
//! A batch writes one feed row, with an item for each run and job to which something happened. Nothing is said twice: an item of a
//! run says which entries have come into its history, and holds as marks only what the history does not. The row is part of the
//! same commit as everything it tells of, so the feed is exactly the committed truth, and a crash neither loses nor doubles.
//!
//! ```text
//! row:    [time, bytes of all rows so far, true if an item parts with a history, item…]
//! item:   [0, run, first entry, chunk, entries, before, mark, before, mark…]      a mark stands before that entry of the item
//!         [1, job, destination, mark]
//!         [2, schedule, mark]                 and so for a destination (10) and a credential (11)
//! row 0:  Kept: what is gone
//! ```
//!
//! Rows are numbered without gaps, so that the newest is found without a scan and a reader knows that it has missed nothing.
//! A reader turns rows into events: [`read`]. Rows go when they are too old or too many; and whoever removes chunks of a history
//! that rows still point into leaves a copy behind: [`remains`].

mod read;
mod remains;
mod seen;

use super::Shard;
use super::hot::Hot;
use crate::effect::Effect;
use crate::entry::Outcome;
use crate::failure::Failure;
use crate::feed::Mark;
use crate::ids::{CommandId, JobId, RunKey};
use crate::io::{Io, encode_onto};
use crate::payload::Name;
use crate::run::RunStatus;
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// Longest text of a failure in a mark: the whole of it is in the history once the task has failed for good.
const TEXT_BYTES_MAX: usize = 1_024;
/// What a row takes beside its items, about.
const ROW_BYTES: u64 = 40;
/// A command whose chunk lies further back than this is given its chunk in the feed, so that a reader need not search.
const NEAR_CHUNKS: u32 = 16;

/// Where the feed of a shard stands.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// True if events are recorded.
    on: bool,
    /// The newest row.
    last: u64,
    /// Its time. Times of rows do not run backwards.
    last_time: Timestamp,
    /// Bytes of all rows that were ever written.
    total: u64,
    kept: Kept,
    /// When the oldest row may go.
    due: Option<Timestamp>,
    /// True if there may be remains of histories.
    has_remains: bool,
    /// The row under way: its items, how many, and whether one parts with a history.
    items: Vec<u8>,
    count: u32,
    parts: bool,
}

/// What is gone of a feed: row 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(crate) struct Kept {
    /// Rows up to this one have been removed.
    #[n(0)]
    swept: u64,
    /// Rows up to this one are not to be read any more.
    #[n(1)]
    gone: u64,
    /// Bytes of the rows that have been removed.
    #[n(2)]
    swept_total: u64,
    /// True while no events are recorded.
    #[n(3)]
    off: bool,
}

/// The beginning of a row.
#[derive(Clone, Copy, Debug)]
struct Head {
    time: Timestamp,
    total: u64,
    parts: bool,
    items: u64,
}

/// Marks of a run that wait for the end of the batch.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    count: u32,
    encoded: Vec<u8>,
}

impl Marks {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn push(&mut self, before: u32, mark: &Mark) {
        self.count += 1;
        encode_onto(&before, &mut self.encoded);
        encode_onto(mark, &mut self.encoded);
    }
}

impl Feed {
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.due
    }

    /// Bytes of the rows that are there.
    fn bytes(&self) -> u64 {
        self.total - self.kept.swept_total
    }
}

impl Shard {
    /// Finds the ends of the feed. Switching it off leaves a row that nobody can read on from, so that a reader who comes back
    /// later hears that it has missed something.
    pub(super) fn open_feed(&mut self, io: &mut Io<'_>) {
        let kept = io.get::<Kept>(&self.keys.feed(0)).unwrap_or_default();
        self.feed.kept = kept;
        self.feed.last = self.last_row(io, kept.swept);
        self.feed.total = kept.swept_total;
        if let Some(head) = self.row_head(io, self.feed.last) {
            self.feed.total = head.total;
            self.feed.last_time = head.time;
        }
        self.open_remains(io);
        self.feed.on = self.settings.feed.retention_ms > 0;
        if self.feed.on == kept.off {
            if !self.feed.on {
                self.write_row(io);
                self.feed.kept.gone = self.feed.last;
            }
            self.feed.kept.off = !self.feed.on;
            self.write_kept(io);
        }
        self.plan_feed_sweep(io);
        io.effect(Effect::Events {
            upto: self.feed.last,
        });
    }

    /// The newest row. Rows lie without gaps behind `swept`, so doubling and halving find the end.
    fn last_row(&self, io: &Io<'_>, swept: u64) -> u64 {
        let exists = |sequence: u64| io.get_bytes(&self.keys.feed(sequence)).is_some();
        let mut step = 1;
        while exists(swept + step) {
            step *= 2;
        }
        // The row at `there` exists, or all are swept; the one at `missing` does not.
        let (mut there, mut missing) = (swept + step / 2, swept + step);
        while there + 1 < missing {
            let middle = there + (missing - there) / 2;
            if exists(middle) {
                there = middle;
            } else {
                missing = middle;
            }
        }
        there
    }

    fn row_head(&self, io: &Io<'_>, sequence: u64) -> Option<Head> {
        if sequence <= self.feed.kept.swept {
            return None;
        }
        let row = io.get_bytes(&self.keys.feed(sequence))?;
        Some(head_of(&mut Decoder::new(&row)))
    }

    fn write_kept(&self, io: &mut Io<'_>) {
        io.put(&self.keys.feed(0), &self.feed.kept);
    }

    /// Notes what happened to a run and is in no history, in its place between the entries.
    pub(super) fn mark(&self, hot: &mut Hot, mark: &Mark) {
        if self.feed.on {
            let before = hot.entries() - hot.fed;
            hot.marks.push(before, mark);
        }
    }

    /// Notes that a run has ended, if that does not follow from its last command.
    pub(super) fn mark_end(&self, hot: &mut Hot, status: RunStatus, outcome: &Outcome) {
        let failure = match outcome {
            Outcome::Completed(_) => None,
            Outcome::Failed(failure) => Some(shortened(failure)),
        };
        if status != RunStatus::Completed || failure.is_some() {
            self.mark(hot, &Mark::Ended { status, failure });
        }
    }

    /// Notes what happened to a task.
    pub(super) fn mark_task(&mut self, io: &Io<'_>, run: RunKey, mark: &Mark) {
        if !self.feed.on {
            return;
        }
        if let Some(mut hot) = self.load(io, run) {
            self.mark(&mut hot, mark);
            self.keep(run, hot);
        }
    }

    /// Notes where a command lies whose answer is about to be appended, if that is far away.
    pub(super) fn mark_distant(&self, hot: &mut Hot, command: CommandId, chunk: u32) {
        if hot.run.chunks > chunk + NEAR_CHUNKS {
            self.mark(hot, &Mark::Found { command, chunk });
        }
    }

    /// Writes the item of a run: what has come into its history since the last one, and its marks. Its open chunk is closed.
    pub(super) fn feed_run(&mut self, key: RunKey, hot: &mut Hot) {
        let (first, chunk) = (hot.fed, hot.fed_chunk);
        (hot.fed, hot.fed_chunk) = (hot.run.entries, hot.run.chunks);
        let entries = hot.run.entries - first;
        if entries > 0 || hot.marks.count > 0 {
            self.feed_item(key, hot, (first, chunk, entries));
        }
    }

    fn feed_item(&mut self, key: RunKey, hot: &mut Hot, (first, chunk, entries): (u32, u32, u32)) {
        if !self.feed.on {
            return;
        }
        let marks = core::mem::take(&mut hot.marks.count);
        let mut encoder = Encoder::new(&mut self.feed.items);
        encoder
            .array(5 + 2 * u64::from(marks))
            .and_then(|e| e.u8(ITEM_RUN))
            .and_then(|e| e.bytes(&key.0.to_be_bytes()))
            .and_then(|e| e.u32(first))
            .and_then(|e| e.u32(chunk))
            .and_then(|e| e.u32(entries))
            .expect("writing to memory cannot fail");
        self.feed.items.append(&mut hot.marks.encoded);
        self.feed.count += 1;
    }

    /// Writes the item of a job.
    pub(super) fn feed_job(&mut self, destination: &Name, job: JobId, mark: &Mark) {
        if !self.feed.on {
            return;
        }
        let mut encoder = Encoder::new(&mut self.feed.items);
        encoder
            .array(4)
            .and_then(|e| e.u8(ITEM_JOB))
            .and_then(|e| e.bytes(&job.0.to_be_bytes()))
            .and_then(|e| e.str(destination))
            .expect("writing to memory cannot fail");
        encode_onto(mark, &mut self.feed.items);
        self.feed.count += 1;
    }

    /// Writes the item of a schedule.
    pub(super) fn feed_schedule(&mut self, name: &Name, mark: &Mark) {
        self.feed_named(ITEM_SCHEDULE, name, mark);
    }

    /// Writes the item of a destination.
    pub(super) fn feed_destination(&mut self, name: &Name, mark: &Mark) {
        self.feed_named(ITEM_DESTINATION, name, mark);
    }

    /// Writes the item of a credential.
    pub(super) fn feed_credential(&mut self, id: &Name, mark: &Mark) {
        self.feed_named(ITEM_CREDENTIAL, id, mark);
    }

    fn feed_named(&mut self, kind: u8, name: &Name, mark: &Mark) {
        if !self.feed.on {
            return;
        }
        let mut encoder = Encoder::new(&mut self.feed.items);
        encoder
            .array(3)
            .and_then(|e| e.u8(kind))
            .and_then(|e| e.str(name))
            .expect("writing to memory cannot fail");
        encode_onto(mark, &mut self.feed.items);
        self.feed.count += 1;
    }

    /// Writes the row of the batch, if anything happened.
    pub(super) fn seal_feed(&mut self, io: &mut Io<'_>) {
        if self.feed.count == 0 {
            return;
        }
        self.write_row(io);
        io.effect(Effect::Events {
            upto: self.feed.last,
        });
        if self.feed.due.is_none() || self.feed.bytes() > self.settings.feed.bytes_max {
            self.plan_feed_sweep(io);
        }
    }

    fn write_row(&mut self, io: &mut Io<'_>) {
        let feed = &mut self.feed;
        feed.last += 1;
        feed.last_time = feed.last_time.max(io.now);
        feed.total += ROW_BYTES + feed.items.len() as u64;
        let mut row = Vec::with_capacity(feed.items.len() + 24);
        let mut encoder = Encoder::new(&mut row);
        encoder
            .array(u64::from(3 + feed.count))
            .and_then(|e| e.u64(feed.last_time.0))
            .and_then(|e| e.u64(feed.total))
            .and_then(|e| e.bool(feed.parts))
            .expect("writing to memory cannot fail");
        row.append(&mut feed.items);
        io.out.create(&self.keys.feed(feed.last), &row);
        (feed.count, feed.parts) = (0, false);
    }
}

/// The first number of an item.
const ITEM_RUN: u8 = 0;
const ITEM_JOB: u8 = 1;
const ITEM_SCHEDULE: u8 = 2;
const ITEM_DESTINATION: u8 = 10;
const ITEM_CREDENTIAL: u8 = 11;

fn head_of(row: &mut Decoder<'_>) -> Head {
    let read = || -> Result<Head, minicbor::decode::Error> {
        let length = row.array()?.unwrap_or(0);
        Ok(Head {
            time: Timestamp(row.u64()?),
            total: row.u64()?,
            parts: row.bool()?,
            items: length.saturating_sub(3),
        })
    };
    match { read }() {
        Ok(head) => head,
        Err(error) => panic!("a feed row does not decode: {error}"),
    }
}

/// A failure as it stands in a mark: without the user's error and what caused it, and its text cut.
pub(super) fn shortened(failure: &Failure) -> Failure {
    Failure {
        kind: failure.kind,
        name: cut(&failure.name),
        message: cut(&failure.message),
        detail: None,
        cause: None,
        non_retryable: failure.non_retryable,
        site: None,
    }
}

/// A text of bounded length.
pub(in crate::shard) fn cut(text: &Name) -> Name {
    if text.len() <= TEXT_BYTES_MAX {
        return text.clone();
    }
    Name::from(&text[..text.floor_char_boundary(TEXT_BYTES_MAX)])
}
