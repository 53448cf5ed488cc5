//! Belts: a job waits for others that were accepted before it: those of its batch with a lower stage, and those about the objects
//! that it depends on. What failed for good it waits for too, until somebody decides.

use super::{Checked, Model, broken, decode};
use std::collections::BTreeSet;
use trunkline_core::egress::{Job, JobState};
use trunkline_core::ids::{JobId, destination_shard};
use trunkline_core::payload::Name;
use trunkline_core::row::Keys;
use trunkline_core::time::Timestamp;

impl Model {
    /// A job, in the newest rows.
    pub(super) fn job(&self, destination: &Name, id: JobId) -> Option<Job> {
        let keys = Keys::new(destination_shard(destination, self.shards));
        Some(decode(self.live.get(&keys.job(destination, id))?))
    }

    /// The jobs of a destination, in the newest rows.
    pub(super) fn jobs_of(&self, destination: &Name) -> Vec<Job> {
        let keys = Keys::new(destination_shard(destination, self.shards));
        let (from, to) = keys.jobs(destination);
        let rows = self.live.range(from..to);
        rows.map(|(_, job)| decode(job)).collect()
    }

    /// Jobs that wait, and may wait for others.
    #[must_use]
    pub fn belted_jobs(&self) -> Vec<Job> {
        let mut jobs = self.jobs();
        jobs.retain(|job| job.state.is_waiting() && is_belted(job) && job.released != Some(true));
        jobs
    }

    /// Jobs that nobody but an operator lets go: what they wait for has failed, or waits for them.
    #[must_use]
    pub fn stuck_jobs(&self) -> Vec<Job> {
        let mut stuck = self.belted_jobs();
        stuck.retain(|job| {
            let jobs = self.jobs_of(&job.new.destination);
            let failed = |other: &&Job| has_failed(other);
            self.prerequisites(job, &jobs).iter().any(failed) || self.is_in_circle(job, &jobs)
        });
        stuck
    }

    /// True if a job waits, in the end, for itself: a dead letter that it waits for was replayed behind it.
    fn is_in_circle(&self, job: &Job, jobs: &[Job]) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![job]);
        while let Some(next) = open.pop() {
            let ahead = jobs.iter().filter(|other| stands_before(other, next));
            for other in ahead.chain(self.prerequisites(next, jobs)) {
                if other.id == job.id {
                    return true;
                }
                if seen.insert(other.id) {
                    open.push(other);
                }
            }
        }
        false
    }

    /// What a job waits for among `jobs`, all those of its destination.
    pub(super) fn prerequisites<'a>(&self, job: &Job, jobs: &'a [Job]) -> Vec<&'a Job> {
        if job.released == Some(true) || !is_belted(job) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for other in jobs.iter().filter(|other| other.id != job.id) {
            if !self.order.was_accepted_before(other, job) {
                continue;
            }
            let of_stage = job.new.batch.is_some()
                && job.new.batch == other.new.batch
                && other
                    .new
                    .stage
                    .zip(job.new.stage)
                    .is_some_and(|(lower, own)| lower < own);
            if of_stage && (other.state.is_waiting() || has_failed(other)) {
                found.push(other);
            }
            let mut objects = job.new.depends_on.iter().flatten();
            let is_about = objects.any(|object| {
                object.object_type == other.new.object_type
                    && other.new.object_ids.contains(&object.object_id)
            });
            let newest = if is_about {
                newest_of(other, jobs)
            } else {
                None
            };
            found.extend(newest.filter(|newest| {
                // What was over before is not waited for.
                let is_late =
                    newest.state == JobState::Expired && !self.order.has_ended_after(newest, job);
                newest.id != job.id && !is_late && (newest.state.is_waiting() || has_failed(newest))
            }));
        }
        found
    }

    /// A call begins: everything that its job waits for is done.
    pub(super) fn check_belt(&self, job: &Job, now: Timestamp) -> Checked {
        if !is_belted(job) {
            return Ok(());
        }
        let jobs = self.jobs_of(&job.new.destination);
        match self.prerequisites(job, &jobs).first() {
            Some(other) => {
                let detail = format!("at {now:?} {job:?} leaves before {other:?}");
                broken("BELT-ORDER", detail)
            }
            None => Ok(()),
        }
    }

    /// Everybody has done what there is to do at `now`: what waits does so for a reason, and what is over does not wait.
    ///
    /// # Errors
    /// The first job that waits though its time is over.
    pub fn check_at_rest(&mut self, now: Timestamp) -> Checked {
        let jobs = self.jobs();
        let waiting = || jobs.iter().filter(|job| job.state.is_waiting());
        let is_over = |job: &&Job| {
            job.new.expires_at.is_some_and(|at| at <= now) && !self.flying.contains_key(&job.id)
        };
        if let Some(job) = waiting().find(is_over) {
            return broken("JOB-EXPIRED", format!("it waits at {now:?}: {job:?}"));
        }
        let belted = waiting().filter(|job| is_belted(job) && job.ready_at <= now);
        for job in belted {
            let of = self.jobs_of(&job.new.destination);
            let is_first = !of.iter().any(|other| stands_before(other, job));
            let waits_for = if is_first {
                self.prerequisites(job, &of)
            } else {
                Vec::new()
            };
            if !waits_for.is_empty() {
                self.marks.set("a job waited for its belt");
                let corrects = waits_for.iter().any(|other| other.replay_of.is_some());
                self.marks
                    .set_if(corrects, "a job waited for a dead letter's correction");
                let blocked = waits_for.iter().any(|other| has_failed(other));
                self.marks
                    .set_if(blocked, "a job was blocked by one that failed");
                break;
            }
        }
        Ok(())
    }

    /// A job is let go without what it waits for only if an operator says so.
    pub(super) fn check_released(&mut self, old: Option<&Job>, new: &Job) -> Checked {
        let released = |job: &Job| job.released == Some(true);
        if !released(new) || old.is_some_and(released) {
            return Ok(());
        }
        if !self.heard.is_job_released(new) {
            return broken("BELT-ORDER", format!("nobody has released {new:?}"));
        }
        self.marks
            .set_if(is_belted(new), "a job was released from its belt");
        Ok(())
    }
}

fn is_belted(job: &Job) -> bool {
    let depends = job.new.depends_on.as_ref();
    job.new.batch.is_some() && job.new.stage.is_some()
        || depends.is_some_and(|objects| !objects.is_empty())
}

/// True if a job of the same destination waits further ahead in the lane of another.
fn stands_before(job: &Job, other: &Job) -> bool {
    job.state.is_waiting()
        && job.new.lane == other.new.lane
        && job.lane_sequence < other.lane_sequence
}

/// True if somebody has to decide about it.
fn has_failed(job: &Job) -> bool {
    matches!(job.state, JobState::Dead | JobState::Expired)
}

/// The job that has taken the place of another in the end.
fn newest_of<'a>(job: &'a Job, jobs: &'a [Job]) -> Option<&'a Job> {
    let mut newest = job;
    while let Some(by) = newest.superseded_by {
        newest = jobs.iter().find(|other| other.id == by)?;
    }
    Some(newest)
}
