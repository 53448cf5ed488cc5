//! Jobs: how their rows may change, and when calls may leave.

use super::tasks::bounds;
use super::{Checked, JobChange, Model, broken, decode};
use trunkline_core::effect::Effect;
use trunkline_core::egress::{Destination, HeadOfLine, Job, JobState};
use trunkline_core::ids::{ShardId, Token, destination_shard};
use trunkline_core::payload::Name;
use trunkline_core::peer::ToPeer;
use trunkline_core::row::{Keys, Kind};
use trunkline_core::shard::{DestinationRow, TaskRow};
use trunkline_core::time::Timestamp;

impl Model {
    /// A job that has changed did so in a way that there is.
    pub(super) fn check_job(&mut self, change: &JobChange, now: Timestamp) -> Checked {
        let old: Option<Job> = change.old.as_deref().map(decode);
        let new: Option<Job> = change.new.as_deref().map(decode);
        let wrong = |what: &str| broken("JOB-STATE", format!("{what}: {old:?} became {new:?}"));
        let Some(new) = &new else {
            if let Some(old) = &old {
                // The key may be used again: then it names another job.
                self.attempted.retain(|(id, ..)| *id != old.id);
            }
            let over = old.as_ref().is_some_and(|job| {
                let ended = job.settled_at.filter(|_| job.state != JobState::Dead);
                ended.is_some_and(|at| at.plus_ms(self.retention_ms) <= now)
            });
            return if over { Ok(()) } else { wrong("removed") };
        };
        if new.state != JobState::Pending
            || old.as_ref().is_none_or(|old| old.attempts != new.attempts)
        {
            self.flying.remove(&new.id);
        }
        let Some(old) = &old else {
            return Ok(());
        };
        match (old.state, new.state) {
            (JobState::Pending, JobState::Pending) if new.attempts == old.attempts + 1 => {
                self.marks.set("a job was tried again");
                // An operator may have changed the destination in the same batch, before or behind this.
                let name = &new.new.destination;
                let before = self.before.get(name).map(|row| row.destination.clone());
                let mut targets = before.into_iter().chain([self.destination(name)]);
                let fits = |target: Destination| {
                    let policy = &target.retry;
                    let (least, most) = bounds(policy, new.attempts);
                    let waited = new.ready_at.since_ms(now);
                    new.ready_at >= now
                        && (least..=most).contains(&waited)
                        && (policy.attempts == 0 || new.attempts < policy.attempts)
                        && target.head_of_line == HeadOfLine::Block
                };
                if targets.any(fits) {
                    return Ok(());
                }
                broken("JOB-BACKOFF", format!("at {now:?}: {old:?} became {new:?}"))
            }
            (JobState::Pending, JobState::Pending) if new.attempts == old.attempts => Ok(()),
            (JobState::Pending, JobState::Succeeded | JobState::Dead) => {
                let dead = new.state == JobState::Dead;
                self.marks.set_if(dead, "a job became a dead letter");
                if new.attempts == old.attempts + 1 {
                    return Ok(());
                }
                wrong("settled without an attempt")
            }
            (JobState::Dead, JobState::Pending) => {
                self.marks.set("a dead letter was replayed");
                if new.lane_sequence > old.lane_sequence {
                    return Ok(());
                }
                wrong("replayed in its old place")
            }
            (JobState::Pending | JobState::Dead, JobState::Cancelled) => {
                self.marks.set("a job was cancelled");
                Ok(())
            }
            (JobState::Pending, JobState::Superseded | JobState::Expired)
                if new.attempts == old.attempts =>
            {
                Ok(())
            }
            (before, after) if before == after => Ok(()),
            _ => wrong("not allowed"),
        }
    }

    /// A destination as its row has it.
    fn destination(&self, name: &Name) -> Destination {
        self.destination_row(name)
            .map(|row| row.destination)
            .unwrap_or_default()
    }

    fn destination_row(&self, name: &Name) -> Option<DestinationRow> {
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
            } => self.check_delivery(destination, job, *attempt, *token, now),
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

    fn check_delivery(
        &mut self,
        destination: &Destination,
        job: &Job,
        attempt: u32,
        token: Token,
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
        // A job may be sent and, by an operator, cancelled in one batch.
        let known = row.as_ref().is_some_and(|row| {
            (row.state == JobState::Pending && row.attempts + 1 == attempt)
                || row.state == JobState::Cancelled
        });
        if !known || job.state != JobState::Pending || job.ready_at > now {
            return wrong("JOB-BACKOFF", "sent and not ready");
        }
        let (from, to) = keys.jobs(name);
        for (_, other) in self.live.range(from..to) {
            let other: Job = decode(other);
            if other.new.lane == job.new.lane
                && other.state == JobState::Pending
                && other.lane_sequence < job.lane_sequence
            {
                return wrong(
                    "LANE-ORDER",
                    &format!("overtakes {} ({})", other.id, other.lane_sequence),
                );
            }
        }
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
        let tripped = match self.before.get(name) {
            Some(before) => before.tripped.clone(),
            None => self.destination_row(name).and_then(|row| row.tripped),
        };
        if destination.breaker.is_some() && tripped.is_some_and(|tripped| tripped.until > now) {
            return wrong("EGRESS-HELD", "sent through an open breaker");
        }
        if job.new.expires_at.is_some_and(|at| at <= now) {
            return wrong("EGRESS-HELD", "sent though its time is over");
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
            self.flying.insert(job.id, (name.clone(), token));
        }
        let under_way = self.flying.values().filter(|(to, _)| to == name).count();
        if under_way > destination.concurrency as usize {
            return wrong("EGRESS-CONCURRENCY", &format!("{under_way} calls at once"));
        }
        Ok(())
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
