//! How jobs end: delivered, dead, cancelled, superseded, expired; or parked, with their lane behind them.

use super::Shard;
use super::feed::cut;
use crate::code::Code;
use crate::egress::{ATTEMPTS_KEPT_MAX, Attempt, Delivery, Job, JobState};
use crate::feed::Mark;
use crate::ids::JobId;
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{EgressOp, Rejection, Reply, WhichJobs};
use crate::time::Timestamp;
use alloc::format;
use alloc::vec::Vec;

/// Bytes of an error in the history of attempts.
const ERROR_BYTES_MAX: usize = 300;

impl Job {
    /// Remembers an attempt that has failed.
    pub(super) fn remember(&mut self, now: Timestamp, delivery: &Delivery, reason: &Name) {
        let status = match delivery {
            Delivery::Answered { status, .. } => Some(*status),
            // Of a call that was answered; what is wrong is said of the item.
            Delivery::Item { .. } => Some(200),
            Delivery::Unanswered { .. } => None,
        };
        let end = reason.floor_char_boundary(ERROR_BYTES_MAX.min(reason.len()));
        let failed = self.failed.get_or_insert_default();
        if failed.len() == ATTEMPTS_KEPT_MAX {
            failed.remove(0);
        }
        failed.push(Attempt {
            number: self.attempts,
            at: now,
            status,
            error: Name::from(&reason[..end]),
        });
    }
}

impl Shard {
    /// What an operator decides about lanes, belts and breakers.
    pub(super) fn request_about_egress(
        &mut self,
        io: &mut Io<'_>,
        op: EgressOp,
    ) -> Result<Reply, Rejection> {
        match op {
            EgressOp::ReleaseLane {
                destination,
                lane,
                give_up,
            } => self.release_lane(io, &destination, &lane, give_up),
            EgressOp::ReleaseJobs { destination, which } => match which {
                WhichJobs::Job(job) => self.release_job(io, &destination, job),
                WhichJobs::Batch(batch) => self.release_batch(io, &destination, &batch),
            },
            EgressOp::PutLimiter { limiter } => self.put_limiter(io, limiter),
            EgressOp::ListLimiters => Ok(self.list_limiters(io)),
            EgressOp::DescribeLimiter { name } => self.describe_limiter(io, &name),
            EgressOp::DeleteLimiter { name } => self.delete_limiter(&name),
            EgressOp::SetBreaker { destination, open } => self.set_breaker(io, &destination, open),
        }
    }

    /// Ends a job that waits, or is dead, in `state`: counts it, writes its row, and lets those go that waited for it. What the
    /// feed tells is the caller's.
    pub(super) fn settle_job(&mut self, io: &mut Io<'_>, job: &mut Job, state: JobState) {
        let name = job.new.destination.clone();
        let Some(target) = self.egress.targets.get_mut(&name) else {
            return;
        };
        if job.state.is_waiting() {
            target.dequeue(io.now, job);
        }
        let row = &mut target.row;
        if job.state == JobState::Dead {
            row.dead -= 1;
        }
        match state {
            JobState::Succeeded => row.succeeded += 1,
            JobState::Dead => row.dead += 1,
            JobState::Cancelled => row.cancelled += 1,
            JobState::Superseded => row.superseded += 1,
            JobState::Expired => row.expired += 1,
            JobState::Pending | JobState::Parked => {}
        }
        job.state = state;
        job.settled_at = Some(io.now);
        if let Some(objects) = &mut target.objects {
            objects.settled(job);
        }
        let again = target.belts.close(job, state);
        for id in &again {
            target.queue.restore(*id);
        }
        io.put(&self.keys.job(&name, job.id), &*job);
        if state.expires() {
            self.sweep.expect(io.now, self.settings.retention_ms);
        }
        if matches!(state, JobState::Dead | JobState::Expired) && !again.is_empty() {
            self.feed_blocked(&name, &again, job);
        }
        self.egress.changed.insert(name);
    }

    /// A job could not be delivered: its lane stands still behind it.
    pub(super) fn park(&mut self, io: &mut Io<'_>, job: &mut Job) {
        let name = job.new.destination.clone();
        job.state = JobState::Parked;
        if let Some(target) = self.egress.targets.get_mut(&name) {
            target.queue.set_aside(job.id);
            // Its time may have been over while it was under way.
            if let Some(at) = job.new.expires_at {
                target.expiries.insert((at, job.id));
            }
        }
        io.put(&self.keys.job(&name, job.id), &*job);
    }

    /// Lets a lane go on that stands still: its first job is tried again with all its attempts, or given up as a dead letter.
    pub(super) fn release_lane(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        lane: &Name,
        give_up: bool,
    ) -> Result<Reply, Rejection> {
        let first = self.target(name)?.queue.first_of(lane);
        let parked = first
            .and_then(|id| io.get::<Job>(&self.keys.job(name, id)))
            .filter(|job| job.state == JobState::Parked);
        let Some(mut job) = parked else {
            let detail = format!("lane `{lane}` of `{name}` does not stand still");
            return Err(Rejection::new(Code::LaneNotParked, detail));
        };
        if give_up {
            self.settle_job(io, &mut job, JobState::Dead);
            self.feed_job(name, job.id, &dead(&job));
        } else {
            job.state = JobState::Pending;
            job.attempts = 0;
            job.tried_since = None;
            job.ready_at = io.now;
            io.put(&self.keys.job(name, job.id), &job);
            let target = self.egress.targets.get_mut(name).expect("seen above");
            target.queue.restore(job.id);
        }
        self.feed_job(name, job.id, &Mark::LaneReleased);
        self.pump(io, name);
        Ok(Reply::Done)
    }

    /// Lets a job go without what it waits for.
    pub(super) fn release_job(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        id: JobId,
    ) -> Result<Reply, Rejection> {
        let mut job = self.find_job(io, name, id)?;
        if !job.state.is_waiting() {
            let detail = format!("job `{id}` is {}", job.state.as_str());
            return Err(Rejection::new(Code::JobSettled, detail));
        }
        self.release(io, &mut job);
        self.pump(io, name);
        Ok(Reply::Done)
    }

    /// Lets every job of a batch go that waits for others of it.
    pub(super) fn release_batch(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        batch: &Name,
    ) -> Result<Reply, Rejection> {
        self.target(name)?;
        let mut count = 0;
        for mut job in self.jobs_of_batch(io, name, batch) {
            self.release(io, &mut job);
            count += 1;
        }
        self.pump(io, name);
        Ok(Reply::Counted { count, next: None })
    }

    fn jobs_of_batch(&self, io: &Io<'_>, name: &Name, batch: &Name) -> Vec<Job> {
        let (from, to) = self.keys.jobs(name);
        let mut jobs = Vec::new();
        io.scan((&from, &to), &mut |_, value| {
            let job: Job = crate::io::decode(value);
            if job.state.is_waiting() && job.new.batch.as_ref() == Some(batch) {
                jobs.push(job);
            }
            true
        });
        jobs
    }

    fn release(&mut self, io: &mut Io<'_>, job: &mut Job) {
        let name = job.new.destination.clone();
        if job.released != Some(true) {
            job.released = Some(true);
            io.put(&self.keys.job(&name, job.id), &*job);
            self.feed_job(&name, job.id, &Mark::JobReleased);
        }
        if job.state == JobState::Pending
            && let Some(target) = self.egress.targets.get_mut(&name)
        {
            target.belts.forget(job);
            target.permits.forget(job.id);
            target.queue.restore(job.id);
        }
    }

    /// Ends the jobs of a destination whose time is over. Those under way are looked at when they come back.
    pub(super) fn expire_jobs(&mut self, io: &mut Io<'_>, name: &Name) {
        loop {
            let Some(target) = self.egress.targets.get_mut(name) else {
                return;
            };
            let Some((at, id)) = target.expiries.first().copied() else {
                return;
            };
            if at > io.now || mutant::is(Mutant::ExpiryIgnored) {
                return;
            }
            target.expiries.pop_first();
            if target.queue.leased(id).is_some() {
                continue;
            }
            if let Some(mut job) = io.get::<Job>(&self.keys.job(name, id)) {
                self.settle_job(io, &mut job, JobState::Expired);
                self.feed_job(name, id, &Mark::JobExpired);
            }
        }
    }
}

/// What the feed tells of a dead letter.
pub(super) fn dead(job: &Job) -> Mark {
    Mark::JobDead {
        attempt: job.attempts,
        reason: cut(job.last_error.as_ref().unwrap_or(&Name::from(""))),
    }
}
