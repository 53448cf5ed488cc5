//! How the rows of jobs may change, and what has to have been the reason.

use super::heard::meaning;
use super::tasks::bounds;
use super::{Checked, JobChange, Model, broken, decode};
use trunkline_core::egress::{Delivery, Destination, HeadOfLine, Job, JobState, NewJob, Verdict};
use trunkline_core::time::Timestamp;

impl Model {
    /// Notes which jobs have come, and which have changed.
    pub(super) fn note_changes(&mut self, changes: &[JobChange]) -> Checked {
        let places = self.heard.places();
        for change in changes {
            let old: Option<Job> = change.old.as_deref().map(decode);
            if let Some(new) = change.new.as_deref().map(decode::<Job>) {
                let place = places.get(&new.id).copied().flatten();
                self.order.job_changed(old.as_ref(), &new, place);
                let replaced = self.replaced(&new).filter(|_| old.is_none());
                if let Some(replaced) = &replaced {
                    self.order.job_replaces(replaced, &new);
                }
                self.check_released(old.as_ref().or(replaced.as_ref()), &new)?;
            }
        }
        Ok(())
    }

    /// A job that has changed did so in a way that there is.
    pub(super) fn check_job(&mut self, change: &JobChange, now: Timestamp) -> Checked {
        let old: Option<Job> = change.old.as_deref().map(decode);
        let new: Option<Job> = change.new.as_deref().map(decode);
        let wrong = |what: &str| broken("JOB-STATE", format!("{what}: {old:?} became {new:?}"));
        let Some(new) = &new else {
            if let Some(old) = &old {
                // The key may be used again: then it names another job.
                self.attempted.retain(|(id, ..)| *id != old.id);
                self.left.remove(&old.id);
            }
            if !self.may_go(old.as_ref(), now) {
                return wrong("removed");
            }
            if old.as_ref().is_some_and(|old| self.is_being_corrected(old)) {
                return wrong("removed before its correction has ended");
            }
            return Ok(());
        };
        let Some(old) = old.as_ref().filter(|old| !is_another(old, new)) else {
            if old.is_some() {
                self.attempted.retain(|(id, ..)| *id != new.id);
                self.left.remove(&new.id);
                self.flying.remove(&new.id);
                if !self.may_go(old.as_ref(), now) {
                    return wrong("accepted again");
                }
            }
            self.check_correction(new, now)?;
            return match new.state {
                JobState::Superseded => self.check_superseded(new, now),
                JobState::Expired => check_expired(new, now),
                _ if new.attempts == 0 => Ok(()),
                _ => wrong("accepted with attempts"),
            };
        };
        self.check_not_under_way(old, new)?;
        if new.state != JobState::Pending || old.attempts != new.attempts {
            self.flying.remove(&new.id);
        }
        self.check_judged(old, new, now)?;
        let came_back = new.attempts == 0 && new.lane_sequence > old.lane_sequence;
        match (old.state, new.state) {
            (JobState::Pending, JobState::Pending) if new.attempts == old.attempts + 1 => {
                self.check_retried(old, new, now)
            }
            (JobState::Pending, JobState::Pending) if new.attempts == old.attempts => Ok(()),
            (JobState::Pending, JobState::Pending) => {
                let released = new.attempts == 0 && self.is_let_go_on(new);
                if came_back || released {
                    return Ok(());
                }
                wrong("its attempts are forgotten")
            }
            (JobState::Pending, JobState::Parked) => {
                let parks = |target: &Destination| target.head_of_line == HeadOfLine::Park;
                if new.attempts != old.attempts + 1 || !self.targets(new).iter().any(parks) {
                    return wrong("parked");
                }
                self.marks.set("a lane was parked");
                Ok(())
            }
            (JobState::Parked, JobState::Pending | JobState::Dead) => {
                self.check_lane_released(old, new)
            }
            (JobState::Pending, JobState::Succeeded | JobState::Dead) => {
                let dead = new.state == JobState::Dead;
                self.marks.set_if(dead, "a job became a dead letter");
                if new.attempts == old.attempts + 1 {
                    return Ok(());
                }
                wrong("settled without an attempt")
            }
            (JobState::Dead, JobState::Pending) => {
                self.marks.set("a dead letter was replayed");
                if new.lane_sequence > old.lane_sequence {
                    return self.check_replayed(old);
                }
                wrong("replayed in its old place")
            }
            (JobState::Dead, JobState::Superseded) if self.is_corrected(new) => {
                self.marks.set("a dead letter was corrected");
                Ok(())
            }
            (JobState::Pending | JobState::Dead | JobState::Parked, JobState::Cancelled) => {
                self.marks.set("a job was cancelled");
                self.check_cancelled(old)
            }
            (_, JobState::Superseded | JobState::Expired)
                if old.state.is_waiting() || old.state == JobState::Dead && came_back =>
            {
                // A call may have ended, or an operator have let it begin anew, in the same batch.
                let attempts = [0, old.attempts, old.attempts + 1];
                if !attempts.contains(&new.attempts) {
                    return wrong("it has other attempts");
                }
                if new.state == JobState::Superseded {
                    self.check_superseded(new, now)
                } else {
                    check_expired(new, now)?;
                    self.marks.set("a job expired");
                    Ok(())
                }
            }
            (before, after) if before == after => Ok(()),
            _ => wrong("not allowed"),
        }
    }

    /// The dead letter whose place a job takes.
    fn replaced(&self, job: &Job) -> Option<Job> {
        let (replaced, _) = self.heard.correction(job.id)?;
        self.job(&job.new.destination, replaced)
            .filter(|replaced| replaced.superseded_by == Some(job.id))
    }

    /// True if another job, with another body, has taken the place of this one, as somebody wanted.
    fn is_corrected(&self, job: &Job) -> bool {
        let by = job.superseded_by;
        by.and_then(|by| self.heard.correction(by))
            .is_some_and(|(replaced, _)| replaced == job.id)
    }

    /// True if the job that has taken the place of this dead letter has not ended, or is a dead letter itself.
    fn is_being_corrected(&self, job: &Job) -> bool {
        let mut next = job.superseded_by;
        while let Some(correction) = next.and_then(|id| self.job(&job.new.destination, id)) {
            if correction.replay_of.is_none() {
                return false;
            }
            if correction.state.is_waiting() || correction.state == JobState::Dead {
                return true;
            }
            next = correction.superseded_by;
        }
        false
    }

    /// A job that is made of a dead letter has what that has, and the body that somebody wanted.
    fn check_correction(&self, new: &Job, now: Timestamp) -> Checked {
        let Some(first) = new.replay_of else {
            return Ok(());
        };
        let fits = self.replaced(new).is_some_and(|old| {
            let corrected = NewJob {
                body: new.new.body.clone(),
                dedupe_key: None,
                not_before: None,
                resolve: None,
                // Whoever corrects it wants it delivered, though its time is over.
                expires_at: old.new.expires_at.filter(|at| *at > now),
                ..old.new
            };
            first == old.replay_of.unwrap_or(old.id) && new.new == corrected
        });
        let wanted = self.heard.correction(new.id);
        if fits && wanted.is_some_and(|(_, body)| *body == new.new.body) {
            return Ok(());
        }
        broken("JOB-CORRECTED", format!("{wanted:?} made {new:?}"))
    }

    /// True if the row of a job may go: its time is over.
    fn may_go(&self, job: Option<&Job>, now: Timestamp) -> bool {
        job.is_some_and(|job| {
            let ended = job.settled_at.filter(|_| job.state != JobState::Dead);
            ended.is_some_and(|at| at.plus_ms(self.retention_ms) <= now)
        })
    }

    /// An attempt has failed, and the next one waits as the policy or a rule says.
    fn check_retried(&mut self, old: &Job, new: &Job, now: Timestamp) -> Checked {
        self.marks.set("a job was tried again");
        let by_rule = match self
            .heard
            .end_of(new.id)
            .map(|end| meaning(end, &new.new.action))
        {
            Some(Verdict::Retry { after_ms }) => after_ms,
            _ => None,
        };
        let fits = |target: &Destination| {
            let policy = &target.retry;
            let (least, most) = bounds(policy, new.attempts);
            let waited = new.ready_at.since_ms(now);
            let in_bounds = match by_rule {
                Some(after_ms) => waited == after_ms,
                None => (least..=most).contains(&waited),
            };
            new.ready_at >= now
                && in_bounds
                && (policy.attempts == 0 || new.attempts < policy.attempts)
                && target.head_of_line != HeadOfLine::Skip
        };
        if self.targets(new).iter().any(fits) {
            return Ok(());
        }
        broken("JOB-BACKOFF", format!("at {now:?}: {old:?} became {new:?}"))
    }

    /// The destination of a job, before, after and within the batch: an operator may have changed it before or behind the job.
    pub(super) fn targets(&self, job: &Job) -> Vec<Destination> {
        let name = &job.new.destination;
        let before = self.before.get(name).map(|row| row.destination.clone());
        let within = self.heard.puts(name).cloned();
        let targets = before.into_iter().chain(within);
        targets.chain([self.destination(name)]).collect()
    }

    /// What came of a call is what its end means.
    fn check_judged(&mut self, old: &Job, new: &Job, now: Timestamp) -> Checked {
        // A batch may change a job several times; its end is what counts.
        let newest = self.job(&new.new.destination, new.id);
        let new = newest.as_ref().unwrap_or(new);
        let verdict = self
            .heard
            .end_of(new.id)
            .map(|end: &Delivery| meaning(end, &new.new.action));
        let wrong = |what: &str| {
            let detail = format!("{what} at {now:?}, {verdict:?}: {old:?} became {new:?}");
            broken("JOB-JUDGED", detail)
        };
        let delivered = new.state == JobState::Succeeded && old.state != JobState::Succeeded;
        let succeeds = verdict == Some(Verdict::Succeed);
        if delivered && !succeeds {
            return wrong("delivered");
        }
        let cancelled = new.state == JobState::Cancelled;
        if succeeds && !cancelled && new.state != JobState::Succeeded {
            return wrong("not delivered");
        }
        if let Some(Verdict::Wait { after_ms }) = verdict {
            self.marks
                .set("a job waited because a call could not be made");
            let waits = new.state == JobState::Pending && new.attempts == old.attempts;
            if waits && new.ready_at != now.plus_ms(after_ms) {
                return wrong("it does not wait so long");
            }
        }
        let costs = matches!(verdict, Some(Verdict::Pause | Verdict::Wait { .. }));
        if costs && new.attempts > old.attempts {
            return wrong("an attempt that was none");
        }
        Ok(())
    }
}

/// True if the key names another job now.
fn is_another(old: &Job, new: &Job) -> bool {
    let is_over = !old.state.is_waiting() && old.state != JobState::Dead;
    is_over && old.created_at != new.created_at
}

/// A job expires when its time is over.
fn check_expired(job: &Job, now: Timestamp) -> Checked {
    if job.new.expires_at.is_some_and(|at| at <= now) {
        return Ok(());
    }
    broken(
        "JOB-EXPIRED",
        format!("at {now:?}, before its time: {job:?}"),
    )
}
