//! Bulk operations on jobs: each job that is meant and was there all the time gets it, no other does.

use super::{Checked, Model, broken, decode};
use trunkline_core::egress::{Job, JobState};
use trunkline_core::ids::{ShardId, destination_shard};
use trunkline_core::payload::Name;
use trunkline_core::peer::{JobAction, JobFilter, JobWork, Work};
use trunkline_core::row::{Keys, Kind};
use trunkline_core::shard::BulkRow;

/// What a batch has done of a shard's part of a bulk operation on jobs.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub(super) shard: ShardId,
    pub(super) row: BulkRow,
    /// Jobs that it has met.
    pub(super) met: u64,
}

impl Moved {
    fn work(&self) -> Option<&JobWork> {
        match &self.row.bulk.work {
            Work::Jobs(work) => Some(work),
            Work::Runs { .. } => None,
        }
    }

    /// True if the destination may be called again, because this has come to its end.
    pub(super) fn enables(&self, name: &Name) -> bool {
        let work = self.work().filter(|work| work.enables);
        let is_over = self.row.status.ended_at.is_some();
        is_over && work.is_some_and(|work| work.filter.destination.as_ref() == Some(name))
    }

    fn is_replay(&self) -> bool {
        self.work()
            .is_some_and(|work| work.action == JobAction::Replay)
    }

    /// True if it may have met this job, as it was before the batch.
    fn may_meet(&self, shard: ShardId, action: JobAction, job: &Job, died: bool) -> bool {
        let began = self.row.status.started_at;
        let was_dead = job.state != JobState::Dead || job.settled_at.is_none_or(|at| at <= began);
        self.work().is_some_and(|work| {
            shard == self.shard
                && self.met > 0
                && action == work.action
                && job.created_at <= began
                && was_dead
                && (is_meant(&work.filter, job) || died && is_wanted(&work.filter, job))
                && (action == JobAction::Replay || cancels(&work.filter, job) || died)
        })
    }
}

impl Model {
    /// A dead letter was replayed: because somebody wanted this one, or all like it.
    pub(super) fn check_replayed(&mut self, old: &Job) -> Checked {
        self.check_met(old, JobAction::Replay, self.heard.is_replayed(old.id))
    }

    /// A job was cancelled: because somebody wanted this one, or all like it.
    pub(super) fn check_cancelled(&mut self, old: &Job) -> Checked {
        self.check_met(old, JobAction::Cancel, self.heard.is_cancelled(old.id))
    }

    fn check_met(&mut self, old: &Job, action: JobAction, alone: bool) -> Checked {
        if alone {
            return Ok(());
        }
        let shard = destination_shard(&old.new.destination, self.shards);
        // It may have changed its state in this batch, before it was met.
        let replays = |moved: &Moved| moved.shard == shard && moved.is_replay();
        let changed = self.heard.end_of(old.id).is_some()
            || self.heard.is_replayed(old.id)
            || self.is_let_go_on(old)
            || self.moved.iter().any(replays);
        let meets = |moved: &Moved| moved.may_meet(shard, action, old, changed);
        let Some(place) = self.moved.iter().position(meets) else {
            let detail = format!("{action:?} was not meant for {old:?}: {:?}", self.moved);
            return broken("BULK-ONLY", detail);
        };
        // If there are several, one may have met what another could have met.
        if self
            .moved
            .iter()
            .filter(|moved| moved.shard == shard)
            .count()
            == 1
        {
            self.moved[place].met -= 1;
        }
        Ok(())
    }

    /// A shard has been through its jobs: each that was there all the time has had what was promised.
    pub(super) fn check_job_bulk_done(
        &mut self,
        shard: ShardId,
        row: &BulkRow,
        work: &JobWork,
    ) -> Checked {
        self.marks.set("a bulk operation on jobs came to its end");
        if row.status.refused > 0 {
            return broken("BULK-STATE", format!("jobs have refused: {row:?}"));
        }
        let left = self
            .jobs_meant(&self.live, shard, work)
            .into_iter()
            .find(|job| {
                let began = row.status.started_at;
                job.created_at <= began
                    && job.settled_at.is_none_or(|at| at <= began)
                    && self.order.was_so_for_bulk(
                        (job, work.filter.state.is_some()),
                        &row.bulk.id,
                        shard,
                    )
            });
        match left {
            Some(job) => broken(
                "BULK-ALL",
                format!("{} has passed over {job:?}", row.bulk.id),
            ),
            None => Ok(()),
        }
    }

    /// Jobs of a shard to which a bulk operation can be done, in these rows.
    pub(super) fn jobs_meant(
        &self,
        rows: &super::Rows,
        shard: ShardId,
        work: &JobWork,
    ) -> Vec<Job> {
        let (from, to) = Keys::new(shard).all(Kind::Job);
        let jobs = rows.range(from..to).map(|(_, job)| decode::<Job>(job));
        let fits = |job: &Job| {
            let can_be = match work.action {
                JobAction::Replay => job.state == JobState::Dead,
                JobAction::Cancel => cancels(&work.filter, job),
            };
            can_be && is_meant(&work.filter, job)
        };
        jobs.filter(fits).collect()
    }
}

/// True if a job in this state is cancelled: dead letters only if they are asked for.
fn cancels(filter: &JobFilter, job: &Job) -> bool {
    let dead = filter.state == Some(JobState::Dead) && job.state == JobState::Dead;
    job.state.is_waiting() || dead
}

/// True if the filter lets the job through. The worlds' filters ask for nothing else.
fn is_meant(filter: &JobFilter, job: &Job) -> bool {
    filter.state.is_none_or(|state| state == job.state) && is_wanted(filter, job)
}

/// The same, in whatever state it is.
fn is_wanted(filter: &JobFilter, job: &Job) -> bool {
    let same = |wanted: &Option<Name>, is: &Name| wanted.as_ref().is_none_or(|it| it == is);
    let object = filter.object_id.as_ref();
    same(&filter.destination, &job.new.destination)
        && same(&filter.lane, &job.new.lane)
        && same(&filter.action, &job.new.action)
        && object.is_none_or(|id| job.new.object_ids.contains(id))
        && (filter.batch.is_none() || filter.batch == job.new.batch)
}
