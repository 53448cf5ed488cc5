//! What stands still: lanes behind a job that failed for good, destinations that are paused, breakers that are open. Nothing of
//! it is called until an operator wants it, or the breaker's time is over, and then one call at a time.

use super::heard::meaning;
use super::{Checked, Model, broken, decode};
use trunkline_core::egress::{Job, JobState, Verdict};
use trunkline_core::ids::{JobId, ShardId};
use trunkline_core::payload::Name;
use trunkline_core::row::{Keys, Kind};
use trunkline_core::shard::DestinationRow;
use trunkline_core::time::Timestamp;

/// The far end of time: an operator has opened the breaker.
const FOR_EVER: Timestamp = Timestamp(u64::MAX);

impl Model {
    /// All destinations, in the newest rows.
    #[must_use]
    pub fn destinations(&self) -> Vec<DestinationRow> {
        let mut rows = Vec::new();
        for shard in (0..self.shards).map(ShardId) {
            let (from, to) = Keys::new(shard).all(Kind::Destination);
            rows.extend(
                self.live
                    .range(from..to)
                    .map(|(_, row)| decode::<DestinationRow>(row)),
            );
        }
        rows
    }

    /// The lanes that stand still.
    #[must_use]
    pub fn parked_lanes(&self) -> Vec<(Name, Name)> {
        let jobs = self.jobs().into_iter();
        let parked = jobs.filter(|job| job.state == JobState::Parked);
        parked
            .map(|job| (job.new.destination, job.new.lane))
            .collect()
    }

    /// How often an operator has let the job begin anew.
    #[must_use]
    pub fn releases_of(&self, job: JobId) -> u64 {
        self.releases.get(&job).copied().unwrap_or(0)
    }

    /// True if the job's lane may have stood still and gone on, in this batch.
    pub(super) fn is_let_go_on(&self, job: &Job) -> bool {
        self.heard.is_lane_released(job, false) || self.heard.is_lane_released(job, true)
    }

    /// A lane that stood still goes on: an operator has said so, and which way.
    pub(super) fn check_lane_released(&mut self, old: &Job, new: &Job) -> Checked {
        let given_up = self.heard.is_lane_released(old, true);
        let tried_again = self.heard.is_lane_released(old, false);
        let fits = match new.state {
            JobState::Dead => given_up,
            _ if new.lane_sequence > old.lane_sequence => given_up,
            _ => tried_again && new.attempts == 0,
        };
        if !fits {
            let detail = format!("nobody has let it go: {old:?} became {new:?}");
            return broken("LANE-PARKED", detail);
        }
        let marks = &mut self.marks;
        marks.set_if(new.state == JobState::Dead, "a parked job was given up");
        marks.set_if(new.state == JobState::Pending, "a parked lane was released");
        Ok(())
    }

    /// Jobs that an operator may have let begin anew have no attempts that count.
    pub(super) fn forget_released(&mut self) {
        if !self.heard.releases_lanes() {
            return;
        }
        let jobs = self.jobs().into_iter();
        let released: Vec<JobId> = jobs
            .filter(|job| job.state.is_waiting() && self.heard.is_lane_released(job, false))
            .filter(|job| {
                job.state == JobState::Parked
                    || self.flying.contains_key(&job.id)
                    || self.heard.end_of(job.id).is_some()
            })
            .map(|job| job.id)
            .collect();
        for id in released {
            self.attempted.retain(|(job, ..)| *job != id);
            *self.releases.entry(id).or_insert(0) += 1;
        }
    }

    /// Destinations that a batch has changed did so for a reason.
    pub(super) fn check_destinations(&mut self, now: Timestamp) -> Checked {
        for (name, before) in self.before.clone() {
            if let Some(after) = self.destination_row(&name) {
                self.check_pause(&name, &before, &after)?;
                self.check_breaker(&name, &before, &after, now)?;
            }
        }
        Ok(())
    }

    /// True if an operator has enabled the destination in this batch, or what he wanted done before has come to its end.
    fn is_enabled(&self, name: &Name) -> bool {
        self.heard.is_enabled(name) || self.moved.iter().any(|moved| moved.enables(name))
    }

    fn verdicts(&self, name: &Name) -> impl Iterator<Item = Verdict> {
        let ends = self.heard.ends_at(name);
        ends.map(|(id, end)| {
            let job = self.job(name, id);
            meaning(end, job.as_ref().map_or("", |job| &job.new.action))
        })
    }

    /// True if a call has ended that says so, of a job that nobody has cancelled: then its end may not have been heard any more.
    fn is_certainly_paused(&self, name: &Name) -> bool {
        self.heard.ends_at(name).any(|(id, end)| {
            let job = self.job(name, id);
            let job = job.filter(|job| job.state != JobState::Cancelled);
            job.is_some_and(|job| meaning(end, &job.new.action) == Verdict::Pause)
        })
    }

    fn check_pause(
        &mut self,
        name: &Name,
        before: &DestinationRow,
        after: &DestinationRow,
    ) -> Checked {
        let by_verdict = self.verdicts(name).any(|verdict| verdict == Verdict::Pause);
        let by_breaker = before
            .destination
            .breaker
            .is_some_and(|it| it.trips_max > 0);
        let by_operator = self.is_enabled(name);
        let is_paused = after.destination.paused;
        let detail = || format!("{before:?} became {after:?}");
        match (before.destination.paused, is_paused) {
            (true, false) if !by_operator => {
                return broken("DESTINATION-PAUSED", format!("nobody has: {}", detail()));
            }
            (false, true) if !by_verdict && !by_breaker && !by_operator => {
                return broken("DESTINATION-PAUSED", format!("nobody wanted: {}", detail()));
            }
            (_, false) if self.is_certainly_paused(name) && !by_operator => {
                return broken("DESTINATION-PAUSED", format!("it goes on: {}", detail()));
            }
            _ => {}
        }
        let paused = !before.destination.paused && is_paused;
        let marks = &mut self.marks;
        marks.set_if(paused && by_verdict, "a rule paused a destination");
        let tripped = paused && !by_verdict && !by_operator;
        marks.set_if(tripped, "a breaker paused a destination");
        let enabled = before.destination.paused && !is_paused;
        marks.set_if(enabled, "a paused destination was enabled");
        Ok(())
    }

    fn check_breaker(
        &mut self,
        name: &Name,
        before: &DestinationRow,
        after: &DestinationRow,
        now: Timestamp,
    ) -> Checked {
        if before.tripped == after.tripped {
            return Ok(());
        }
        if self.heard.is_breaker_set(name) {
            let tripped = after.tripped.as_ref();
            let opened = tripped.is_some_and(|tripped| tripped.until == FOR_EVER);
            self.marks.set_if(opened, "an operator opened a breaker");
            return Ok(());
        }
        let detail = format!("at {now:?}: {before:?} became {after:?}");
        let was_open = before.tripped.as_ref().is_some_and(|it| it.until > now);
        if was_open {
            return broken("BREAKER-OPEN", format!("before its time, {detail}"));
        }
        match &after.tripped {
            None if after.destination.paused => {}
            None => {
                let is_well = |verdict| !matches!(verdict, Verdict::Pause | Verdict::Wait { .. });
                if !self.verdicts(name).any(is_well) {
                    return broken("BREAKER-OPEN", format!("closed without a call, {detail}"));
                }
                self.marks.set("a breaker closed");
            }
            Some(tripped) => {
                let open_ms = before.destination.breaker.map(|it| u64::from(it.open_ms));
                if open_ms.map(|ms| now.plus_ms(ms)) != Some(tripped.until) {
                    return broken("BREAKER-OPEN", format!("not for its time, {detail}"));
                }
                self.marks.set("a breaker opened");
                self.marks
                    .set_if(tripped.trips > 1, "a breaker opened again after its probe");
            }
        }
        Ok(())
    }

    /// A call begins at a destination that may be called, with `under_way` calls, itself among them.
    pub(super) fn check_standing(&self, job: &Job, under_way: usize, now: Timestamp) -> Checked {
        let name = &job.new.destination;
        let Some(after) = self.destination_row(name) else {
            return Ok(());
        };
        let before = self.before.get(name).unwrap_or(&after);
        let wrong = |invariant, what: &str| {
            broken(invariant, format!("{what} at {now:?}: {job:?}, {before:?}"))
        };
        if before.destination.paused && !self.is_enabled(name) {
            return wrong("DESTINATION-PAUSED", "called though it is paused");
        }
        let Some(tripped) = before.tripped.as_ref() else {
            return Ok(());
        };
        if self.heard.is_breaker_set(name) {
            return Ok(());
        }
        if tripped.until > now {
            return wrong("BREAKER-OPEN", "called through an open breaker");
        }
        if before.tripped == after.tripped && under_way > 1 {
            return wrong("BREAKER-OPEN", &format!("{under_way} probes at once"));
        }
        Ok(())
    }
}
