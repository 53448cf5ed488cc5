//! Bulk operations: each run that is meant gets it, no other does, and not faster than was said.

use super::book::is_meant;
use super::job_bulks::Moved;
use super::{Checked, Model, broken, decode};
use trunkline_core::entry::{Entry, Notification};
use trunkline_core::ids::{Nonce, RunKey, ShardId};
use trunkline_core::peer::{Action, Bulk, BulkState, Work};
use trunkline_core::row::{Keys, Kind, run_of_key};
use trunkline_core::run::Run;
use trunkline_core::shard::BulkRow;
use trunkline_core::time::Timestamp;

impl Model {
    /// A shard's part of a bulk operation has changed.
    pub(super) fn check_bulk(
        &mut self,
        shard: ShardId,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Option<BulkRow>, trunkline_core::shard::Violation> {
        let old: Option<BulkRow> = old.map(decode);
        let Some(new) = new.map(decode::<BulkRow>) else {
            let over = old.as_ref().and_then(|row| row.status.ended_at);
            let over = over.is_some_and(|at| at.plus_ms(self.retention_ms) <= now);
            return if over {
                Ok(None)
            } else {
                broken("BULK-STATE", format!("removed: {old:?}"))
            };
        };
        let Some(old) = old else {
            self.order.bulk_began(&new.bulk.id, shard);
            return Ok(None);
        };
        let acted = |row: &BulkRow| row.status.done + row.status.refused;
        let forward = acted(&new) >= acted(&old)
            && (new.after.is_none() || new.after >= old.after)
            && old.bulk == new.bulk;
        if !forward || (old.status.state != BulkState::Running && old != new) {
            return broken("BULK-STATE", format!("{old:?} became {new:?}"));
        }
        let cancelled = new.status.state == BulkState::Cancelled;
        let mark = match new.bulk.of_runs() {
            Some(_) => "a bulk operation was stopped",
            None => "a bulk operation on jobs was stopped",
        };
        self.marks.set_if(cancelled, mark);
        if new.bulk.of_runs().is_none() {
            self.moved.push(Moved {
                shard,
                row: new.clone(),
                met: acted(&new) - acted(&old),
            });
        }
        self.check_bulk_rate(shard, &new, acted(&new) - acted(&old), now)?;
        let done = new.status.state == BulkState::Done && old.status.state == BulkState::Running;
        Ok(done.then_some(new))
    }

    /// In no span of time are there more runs than the rate allows, beyond the slice that it begins with.
    fn check_bulk_rate(
        &mut self,
        shard: ShardId,
        row: &BulkRow,
        acted: u64,
        now: Timestamp,
    ) -> Checked {
        let Some(rate) = row.bulk.per_second.map(u64::from) else {
            return Ok(());
        };
        let shards = match &row.bulk.work {
            Work::Jobs(work) if work.filter.destination.is_some() => 1,
            _ => u64::from(self.shards),
        };
        let slice = (rate / (shards * 10)).clamp(1, 100);
        let acts = self
            .bulk_acts
            .entry((row.bulk.id.clone(), shard))
            .or_default();
        acts.push((now, acted));
        for (place, (from, _)) in acts.iter().enumerate() {
            let count: u64 = acts[place..].iter().map(|(_, count)| count).sum();
            let allowed = slice * 1_000 * shards + now.since_ms(*from) * rate;
            if count * 1_000 * shards > allowed {
                let detail = format!("{} in {shard:?} at {now:?}: {acts:?}", row.bulk.id);
                return broken("BULK-RATE", detail);
            }
        }
        Ok(())
    }

    /// A shard has been through its runs: each that was there all the time, and is still there, has had what was promised.
    pub(super) fn check_bulk_done(&mut self, shard: ShardId, row: &BulkRow) -> Checked {
        if let Work::Jobs(work) = &row.bulk.work {
            return self.check_job_bulk_done(shard, row, work);
        }
        self.marks.set("a bulk operation came to its end");
        if row.status.refused > 0 {
            return Ok(());
        }
        let Some((filter, action)) = row.bulk.of_runs() else {
            return Ok(());
        };
        let (from, to) = Keys::new(shard).all(Kind::Run);
        let all = self.live.range(from..to);
        let all = all.map(|(key, run)| (run_of_key(key).expect("a run's key"), decode::<Run>(run)));
        // What began before it by the clock is meant. The clock may have been set back, so that what began before it is not all
        // that was there.
        let meant = all.filter(|(key, run)| {
            !run.status.is_final()
                && is_meant(filter, run)
                && run.started_at <= row.status.started_at
                && self.order.was_there_for_bulk(*key, &row.bulk.id, shard)
                && run.generation.is_none()
        });
        for (key, run) in meant {
            let entries = self.history(key);
            let rewound = !super::rewinds::all_rewound(&entries).is_empty();
            let has_it = match action {
                Action::Cancel { .. } => run.cancelling,
                Action::Terminate { .. } => false,
                Action::Signal { nonce, .. } => has_signal(&entries, *nonce),
                _ => true,
            };
            if !has_it && !rewound {
                let detail = format!("{} has passed over {run:?}", row.bulk.id);
                return broken("BULK-ALL", detail);
            }
        }
        Ok(())
    }

    /// What a run has had of a bulk operation was meant for it.
    pub(super) fn check_bulk_signals(&self, key: RunKey, run: &Run, entries: &[Entry]) -> Checked {
        if run.generation.is_some() || !super::rewinds::all_rewound(entries).is_empty() {
            return Ok(());
        }
        for entry in entries {
            let Entry::Notification(_, Notification::Signal { nonce, .. }) = entry else {
                continue;
            };
            let Some((bulk, _)) = self.book.bulk_of_signal(nonce.0) else {
                continue;
            };
            let shard = key.shard(self.shards);
            let row = self.live.get(&Keys::new(shard).bulk(&bulk.id));
            let row: Option<BulkRow> = row.map(|row| decode(row));
            let Some(row) = row.filter(|row| row.bulk == *bulk) else {
                continue;
            };
            let of_runs = bulk.of_runs();
            let is_meant = of_runs.is_some_and(|(filter, _)| is_meant(filter, run));
            if !is_meant || run.started_at > row.status.started_at {
                let detail = format!("{row:?} was not meant for {run:?}");
                return broken("BULK-ONLY", detail);
            }
        }
        Ok(())
    }

    /// Runs or jobs of a shard to which a bulk operation can be done, as far as is durable.
    #[must_use]
    pub fn count_fitting(&self, shard: ShardId, bulk: &Bulk) -> u64 {
        if let Work::Jobs(work) = &bulk.work {
            return self.jobs_meant(&self.durable, shard, work).len() as u64;
        }
        let (from, to) = Keys::new(shard).all(Kind::Run);
        let runs = self.durable.range(from..to);
        let runs = runs.map(|(_, run)| decode::<Run>(run));
        let Some((filter, action)) = bulk.of_runs() else {
            return 0;
        };
        let fits = |run: &Run| action.fitness().has(run) && is_meant(filter, run);
        runs.filter(fits).count() as u64
    }

    /// Bulk operations that have not ended, and how many runs each has had so far.
    #[must_use]
    pub fn bulks_under_way(&self) -> Vec<(Bulk, u64)> {
        let mut under_way = Vec::new();
        for shard in (0..self.shards).map(ShardId) {
            let (from, to) = Keys::new(shard).all(Kind::Bulk);
            let rows = self.live.range(from..to);
            let rows = rows.map(|(_, row)| decode::<BulkRow>(row));
            let running = rows.filter(|row| row.status.ended_at.is_none());
            under_way.extend(running.map(|row| (row.bulk, row.status.done + row.status.refused)));
        }
        under_way
    }
}

pub(super) fn has_signal(entries: &[Entry], wanted: Nonce) -> bool {
    entries.iter().any(|entry| {
        matches!(entry, Entry::Notification(_, Notification::Signal { nonce, .. }) if *nonce == wanted)
    })
}
