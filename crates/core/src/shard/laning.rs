//! Lanes by expression: a job that names no lane gets the one that its destination's expression gives it, when it is accepted.
//!
//! The lane is a part of the job from then on. When the expression changes, what waits stays where it is; what comes goes by the
//! new one.

use super::Shard;
use super::feed::cut;
use super::job_ends::dead;
use crate::code::Code;
use crate::egress::{Job, JobState, NO_LANE, NewJob};
use crate::ids::JobId;
use crate::io::Io;
use crate::payload::Name;
use crate::peer::Rejection;
use crate::time::Timestamp;
use alloc::format;

impl Shard {
    /// Gives a job that names no lane the one that its destination wants for it.
    pub(super) fn decide_lane(&self, now: Timestamp, new: &mut NewJob) -> Result<(), Rejection> {
        if new.lane.as_str() != NO_LANE {
            return Ok(());
        }
        let target = self.egress.targets.get(&new.destination);
        let Some(expression) = target.and_then(|target| target.row.destination.lane_by.as_ref())
        else {
            return Ok(());
        };
        let unknown = |why: Name| {
            let detail = format!("`lane_by` of `{}`: {why}", new.destination);
            Rejection::new(Code::LaneUnknown, detail)
        };
        new.lane = self
            .settings
            .lane_by
            .lane(expression, new, now)
            .map_err(unknown)?;
        Ok(())
    }

    /// A run's job got no lane. The run hears no refusal, so the job is a dead letter from the start.
    pub(super) fn fail_undecided(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        id: JobId,
        rejection: &Rejection,
    ) {
        let Some(mut job) = io.get::<Job>(&self.keys.job(name, id)) else {
            return;
        };
        let reason = Name::from(format!("{}: {}", rejection.code, rejection.detail));
        job.last_error = Some(cut(&reason));
        self.settle_job(io, &mut job, JobState::Dead);
        self.feed_job(name, id, &dead(&job));
    }
}
