//! Timers: set by runs, due at an instant, fired once. Never early, and never lost however long the outage.

use super::Shard;
use crate::entry::Notification;
use crate::ids::{CommandId, RunKey};
use crate::io::{Io, decode};
use crate::payload::Name;
use crate::row::{Kind, command_of_key, run_of_key};
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// Timers in the order of their instants.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Timestamp, RunKey, CommandId)>,
}

/// Timers fired in one input, so that an outage with a million of them does not make one commit of them all.
const FIRED_AT_ONCE_MAX: usize = 10_000;

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _, _)| *at)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Timestamp, RunKey, CommandId)> {
        self.due.iter()
    }
}

impl Shard {
    pub(super) fn open_timers(&mut self, io: &Io<'_>) {
        let (from, to) = self.keys.all(Kind::Timer);
        io.scan((&from, &to), &mut |key, value| {
            let run = run_of_key(key).expect("a timer's key");
            let command = command_of_key(key).expect("a timer's key");
            self.timers.due.insert((decode(value), run, command));
            true
        });
    }

    pub(super) fn start_timer(
        &mut self,
        io: &mut Io<'_>,
        run: RunKey,
        command: CommandId,
        at: Timestamp,
    ) {
        io.put(&self.keys.timer(run, command), &at);
        self.timers.due.insert((at, run, command));
    }

    /// Forgets a timer; false if it is not set.
    pub(super) fn cancel_timer(
        &mut self,
        io: &mut Io<'_>,
        run: RunKey,
        command: CommandId,
    ) -> bool {
        let key = self.keys.timer(run, command);
        let Some(at) = io.get::<Timestamp>(&key) else {
            return false;
        };
        io.delete(&key);
        self.timers.due.remove(&(at, run, command))
    }

    /// Forgets all timers of a run.
    pub(super) fn cancel_timers(&mut self, io: &mut Io<'_>, run: RunKey) {
        for (at, command) in self.timers_of(io, run) {
            io.delete(&self.keys.timer(run, command));
            self.timers.due.remove(&(at, run, command));
        }
    }

    fn timers_of(&self, io: &Io<'_>, run: RunKey) -> Vec<(Timestamp, CommandId)> {
        let (from, to) = self.keys.under(Kind::Timer, &[&run.0.to_be_bytes()]);
        let mut timers = Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            timers.push((decode(value), command_of_key(key).expect("a timer's key")));
            true
        });
        timers
    }

    pub(super) fn fire_timers(&mut self, io: &mut Io<'_>) {
        for _ in 0..FIRED_AT_ONCE_MAX {
            match self.timers.due.first().copied() {
                Some((at, run, command)) if at <= io.now => {
                    self.timers.due.pop_first();
                    io.delete(&self.keys.timer(run, command));
                    let Some(mut hot) = self.load(io, run) else {
                        continue;
                    };
                    if !hot.run.status.is_final() {
                        hot.run.open_timers -= 1;
                        self.notify(io, run, &mut hot, Notification::TimerFired { command });
                    }
                    self.keep(run, hot);
                }
                _ => break,
            }
        }
    }

    /// What a run waits for among its timers, in words.
    pub(super) fn timer_waits(&self, io: &Io<'_>, run: RunKey, waits: &mut Vec<Name>) {
        for (at, command) in self.timers_of(io, run) {
            let ms = at.since_ms(io.now);
            waits.push(Name::from(format!("timer {}, due in {ms} ms", command.0)));
        }
    }
}
