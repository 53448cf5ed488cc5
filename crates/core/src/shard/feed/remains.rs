//! Retention of the feed, and what remains of what it points at.
//!
//! Rows go, the oldest first, when they are too old or take too much room. What a row points at usually lives longer: a history
//! as long as its run. Where it does not (a run is removed early, its history is cut or begun anew), [`Shard::part_with_history`] leaves
//! the chunks behind as *remains*, under the place in the feed at which it happened. A reader of an earlier row finds them there:
//! the first remains at or behind the row are what it meant. They go with the row that tells of the parting.
//!
//! Invariants: whoever removes or rewrites chunks of a history calls `part_with_history` before; a row that is not too old finds
//! everything that it points at.

use super::{Head, ITEM_DESTINATION, ITEM_SCHEDULE, Shard, head_of};
use crate::egress::Job;
use crate::entry::{Entry, Notification};
use crate::feed::{JobFacts, Mark};
use crate::ids::{JobId, RunId, RunKey};
use crate::io::Io;
use crate::payload::Name;
use crate::row::Kind;
use crate::shard::hot::Hot;
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Decoder, Encode};

/// Rows that one sweep removes at most.
const SLICE_ROWS: usize = 1_000;
/// A sweep is not worth it for less than this: so many rows go together.
const SWEEP_INTERVAL_MS: u64 = 60_000;

/// What remains of a run: the chunks from `from_chunk` on, under keys of their own.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct RunRemains {
    #[n(0)]
    pub(super) id: RunId,
    #[n(1)]
    pub(super) version: u32,
    #[n(2)]
    pub(super) started_at: Timestamp,
    /// Chunks from here on are among the remains; earlier ones were left as they were.
    #[n(3)]
    pub(super) from_chunk: u32,
    /// How many chunks the history had.
    #[n(4)]
    pub(super) chunks: u32,
}

impl Shard {
    pub(super) fn open_remains(&mut self, io: &Io<'_>) {
        let (from, to) = self.keys.all(Kind::Remains);
        let mut any = false;
        io.scan((&from, &to), &mut |_, _| {
            any = true;
            false
        });
        self.feed.has_remains = any;
    }

    /// To be called before chunks of a run's history, from `from_chunk` on, are removed or become others. If the run goes on,
    /// [`Shard::tell_rewound`] follows when its history is what it is to be.
    pub(in crate::shard) fn part_with_history(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        from_chunk: u32,
    ) {
        self.close_chunk(io, key, hot);
        // Nothing has happened to the run since its end, so what was told of it is too old if that is; but what is to be told
        // now needs at least its name.
        let told_until = hot.run.finished_at.unwrap_or(io.now);
        let is_nothing = hot.run.chunks == 0 && !hot.has_news();
        let is_late = self.is_too_old(io, told_until) && !hot.has_news();
        if !self.feed.on || is_nothing || is_late {
            return;
        }
        self.mark(hot, &Mark::Parted);
        let place = (self.feed.last + 1, self.feed.count);
        self.feed_run(key, hot);
        let head = RunRemains {
            id: hot.run.id.clone(),
            version: hot.run.version,
            started_at: hot.run.started_at,
            from_chunk,
            chunks: hot.run.chunks,
        };
        io.create(&self.keys.remains(key.0, place, None), &head);
        for number in from_chunk..hot.run.chunks {
            let chunk = self.chunk(io, key, number);
            let kept = self.keys.remains(key.0, place, Some(number));
            io.out.create(&kept, &chunk);
        }
        self.feed.parts = true;
        self.feed.has_remains = true;
    }

    /// The history of a run was cut, or made of another's: what it holds now is no news, apart from that, and the start of a new run.
    pub(in crate::shard) fn tell_rewound(
        &mut self,
        key: RunKey,
        hot: &mut Hot,
        is_new: bool,
        entries: &[Entry],
    ) {
        (hot.fed, hot.fed_chunk) = (hot.run.entries, hot.run.chunks);
        if is_new {
            self.feed_item(key, hot, (0, 0, 1));
        }
        let rewound = entries.iter().rev().find_map(|entry| match entry {
            Entry::Notification(
                _,
                Notification::Rewound {
                    dropped, source, ..
                },
            ) => Some((*dropped, source.clone())),
            _ => None,
        });
        if let Some((dropped, source)) = rewound {
            self.mark(hot, &Mark::Rewound { dropped, source });
        }
    }

    /// To be called before a job is removed.
    pub(in crate::shard) fn part_with_job(&mut self, io: &mut Io<'_>, job: &Job) {
        let told_until = job.settled_at.unwrap_or(io.now);
        if !self.feed.on || self.is_too_old(io, told_until) {
            return;
        }
        let place = (self.feed.last + 1, self.feed.count);
        self.feed_job(&job.new.destination, job.id, &Mark::Parted);
        io.create(&self.keys.remains(job.id.0, place, None), &facts_of(job));
        self.feed.parts = true;
        self.feed.has_remains = true;
    }

    /// True if events of this time are no longer kept.
    pub(super) fn is_too_old(&self, io: &Io<'_>, at: Timestamp) -> bool {
        at.plus_ms(self.settings.feed.retention_ms) <= io.now
    }

    /// Says when the oldest row may go: at once if there are too many.
    pub(super) fn plan_feed_sweep(&mut self, io: &Io<'_>) {
        let first = self.feed.kept.swept + 1;
        let Some(head) = self.row_head(io, first) else {
            self.feed.due = None;
            return;
        };
        let retention_ms = self.settings.feed.retention_ms;
        let now = self.feed.bytes() > self.settings.feed.bytes_max || first <= self.feed.kept.gone;
        self.feed.due = Some(if now {
            Timestamp(0)
        } else {
            let soonest = io.now.plus_ms(SWEEP_INTERVAL_MS.min(retention_ms));
            head.time.plus_ms(retention_ms).max(soonest)
        });
    }

    /// Removes rows that are too old or too many, a slice of them.
    pub(in crate::shard) fn sweep_feed(&mut self, io: &mut Io<'_>) {
        if self.feed.due.is_none_or(|due| due > io.now) {
            return;
        }
        // A little more than needed, so that a full feed is not swept with every batch.
        let bytes_max = self.settings.feed.bytes_max;
        let bytes_wanted = bytes_max - bytes_max / 10;
        let too_many = self.feed.bytes() > bytes_max;
        let before = self.feed.kept;
        for _ in 0..SLICE_ROWS {
            let sequence = self.feed.kept.swept + 1;
            let Some(head) = self.row_head(io, sequence) else {
                break;
            };
            let goes = sequence <= self.feed.kept.gone
                || self.is_too_old(io, head.time)
                || (too_many && self.feed.bytes() > bytes_wanted);
            if !goes {
                break;
            }
            self.remove_row(io, sequence, head);
        }
        if self.feed.kept != before {
            self.write_kept(io);
        }
        self.plan_feed_sweep(io);
    }

    fn remove_row(&mut self, io: &mut Io<'_>, sequence: u64, head: Head) {
        let key = self.keys.feed(sequence);
        if head.parts {
            let row = io.get_bytes(&key).expect("its head has been read");
            self.remove_remains(io, sequence, &row);
        }
        io.delete(&key);
        let kept = &mut self.feed.kept;
        kept.swept = sequence;
        kept.gone = kept.gone.max(sequence);
        kept.swept_total = head.total;
    }

    fn remove_remains(&mut self, io: &mut Io<'_>, sequence: u64, row: &[u8]) {
        let mut decoder = Decoder::new(row);
        let items = head_of(&mut decoder).items;
        for number in 0..items {
            let subject = subject_of(&mut decoder);
            let place = (sequence, number as u32);
            let (from, to) = self.keys.remains_at(subject, place);
            let mut keys = Vec::new();
            io.scan((&from, &to), &mut |key, _| {
                keys.push(key.to_vec());
                true
            });
            for key in keys {
                io.delete(&key);
            }
        }
    }

    /// What does not change about a job: from its row, or from its remains at or behind `place`.
    pub(super) fn job_facts(
        &self,
        io: &Io<'_>,
        destination: &Name,
        job: JobId,
        place: (u64, u32),
    ) -> Option<JobFacts> {
        let mut found = None;
        if self.feed.has_remains {
            let (from, to) = self.keys.remains_from(job.0, place);
            io.scan((&from, &to), &mut |_, value| {
                found = Some(crate::io::decode(value));
                false
            });
        }
        found.or_else(|| {
            let job: Job = io.get(&self.keys.job(destination, job))?;
            Some(facts_of(&job))
        })
    }
}

/// The run or job of an item, which is passed over.
fn subject_of(decoder: &mut Decoder<'_>) -> u128 {
    let mut read = || -> Result<u128, minicbor::decode::Error> {
        let length = decoder.array()?.unwrap_or(0);
        let kind = decoder.u8()?;
        // Of a schedule or destination nothing remains; nothing has this subject.
        let bytes = if matches!(kind, ITEM_SCHEDULE | ITEM_DESTINATION) {
            decoder.skip()?;
            &[0; 16]
        } else {
            decoder.bytes()?
        };
        for _ in 2..length {
            decoder.skip()?;
        }
        let bytes: [u8; 16] = bytes.try_into().unwrap_or_default();
        Ok(u128::from_be_bytes(bytes))
    };
    match read() {
        Ok(subject) => subject,
        Err(error) => panic!("a feed row does not decode: {error}"),
    }
}

fn facts_of(job: &Job) -> JobFacts {
    JobFacts {
        id: job.id,
        destination: job.new.destination.clone(),
        lane: job.new.lane.clone(),
        object_type: job.new.object_type.clone(),
        action: job.new.action.clone(),
        object_ids: job.new.object_ids.clone(),
        source: job.source.clone(),
    }
}
