//! Which jobs of a destination are about which object: for jobs that make others superfluous, and for jobs that depend on an
//! object.
//!
//! The index is in memory, and only where somebody wants to know: it is made of the jobs' rows the first time.

use super::Shard;
use super::destination::Target;
use crate::egress::{Job, JobState, NewJob, ObjectRef};
use crate::ids::JobId;
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Jobs by the objects that they are about, in the order of their acceptance: those that wait, and dead letters.
#[derive(Debug, Default)]
pub(super) struct Objects {
    jobs: BTreeMap<(Name, Name), Vec<Known>>,
}

/// A job about an object.
#[derive(Clone, Debug)]
struct Known {
    id: JobId,
    lane: Name,
    action: Name,
    /// Since when the object waits.
    since: Timestamp,
    /// True if nothing takes its place: it is about other objects too, or one of a batch, or others wait for it.
    stays: bool,
    is_dead: bool,
    /// True if it has certainly not been sent.
    is_unsent: bool,
}

/// What a new job means for older ones about the same object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Superfluous {
    /// These need not be sent any more.
    pub(super) older: Vec<JobId>,
    /// Since when the object waits.
    pub(super) since: Option<Timestamp>,
    /// This one is the creation of what the new one deletes, and was not sent: none of them is needed.
    pub(super) creation: Option<JobId>,
}

impl Superfluous {
    /// True if this job is not sent any more.
    pub(super) fn has(&self, job: JobId) -> bool {
        self.older.contains(&job) || self.creation == Some(job)
    }
}

impl Objects {
    fn insert(&mut self, job: &Job, is_unsent: bool) {
        for id in &job.new.object_ids {
            let known = Known {
                id: job.id,
                lane: job.new.lane.clone(),
                action: job.new.action.clone(),
                since: job.object_since.unwrap_or(job.created_at),
                stays: job.new.object_ids.len() > 1
                    || job.new.batch.is_some()
                    // What waits for the job that it replaces waits for it.
                    || job.replay_of.is_some(),
                is_dead: !job.state.is_waiting(),
                is_unsent,
            };
            let key = (job.new.object_type.clone(), id.clone());
            let jobs = self.jobs.entry(key).or_default();
            let place = jobs.iter().position(|known| known.id == job.id);
            let before = place.map(|place| jobs.remove(place));
            jobs.push(Known {
                stays: known.stays || before.is_some_and(|before| before.stays),
                ..known
            });
        }
    }

    fn each(&mut self, new: &NewJob, mut then: impl FnMut(&mut Vec<Known>)) {
        for id in &new.object_ids {
            let key = (new.object_type.clone(), id.clone());
            if let Some(jobs) = self.jobs.get_mut(&key) {
                then(jobs);
                if jobs.is_empty() {
                    self.jobs.remove(&key);
                }
            }
        }
    }

    /// A job is accepted, or waits again.
    pub(super) fn add(&mut self, job: &Job) {
        self.insert(job, job.attempts == 0 && job.failed.is_none());
    }

    /// A job waits for these, which are about objects that it depends on. If a newer one took the place of one of them, the job
    /// would wait for what was accepted after it, and perhaps stands behind it.
    pub(super) fn keep_for(&mut self, job: &NewJob, awaited: &[JobId]) {
        for object in job.depends_on.iter().flatten() {
            let key = (object.object_type.clone(), object.object_id.clone());
            for known in self.jobs.get_mut(&key).into_iter().flatten() {
                let is_awaited = awaited.binary_search(&known.id).is_ok();
                known.stays |= is_awaited && !mutant::is(Mutant::AwaitedSuperseded);
            }
        }
    }

    /// A job is on its way: from now on nobody knows whether the destination has seen it.
    pub(super) fn sent(&mut self, job: &Job) {
        self.each(&job.new, |jobs| {
            for known in jobs.iter_mut().filter(|known| known.id == job.id) {
                known.is_unsent = false;
            }
        });
    }

    /// A job waits no longer.
    pub(super) fn settled(&mut self, job: &Job) {
        self.each(&job.new, |jobs| {
            if job.state == JobState::Dead {
                for known in jobs.iter_mut().filter(|known| known.id == job.id) {
                    known.is_dead = true;
                }
            } else {
                jobs.retain(|known| known.id != job.id);
            }
        });
    }

    /// The jobs about an object that have not been delivered.
    fn about(&self, object: &ObjectRef) -> impl Iterator<Item = &Known> {
        let key = (object.object_type.clone(), object.object_id.clone());
        self.jobs.get(&key).into_iter().flatten()
    }
}

impl Target {
    /// The older jobs that a new one makes superfluous, if the destination wants that.
    pub(super) fn superfluous(&self, now: Timestamp, new: &NewJob) -> Superfluous {
        let mut found = Superfluous::default();
        let (Some(coalesce), Some(objects)) = (self.row.destination.coalesce, &self.objects) else {
            return found;
        };
        let ([object_id], "update" | "delete") = (&*new.object_ids, new.action.as_str()) else {
            return found;
        };
        let object = ObjectRef {
            object_type: new.object_type.clone(),
            object_id: object_id.clone(),
        };
        let waits = |known: &&Known| {
            known.lane == new.lane
                && !known.stays
                && !known.is_dead
                && self.queue.contains(known.id)
                && (self.queue.leased(known.id).is_none() || mutant::is(Mutant::SupersededUnderWay))
        };
        let deletes = new.action.as_str() == "delete";
        for known in objects.about(&object) {
            if !waits(&known) {
                // What comes before something that stays has to stay too.
                found = Superfluous::default();
                continue;
            }
            let is_young = now.since_ms(known.since) < u64::from(coalesce.within_ms);
            match known.action.as_str() {
                "update" if deletes || is_young => {
                    found.older.push(known.id);
                    let since = found.since.unwrap_or(known.since);
                    found.since = Some(since.min(known.since));
                }
                "create" if deletes && known.is_unsent => {
                    found = Superfluous {
                        creation: Some(known.id),
                        ..Superfluous::default()
                    };
                }
                _ => found = Superfluous::default(),
            }
        }
        found
    }

    /// The jobs about the objects that a new job depends on.
    pub(super) fn prerequisites(&self, new: &NewJob) -> Vec<JobId> {
        let wanted = new.depends_on.iter().flatten();
        let Some(objects) = &self.objects else {
            return Vec::new();
        };
        let mut jobs: Vec<JobId> = wanted
            .flat_map(|object| objects.about(object))
            .map(|known| known.id)
            .collect();
        jobs.sort_unstable();
        jobs.dedup();
        jobs
    }
}

impl Shard {
    /// Makes the index of a destination's objects, if there is none.
    pub(super) fn index_objects(&mut self, io: &Io<'_>, name: &Name) {
        let Some(target) = self.egress.targets.get_mut(name) else {
            return;
        };
        if target.objects.is_some() {
            return;
        }
        let (from, to) = self.keys.jobs(name);
        let mut jobs: Vec<Job> = Vec::new();
        io.scan((&from, &to), &mut |_, value| {
            let mut job: Job = decode(value);
            if job.state.is_waiting() || job.state == JobState::Dead {
                job.new.body = crate::payload::Payload::null();
                jobs.push(job);
            }
            true
        });
        jobs.sort_unstable_by_key(|job| (job.lane_sequence, job.id));
        // In the order of acceptance, but a dead letter that was replayed stands behind what was before it in its lane.
        let mut newest: BTreeMap<Name, Timestamp> = BTreeMap::new();
        let since = |job: Job| {
            let newest = newest.entry(job.new.lane.clone()).or_default();
            *newest = job.created_at.max(*newest);
            (*newest, job)
        };
        let mut jobs: Vec<(Timestamp, Job)> = jobs.into_iter().map(since).collect();
        jobs.sort_by_key(|(since, job)| (*since, job.lane_sequence));
        let mut objects = Objects::default();
        for (_, job) in &jobs {
            // The first of a lane may have been on its way when the process died.
            let is_first = target.queue.first_of(&job.new.lane) == Some(job.id)
                && !mutant::is(Mutant::SentCancelsOut);
            let is_unsent = !is_first && job.attempts == 0 && job.failed.is_none();
            objects.insert(job, is_unsent);
        }
        for (_, job) in &jobs {
            objects.keep_for(&job.new, job.waits_for.as_deref().unwrap_or_default());
        }
        target.objects = Some(objects);
    }
}
