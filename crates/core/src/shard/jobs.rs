//! Jobs: accepted at the end of their lane, looked at, replayed and cancelled. How they are delivered is in `egress`.

use super::Shard;
use super::destination::{Target, unconfigured};
use super::objects::Superfluous;
use crate::code::Code;
use crate::egress::{Job, JobState, NewJob, Taken};
use crate::feed::Mark;
use crate::ids::JobId;
use crate::io::{Io, decode};
use crate::limits::{PAGE_MAX, SCAN_MAX};
use crate::payload::Name;
use crate::peer::{Op, Rejection, Reply};
use crate::row::Keys;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// Lanes whose last number is kept in memory, per destination; beyond that it is read again.
const LANES_REMEMBERED_MAX: usize = 100_000;

impl Shard {
    /// Requests about jobs that are there.
    pub(super) fn request_about_jobs(
        &mut self,
        io: &mut Io<'_>,
        op: Op,
    ) -> Result<Reply, Rejection> {
        match op {
            Op::DescribeJob { destination, job } => self.describe_job(io, &destination, job),
            Op::ListJobs {
                destination,
                state,
                lane,
                after,
                limit,
            } => self.list_jobs(io, &destination, (state, lane.as_ref()), after, limit),
            Op::ReplayJob { destination, job } => self.replay_job(io, &destination, job),
            Op::CancelJob { destination, job } => self.cancel_job(io, &destination, job),
            _ => {
                let detail = "this is no request about a job";
                Err(Rejection::new(Code::Internal, detail))
            }
        }
    }

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
        let (accepted, others) = self.create_jobs(io, jobs, None);
        let refused = others
            .iter()
            .filter(|(_, taken)| matches!(taken, Taken::Refused(_)));
        Ok(Reply::Jobs {
            accepted,
            known: total - accepted - refused.count() as u32,
            others: (!others.is_empty()).then_some(others),
        })
    }

    /// Accepts jobs, each at the end of its lane. A destination that nobody has configured keeps them until somebody does.
    /// Returns how many were new, and what became of those that were not simply accepted.
    pub(super) fn create_jobs(
        &mut self,
        io: &mut Io<'_>,
        jobs: Vec<(JobId, NewJob)>,
        source: Option<&Name>,
    ) -> (u32, Vec<(u32, Taken)>) {
        let (mut accepted, mut others) = (0, Vec::new());
        let mut touched = BTreeSet::new();
        for (place, (id, new)) in jobs.into_iter().enumerate() {
            let name = new.destination.clone();
            let taken = self.create_job(io, id, new, source);
            if !matches!(taken, Some(Taken::Known | Taken::Refused(_))) {
                accepted += 1;
                touched.insert(name);
            }
            others.extend(taken.map(|taken| (place as u32, taken)));
        }
        for name in touched {
            self.pump(io, &name);
            self.egress.changed.insert(name);
        }
        (accepted, others)
    }

    /// Accepts one job. Nothing: just so.
    fn create_job(
        &mut self,
        io: &mut Io<'_>,
        id: JobId,
        mut new: NewJob,
        source: Option<&Name>,
    ) -> Option<Taken> {
        let name = new.destination.clone();
        let job_key = self.keys.job(&name, id);
        if io.get_bytes(&job_key).is_some() {
            return Some(Taken::Known);
        }
        // A run hears no refusal: its job is accepted, and expires at once.
        if source.is_none() && new.expires_at.is_some_and(|at| at <= io.now) {
            let detail = "`expires_at` is in the past";
            return Some(Taken::Refused(Rejection::new(Code::JobTooLate, detail)));
        }
        let undecided = match self.decide_lane(io.now, &mut new) {
            Ok(()) => None,
            Err(rejection) if source.is_none() => return Some(Taken::Refused(rejection)),
            Err(rejection) => Some(rejection),
        };
        if new.depends_on.is_some() {
            self.egress
                .targets
                .entry(name.clone())
                .or_insert_with(unconfigured(&name));
            self.index_objects(io, &name);
        }
        let target = self
            .egress
            .targets
            .entry(name.clone())
            .or_insert_with(unconfigured(&name));
        let superfluous = match undecided {
            None => target.superfluous(io.now, &new),
            // Nobody knows which lane it belongs to.
            Some(_) => Superfluous::default(),
        };
        let lane_sequence = next_in_lane(io, self.keys, target, &new.lane);
        target.row.accepted += 1;
        let mut job = Job::accepted(id, new, lane_sequence, io.now);
        job.source = source.cloned();
        // The clock may have been set back since then.
        job.object_since = superfluous.since.map(|since| since.min(io.now));
        job.number = Some(target.row.accepted);
        if job.new.depends_on.is_some() {
            let mut awaited = target.prerequisites(&job.new);
            // What it makes superfluous it does not wait for.
            awaited.retain(|id| !superfluous.has(*id));
            if let Some(objects) = &mut target.objects {
                objects.keep_for(&job.new, &awaited);
            }
            job.waits_for = Some(awaited);
        }
        self.feed_job(
            &name,
            id,
            &Mark::JobAccepted {
                sequence: lane_sequence,
            },
        );
        let mut taken = superfluous.older.first().copied().map(Taken::Superseding);
        if let Some(creation) = superfluous.creation {
            let target = self.egress.targets.get_mut(&name).expect("just seen");
            target.row.superseded += 1;
            job.state = JobState::Superseded;
            job.settled_at = Some(io.now);
            io.create(&job_key, &job);
            self.feed_job(&name, id, &Mark::JobSuperseded { by: creation });
            self.sweep.expect(io.now, self.settings.retention_ms);
            taken = Some(Taken::CancelledOut(creation));
        } else {
            let target = self.egress.targets.get_mut(&name).expect("just seen");
            target.enqueue(io.now, &job);
            if let Some(objects) = &mut target.objects {
                objects.add(&job);
            }
            io.create(&job_key, &job);
        }
        for older in superfluous.older.into_iter().chain(superfluous.creation) {
            self.supersede(io, &name, older, id);
        }
        if let Some(rejection) = undecided {
            self.fail_undecided(io, &name, id, &rejection);
        }
        taken
    }

    /// A newer job takes the place of an older one that waits.
    fn supersede(&mut self, io: &mut Io<'_>, name: &Name, older: JobId, by: JobId) {
        if let Some(mut job) = io.get::<Job>(&self.keys.job(name, older)) {
            job.superseded_by = Some(by);
            self.settle_job(io, &mut job, JobState::Superseded);
            self.feed_job(name, older, &Mark::JobSuperseded { by });
        }
    }

    pub(super) fn find_job(&self, io: &Io<'_>, name: &Name, id: JobId) -> Result<Job, Rejection> {
        self.target(name)?;
        io.get(&self.keys.job(name, id)).ok_or_else(|| {
            let detail = format!("destination `{name}` has no job `{id}`");
            Rejection::new(Code::JobNotFound, detail)
        })
    }

    fn describe_job(&self, io: &Io<'_>, name: &Name, id: JobId) -> Result<Reply, Rejection> {
        let job = self.find_job(io, name, id)?;
        let target = self.target(name)?;
        let blocked_on = self.job_blocked_on(io, target, &job);
        Ok(Reply::Job {
            job: Box::new(job),
            blocked_on,
        })
    }

    /// What a job waits for, in words; nothing if it is under way or settled.
    pub(super) fn job_blocked_on(&self, io: &Io<'_>, target: &Target, job: &Job) -> Option<Name> {
        if !job.state.is_waiting() || target.queue.leased(job.id).is_some() {
            return None;
        }
        if job.state == JobState::Parked {
            let words = "an operator: it failed for good, and its lane stands still behind it";
            return Some(Name::from(words));
        }
        let first = target.queue.first_of(&job.new.lane);
        if let Some(first) = first.filter(|first| *first != job.id) {
            let words = target.queue.blocked_on(io.now, job.id)?;
            let first: Option<Job> = io.get(&self.keys.job(&target.row.destination.name, first));
            let why = first.and_then(|first| self.job_blocked_on(io, target, &first));
            return Some(match why {
                Some(why) => Name::from(format!("{words}; the first waits for {why}")),
                None => Name::from(words),
            });
        }
        if !target.is_usable() || target.row.tripped.is_some() {
            return target.blocked_on(io.now);
        }
        if let Some((obstacle, _)) = self.obstacle(io, target, job) {
            return Some(Name::from(obstacle.words));
        }
        if let Some(words) = target.permit_in_words(io.now, job) {
            return Some(Name::from(words));
        }
        if job.attempts == 0 && job.ready_at > io.now {
            let ms = job.ready_at.since_ms(io.now);
            return Some(Name::from(format!("its time: not before {ms} ms from now")));
        }
        target.queue.blocked_on(io.now, job.id).map(Name::from)
    }

    fn list_jobs(
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

    fn replay_job(&mut self, io: &mut Io<'_>, name: &Name, id: JobId) -> Result<Reply, Rejection> {
        let mut job = self.find_job(io, name, id)?;
        self.put_back(io, &mut job)?;
        self.pump(io, name);
        Ok(Reply::Done)
    }

    fn cancel_job(&mut self, io: &mut Io<'_>, name: &Name, id: JobId) -> Result<Reply, Rejection> {
        let mut job = self.find_job(io, name, id)?;
        self.call_off(io, &mut job)?;
        self.pump(io, name);
        Ok(Reply::Done)
    }
}

/// The next number in a lane: from 1, without gaps, for ever.
pub(super) fn next_in_lane(io: &mut Io<'_>, keys: Keys, target: &mut Target, lane: &Name) -> u64 {
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
