//! Calls: when they may begin, and how often they may leave. How the rows of jobs may change is in [`job_changes`](super::job_changes).

use super::heard::Flying;
use super::{Checked, Model, broken, decode};
use std::collections::BTreeSet;
use trunkline_core::effect::{BatchItem, Effect};
use trunkline_core::egress::{Destination, Job, JobState};
use trunkline_core::ids::{ShardId, Token, destination_shard};
use trunkline_core::payload::Name;
use trunkline_core::peer::ToPeer;
use trunkline_core::row::{Keys, Kind};
use trunkline_core::shard::{DestinationRow, TaskRow};
use trunkline_core::time::Timestamp;

impl Model {
    /// A destination as its row has it.
    pub(super) fn destination(&self, name: &Name) -> Destination {
        self.destination_row(name)
            .map(|row| row.destination)
            .unwrap_or_default()
    }

    pub(super) fn destination_row(&self, name: &Name) -> Option<DestinationRow> {
        let shard = destination_shard(name, self.shards);
        let row = self.live.get(&Keys::new(shard).destination(name))?;
        Some(decode(row))
    }

    /// What a batch begins may begin.
    pub(super) fn check_begun(&mut self, effect: &Effect, now: Timestamp) -> Checked {
        match effect {
            Effect::Deliver {
                destination,
                job,
                attempt,
                token,
            } => {
                if destination.connector.is_some() {
                    return broken("BATCH", format!("a connector is called plainly: {job:?}"));
                }
                self.check_delivery(destination, job, (*attempt, *token, false), now)
            }
            Effect::DeliverBatch { destination, items } => {
                self.check_batch(destination, items)?;
                for (place, item) in items.iter().enumerate() {
                    let call = (item.attempt, item.token, place > 0);
                    self.check_delivery(destination, &item.job, call, now)?;
                }
                Ok(())
            }
            Effect::Tell {
                peer,
                message: ToPeer::Task(task),
            } => {
                let shard = task.run.shard(self.shards);
                let row = self
                    .live
                    .get(&Keys::new(shard).task(task.run, task.command));
                let row: Option<TaskRow> = row.map(|row| decode(row));
                let fits = row.as_ref().is_some_and(|row| {
                    row.ready_at <= now && row.failed_attempts + 1 == task.attempt
                });
                if !fits {
                    let detail = format!("{task:?} at {now:?}, the row is {row:?}");
                    return broken("TASK-BACKOFF", detail);
                }
                if let Some(row) = &row {
                    self.check_not_delegated(row)?;
                }
                let key = (task.run, task.command);
                if let Some((older, holder)) = self.leases.insert(key, (task.token, *peer)) {
                    let detail = format!("{task:?}, and {holder:?} has it under {older:?}");
                    return broken("LEASE-ONE", detail);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Jobs share a call that may.
    fn check_batch(&mut self, destination: &Destination, items: &[BatchItem]) -> Checked {
        let wrong = |what: &str| broken("BATCH", format!("{what}: {destination:?} {items:?}"));
        let (Some(connector), Some(first)) = (&destination.connector, items.first()) else {
            return wrong("no connector, or no job");
        };
        let lanes: BTreeSet<&Name> = items.iter().map(|item| &item.job.new.lane).collect();
        if lanes.len() < items.len() {
            return wrong("two of one lane");
        }
        let operation = |job: &Job| (job.new.action.clone(), job.new.object_type.clone());
        if items
            .iter()
            .any(|item| operation(&item.job) != operation(&first.job))
        {
            return wrong("of several operations");
        }
        let bytes: usize = items.iter().map(|item| item.job.new.body.len()).sum();
        let too_much = items.len() > 1 && bytes as u64 > connector.body_bytes_max;
        if items.len() > connector.batch_max as usize || too_much {
            return wrong("more than it takes");
        }
        let is_full = items.len() > 1 && items.len() == connector.batch_max as usize;
        self.marks
            .set_if(is_full, "a call to a connector carried all that it takes");
        Ok(())
    }

    fn check_delivery(
        &mut self,
        destination: &Destination,
        job: &Job,
        (attempt, token, rides): (u32, Token, bool),
        now: Timestamp,
    ) -> Checked {
        let name = &destination.name;
        let wrong =
            |invariant, what: &str| broken(invariant, format!("{what} at {now:?}: {job:?}"));
        let keys = Keys::new(destination_shard(name, self.shards));
        let row: Option<Job> = self
            .live
            .get(&keys.job(name, job.id))
            .map(|row| decode(row));
        self.check_wanted(job, row.as_ref(), now)?;
        if row
            .as_ref()
            .is_some_and(|row| row.state == JobState::Parked)
        {
            return wrong("LANE-PARKED", "sent though it is parked");
        }
        // A job may be sent and, by an operator, cancelled in one batch.
        let known = row.as_ref().is_some_and(|row| {
            (row.state == JobState::Pending && row.attempts + 1 == attempt)
                || row.state == JobState::Cancelled
        });
        if !known || job.state != JobState::Pending || job.ready_at > now {
            return wrong("JOB-BACKOFF", "sent and not ready");
        }
        if job.attempts == 0
            && job.failed.is_none()
            && job.new.not_before.is_some_and(|at| at > now)
        {
            return wrong("JOB-BACKOFF", "sent before its time");
        }
        for other in self.jobs_of(name) {
            let is_before = other.lane_sequence < job.lane_sequence;
            if other.new.lane == job.new.lane && other.state.is_waiting() && is_before {
                let invariant = match other.state {
                    JobState::Parked => "LANE-PARKED",
                    _ => "LANE-ORDER",
                };
                let what = format!("overtakes {} ({})", other.id, other.lane_sequence);
                return wrong(invariant, &what);
            }
        }
        self.check_belt(row.as_ref().unwrap_or(job), now)?;
        // Patience that this very batch was asked for may have come behind the call.
        let held_until = match self.before.get(name) {
            Some(before) => before.held_until,
            None => self
                .destination_row(name)
                .map_or(Timestamp(0), |row| row.held_until),
        };
        if destination.paused || destination.url.is_empty() {
            return wrong("EGRESS-HELD", "sent to a destination that is held back");
        }
        if held_until > now {
            return wrong(
                "EGRESS-HELD",
                "sent before the destination's patience ended",
            );
        }
        if !self.attempted.insert((job.id, job.lane_sequence, attempt)) {
            return wrong("JOB-ONCE", "sent twice in one life");
        }
        // One that was cancelled behind its sending, in this very batch, is no longer counted.
        if row
            .as_ref()
            .is_some_and(|row| row.state == JobState::Pending)
        {
            self.flying
                .insert(job.id, Flying::new(destination, token, rides, now));
        }
        let under_way = self
            .flying
            .values()
            .filter(|flying| flying.destination == *name && !flying.rides)
            .count();
        if under_way > destination.concurrency as usize {
            return wrong("EGRESS-CONCURRENCY", &format!("{under_way} calls at once"));
        }
        self.check_standing(job, under_way, now)
    }

    /// A call leaves: the rate holds in every window that ends with it.
    pub(super) fn check_rate(&mut self, destination: &Destination, at: Timestamp) -> Checked {
        let name = destination.name.clone();
        let (rate, sends) = self.sends.entry(name).or_default();
        if *rate != destination.rate {
            *rate = destination.rate;
            sends.clear();
        }
        let Some(rate) = destination.rate else {
            return Ok(());
        };
        sends.push(at);
        let interval_us = 1_000_000 / u64::from(rate.per_second);
        let tolerance_us = interval_us * u64::from(rate.burst - 1);
        for (place, first) in sends.iter().enumerate() {
            let count = (sends.len() - place) as u64;
            let window_us = at.since_ms(*first) * 1_000;
            if (count - 1) * interval_us > tolerance_us + window_us {
                let detail = format!(
                    "{count} calls to {} within {window_us} µs",
                    destination.name
                );
                return broken("RATE", detail);
            }
        }
        if sends.len() > 200 {
            sends.drain(..100);
        }
        Ok(())
    }

    /// Jobs in the newest rows, by the shard that has them.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for shard in (0..self.shards).map(ShardId) {
            let (from, to) = Keys::new(shard).all(Kind::Job);
            jobs.extend(self.live.range(from..to).map(|(_, job)| decode::<Job>(job)));
        }
        jobs
    }
}
