//! Bulk operations: something done to every run that a filter lets through, a slice at a time.
//!
//! Each shard has a row for its part. A slice acts on some runs and writes how far it got in the same commit, so a crash
//! neither forgets a run nor acts on one twice. Runs started after the operation began are not meant, so it ends.

use super::Shard;
use crate::code::Code;
use crate::ids::RunKey;
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{Bulk, BulkState, BulkStatus, Rejection, Reply, RunFilter};
use crate::row::Kind;
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Bulk operations that a shard keeps at once, under way or ended.
const BULKS_MAX: usize = 1_000;
/// Runs that one slice acts on.
const SLICE_RUNS: u32 = 100;
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
    /// Go on behind this run.
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
        let stagger_ms = bulk.per_second.map_or(0, |rate| {
            u64::from(self.id.0) * 1_000 / u64::from(rate.max(1))
        });
        let status = BulkStatus {
            id: bulk.id.clone(),
            action: Name::from(bulk.action.as_str()),
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
                let row = self.bulk_slice(io, row);
                io.put(&self.keys.bulk(&id), &row);
                self.bulks.rows.insert(id, row);
            }
        }
    }

    fn bulk_slice(&mut self, io: &mut Io<'_>, mut row: BulkRow) -> BulkRow {
        let shards = u64::from(self.settings.shards);
        let (limit, pause_ms) = match row.bulk.per_second {
            None => (SLICE_RUNS, 0),
            Some(_) if mutant::is(Mutant::BulkRateIgnored) => (SLICE_RUNS, 0),
            Some(rate) => {
                let rate = u64::from(rate.max(1));
                let runs = (rate / (shards * SLICES_PER_SECOND)).clamp(1, u64::from(SLICE_RUNS));
                (runs as u32, (runs * shards * 1_000).div_ceil(rate))
            }
        };
        let asked = &row.bulk.filter;
        let began = if mutant::is(Mutant::BulkMeetsLater) {
            io.now.plus_ms(1)
        } else {
            row.status.started_at.plus_ms(1)
        };
        let filter = RunFilter {
            fit_for: Some(row.bulk.action.fitness()),
            started_before: Some(asked.started_before.map_or(began, |at| at.min(began))),
            after: row.after,
            limit,
            ..asked.clone()
        };
        let (runs, next) = self.look(io, &filter);
        let acted = !runs.is_empty();
        for (_, run) in runs {
            match self.act(io, &run.id, &row.bulk.action) {
                Ok(_) => row.status.done += 1,
                Err(rejection) => {
                    row.status.refused += 1;
                    let line = format!("{}: {}", rejection.code, rejection.detail);
                    row.status.refusal.get_or_insert(Name::from(line));
                }
            }
        }
        row.after = next;
        row.next_at = io.now.plus_ms(if acted { pause_ms } else { 0 });
        if next.is_none() {
            row.status.state = BulkState::Done;
            row.status.ended_at = Some(io.now);
        }
        row
    }
}

fn unknown(id: &Name) -> Rejection {
    Rejection::new(
        Code::BulkNotFound,
        format!("there is no bulk operation `{id}`"),
    )
}
