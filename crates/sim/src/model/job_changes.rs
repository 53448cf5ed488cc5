//! How the rows of jobs may change, and what has to have been the reason.

use super::heard::meaning;
use super::tasks::bounds;
use super::{Checked, JobChange, Model, broken, decode};
use trunkline_core::egress::{Delivery, Destination, HeadOfLine, Job, JobState, Verdict};
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
                self.check_released(old.as_ref(), &new)?;
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
            return if self.may_go(old.as_ref(), now) {
                Ok(())
            } else {
                wrong("removed")
            };
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
