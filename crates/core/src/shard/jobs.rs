//! Jobs: accepted at the end of their lane, looked at, replayed and cancelled. How they are delivered is in `egress`.

use super::Shard;
use super::egress::{Target, unconfigured};
use crate::code::Code;
use crate::egress::{Job, JobState, NewJob};
use crate::feed::Mark;
use crate::ids::JobId;
use crate::io::{Io, decode};
use crate::limits::{PAGE_MAX, SCAN_MAX};
use crate::payload::Name;
use crate::peer::{Rejection, Reply};
use crate::row::Keys;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// Lanes whose last number is kept in memory, per destination; beyond that it is read again.
const LANES_REMEMBERED_MAX: usize = 100_000;

impl Shard {
    /// Jobs that a client wants accepted: refused whole if a destination is not known.
    pub(super) fn create_jobs_asked(
        &mut self,
        io: &mut Io<'_>,
        jobs: Vec<(JobId, NewJob)>,
    ) -> Result<Reply, Rejection> {
        for (_, job) in &jobs {
            self.target(&job.destination)?;
        }
        let total = jobs.len() as u32;
        let accepted = self.create_jobs(io, jobs, None);
        Ok(Reply::Jobs {
            accepted,
            known: total - accepted,
        })
    }

    /// Accepts jobs, each at the end of its lane. A destination that nobody has configured keeps them until somebody does.
    /// Returns how many were new.
    pub(super) fn create_jobs(
        &mut self,
        io: &mut Io<'_>,
        jobs: Vec<(JobId, NewJob)>,
        source: Option<&Name>,
    ) -> u32 {
        let mut accepted = 0;
        let mut touched = BTreeSet::new();
        for (id, new) in jobs {
            let name = new.destination.clone();
            let job_key = self.keys.job(&name, id);
            if io.get_bytes(&job_key).is_some() {
                continue;
            }
            let target = self
                .egress
                .targets
                .entry(name.clone())
                .or_insert_with(unconfigured(&name));
            let lane_sequence = next_in_lane(io, self.keys, target, &new.lane);
            let ready_at = new.not_before.unwrap_or(io.now);
            target
                .queue
                .push(io.now, id, Some(new.lane.clone()), ready_at);
            target.row.accepted += 1;
            let job = Job {
                id,
                lane_sequence,
                new,
                created_at: io.now,
                attempts: 0,
                ready_at,
                state: JobState::Pending,
                last_error: None,
                settled_at: None,
                source: source.cloned(),
            };
            io.create(&job_key, &job);
            let sequence = job.lane_sequence;
            self.feed_job(&name, id, &Mark::JobAccepted { sequence });
            accepted += 1;
            touched.insert(name);
        }
        for name in touched {
            self.pump(io, &name);
            self.egress.changed.insert(name);
        }
        accepted
    }

    fn find_job(&self, io: &Io<'_>, name: &Name, id: JobId) -> Result<Job, Rejection> {
        self.target(name)?;
        io.get(&self.keys.job(name, id)).ok_or_else(|| {
            let detail = format!("destination `{name}` has no job `{id}`");
            Rejection::new(Code::JobNotFound, detail)
        })
    }

    pub(super) fn describe_job(
        &self,
        io: &Io<'_>,
        name: &Name,
        id: JobId,
    ) -> Result<Reply, Rejection> {
        let job = self.find_job(io, name, id)?;
        let target = self.target(name)?;
        let waits = job.state == JobState::Pending;
        let blocked_on = target.queue.blocked_on(io.now, id).map(Name::from);
        let blocked_on = if target.is_usable() {
            blocked_on
        } else {
            target.blocked_on(io.now)
        };
        Ok(Reply::Job {
            job,
            blocked_on: blocked_on.filter(|_| waits),
        })
    }

    pub(super) fn list_jobs(
        &self,
        io: &Io<'_>,
        name: &Name,
        (state, lane): (Option<JobState>, Option<&Name>),
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Reply, Rejection> {
        self.target(name)?;
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let (mut from, to) = self.keys.jobs(name);
        if let Some(after) = after {
            from = self.keys.job(name, after);
            from.push(0);
        }
        let (mut jobs, mut next, mut last, mut seen) = (Vec::new(), None, None, 0);
        io.scan((&from, &to), &mut |_, value| {
            if jobs.len() == limit || seen == SCAN_MAX {
                next = last;
                return false;
            }
            seen += 1;
            let job: Job = decode(value);
            last = Some(job.id);
            if state.is_none_or(|state| state == job.state)
                && lane.is_none_or(|lane| *lane == job.new.lane)
            {
                jobs.push(job);
            }
            true
        });
        Ok(Reply::JobList { jobs, next })
    }

    pub(super) fn replay_job(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        id: JobId,
    ) -> Result<Reply, Rejection> {
        let mut job = self.find_job(io, name, id)?;
        if job.state != JobState::Dead {
            let detail = format!("job `{id}` is {}", job.state.as_str());
            return Err(Rejection::new(Code::JobNotDead, detail));
        }
        let target = self
            .egress
            .targets
            .get_mut(name)
            .expect("find_job has seen it");
        // At the end of its lane: what came after it has been delivered, and must not be overtaken again.
        job.lane_sequence = next_in_lane(io, self.keys, target, &job.new.lane);
        let sequence = job.lane_sequence;
        job.state = JobState::Pending;
        job.attempts = 0;
        job.ready_at = io.now;
        job.settled_at = None;
        target.row.dead -= 1;
        target
            .queue
            .push(io.now, id, Some(job.new.lane.clone()), io.now);
        io.put(&self.keys.job(name, id), &job);
        self.feed_job(name, id, &Mark::JobReplayed { sequence });
        self.egress.changed.insert(name.clone());
        self.pump(io, name);
        Ok(Reply::Done)
    }

    pub(super) fn cancel_job(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        id: JobId,
    ) -> Result<Reply, Rejection> {
        let mut job = self.find_job(io, name, id)?;
        if !matches!(job.state, JobState::Pending | JobState::Dead) {
            let detail = format!("job `{id}` is {}", job.state.as_str());
            return Err(Rejection::new(Code::JobSettled, detail));
        }
        let target = self
            .egress
            .targets
            .get_mut(name)
            .expect("find_job has seen it");
        if job.state == JobState::Dead {
            target.row.dead -= 1;
        }
        target.row.cancelled += 1;
        target.queue.remove(io.now, id);
        job.state = JobState::Cancelled;
        job.settled_at = Some(io.now);
        self.sweep.expect(io.now, self.settings.retention_ms);
        io.put(&self.keys.job(name, id), &job);
        self.feed_job(name, id, &Mark::JobCancelled);
        self.egress.changed.insert(name.clone());
        self.pump(io, name);
        Ok(Reply::Done)
    }
}

/// The next number in a lane: from 1, without gaps, for ever.
fn next_in_lane(io: &mut Io<'_>, keys: Keys, target: &mut Target, lane: &Name) -> u64 {
    let key = keys.lane(&target.row.destination.name, lane);
    let last = match target.lanes.get_mut(lane) {
        Some(last) => last,
        None => {
            if target.lanes.len() >= LANES_REMEMBERED_MAX {
                target.lanes.clear();
            }
            let last = io.get::<u64>(&key).unwrap_or(0);
            target.lanes.entry(lane.clone()).or_insert(last)
        }
    };
    *last += 1;
    io.put(&key, last);
    *last
}
