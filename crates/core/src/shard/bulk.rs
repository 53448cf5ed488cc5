//! Bulk operations: something done to every run, or every job, that a filter lets through, a slice at a time.
//!
//! Each shard has a row for its part. A slice acts on some and writes how far it got in the same commit, so a crash neither
//! forgets one nor acts on one twice. What began after the operation did is not meant, so it ends. How runs are gone through is
//! in [`of_runs`], how jobs are in [`of_jobs`].

use super::Shard;
use crate::code::Code;
use crate::ids::RunKey;
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{Bulk, BulkState, BulkStatus, Rejection, Reply, Work};
use crate::row::Kind;
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

mod of_jobs;
mod of_runs;

/// Bulk operations that a shard keeps at once, under way or ended.
const BULKS_MAX: usize = 1_000;
/// Runs or jobs that one slice acts on.
const SLICE_MAX: u32 = 100;
/// Slices in a second of an operation with a rate, if it is high enough.
const SLICES_PER_SECOND: u64 = 10;

/// A shard's part of a bulk operation.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct BulkRow {
    /// What was asked for.
    #[n(0)]
    pub bulk: Bulk,
    /// How it stands here.
    #[n(1)]
    pub status: BulkStatus,
    /// Go on behind this run. Jobs need none: those that have been acted on do not match any more.
    #[n(2)]
    pub after: Option<RunKey>,
    /// Not to be gone on with before.
    #[n(3)]
    pub next_at: Timestamp,
}

/// The bulk operations of a shard.
#[derive(Debug, Default)]
pub(crate) struct Bulks {
    rows: BTreeMap<Name, BulkRow>,
    /// The jobs that those under way are about, as far as they are known.
    plans: BTreeMap<Name, of_jobs::Plan>,
}

impl Bulks {
    pub(crate) fn next_deadline(&self, retention_ms: u64) -> Option<Timestamp> {
        let deadline = |row: &BulkRow| match row.status.ended_at {
            Some(at) => at.plus_ms(retention_ms),
            None => row.next_at,
        };
        self.rows.values().map(deadline).min()
    }
}

impl Shard {
    pub(super) fn open_bulks(&mut self, io: &Io<'_>) {
        let (from, to) = self.keys.all(Kind::Bulk);
        io.scan((&from, &to), &mut |_, value| {
            let mut row: BulkRow = decode(value);
            if mutant::is(Mutant::BulkPlaceLost) {
                row.after = Some(RunKey(u128::MAX));
            }
            if mutant::is(Mutant::BulkPlanLost) {
                let plan = of_jobs::Plan::lost();
                self.bulks.plans.insert(row.bulk.id.clone(), plan);
            }
            self.bulks.rows.insert(row.bulk.id.clone(), row);
            true
        });
    }

    /// Begins a bulk operation; a repeat of the same is no other.
    pub(super) fn bulk_start(
        &mut self,
        io: &mut Io<'_>,
        bulk: Bulk,
        expected: u64,
    ) -> Result<Reply, Rejection> {
        if let Some(row) = self.bulks.rows.get(&bulk.id) {
            if row.bulk != bulk {
                let detail = format!("bulk operation `{}` is another", bulk.id);
                return Err(Rejection::new(Code::BulkExists, detail));
            }
            return Ok(Reply::Bulk(row.status.clone()));
        }
        if self.bulks.rows.len() >= BULKS_MAX {
            let detail = format!("{BULKS_MAX} bulk operations are kept");
            return Err(Rejection::new(Code::TooManyBulks, detail));
        }
        // The shards begin one after the other, so that together they keep to the rate from the start.
        let place = u64::from(self.id.0).min(shards_of(&bulk, self.settings.shards) - 1);
        let stagger_ms = bulk
            .per_second
            .map_or(0, |rate| place * 1_000 / u64::from(rate.max(1)));
        let status = BulkStatus {
            id: bulk.id.clone(),
            action: Name::from(bulk.work.as_str()),
            state: BulkState::Running,
            started_at: io.now,
            ended_at: None,
            expected,
            done: 0,
            refused: 0,
            refusal: None,
        };
        let row = BulkRow {
            status: status.clone(),
            after: None,
            next_at: io.now.plus_ms(stagger_ms),
            bulk,
        };
        io.put(&self.keys.bulk(&row.bulk.id), &row);
        self.bulks.rows.insert(row.bulk.id.clone(), row);
        Ok(Reply::Bulk(status))
    }

    pub(super) fn bulk_show(&self, id: &Name) -> Result<Reply, Rejection> {
        let row = self.bulks.rows.get(id).ok_or_else(|| unknown(id))?;
        Ok(Reply::Bulk(row.status.clone()))
    }

    pub(super) fn bulk_list(&self) -> Reply {
        Reply::Bulks(
            self.bulks
                .rows
                .values()
                .map(|row| row.status.clone())
                .collect(),
        )
    }

    /// Stops a bulk operation: what is done stays done. One that has ended stays as it is.
    pub(super) fn bulk_cancel(&mut self, io: &mut Io<'_>, id: &Name) -> Result<Reply, Rejection> {
        let row = self.bulks.rows.get_mut(id).ok_or_else(|| unknown(id))?;
        if row.status.state == BulkState::Running {
            row.status.state = BulkState::Cancelled;
            row.status.ended_at = Some(io.now);
            io.put(&self.keys.bulk(id), row);
            self.bulks.plans.remove(id);
        }
        Ok(Reply::Bulk(row.status.clone()))
    }

    /// Does a slice of every operation that is due, and forgets those that ended long ago.
    pub(super) fn work_bulks(&mut self, io: &mut Io<'_>) {
        let retention_ms = self.settings.retention_ms;
        let due: Vec<Name> = self
            .bulks
            .rows
            .values()
            .filter(|row| match row.status.ended_at {
                Some(at) => at.plus_ms(retention_ms) <= io.now,
                None => row.next_at <= io.now,
            })
            .map(|row| row.bulk.id.clone())
            .collect();
        for id in due {
            let Some(row) = self.bulks.rows.remove(&id) else {
                continue;
            };
            if row.status.ended_at.is_some() {
                io.delete(&self.keys.bulk(&id));
            } else {
                let (row, has_moved) = match row.bulk.work {
                    Work::Runs { .. } => (self.slice_of_runs(io, row), true),
                    Work::Jobs(_) => self.slice_of_jobs(io, row),
                };
                if has_moved {
                    io.put(&self.keys.bulk(&id), &row);
                }
                self.bulks.rows.insert(id, row);
            }
        }
    }

    /// How many a slice of `row` acts on, and how long it rests then, in milliseconds.
    fn pace(&self, row: &BulkRow) -> (u32, u64) {
        let shards = shards_of(&row.bulk, self.settings.shards);
        let rate = row.bulk.per_second;
        let Some(rate) = rate.filter(|_| !mutant::is(Mutant::BulkRateIgnored)) else {
            return (SLICE_MAX, 0);
        };
        let rate = u64::from(rate.max(1));
        let count = (rate / (shards * SLICES_PER_SECOND)).clamp(1, u64::from(SLICE_MAX));
        (count as u32, (count * shards * 1_000).div_ceil(rate))
    }
}

impl BulkRow {
    /// Counts what came of one run or job.
    fn count(&mut self, came: &Result<(), Rejection>) {
        match came {
            Ok(()) => self.status.done += 1,
            Err(rejection) => {
                self.status.refused += 1;
                let line = format!("{}: {}", rejection.code, rejection.detail);
                self.status.refusal.get_or_insert(Name::from(line));
            }
        }
    }

    fn end(&mut self, now: Timestamp) {
        self.status.state = BulkState::Done;
        self.status.ended_at = Some(now);
    }
}

/// The shards that have a part of a bulk operation.
fn shards_of(bulk: &Bulk, all: u16) -> u64 {
    match &bulk.work {
        Work::Jobs(work) if work.filter.destination.is_some() => 1,
        Work::Runs { .. } | Work::Jobs(_) => u64::from(all),
    }
}

fn unknown(id: &Name) -> Rejection {
    Rejection::new(
        Code::BulkNotFound,
        format!("there is no bulk operation `{id}`"),
    )
}
