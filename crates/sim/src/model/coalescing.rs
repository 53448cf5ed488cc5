//! Newest state only: which job may take the place of which, and that what was superseded, or is over, does not leave.

use super::{Checked, Model, broken};
use trunkline_core::egress::{Coalesce, Job, JobState};
use trunkline_core::time::Timestamp;

impl Model {
    /// A job does not end by itself while its call is under way: nobody knows what came of that.
    pub(super) fn check_not_under_way(&self, old: &Job, new: &Job) -> Checked {
        let invariant = match new.state {
            JobState::Superseded => "COALESCE",
            JobState::Expired => "JOB-EXPIRED",
            _ => return Ok(()),
        };
        let is_under_way = self.flying.contains_key(&old.id) && old.attempts == new.attempts;
        if old.state == JobState::Pending && is_under_way {
            let detail = format!("its call is under way: {old:?} became {new:?}");
            return broken(invariant, detail);
        }
        Ok(())
    }

    /// A job is superseded: by a newer one about the same object, that came with this batch.
    pub(super) fn check_superseded(&mut self, job: &Job, now: Timestamp) -> Checked {
        let wrong = |what: &str, other: &dyn std::fmt::Debug| {
            broken(
                "COALESCE",
                format!("{what} at {now:?}: {job:?} by {other:?}"),
            )
        };
        let Some(by) = job.superseded_by else {
            return self.check_cancelled_out(job, now);
        };
        let Some(newer) = self.job(&job.new.destination, by) else {
            return wrong("by one that is not there", &by);
        };
        if job.new.batch.is_some() || !is_about_the_same(job, &newer) {
            return wrong("by one that is about something else", &newer);
        }
        let is_newer = newer.lane_sequence > job.lane_sequence && self.order.is_new(&newer);
        if !is_newer || !matches!(newer.new.action.as_str(), "update" | "delete") {
            return wrong("by one that takes nobody's place", &newer);
        }
        let cancels_out = newer.state == JobState::Superseded && newer.superseded_by.is_none();
        let may = match job.new.action.as_str() {
            "update" => newer.new.action.as_str() == "delete" || self.is_young(job, now),
            // Nobody must have seen it.
            "create" => cancels_out && !self.left.contains(&job.id),
            _ => false,
        };
        if !may {
            return wrong("though it is wanted", &newer);
        }
        // What came in between and stays is not to be the first of its object.
        let jobs = self.jobs_of(&job.new.destination);
        let stays = jobs.iter().find(|other| {
            other.state.is_waiting()
                && is_about_the_same(job, other)
                && (job.lane_sequence..newer.lane_sequence).contains(&other.lane_sequence)
        });
        if let Some(stays) = stays {
            return wrong("though another stays between them", &(newer, stays));
        }
        // Who waits for it would wait for a newer one, which may stand behind.
        let waits = jobs.iter().find(|other| {
            other.state.is_waiting()
                && self.order.was_accepted_before(other, &newer)
                && self
                    .prerequisites(other, &jobs)
                    .iter()
                    .any(|it| it.id == newer.id)
        });
        if let Some(waits) = waits {
            return wrong("though another waits for it", &(newer, waits));
        }
        self.marks.set("a job was superseded");
        Ok(())
    }

    /// A deletion is superseded with the creation that it cancels out.
    fn check_cancelled_out(&mut self, job: &Job, now: Timestamp) -> Checked {
        let jobs = self.jobs_of(&job.new.destination);
        let creation = jobs.iter().any(|other| {
            other.superseded_by == Some(job.id) && other.new.action.as_str() == "create"
        });
        if !creation || job.new.action.as_str() != "delete" || !self.order.is_new(job) {
            return broken("COALESCE", format!("by nobody, at {now:?}: {job:?}"));
        }
        self.marks.set("a creation and a deletion cancelled out");
        Ok(())
    }

    /// True if the object has not waited for so long that it keeps its place.
    fn is_young(&self, job: &Job, now: Timestamp) -> bool {
        let waited = now.since_ms(job.created_at);
        let young = |it: Coalesce| waited < u64::from(it.within_ms);
        let mut targets = self.targets(job).into_iter();
        targets.any(|target| target.coalesce.is_some_and(young))
    }

    /// A call begins: its job was not superseded, and is not over.
    pub(super) fn check_wanted(&self, job: &Job, row: Option<&Job>, now: Timestamp) -> Checked {
        if row.is_some_and(|row| row.state == JobState::Superseded) {
            return broken("COALESCE", format!("it leaves at {now:?}: {row:?}"));
        }
        let is_over = job.new.expires_at.is_some_and(|at| at <= now);
        if is_over || row.is_some_and(|row| row.state == JobState::Expired) {
            return broken(
                "JOB-EXPIRED",
                format!("it leaves at {now:?}: {job:?}, {row:?}"),
            );
        }
        Ok(())
    }
}

/// True if both are about one object, the same, in one lane.
fn is_about_the_same(a: &Job, b: &Job) -> bool {
    a.new.lane == b.new.lane
        && a.new.object_type == b.new.object_type
        && a.new.object_ids.len() == 1
        && a.new.object_ids == b.new.object_ids
}
