//! Timers: set by runs, due at an instant, fired once. Never early, and never lost however long the outage.

use super::Shard;
use crate::entry::{Command, Entry, Notification};
use crate::ids::{CommandId, RunId, RunKey};
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{Rejection, Reply, WhichTimers};
use crate::row::{Kind, command_of_key, run_of_key};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

/// The timers that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// In the order of their instants.
    due: BTreeSet<(Timestamp, RunKey, CommandId)>,
    /// By the run that set them.
    by_run: BTreeMap<(RunKey, CommandId), Timestamp>,
}

/// Stands for a run's time-out among its timers. Code never gets that far: a history ends before.
pub(super) const RUN_TIMEOUT: CommandId = CommandId(u32::MAX);
/// Stands for the time of a delayed start.
pub(super) const RUN_START: CommandId = CommandId(u32::MAX - 1);

/// Timers fired in one input, so that an outage with a million of them does not make one commit of them all.
const FIRED_AT_ONCE_MAX: usize = 10_000;

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _, _)| *at)
    }

    pub(crate) fn contains(&self, run: RunKey, command: CommandId) -> bool {
        self.by_run.contains_key(&(run, command))
    }

    fn insert(&mut self, at: Timestamp, run: RunKey, command: CommandId) {
        self.due.insert((at, run, command));
        self.by_run.insert((run, command), at);
    }

    /// Forgets a timer; false if it is not set.
    fn remove(&mut self, run: RunKey, command: CommandId) -> bool {
        let at = self.by_run.remove(&(run, command));
        at.is_some_and(|at| self.due.remove(&(at, run, command)))
    }

    fn of_run(&self, run: RunKey) -> impl Iterator<Item = (CommandId, Timestamp)> {
        let range = (run, CommandId(0))..=(run, CommandId(u32::MAX));
        self.by_run
            .range(range)
            .map(|((_, command), at)| (*command, *at))
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
            self.timers.insert(decode(value), run, command);
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
        io.create(&self.keys.timer(run, command), &at);
        self.timers.insert(at, run, command);
    }

    /// Forgets a timer; false if it is not set.
    pub(super) fn cancel_timer(
        &mut self,
        io: &mut Io<'_>,
        run: RunKey,
        command: CommandId,
    ) -> bool {
        let was_set = self.timers.remove(run, command);
        if was_set {
            io.delete(&self.keys.timer(run, command));
        }
        was_set
    }

    /// Forgets the timers that a run's code has set.
    pub(super) fn cancel_code_timers(&mut self, io: &mut Io<'_>, run: RunKey) {
        let of_run = self.timers.of_run(run).map(|(command, _)| command);
        let commands: Vec<CommandId> = of_run.filter(|command| *command < RUN_START).collect();
        for command in commands {
            self.cancel_timer(io, run, command);
        }
    }

    /// Forgets all timers of a run.
    pub(super) fn cancel_timers(&mut self, io: &mut Io<'_>, run: RunKey) {
        let commands: Vec<CommandId> = self
            .timers
            .of_run(run)
            .map(|(command, _)| command)
            .collect();
        for command in commands {
            self.cancel_timer(io, run, command);
        }
    }

    pub(super) fn fire_timers(&mut self, io: &mut Io<'_>) {
        for _ in 0..FIRED_AT_ONCE_MAX {
            match self.timers.due.first().copied() {
                Some((at, run, command)) if at <= soon(io.now) => {
                    self.cancel_timer(io, run, command);
                    let Some(mut hot) = self.load(io, run) else {
                        continue;
                    };
                    if hot.run.status.is_final() {
                        // It has ended within this very batch.
                    } else if command == RUN_TIMEOUT {
                        self.run_timed_out(io, run, &mut hot);
                    } else if command == RUN_START {
                        self.start_due(&mut hot);
                    } else {
                        hot.run.open_timers -= 1;
                        self.notify(io, run, &mut hot, Notification::TimerFired { command });
                        if mutant::is(Mutant::DoubleFire) {
                            self.notify(io, run, &mut hot, Notification::TimerFired { command });
                        }
                    }
                    self.keep(run, hot);
                }
                _ => break,
            }
        }
    }

    /// Has timers of a run fire now, whatever their time.
    pub(super) fn complete_timers(
        &mut self,
        io: &mut Io<'_>,
        id: &RunId,
        which: WhichTimers,
    ) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, id)?;
        self.close_chunk(io, key, &mut hot);
        let setters = match which {
            WhichTimers::All | WhichTimers::Timer(_) => BTreeMap::new(),
            WhichTimers::Main | WhichTimers::Call(_) => self.setters(io, key, hot.run.chunks),
        };
        let wanted: Vec<CommandId> = self
            .timers
            .of_run(key)
            .map(|(command, _)| command)
            .filter(|command| *command < RUN_START)
            .filter(|command| match which {
                WhichTimers::All => true,
                WhichTimers::Timer(timer) => *command == timer,
                WhichTimers::Main => !setters.contains_key(command),
                WhichTimers::Call(call) => setters.get(command) == Some(&call),
            })
            .collect();
        let mut count = 0;
        for command in wanted {
            if hot.would_overflow(1, 0).is_some() || !self.cancel_timer(io, key, command) {
                continue;
            }
            count += 1;
            hot.run.open_timers -= 1;
            self.notify(io, key, &mut hot, Notification::TimerFired { command });
        }
        self.keep(key, hot);
        Ok(Reply::TimersCompleted { count })
    }

    /// The calls whose methods have set timers, by timer: only the history knows.
    fn setters(&self, io: &Io<'_>, key: RunKey, chunks: u32) -> BTreeMap<CommandId, u32> {
        let entries = (0..chunks).flat_map(|chunk| self.chunk_entries(io, key, chunk));
        let setters = entries.filter_map(|entry| match entry {
            Entry::Command(Command::StartTimer {
                command,
                call: Some(call),
                ..
            }) => Some((command, call)),
            _ => None,
        });
        setters.collect()
    }

    /// What a run waits for among its timers, in words.
    pub(super) fn timer_waits(&self, io: &Io<'_>, run: RunKey, waits: &mut Vec<Name>) {
        for (command, at) in self.timers.of_run(run) {
            let ms = at.since_ms(io.now);
            let wait = match command {
                RUN_TIMEOUT => continue,
                RUN_START => format!("its start, due in {ms} ms"),
                _ => format!("timer {}, due in {ms} ms", command.0),
            };
            waits.push(Name::from(wait));
        }
    }
}

/// Up to when timers are due at `now`.
fn soon(now: Timestamp) -> Timestamp {
    now.plus_ms(if mutant::is(Mutant::EarlyFire) { 40 } else { 0 })
}
