//! Schedules: they start runs by the clock, each fire once.
//!
//! A schedule is two rows: what its owner said, and where it stands. A fire is taken in one commit, which notes that it has
//! been dealt with and posts the start of its run; messages arrive once, so a crash between any two steps repeats nothing
//! and loses nothing. Nobody looks at the clock: the next fire is a deadline of the shard.
//!
//! What is asked of schedules is in [`asked`], what a fire does in [`fires`], ranges of the past in [`backfill`].
//!
//! Invariants (`SCHEDULE-DUE`): a schedule that will fire is in the index under the time at which it does; fires wait only
//! while a run of the schedule has not ended or the schedule is paused.

mod asked;
mod backfill;
mod fires;

use super::Shard;
use crate::calendar::Calendar;
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::Counters;
use crate::policy::scramble;
use crate::row::Kind;
use crate::schedule::{BUFFER_MAX, FireCounts, Overlap, RUNNING_MAX, Schedule, ScheduleState};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The schedules of a shard.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    all: BTreeMap<Name, Box<Active>>,
    /// When which schedule wants to act next.
    due: BTreeSet<(Timestamp, Name)>,
    /// Schedules whose state has to be written.
    changed: BTreeSet<Name>,
    /// What has come of the fires of all schedules, also of those that are gone.
    counts: FireCounts,
}

/// A schedule in memory.
#[derive(Clone, Debug)]
pub(super) struct Active {
    pub(super) schedule: Schedule,
    pub(super) calendar: Calendar,
    pub(super) state: ScheduleState,
    /// Under which time it is in the index.
    wakes_at: Option<Timestamp>,
    /// What of `state.counts` is in the sum already.
    counted: FireCounts,
}

impl Active {
    /// When it wants to act next. Work that can be done at once counts as due since ever.
    fn wants(&self) -> Option<Timestamp> {
        if self.can_backfill() {
            return Some(Timestamp(0));
        }
        self.state.due.filter(|_| self.state.paused.is_none())
    }

    /// The first fire of the clock after `after`, within the schedule's bounds.
    pub(super) fn fire_after(&self, after: Timestamp) -> Option<Timestamp> {
        let from = match self.schedule.starts_at {
            Some(at) => after.max(Timestamp(at.0.saturating_sub(1))),
            None => after,
        };
        let next = self.calendar.next_after(from)?;
        self.schedule
            .ends_at
            .is_none_or(|end| next < end)
            .then_some(next)
    }

    /// Works out the next fire of the clock.
    pub(super) fn plan(&mut self) {
        let next = match self.state.remaining {
            Some(0) => None,
            _ => self.fire_after(self.state.after),
        };
        self.state.next = next;
        self.state.due = next.map(|at| at.plus_ms(self.jitter_ms(at)));
    }

    /// By how much the fire at `at` is put off: always the same, and never past the fire after it.
    fn jitter_ms(&self, at: Timestamp) -> u64 {
        let jitter_ms = self.schedule.jitter_ms;
        if jitter_ms == 0 {
            return 0;
        }
        let room = self
            .fire_after(at)
            .map_or(jitter_ms, |following| following.since_ms(at) - 1);
        let seed = self
            .schedule
            .name
            .bytes()
            .fold(at.0, |seed, byte| scramble(seed ^ u64::from(byte)));
        scramble(seed) % (jitter_ms.min(room) + 1)
    }

    /// True if a fire has to wait or give way.
    pub(super) fn is_busy(&self, overlap: Overlap) -> bool {
        match overlap {
            Overlap::AllowAll => self.state.running.len() >= RUNNING_MAX,
            _ => !self.state.running.is_empty() && !mutant::is(Mutant::OverlapIgnored),
        }
    }
}

impl Schedules {
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn count(&self, counters: &mut Counters) {
        counters.schedules = self.all.len() as u64;
        let paused = self
            .all
            .values()
            .filter(|active| active.state.paused.is_some());
        counters.schedules_paused = paused.count() as u64;
        counters.fires = self.counts;
    }
}

impl Shard {
    pub(super) fn open_schedules(&mut self, io: &Io<'_>) {
        let (from, to) = self.keys.all(Kind::Schedule);
        let mut states: BTreeMap<Name, ScheduleState> = BTreeMap::new();
        let mut schedules: Vec<Schedule> = Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            match key[4..].split_last() {
                Some((0, name)) => {
                    let name = core::str::from_utf8(name).expect("names are text");
                    states.insert(Name::from(name), decode(value));
                }
                _ => schedules.push(decode(value)),
            }
            true
        });
        for schedule in schedules {
            let state = states
                .remove(&schedule.name)
                .expect("both rows are written in one commit");
            let calendar = Calendar::new(&schedule.when, &schedule.zone)
                .expect("it was read when the schedule was put");
            self.schedules.counts.add(state.counts);
            let mut active = Box::new(Active {
                schedule,
                calendar,
                counted: state.counts,
                state,
                wakes_at: None,
            });
            if mutant::is(Mutant::OutageForgotten) {
                active.state.after = active.state.after.max(io.now);
                active.state.next = None;
            }
            if mutant::is(Mutant::FireRepeated) {
                active.state.after = Timestamp(active.state.after.0 - 1);
                active.state.next = None;
            }
            // The rules of a zone may have changed with the program; a fire that is being put off stays as it is.
            let planned = (active.state.next, active.state.due);
            if active
                .state
                .next
                .is_none_or(|next| next > active.state.after)
            {
                active.plan();
            }
            if planned != (active.state.next, active.state.due) {
                self.schedules.changed.insert(active.schedule.name.clone());
            }
            self.keep_schedule(active);
        }
    }

    /// Takes a schedule out of memory. To be given back with [`Shard::keep_schedule`], after which it is in the index under
    /// the time that its state says.
    pub(super) fn take_schedule(&mut self, name: &str) -> Option<Box<Active>> {
        let mut active = self.schedules.all.remove(name)?;
        if let Some(at) = active.wakes_at.take() {
            self.schedules
                .due
                .remove(&(at, active.schedule.name.clone()));
        }
        Some(active)
    }

    /// Puts a schedule (back) into memory.
    pub(super) fn keep_schedule(&mut self, mut active: Box<Active>) {
        let name = active.schedule.name.clone();
        active.wakes_at = active.wants();
        if let Some(at) = active.wakes_at {
            self.schedules.due.insert((at, name.clone()));
        }
        let news = active.state.counts.since(active.counted);
        self.schedules.counts.add(news);
        active.counted = active.state.counts;
        self.schedules.all.insert(name, active);
    }

    /// The same for one that has changed.
    pub(super) fn keep_changed_schedule(&mut self, active: Box<Active>) {
        self.schedules.changed.insert(active.schedule.name.clone());
        self.keep_schedule(active);
    }

    /// Writes the states of schedules that have changed.
    pub(super) fn seal_schedules(&mut self, io: &mut Io<'_>) {
        for name in core::mem::take(&mut self.schedules.changed) {
            if let Some(active) = self.schedules.all.get(&name) {
                io.put(&self.keys.schedule_state(&name), &active.state);
            }
        }
    }

    /// `SCHEDULE-DUE`.
    pub(super) fn check_schedules(&self, io: &Io<'_>) -> Result<(), String> {
        let index = self.schedules.due.iter();
        let indexed: BTreeMap<&Name, Timestamp> = index.map(|(at, name)| (name, *at)).collect();
        if indexed.len() != self.schedules.due.len() {
            return Err(String::from("a schedule is in the index twice"));
        }
        let (from, to) = self.keys.all(Kind::Schedule);
        let mut rows = 0;
        io.scan((&from, &to), &mut |_, _| {
            rows += 1;
            true
        });
        if rows != 2 * self.schedules.all.len() {
            return Err(format!(
                "{rows} rows of {} schedules",
                self.schedules.all.len()
            ));
        }
        for (name, active) in &self.schedules.all {
            let state = &active.state;
            if indexed.get(name).copied() != active.wants() {
                return Err(format!("`{name}` is not in the index as it wants to be"));
            }
            if io.get::<Schedule>(&self.keys.schedule(name)).as_ref() != Some(&active.schedule)
                || io
                    .get::<ScheduleState>(&self.keys.schedule_state(name))
                    .as_ref()
                    != Some(state)
            {
                return Err(format!("`{name}` is not what its rows say"));
            }
            if !state.waiting.is_empty() && state.running.is_empty() && state.paused.is_none() {
                return Err(format!("fires of `{name}` wait for nothing"));
            }
            if state.waiting.len() > BUFFER_MAX as usize {
                return Err(format!("{} fires of `{name}` wait", state.waiting.len()));
            }
        }
        Ok(())
    }
}
