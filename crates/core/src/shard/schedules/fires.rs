//! Fires: taken when they are due, and what becomes of them while runs of the schedule have not ended.

use super::super::Shard;
use super::Active;
use crate::code::Code;
use crate::feed::Mark;
use crate::ids::{Nonce, RunId};
use crate::input::{EndHow, Message};
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{OnConflict, Rejection, Start};
use crate::run::{Origin, RunStatus};
use crate::schedule::{Cause, Fire, FireEnd, Open, Overlap, RECENT_MAX, Waiting};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};

/// Fires taken in one input, so that an outage with a million of them does not make one commit of them all.
const FIRES_AT_ONCE_MAX: usize = 1_000;
/// Missed fires of one schedule counted in one go.
const MISSED_AT_ONCE_MAX: usize = 10_000;

impl Shard {
    /// Takes what is due.
    pub(in crate::shard) fn fire_schedules(&mut self, io: &mut Io<'_>) {
        for _ in 0..FIRES_AT_ONCE_MAX {
            let first = self.schedules.due.first();
            let Some((_, name)) = first.filter(|(at, _)| *at <= io.now) else {
                return;
            };
            let name = name.clone();
            let mut active = self.take_schedule(&name).expect("what is due is there");
            self.take_due(io, &mut active);
            self.work_off(io, &mut active);
            self.keep_changed_schedule(active);
        }
    }

    /// Takes the fire of the clock that is due, if there is one; those before it that are too late are counted.
    fn take_due(&mut self, io: &mut Io<'_>, active: &mut Active) {
        if active.state.paused.is_some() {
            return;
        }
        for _ in 0..MISSED_AT_ONCE_MAX {
            let (Some(at), Some(due)) = (active.state.next, active.state.due) else {
                return;
            };
            if due > io.now {
                return;
            }
            active.state.after = active.state.after.max(at);
            let is_missed = io.now.since_ms(due) > active.schedule.catch_up_ms
                && !mutant::is(Mutant::CatchUpEndless);
            if is_missed {
                active.state.counts.missed += 1;
            } else {
                self.fire(io, active, (at, Cause::Clock), active.schedule.overlap);
            }
            active.plan();
            if !is_missed {
                return;
            }
        }
    }

    /// What a fire does. Returns what has come of it.
    pub(super) fn fire(
        &mut self,
        io: &mut Io<'_>,
        active: &mut Active,
        (at, cause): (Timestamp, Cause),
        overlap: Overlap,
    ) -> FireEnd {
        if !active.is_busy(overlap) {
            return self.start_run_of(io, active, at, cause);
        }
        let room = match overlap {
            Overlap::Skip | Overlap::AllowAll => 0,
            Overlap::BufferOne => 1,
            Overlap::BufferAll => active.schedule.buffer_max as usize,
            Overlap::CancelOther | Overlap::TerminateOther => {
                self.end_others(io, active, overlap);
                // Only the newest starts when they have ended.
                for given_up in core::mem::take(&mut active.state.waiting) {
                    active.settle_waiting(given_up, FireEnd::Skipped, io.now);
                    active.state.counts.skipped += 1;
                }
                1
            }
        };
        let end = if active.state.waiting.len() < room {
            active.state.waiting.push(Waiting { at, cause });
            FireEnd::Waiting
        } else {
            active.state.counts.skipped += 1;
            FireEnd::Skipped
        };
        self.remember_fire(
            active,
            Fire {
                at,
                cause,
                taken_at: io.now,
                run: None,
                ended_at: (end == FireEnd::Skipped).then_some(io.now),
                end: end.clone(),
            },
        );
        end
    }

    /// Notes a fire, and tells of it.
    fn remember_fire(&mut self, active: &mut Active, fire: Fire) {
        let mark = Mark::ScheduleFired {
            at: fire.at,
            cause: fire.cause,
            end: fire.end.clone(),
            run: fire.run.clone(),
        };
        self.feed_schedule(&active.schedule.name, &mark);
        active.remember(fire);
    }

    fn end_others(&mut self, io: &mut Io<'_>, active: &mut Active, overlap: Overlap) {
        let how = match overlap {
            Overlap::TerminateOther => EndHow::Terminate,
            _ => EndHow::Cancel,
        };
        let name = &active.schedule.name;
        for open in &mut active.state.running {
            // A run that takes its time to cancel may still be terminated; it is asked to cancel once.
            if open.ending && how == EndHow::Cancel {
                continue;
            }
            open.ending = true;
            let run = RunId::new(open.workflow.clone(), open.id.clone());
            let origin = Origin::Schedule {
                name: name.clone(),
                at: open.at,
            };
            let reason = format!("schedule `{name}` has fired again, and its runs do not overlap");
            let message = Message::EndRun {
                how,
                reason: Name::from(reason),
                only_of: Some(origin),
                answer_to: None,
                run: run.clone(),
            };
            let to = self.shard_of(&run);
            self.post(io, to, message);
        }
    }

    /// Starts the run of a fire.
    fn start_run_of(
        &mut self,
        io: &mut Io<'_>,
        active: &mut Active,
        at: Timestamp,
        cause: Cause,
    ) -> FireEnd {
        let state = &mut active.state;
        let mut fire = Fire {
            at,
            cause,
            taken_at: io.now,
            run: None,
            end: FireEnd::Starting,
            ended_at: None,
        };
        if cause == Cause::Clock
            && let Some(remaining) = &mut state.remaining
        {
            let Some(left) = remaining.checked_sub(1) else {
                // It has waited until the count was used up.
                state.counts.skipped += 1;
                fire.end = FireEnd::Skipped;
                fire.ended_at = Some(io.now);
                self.remember_fire(active, fire);
                return FireEnd::Skipped;
            };
            *remaining = left;
        }
        state.number += 1;
        state.counts.started += 1;
        let number = state.number;
        let id = active.run_id(at, number);
        fire.run = Some(id.clone());
        let action = &active.schedule.action;
        let known = self.workflows.get(&action.workflow).copied();
        let Some(version) = action.version.or(known) else {
            let detail = format!("no worker has ever registered `{}`", action.workflow);
            let end = FireEnd::Refused(Rejection::new(Code::UnknownWorkflow, detail));
            fire.end = end.clone();
            fire.ended_at = Some(io.now);
            active.state.counts.refused += 1;
            self.remember_fire(active, fire);
            return end;
        };
        let run = RunId::new(action.workflow.clone(), id.clone());
        let start = Start {
            run: run.clone(),
            version: Some(version),
            input: action.input.clone(),
            tags: action.tags.clone(),
            nonce: Nonce(0),
            on_conflict: OnConflict::Reject,
            wait: false,
            timeout_ms: action.timeout_ms,
            start_at: None,
        };
        let message = Message::StartRun {
            start,
            origin: Origin::Schedule {
                name: active.schedule.name.clone(),
                at,
            },
            announce: true,
        };
        active.state.running.push(Open {
            at,
            workflow: run.workflow.clone(),
            id,
            ending: false,
        });
        self.remember_fire(active, fire);
        let to = self.shard_of(&run);
        self.post(io, to, message);
        FireEnd::Starting
    }

    /// A run has been started, or not.
    pub(in crate::shard) fn scheduled_run_started(
        &mut self,
        io: &mut Io<'_>,
        name: &str,
        run: &RunId,
        refused: Option<Rejection>,
    ) {
        let Some(mut active) = self.take_schedule(name) else {
            return;
        };
        let open = active.open_of(run);
        match (open, refused) {
            // A schedule of the same name that is gone had started it.
            (None, _) => return self.keep_schedule(active),
            (Some(_), None) => active.settle_run(&run.id, FireEnd::Running, None),
            (Some(open), Some(rejection)) => {
                active.state.running.remove(open);
                active.state.counts.refused += 1;
                let refused = Mark::ScheduleRefused {
                    run: run.id.clone(),
                    rejection: rejection.clone(),
                };
                self.feed_schedule(&active.schedule.name, &refused);
                active.settle_run(&run.id, FireEnd::Refused(rejection), Some(io.now));
                self.go_on(io, &mut active);
            }
        }
        self.keep_changed_schedule(active);
    }

    /// A run has ended.
    pub(in crate::shard) fn scheduled_run_ended(
        &mut self,
        io: &mut Io<'_>,
        name: &str,
        run: &RunId,
        status: RunStatus,
    ) {
        let Some(mut active) = self.take_schedule(name) else {
            return;
        };
        let Some(open) = active.open_of(run) else {
            return self.keep_schedule(active);
        };
        active.state.running.remove(open);
        active.settle_run(&run.id, FireEnd::Ended(status), Some(io.now));
        self.go_on(io, &mut active);
        self.keep_changed_schedule(active);
    }

    /// Starts what waits, if nothing stands in its way any more.
    pub(super) fn go_on(&mut self, io: &mut Io<'_>, active: &mut Active) {
        while active.state.running.is_empty() {
            let is_paused = active.state.paused.is_some();
            // The pause is of the clock; what somebody asked for goes on.
            let next = active
                .state
                .waiting
                .iter()
                .position(|waiting| !is_paused || waiting.cause != Cause::Clock);
            let Some(next) = next else {
                break;
            };
            let Waiting { at, cause } = active.state.waiting.remove(next);
            active.forget_waiting(at, cause);
            self.start_run_of(io, active, at, cause);
        }
        if active.state.remaining == Some(0) {
            active.plan();
        }
        self.work_off(io, active);
    }
}

impl Active {
    fn open_of(&self, run: &RunId) -> Option<usize> {
        let is_it = |open: &Open| open.id == run.id && open.workflow == run.workflow;
        self.state.running.iter().position(is_it)
    }

    /// Notes a fire; the oldest that is remembered goes.
    fn remember(&mut self, fire: Fire) {
        let recent = &mut self.state.recent;
        if recent.len() >= RECENT_MAX {
            recent.remove(0);
        }
        recent.push(fire);
    }

    /// Notes what has become of a run's fire, if it is still remembered.
    fn settle_run(&mut self, id: &Name, end: FireEnd, ended_at: Option<Timestamp>) {
        let mut newest_first = self.state.recent.iter_mut().rev();
        if let Some(fire) = newest_first.find(|fire| fire.run.as_ref() == Some(id)) {
            fire.end = end;
            fire.ended_at = ended_at;
        }
    }

    fn settle_waiting(&mut self, waiting: Waiting, end: FireEnd, now: Timestamp) {
        let is_it = |fire: &&mut Fire| {
            fire.end == FireEnd::Waiting && fire.at == waiting.at && fire.cause == waiting.cause
        };
        if let Some(fire) = self.state.recent.iter_mut().find(is_it) {
            fire.end = end;
            fire.ended_at = Some(now);
        }
    }

    /// A fire that has waited is noted again with its run.
    fn forget_waiting(&mut self, at: Timestamp, cause: Cause) {
        let is_it =
            |fire: &Fire| fire.end == FireEnd::Waiting && fire.at == at && fire.cause == cause;
        if let Some(place) = self.state.recent.iter().position(is_it) {
            self.state.recent.remove(place);
        }
    }

    /// The id of the run of the fire at `at`.
    pub(super) fn run_id(&self, at: Timestamp, number: u64) -> Name {
        let action = &self.schedule.action;
        let local = self.calendar.local(at);
        let id = action
            .id
            .replace("{time}", &instant_text(at))
            .replace("{date}", &local[..local.find('T').unwrap_or(local.len())])
            .replace("{number}", &number.to_string())
            .replace("{schedule}", &self.schedule.name);
        Name::from(id)
    }
}

/// `2026-11-21T14:00:00Z`, with milliseconds if there are any.
fn instant_text(at: Timestamp) -> String {
    let text = crate::calendar::utc_text(at);
    match at.0 % 1_000 {
        0 => format!("{text}Z"),
        ms => format!("{text}.{ms:03}Z"),
    }
}
