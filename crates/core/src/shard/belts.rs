//! Belts: jobs that wait for others. A job of a batch waits for the jobs of the batch with a lower stage, a job with
//! `depends_on` for the jobs about those objects.
//!
//! It waits only for what was accepted before it, as does every job behind another in a lane; and no newer job takes the place of
//! one that others wait for. So there is no circle of jobs that wait for each other. A prerequisite that failed for good (a dead
//! letter, or one whose time was over) blocks what waits for it until it is replayed or cancelled, or an operator releases what
//! waits.
//!
//! Only the first job of a lane is looked at, when it would leave. If it has to wait it is set aside, and looked at again when
//! something that it waits for has changed.

use super::Shard;
use super::destination::Target;
use crate::egress::{Job, JobState};
use crate::feed::Mark;
use crate::ids::JobId;
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::queue::Queue;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What the jobs of a destination wait for among each other.
#[derive(Debug, Default)]
pub(super) struct Belts {
    batches: BTreeMap<Name, Batch>,
    /// Jobs that are set aside, by the job that they wait for.
    dependents: BTreeMap<JobId, BTreeSet<JobId>>,
}

/// A batch that has jobs which wait, or have failed.
#[derive(Debug, Default)]
struct Batch {
    /// Jobs that wait, by stage: their numbers.
    open: BTreeMap<u32, BTreeSet<u64>>,
    /// Jobs that have failed for good.
    failed: BTreeMap<u32, BTreeSet<u64>>,
    /// Jobs that are set aside.
    aside: BTreeSet<JobId>,
}

/// Why a job does not leave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Obstacle {
    pub(super) words: String,
    /// True if waiting does not help: somebody has to decide.
    pub(super) failed: bool,
}

/// Jobs that superseded each other: so many are followed.
const CHAIN_MAX: usize = 1_000;

impl Belts {
    /// A job waits, from now on or again.
    pub(super) fn open(&mut self, job: &Job) {
        let Some((batch, stage, number)) = place_of(job) else {
            return;
        };
        let batch = self.batches.entry(batch.clone()).or_default();
        batch.open.entry(stage).or_default().insert(number);
        take(&mut batch.failed, stage, number);
    }

    /// A job waits no longer. Returns those that are to be looked at again.
    pub(super) fn close(&mut self, job: &Job, state: JobState) -> Vec<JobId> {
        self.forget(job);
        let dependents = self.dependents.remove(&job.id).unwrap_or_default();
        let mut again: Vec<JobId> = dependents.into_iter().collect();
        let Some((name, stage, number)) = place_of(job) else {
            return again;
        };
        if let Some(batch) = self.batches.get_mut(name) {
            take(&mut batch.open, stage, number);
            take(&mut batch.failed, stage, number);
            if has_failed(state) {
                batch.failed.entry(stage).or_default().insert(number);
            }
            again.extend(core::mem::take(&mut batch.aside));
            if batch.open.is_empty() && batch.failed.is_empty() {
                self.batches.remove(name);
            }
        }
        again
    }

    /// A job is not set aside any more.
    pub(super) fn forget(&mut self, job: &Job) {
        if let Some(batch) = job
            .new
            .batch
            .as_ref()
            .and_then(|name| self.batches.get_mut(name))
        {
            batch.aside.remove(&job.id);
        }
        if job.waits_for.is_some() {
            self.dependents.retain(|_, waiting| {
                waiting.remove(&job.id);
                !waiting.is_empty()
            });
        }
    }

    /// A job that failed before the shard was opened.
    pub(super) fn recall_failed(&mut self, job: &Job) {
        if let Some((batch, stage, number)) = place_of(job) {
            let batch = self.batches.entry(batch.clone()).or_default();
            batch.failed.entry(stage).or_default().insert(number);
        }
    }

    /// What a job of a batch waits for.
    fn barrier(&self, job: &Job) -> Option<Obstacle> {
        let (name, stage, number) = place_of(job).filter(|_| !mutant::is(Mutant::StageIgnored))?;
        let batch = self.batches.get(name)?;
        let lower = |of: &BTreeMap<u32, BTreeSet<u64>>| {
            of.range(..stage)
                .map(|(stage, numbers)| (*stage, numbers.range(..number).count()))
                .find(|(_, count)| *count > 0)
        };
        if let Some((stage, count)) = lower(&batch.failed) {
            let words =
                format!("a prerequisite: {count} of stage {stage} of batch `{name}` failed");
            return Some(Obstacle {
                words,
                failed: true,
            });
        }
        lower(&batch.open).map(|(stage, count)| Obstacle {
            words: format!(
                "a prerequisite: {count} of stage {stage} of batch `{name}` not yet delivered"
            ),
            failed: false,
        })
    }

    /// What waits in memory is what is set aside.
    pub(super) fn check(&self, queue: &Queue<JobId>) -> Result<(), String> {
        let batched = self.batches.values().flat_map(|batch| &batch.aside);
        let mut aside = batched.chain(self.dependents.values().flatten());
        match aside.find(|job| !queue.is_aside(**job)) {
            Some(job) => Err(format!("`{job}` waits for others and is not set aside")),
            None => Ok(()),
        }
    }
}

fn place_of(job: &Job) -> Option<(&Name, u32, u64)> {
    Some((job.new.batch.as_ref()?, job.new.stage?, job.number?))
}

/// True if a job may have to wait for others.
pub(super) fn may_wait(job: &Job) -> bool {
    place_of(job).is_some() || job.waits_for.is_some()
}

fn has_failed(state: JobState) -> bool {
    matches!(state, JobState::Dead | JobState::Expired)
}

fn take(from: &mut BTreeMap<u32, BTreeSet<u64>>, stage: u32, number: u64) {
    if let Some(numbers) = from.get_mut(&stage) {
        numbers.remove(&number);
        if numbers.is_empty() {
            from.remove(&stage);
        }
    }
}

impl Shard {
    /// What a job waits for among the others, if it does; and the job that it is, if it is one.
    pub(super) fn obstacle(
        &self,
        io: &Io<'_>,
        target: &Target,
        job: &Job,
    ) -> Option<(Obstacle, Option<JobId>)> {
        if job.released == Some(true) {
            return None;
        }
        if let Some(obstacle) = target.belts.barrier(job) {
            return Some((obstacle, None));
        }
        let mut waiting = None;
        for id in job.waits_for.iter().flatten() {
            let Some(other) = self.awaited(io, job, *id) else {
                continue;
            };
            let about = format!(
                "job `{}` ({} {})",
                other.id, other.new.object_type, other.new.action
            );
            if has_failed(other.state) {
                let words = format!("a prerequisite: {about} is {}", other.state.as_str());
                let failed = true;
                return Some((Obstacle { words, failed }, Some(other.id)));
            }
            if other.state.is_waiting() && waiting.is_none() {
                let words = format!("a prerequisite: {about} is not yet delivered");
                let failed = false;
                waiting = Some((Obstacle { words, failed }, Some(other.id)));
            }
        }
        waiting
    }

    /// A job that another waits for, or the one that has taken its place. It has gone if its key names one that came later.
    fn awaited(&self, io: &Io<'_>, waiting: &Job, id: JobId) -> Option<Job> {
        let row = |id| io.get::<Job>(&self.keys.job(&waiting.new.destination, id));
        let mut job = row(id)?;
        let numbers = job.number.zip(waiting.number);
        if numbers.is_some_and(|(its, own)| its > own) {
            return None;
        }
        for _ in 0..CHAIN_MAX {
            match job.superseded_by {
                Some(next) if next != job.id && !mutant::is(Mutant::CorrectionIgnored) => {
                    job = row(next)?;
                }
                _ => break,
            }
        }
        Some(job)
    }

    /// True if what waits for this job, a dead letter that was corrected, waits in its place for a correction that has not ended.
    pub(super) fn stands_for_another(&self, io: &Io<'_>, job: &Job) -> bool {
        let mut next = job.superseded_by;
        for _ in 0..CHAIN_MAX {
            let correction = next.and_then(|id| io.get(&self.keys.job(&job.new.destination, id)));
            let Some(correction) = correction.filter(|job: &Job| job.replay_of.is_some()) else {
                return false;
            };
            if !correction.state.expires() {
                return !mutant::is(Mutant::CorrectedGoes);
            }
            next = correction.superseded_by;
        }
        false
    }

    /// Sets the first job of a lane aside, until what it waits for has changed.
    pub(super) fn set_aside(target: &mut Target, job: &Job, waits_for: Option<JobId>) {
        target.queue.set_aside(job.id);
        match (waits_for, &job.new.batch) {
            (Some(other), _) => {
                target
                    .belts
                    .dependents
                    .entry(other)
                    .or_default()
                    .insert(job.id);
            }
            (None, Some(batch)) => {
                let batch = target.belts.batches.entry(batch.clone()).or_default();
                batch.aside.insert(job.id);
            }
            (None, None) => {}
        }
    }

    /// A job has gone after its retention: if it failed, nothing waits for a decision about it any more.
    pub(super) fn forget_failure(&mut self, io: &mut Io<'_>, job: &Job) {
        if job.state != JobState::Expired {
            return;
        }
        let name = &job.new.destination;
        if let Some(target) = self.egress.targets.get_mut(name) {
            for id in target.belts.close(job, JobState::Cancelled) {
                target.queue.restore(id);
            }
            self.pump(io, name);
        }
    }

    /// Tells the feed which jobs are blocked because another failed, before they are looked at again.
    pub(super) fn feed_blocked(&mut self, name: &Name, waiting: &[JobId], failed: &Job) {
        let reason = format!("job `{}` is {}", failed.id, failed.state.as_str());
        let reason = Name::from(reason);
        for id in waiting {
            let reason = reason.clone();
            self.feed_job(name, *id, &Mark::JobBlocked { reason });
        }
    }
}
