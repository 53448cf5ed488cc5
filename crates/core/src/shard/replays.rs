//! What an operator does with jobs: put dead letters back, correct them, call jobs off, and let a destination go on.
//!
//! A dead letter that is put back is the same job, under the same identity: a destination that did take it knows it again. With
//! another body it is another job, because one idempotency key must not stand for two bodies: it takes the place of the dead
//! letter, which is superseded, so that what waited for that one waits for this one. Both stand at the end of their lane, because
//! what came after them has been delivered and must not be overtaken again.

use super::Shard;
use super::jobs::next_in_lane;
use crate::code::Code;
use crate::egress::{Job, JobState};
use crate::feed::Mark;
use crate::ids::JobId;
use crate::io::Io;
use crate::payload::{Name, Payload};
use crate::peer::{Backlog, Bulk, JobAction, JobFilter, JobWork, JobsOp, Rejection, Reply, Work};
use alloc::format;

impl Shard {
    /// Requests about many jobs, lanes and objects.
    pub(super) fn request_about_many_jobs(
        &mut self,
        io: &mut Io<'_>,
        op: JobsOp,
    ) -> Result<Reply, Rejection> {
        match op {
            JobsOp::Correct {
                destination,
                job,
                id,
                body,
            } => self.correct(io, &destination, job, (id, body)),
            JobsOp::Enable {
                destination,
                backlog,
                bulk,
            } => self.enable_asked(io, &destination, backlog, bulk),
            JobsOp::Count {
                filter,
                action,
                after,
            } => Ok(self.count_jobs(io, &filter, action, after.as_ref())),
            JobsOp::OfObject {
                object,
                destination,
                after,
                behind,
                limit,
            } => {
                let places = (after.as_ref(), behind.as_ref());
                Ok(self.jobs_of_object(io, &object, destination.as_ref(), places, limit))
            }
            JobsOp::Lanes {
                destination,
                after,
                limit,
            } => self.list_lanes(io, &destination, after.as_ref(), limit),
            JobsOp::Figures { limit } => Ok(self.figures(io.now, limit)),
        }
    }

    /// Puts a dead letter back to the end of its lane. It does not leave before its destination is pumped.
    pub(super) fn put_back(&mut self, io: &mut Io<'_>, job: &mut Job) -> Result<(), Rejection> {
        check_is_dead(job)?;
        let name = job.new.destination.clone();
        let target = self.egress.targets.get_mut(&name).expect("it has a job");
        job.lane_sequence = next_in_lane(io, self.keys, target, &job.new.lane);
        let sequence = job.lane_sequence;
        job.state = JobState::Pending;
        job.attempts = 0;
        job.tried_since = None;
        job.ready_at = io.now;
        job.settled_at = None;
        // Whoever replays it wants it delivered, though its time is over.
        job.new.expires_at = job.new.expires_at.filter(|at| *at > io.now);
        target.row.dead -= 1;
        target.enqueue(io.now, job);
        if let Some(objects) = &mut target.objects {
            objects.add(job);
        }
        io.put(&self.keys.job(&name, job.id), &*job);
        self.feed_job(&name, job.id, &Mark::JobReplayed { sequence });
        self.egress.changed.insert(name);
        Ok(())
    }

    /// Cancels a job that waits, or is a dead letter. What stood behind it does not leave before its destination is pumped.
    pub(super) fn call_off(&mut self, io: &mut Io<'_>, job: &mut Job) -> Result<(), Rejection> {
        if !job.state.is_waiting() && job.state != JobState::Dead {
            let detail = format!("job `{}` is {}", job.id, job.state.as_str());
            return Err(Rejection::new(Code::JobSettled, detail));
        }
        self.settle_job(io, job, JobState::Cancelled);
        self.feed_job(&job.new.destination, job.id, &Mark::JobCancelled);
        Ok(())
    }

    /// Puts a job with another body in the place of a dead letter.
    fn correct(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        of: JobId,
        (id, body): (JobId, Payload),
    ) -> Result<Reply, Rejection> {
        let mut old = self.find_job(io, name, of)?;
        if old.superseded_by == Some(id) {
            return Ok(Reply::Done);
        }
        check_is_dead(&old)?;
        if io.get_bytes(&self.keys.job(name, id)).is_some() {
            let detail = format!("destination `{name}` has a job `{id}` already");
            return Err(Rejection::new(Code::JobNotDead, detail));
        }
        let mut new = old.new.clone();
        new.body = body;
        new.resolve = None;
        // The key made the identity of the first, which still answers to it.
        new.dedupe_key = None;
        new.not_before = None;
        new.expires_at = new.expires_at.filter(|at| *at > io.now);
        let target = self.egress.targets.get_mut(name).expect("it has a job");
        let sequence = next_in_lane(io, self.keys, target, &new.lane);
        target.row.accepted += 1;
        let mut job = Job::accepted(id, new, sequence, io.now);
        job.source = old.source.clone();
        job.replay_of = Some(old.replay_of.unwrap_or(old.id));
        job.number = old.number;
        job.waits_for = old.waits_for.clone();
        job.released = old.released;
        self.feed_job(name, id, &Mark::JobAccepted { sequence });
        old.superseded_by = Some(id);
        // First the end of the old one: they have one place in their batch, and the new one is to hold it.
        self.settle_job(io, &mut old, JobState::Superseded);
        self.feed_job(name, of, &Mark::JobSuperseded { by: id });
        let target = self.egress.targets.get_mut(name).expect("seen above");
        target.enqueue(io.now, &job);
        if let Some(objects) = &mut target.objects {
            objects.add(&job);
        }
        io.create(&self.keys.job(name, id), &job);
        self.pump(io, name);
        Ok(Reply::Done)
    }

    /// Lets a paused destination be called again. What is to be done with its jobs first, or then, is a bulk operation.
    fn enable_asked(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        backlog: Backlog,
        bulk: Name,
    ) -> Result<Reply, Rejection> {
        let target = self.target(name)?;
        let is_known = self.bulk_show(&bulk).is_ok();
        if !target.row.destination.paused && !is_known {
            let detail = format!("destination `{name}` is not paused");
            return Err(Rejection::new(Code::NotPaused, detail));
        }
        let work = |action| JobWork {
            filter: JobFilter {
                destination: Some(name.clone()),
                ..JobFilter::default()
            },
            action,
            enables: true,
        };
        let (work, expected) = match backlog {
            Backlog::Resume => {
                self.enable(io, name);
                return Ok(Reply::Done);
            }
            Backlog::Drop => {
                let (waiting, leased) = target.queue.waiting_and_leased();
                (work(JobAction::Cancel), waiting + leased)
            }
            Backlog::Replay => (work(JobAction::Replay), target.row.dead as usize),
        };
        let bulk = Bulk {
            id: bulk,
            work: Work::Jobs(work),
            per_second: None,
        };
        self.bulk_start(io, bulk, expected as u64)
    }

    /// A destination is not held back any more.
    pub(super) fn enable(&mut self, io: &mut Io<'_>, name: &Name) {
        let Some(target) = self.egress.targets.get_mut(name) else {
            return;
        };
        if core::mem::take(&mut target.row.destination.paused) {
            target.limit(io.now);
            self.egress.changed.insert(name.clone());
            self.feed_destination(name, &Mark::DestinationRecovered);
            self.pump(io, name);
        }
    }
}

fn check_is_dead(job: &Job) -> Result<(), Rejection> {
    if job.state == JobState::Dead {
        return Ok(());
    }
    let detail = format!("job `{}` is {}", job.id, job.state.as_str());
    Err(Rejection::new(Code::JobNotDead, detail))
}
