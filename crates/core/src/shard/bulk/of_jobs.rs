//! Slices of a bulk operation on jobs.
//!
//! The rows of jobs lie in no order that means something, and for a lane the order matters: dead letters go back in the order in
//! which they were, and a lane is cancelled from its end, so that no job leaves only because the one before it has been cancelled.
//! So the jobs that are meant are found first, some rows at a time, and kept in memory as a *plan*. After a restart it is made
//! anew: what has been acted on does not match any more, and dead letters that died again since then are not meant.

use super::BulkRow;
use crate::egress::{Job, JobState};
use crate::ids::JobId;
use crate::io::{Io, decode};
use crate::limits::SCAN_MAX;
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{JobAction, JobFilter, JobPlace, JobWork, Reply, Work};
use crate::row::Kind;
use crate::shard::Shard;
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// The jobs that a bulk operation is about.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The last row that was looked at, while there are more.
    after: Option<JobPlace>,
    is_whole: bool,
    /// The jobs that are left, the next one last.
    jobs: Vec<Planned>,
}

/// A job and its rank among the others.
type Planned = ((u64, u64), Name, JobId);

impl Plan {
    /// One in which nothing is left: for a planted bug.
    pub(super) fn lost() -> Self {
        Self {
            is_whole: true,
            ..Self::default()
        }
    }
}

impl Shard {
    /// Visits jobs in the order of their rows, of one destination or of all, behind `after`, until `visit` answers false or
    /// [`SCAN_MAX`] rows have been read. Says behind which to go on; absent at the end.
    pub(in crate::shard) fn look_at_jobs(
        &self,
        io: &Io<'_>,
        destination: Option<&Name>,
        after: Option<&JobPlace>,
        visit: &mut dyn FnMut(Job) -> bool,
    ) -> Option<JobPlace> {
        let (mut from, to) = match destination {
            Some(name) => self.keys.jobs(name),
            None => self.keys.all(Kind::Job),
        };
        if let Some(after) = after {
            from = self.keys.job(&after.destination, after.job);
            from.push(0);
        }
        let (mut next, mut seen) = (None, 0);
        io.scan((&from, &to), &mut |_, value| {
            seen += 1;
            let job: Job = decode(value);
            let (name, id) = (job.new.destination.clone(), job.id);
            let go_on = visit(job) && seen < SCAN_MAX;
            if !go_on {
                next = Some(JobPlace {
                    destination: name,
                    job: id,
                });
            }
            go_on
        });
        next
    }

    /// Counts the jobs to which `action` can be done, as far as one look goes.
    pub(in crate::shard) fn count_jobs(
        &self,
        io: &Io<'_>,
        filter: &JobFilter,
        action: JobAction,
        after: Option<&JobPlace>,
    ) -> Reply {
        let mut count = 0;
        let next = self.look_at_jobs(io, filter.destination.as_ref(), after, &mut |job| {
            count += u64::from(action.fits(filter, &job));
            true
        });
        Reply::JobsCounted { count, next }
    }

    /// Does a slice, and says whether the row has changed.
    pub(super) fn slice_of_jobs(&mut self, io: &mut Io<'_>, mut row: BulkRow) -> (BulkRow, bool) {
        let Work::Jobs(work) = row.bulk.work.clone() else {
            return (row, false);
        };
        let id = row.bulk.id.clone();
        let mut plan = self.bulks.plans.remove(&id).unwrap_or_default();
        if !plan.is_whole {
            self.find_more(io, &work, row.status.started_at, &mut plan);
            if !plan.is_whole {
                row.next_at = io.now;
                self.bulks.plans.insert(id, plan);
                return (row, false);
            }
            row.status.expected = row.status.done + row.status.refused + plan.jobs.len() as u64;
        }
        let (limit, pause_ms) = self.pace(&row);
        let mut touched = BTreeSet::new();
        for _ in 0..limit {
            let Some((_, name, id)) = plan.jobs.pop() else {
                break;
            };
            let job: Option<Job> = io.get(&self.keys.job(&name, id));
            // Somebody else may have been faster.
            let Some(mut job) = job.filter(|job| is_meant(&work, row.status.started_at, job))
            else {
                continue;
            };
            let came = match work.action {
                JobAction::Replay => self.put_back(io, &mut job),
                JobAction::Cancel => self.call_off(io, &mut job),
            };
            row.count(&came);
            touched.insert(name);
        }
        // Afterwards: a job that leaves between two others that are cancelled would have left for nothing.
        for name in touched {
            self.pump(io, &name);
        }
        row.next_at = io.now.plus_ms(pause_ms);
        if plan.jobs.is_empty() {
            row.end(io.now);
            if work.enables
                && let Some(name) = &work.filter.destination
            {
                self.enable(io, name);
            }
        } else {
            self.bulks.plans.insert(id, plan);
        }
        (row, true)
    }

    fn find_more(&self, io: &Io<'_>, work: &JobWork, began: Timestamp, plan: &mut Plan) {
        let after = plan.after.take();
        let jobs = &mut plan.jobs;
        let destination = work.filter.destination.as_ref();
        plan.after = self.look_at_jobs(io, destination, after.as_ref(), &mut |job| {
            if is_meant(work, began, &job) {
                // Jobs of one destination lie together: they share its name.
                let name = match jobs.last() {
                    Some((_, name, _)) if *name == job.new.destination => name.clone(),
                    _ => job.new.destination.clone(),
                };
                jobs.push((rank(work.action, &job), name, job.id));
            }
            true
        });
        if plan.after.is_none() {
            plan.is_whole = true;
            plan.jobs.sort_unstable();
        }
    }
}

/// The place of a job among others: the highest comes first.
fn rank(action: JobAction, job: &Job) -> (u64, u64) {
    match action {
        // As they stood in their lane.
        JobAction::Replay => (0, u64::MAX - job.lane_sequence),
        // The newest first: what waits for others goes before these.
        JobAction::Cancel => (job.created_at.0, job.lane_sequence),
    }
}

fn is_meant(work: &JobWork, began: Timestamp, job: &Job) -> bool {
    let was_there = job.created_at <= began || mutant::is(Mutant::BulkMeetsLaterJobs);
    let was_dead = job.state != JobState::Dead || job.settled_at.is_none_or(|at| at <= began);
    was_there && was_dead && work.action.fits(&work.filter, job)
}
