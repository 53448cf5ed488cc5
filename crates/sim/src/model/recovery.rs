//! Recovery: what a process finds after it was opened is what was durable, and perhaps some of what was not, in order.

use super::{Checked, Model, Rows, apply, broken};
use trunkline_core::ids::ShardId;
use trunkline_core::row::{Keys, Kind, Rows as _};
use trunkline_core::shard::Shard;
use trunkline_engine::driver::{Batch, Driver};
use trunkline_engine::state::State;
use trunkline_journal::Position;

impl Model {
    /// The rows as a recovery must find them that ends at these positions.
    ///
    /// # Errors
    /// If one of them lies before what was durable, or beyond what was ever written.
    pub fn rows_at(
        &self,
        recovered: &[Position],
    ) -> Result<Rows, trunkline_core::shard::Violation> {
        let mut rows = self.durable.clone();
        for (thread, position) in recovered.iter().enumerate() {
            let durable = self.positions[thread];
            if *position < durable {
                let detail =
                    format!("thread {thread} is back at {position}, {durable} was durable");
                return broken("LOG-ACKED", detail);
            }
            let written = self.pending[thread].back().map_or(durable, |(at, _)| *at);
            if *position > written {
                let detail = format!("thread {thread} is at {position}, {written} was the last");
                return broken("LOG-PREFIX", detail);
            }
            for (_, commit) in self.pending[thread].iter().filter(|(at, _)| at <= position) {
                apply(&mut rows, commit);
            }
        }
        Ok(rows)
    }

    /// The process has been opened again, and has found its journals up to these positions. Everything volatile is gone.
    ///
    /// # Errors
    /// See [`Model::rows_at`].
    pub fn recovered(&mut self, recovered: &[Position]) -> Checked {
        let rows = self.rows_at(recovered)?;
        let survived = self
            .pending
            .iter()
            .zip(recovered)
            .any(|(pending, position)| pending.front().is_some_and(|(at, _)| at <= position));
        self.marks.set_if(
            survived,
            "commits that were not durable survived a power failure",
        );
        self.live.clone_from(&rows);
        self.durable = rows;
        for (thread, position) in recovered.iter().enumerate() {
            self.pending[thread].clear();
            self.positions[thread] = *position;
            self.overdue[thread].clear();
            self.worked_at[thread] = trunkline_core::time::Timestamp(0);
        }
        self.leases.clear();
        self.flying.clear();
        self.attempted.clear();
        self.failed.clear();
        self.recover_seen();
        self.bulk_acts.clear();
        self.carried.retain(|key, (began_at, _)| {
            let seen = self.seen.get(key);
            seen.is_some_and(|seen| seen.began_at == *began_at)
        });
        for (bulk, _) in self
            .bulks_under_way()
            .iter()
            .filter(|(_, acted)| *acted > 0)
        {
            self.marks.set(match bulk.of_runs() {
                Some(_) => "a bulk operation went on after a crash",
                None => "a bulk operation on jobs went on after a crash",
            });
        }
        Ok(())
    }

    /// After damage a journal may lack only what was written by its last sync, which nothing written later has vouched for.
    ///
    /// # Errors
    /// If more is missing.
    pub fn check_vouched(&self, positions: &[Position], file: &str, byte: usize) -> Checked {
        for (thread, position) in positions.iter().enumerate() {
            if *position < self.vouched[thread] {
                let detail = format!(
                    "byte {byte} of {file} flipped: thread {thread} opens at {position}, without {}",
                    self.vouched[thread]
                );
                return broken("LOG-DAMAGE", detail);
            }
        }
        Ok(())
    }

    /// The process has been down until `now`.
    pub fn note_outage(&mut self, now: trunkline_core::time::Timestamp) {
        for shard in (0..self.shards).map(ShardId) {
            let (from, to) = Keys::new(shard).all(Kind::Timer);
            let last = self.worked_at.iter().max().copied().unwrap_or_default();
            let due = |at: &Vec<u8>| {
                let at: trunkline_core::time::Timestamp = super::decode(at);
                last < at && at <= now
            };
            let missed = self.live.range(from..to).any(|(_, at)| due(at));
            self.marks
                .set_if(missed, "a timer came due while the process was down");
        }
    }

    /// The rows of a driver are exactly the newest rows.
    ///
    /// # Errors
    /// The first row that differs.
    pub fn compare(&self, driver: &Driver) -> Checked {
        for (shard, _) in driver.shards() {
            compare_rows(shard, driver.state(), &self.live)?;
        }
        Ok(())
    }

    /// A shard's counters are what counting its rows gives.
    ///
    /// # Errors
    /// The first that differs.
    pub fn check_counters(&self, id: ShardId, shard: &Shard) -> Checked {
        let keys = Keys::new(id);
        let count = |kind: Kind| {
            let (from, to) = keys.all(kind);
            self.live.range(from..to).count() as u64
        };
        let counters = shard.counters();
        let mut runs = counters.runs;
        let (from, to) = keys.all(Kind::Run);
        for (_, run) in self.live.range(from..to) {
            let run: trunkline_core::run::Run = super::decode(run);
            let status = run.status as usize;
            let Some(left) = runs[status].checked_sub(1) else {
                return broken(
                    "COUNTERS",
                    format!("{id:?} has more runs than {counters:?}"),
                );
            };
            runs[status] = left;
        }
        let tasks = counters.tasks_ready + counters.tasks_in_flight + counters.tasks_delayed;
        let (from, to) = keys.all(Kind::Task);
        let tasks_there = self.live.range(from..to);
        // A task that is delegated is neither ready nor with a worker.
        let is_delegated = |row: &trunkline_core::shard::TaskRow| {
            let progress = row.progress.as_ref();
            progress.is_some_and(|progress| progress.delegated.is_some())
        };
        let delegated = tasks_there
            .filter(|(_, row)| is_delegated(&super::decode(row)))
            .count() as u64;
        let (from, to) = keys.all(Kind::Job);
        let (mut waiting, mut dead) = (0, 0);
        for (_, job) in self.live.range(from..to) {
            let job: trunkline_core::egress::Job = super::decode(job);
            waiting += u64::from(job.state.is_waiting());
            dead += u64::from(job.state == trunkline_core::egress::JobState::Dead);
        }
        let (from, to) = keys.all(Kind::Outbox);
        // The row with number 0 holds the last number.
        let outbox = self
            .live
            .range(from..to)
            .filter(|(key, _)| key[6..] != [0; 8])
            .count() as u64;
        let counted = [
            ("runs", runs.iter().sum(), 0),
            ("tasks", tasks, count(Kind::Task) - delegated),
            ("timers", counters.timers, count(Kind::Timer)),
            (
                "jobs",
                counters.jobs_pending + counters.jobs_in_flight,
                waiting,
            ),
            ("dead letters", counters.jobs_dead, dead),
            ("messages", counters.outbox, outbox),
        ];
        for (what, said, counted) in counted {
            if said != counted {
                return broken(
                    "COUNTERS",
                    format!("{id:?} says {said} {what}, and has {counted}"),
                );
            }
        }
        Ok(())
    }
}

/// The rows of a shard are exactly those in `expected`.
///
/// # Errors
/// The first row that differs.
pub fn compare_rows(shard: ShardId, state: &State, expected: &Rows) -> Checked {
    for kind in Kind::ALL {
        let (from, to) = Keys::new(shard).all(kind);
        let mut rows = expected.range(from.clone()..to.clone());
        let mut differs = None;
        state.scan(&from, &to, &mut |key, value| {
            let next = rows.next();
            if next.is_some_and(|(known, row)| known == key && row == value) {
                return true;
            }
            differs = Some(format!(
                "{key:02x?}, and {:02x?} is expected",
                next.map(|next| next.0)
            ));
            false
        });
        if let Some(differs) = differs {
            return broken("LOG-REPLAY", format!("there is {differs}"));
        }
        if let Some((key, _)) = rows.next() {
            return broken("LOG-REPLAY", format!("{key:02x?} is missing"));
        }
    }
    Ok(())
}

/// The rows that `batch` leaves of `rows`.
pub fn apply_batch(rows: &mut Rows, batch: &Batch) {
    for commit in &batch.commits {
        apply(rows, commit);
    }
}
