//! Schedules: every instant of the clock is dealt with once, within its time, and as the policy says.

use super::{Checked, Model, broken, decode};
use std::collections::BTreeSet;
use trunkline_core::ids::{Nonce, ShardId};
use trunkline_core::row::Keys;
use trunkline_core::schedule::{Cause, Fire, FireEnd, Overlap, Schedule, ScheduleState, When};
use trunkline_core::time::Timestamp;

/// Nonces of backfills begin here, so that they are told from those of triggers.
pub const BACKFILLS: u128 = 1 << 32;

/// Where a schedule stood, and stands.
#[derive(Debug)]
pub(super) struct ScheduleChange {
    pub(super) shard: ShardId,
    pub(super) name: String,
    pub(super) old: Vec<u8>,
    pub(super) new: Vec<u8>,
}

impl Model {
    /// A schedule has moved on as its rules say.
    pub(super) fn check_schedule(&mut self, change: &ScheduleChange, now: Timestamp) -> Checked {
        let (old, new): (ScheduleState, ScheduleState) = (decode(&change.old), decode(&change.new));
        let row = self
            .live
            .get(&Keys::new(change.shard).schedule(&change.name));
        let Some(schedule) = row.map(|row| decode::<Schedule>(row)) else {
            return Ok(());
        };
        if old.created_at != new.created_at {
            return Ok(());
        }
        let wrong = |invariant, what: &str| {
            let detail = format!("{what} at {now:?}: {schedule:?}: {old:?} became {new:?}");
            broken(invariant, detail)
        };
        if new.after < old.after {
            return wrong("SCHEDULE-ONCE", "instants are to come that were dealt with");
        }
        let fresh = new.recent.iter().filter(|fire| !old.recent.contains(fire));
        let known = |fire: &&Fire| {
            let mut before = old.recent.iter();
            fire.run.is_some() && before.any(|it| it.run == fire.run)
        };
        let taken = fresh.filter(|fire| !known(fire) && fire.taken_at == now);
        for fire in taken.filter(|fire| fire.cause == Cause::Clock) {
            self.marks.set("a schedule fired");
            let waited = old.waiting.iter().any(|waiting| waiting.at == fire.at);
            // What waited was due when the clock had not been set back yet.
            if fire.at > now && !waited {
                return wrong("SCHEDULE-EARLY", "fired before its time");
            }
            if fire.at <= old.after && !waited {
                return wrong("SCHEDULE-ONCE", "an instant fired twice");
            }
            let same = old.revision == new.revision;
            if now.since_ms(fire.at) > schedule.catch_up_ms && !waited && same {
                return wrong("SCHEDULE-LATE", "fired though its time was over");
            }
            self.marks
                .set_if(fire.end == FireEnd::Waiting, "a fire waited");
            let late = now.since_ms(fire.at) > 5_000 && !waited;
            self.marks.set_if(late, "a schedule caught up");
        }
        let may_overlap = self.book.overlapping.contains(change.name.as_str());
        if new.running.len() > 1 && !may_overlap {
            return wrong("SCHEDULE-OVERLAP", "two runs at once");
        }
        let skipped = new.counts.skipped > old.counts.skipped;
        self.marks.set_if(skipped, "a fire was skipped");
        self.marks
            .set_if(!new.backfills.is_empty(), "a schedule was backfilled");
        self.check_accounts((&change.name, &schedule), &old, &new, now)
            .or_else(|what| wrong("SCHEDULE-LOST", what))
    }

    /// What the clock has passed, and what was triggered, has started, waits, was skipped or was missed.
    fn check_accounts(
        &mut self,
        (name, schedule): (&str, &Schedule),
        old: &ScheduleState,
        new: &ScheduleState,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let [When::Every { every_ms, .. }] = schedule.when[..] else {
            return Ok(());
        };
        let fresh: BTreeSet<Nonce> = new
            .nonces
            .iter()
            .filter(|nonce| !old.nonces.contains(nonce))
            .copied()
            .collect();
        let filled = !old.backfills.is_empty()
            || !new.backfills.is_empty()
            || fresh.iter().any(|nonce| nonce.0 >= BACKFILLS);
        let paused = old.paused.is_some() || new.paused.is_some();
        if filled || paused || old.revision != new.revision {
            return Ok(());
        }
        if new.after != old.after && !new.after.0.is_multiple_of(every_ms) {
            // What would have fired while it was held back does not.
            let was_held_back = new.after == now && self.book.held_back.contains(name);
            return if was_held_back {
                Ok(())
            } else {
                Err("instants are passed over")
            };
        }
        let passed: Vec<u64> = (old.after.0 / every_ms + 1..=new.after.0 / every_ms)
            .map(|count| count * every_ms)
            .collect();
        let is_late = |at: &&u64| now.0 - **at > schedule.catch_up_ms;
        let late = passed.iter().filter(is_late).count() as u64;
        let missed = new.counts.missed - old.counts.missed;
        self.marks.set_if(missed > 0, "a schedule missed fires");
        if missed != late {
            return Err("not all that was late was missed, or more");
        }
        let sum = |state: &ScheduleState| {
            state.counts.started + state.counts.skipped + state.waiting.len() as u64
        };
        let came = passed.len() as u64 - late + fresh.len() as u64;
        if sum(new) - sum(old) == came {
            Ok(())
        } else {
            Err("fires are lost, or out of nowhere")
        }
    }

    /// Writes down what a schedule may do.
    pub fn note_schedule(&mut self, schedule: &Schedule) {
        let input = schedule.action.input.to_vec();
        self.book.scheduled.insert(input);
        if schedule.overlap == Overlap::AllowAll {
            let name = schedule.name.to_string();
            self.book.overlapping.insert(name);
        }
    }
}
