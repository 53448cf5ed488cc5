//! What is asked of schedules: put, look at, pause, trigger, backfill, delete.

use super::super::Shard;
use super::Active;
use crate::calendar::Calendar;
use crate::code::Code;
use crate::feed::Mark;
use crate::ids::Nonce;
use crate::io::Io;
use crate::limits::PAGE_MAX;
use crate::payload::Name;
use crate::peer::{Rejection, Reply};
use crate::schedule::{
    BACKFILLS_MAX, Backfill, Cause, FireCounts, FireEnd, Overlap, Schedule, ScheduleState,
    ScheduleStatus, ScheduleSummary, UPCOMING_MAX,
};
use crate::shard::feed::cut;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

/// Nonces that a schedule remembers.
const NONCES_MAX: usize = 32;
/// Upcoming fires that are listed if nobody says how many.
const UPCOMING: u32 = 5;

impl Shard {
    fn find_schedule(&mut self, name: &Name) -> Result<Box<Active>, Rejection> {
        self.take_schedule(name).ok_or_else(|| {
            let detail = format!("there is no schedule `{name}`");
            Rejection::new(Code::ScheduleNotFound, detail)
        })
    }

    pub(in crate::shard) fn put_schedule(
        &mut self,
        io: &mut Io<'_>,
        schedule: Schedule,
        paused: Option<bool>,
    ) -> Result<Reply, Rejection> {
        schedule.check()?;
        let calendar = Calendar::new(&schedule.when, &schedule.zone)?;
        let name = schedule.name.clone();
        let created = self.take_schedule(&name);
        let mut active = match &created {
            Some(before) => Box::new(Active {
                calendar,
                schedule,
                ..(**before).clone()
            }),
            None => Box::new(Active {
                state: new_state(io.now, schedule.remaining),
                schedule,
                calendar,
                wakes_at: None,
                counted: FireCounts::default(),
            }),
        };
        if active.fire_after(io.now).is_none() {
            if let Some(before) = created {
                self.keep_schedule(before);
            }
            let detail = "it never fires: `when` has no instant in the next hundred years, or none between `starts_at` and \
                          `ends_at` that lies ahead";
            return Err(Rejection::new(Code::ScheduleInvalid, detail));
        }
        let before = created.map(|before| before.schedule);
        if before.as_ref() != Some(&active.schedule) {
            io.put(&self.keys.schedule(&name), &active.schedule);
            active.state.revision += 1;
            active.state.updated_at = io.now;
            active.change_plan(before.as_ref(), io.now);
            let put = if before.is_some() {
                Mark::ScheduleUpdated
            } else {
                Mark::ScheduleCreated
            };
            self.feed_schedule(&name, &put);
        }
        match paused {
            Some(true) if active.state.paused.is_none() => {
                let reason = Name::from("it was put so");
                active.state.paused = Some(reason.clone());
                self.feed_schedule(&name, &Mark::SchedulePaused { reason });
            }
            Some(false) => self.unpause(io, &mut active),
            _ => {}
        }
        let created = before.is_none();
        let status = Box::new(active.status(UPCOMING));
        self.keep_changed_schedule(active);
        Ok(Reply::SchedulePut { created, status })
    }

    pub(in crate::shard) fn describe_schedule(
        &self,
        name: &Name,
        upcoming: u32,
    ) -> Result<Reply, Rejection> {
        let Some(active) = self.schedules.all.get(name) else {
            let detail = format!("there is no schedule `{name}`");
            return Err(Rejection::new(Code::ScheduleNotFound, detail));
        };
        let status = active.status(upcoming.min(UPCOMING_MAX));
        Ok(Reply::Schedule(Box::new(status)))
    }

    pub(in crate::shard) fn list_schedules(&self, after: Option<&Name>, limit: u32) -> Reply {
        use core::ops::Bound::{Excluded, Unbounded};
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let from = after.map_or(Unbounded, |name| Excluded(name.clone()));
        let found = self.schedules.all.range((from, Unbounded)).take(limit);
        Reply::Schedules(found.map(|(_, active)| active.summary()).collect())
    }

    pub(in crate::shard) fn delete_schedule(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
    ) -> Result<Reply, Rejection> {
        self.find_schedule(name)?;
        self.feed_schedule(name, &Mark::ScheduleDeleted);
        self.schedules.changed.remove(name);
        io.delete(&self.keys.schedule(name));
        io.delete(&self.keys.schedule_state(name));
        Ok(Reply::Done)
    }

    /// Holds the clock back, or lets it go on.
    pub(in crate::shard) fn pause_schedule(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        paused: Option<Name>,
    ) -> Result<Reply, Rejection> {
        let mut active = self.find_schedule(name)?;
        match paused {
            Some(note) => {
                let reason = cut(&note);
                self.feed_schedule(name, &Mark::SchedulePaused { reason });
                active.state.paused = Some(note);
            }
            None => self.unpause(io, &mut active),
        }
        self.keep_changed_schedule(active);
        Ok(Reply::Done)
    }

    /// What would have fired during the pause does not fire afterwards.
    fn unpause(&mut self, io: &mut Io<'_>, active: &mut Active) {
        if active.state.paused.take().is_some() {
            self.feed_schedule(&active.schedule.name, &Mark::ScheduleResumed);
            active.state.after = active.state.after.max(io.now);
            active.plan();
            self.go_on(io, active);
        }
    }

    /// Fires now, also while it is paused.
    pub(in crate::shard) fn trigger_schedule(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        overlap: Option<Overlap>,
        nonce: Nonce,
    ) -> Result<Reply, Rejection> {
        let mut active = self.find_schedule(name)?;
        if !active.is_new(nonce) {
            let before = active.state.recent.iter().rev();
            let trigger = before.into_iter().find(|fire| fire.cause == Cause::Trigger);
            let run = trigger.and_then(|fire| fire.run.clone());
            let end = trigger.map_or(FireEnd::Starting, |fire| fire.end.clone());
            self.keep_schedule(active);
            return Ok(Reply::Fired { run, end });
        }
        // Each has an instant of its own, which no fire of the clock at a whole second has.
        let mut at = io.now.max(active.state.triggered_at.plus_ms(1));
        if at.0.is_multiple_of(1_000) {
            at = at.plus_ms(1);
        }
        active.state.triggered_at = at;
        let overlap = overlap.unwrap_or(active.schedule.overlap);
        let end = self.fire(io, &mut active, (at, Cause::Trigger), overlap);
        let fire = active.state.recent.last();
        let run = fire.and_then(|fire| fire.run.clone());
        self.keep_changed_schedule(active);
        Ok(Reply::Fired { run, end })
    }

    /// Works off the fires of a range of the past.
    pub(in crate::shard) fn backfill_schedule(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        (from, to): (Timestamp, Timestamp),
        overlap: Option<Overlap>,
        nonce: Nonce,
    ) -> Result<Reply, Rejection> {
        let mut active = self.find_schedule(name)?;
        let refusal = if to < from {
            Some("`to` lies before `from`")
        } else if to > io.now {
            Some("`to` lies in the future: only what is past can be filled")
        } else if active.state.backfills.len() >= BACKFILLS_MAX {
            Some("10 ranges are being worked off already")
        } else {
            None
        };
        if let Some(detail) = refusal {
            self.keep_schedule(active);
            return Err(Rejection::new(Code::ScheduleInvalid, detail));
        }
        if active.is_new(nonce) {
            active.state.backfills.push(Backfill {
                after: Timestamp(from.0.saturating_sub(1)),
                to,
                overlap: overlap.unwrap_or(Overlap::BufferAll),
            });
            self.work_off(io, &mut active);
        }
        self.keep_changed_schedule(active);
        Ok(Reply::Done)
    }
}

impl Active {
    /// Takes over what an update has changed. An instant that has been dealt with is not dealt with again, and none that
    /// the new rules would have had in the past.
    fn change_plan(&mut self, before: Option<&Schedule>, now: Timestamp) {
        let now_said = &self.schedule;
        let Some(before) = before else {
            return self.plan();
        };
        if before.remaining != now_said.remaining {
            self.state.remaining = now_said.remaining;
        }
        self.state.after = self.state.after.max(now);
        // A fire whose instant has come and that is only being put off stays.
        if self.state.next.is_none_or(|next| next > now) {
            self.plan();
        }
    }

    /// Notes a nonce; false if it has been here.
    fn is_new(&mut self, nonce: Nonce) -> bool {
        if nonce == Nonce(0) {
            return true;
        }
        let nonces = &mut self.state.nonces;
        if nonces.contains(&nonce) {
            return false;
        }
        if nonces.len() >= NONCES_MAX {
            nonces.remove(0);
        }
        nonces.push(nonce);
        true
    }

    fn status(&self, upcoming: u32) -> ScheduleStatus {
        let is_paused = self.state.paused.is_some();
        let first = self.state.next.filter(|_| !is_paused);
        let fires =
            core::iter::successors(first, |at| self.fire_after((*at).max(self.state.after)));
        let left = self.state.remaining.unwrap_or(u64::MAX);
        let many = u64::from(upcoming).min(left) as usize;
        ScheduleStatus {
            schedule: self.schedule.clone(),
            state: self.state.clone(),
            upcoming: fires.take(many).collect::<Vec<_>>(),
        }
    }

    fn summary(&self) -> ScheduleSummary {
        let (schedule, state) = (&self.schedule, &self.state);
        ScheduleSummary {
            name: schedule.name.clone(),
            when: schedule.when.clone(),
            zone: schedule.zone.clone(),
            workflow: schedule.action.workflow.clone(),
            paused: state.paused.clone(),
            next: state.next.filter(|_| state.paused.is_none()),
            last: state.recent.last().cloned(),
            running: state.running.len() as u32,
            counts: state.counts,
        }
    }
}

fn new_state(now: Timestamp, remaining: Option<u64>) -> ScheduleState {
    ScheduleState {
        created_at: now,
        updated_at: now,
        revision: 0,
        paused: None,
        after: now,
        next: None,
        due: None,
        remaining,
        number: 0,
        triggered_at: Timestamp(0),
        running: Vec::new(),
        waiting: Vec::new(),
        backfills: Vec::new(),
        recent: Vec::new(),
        nonces: Vec::new(),
        counts: FireCounts::default(),
    }
}
