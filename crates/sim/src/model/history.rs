//! Runs and their histories: read from the first entry whenever they change, and held against the program.

use super::{Book, Checked, Model, OUTSIDE, Seen, broken, decode};
use crate::program::Machine;
use std::collections::{BTreeMap, BTreeSet};
use trunkline_core::entry::{Command, Entry, Notification, Outcome};
use trunkline_core::failure::FailureKind;
use trunkline_core::ids::{CommandId, Nonce, RunId, RunKey, ShardId, Token};
use trunkline_core::payload::Name;
use trunkline_core::run::{Run, RunStatus};
use trunkline_core::shard::Violation;
use trunkline_core::time::Timestamp;

/// What a history says.
#[derive(Debug)]
pub struct Reading {
    /// The program, after everything that turns have consumed.
    pub machine: Machine,
    /// Tasks that have not ended, whether or not a turn knows.
    pub tasks: BTreeSet<CommandId>,
    /// Timers that are set, likewise.
    pub timers: BTreeMap<CommandId, Timestamp>,
    /// Steps that have not ended.
    pub steps: BTreeSet<CommandId>,
    /// Children whose end the run has not heard of.
    pub children: BTreeMap<CommandId, RunId>,
    /// What was asked of other runs and is not answered.
    pub asks: BTreeSet<CommandId>,
    /// Calls of methods, with their nonces.
    pub calls: Vec<(u32, Nonce)>,
    /// Every child that the run has asked for.
    pub asked_children: BTreeMap<CommandId, RunId>,
    /// Nonces of the signals, in their order.
    pub signals: Vec<Nonce>,
    /// What turns have consumed.
    consumed: u32,
    /// Notifications beyond that.
    unconsumed: u32,
    cancelling: bool,
    /// How the program ended.
    finish: Option<Outcome>,
    /// Tasks that ended, with the entry that says so.
    results: Vec<(u32, CommandId, Option<Token>)>,
    /// Jobs asked for.
    pub jobs: Vec<(CommandId, Name, Name)>,
    /// The first number that is not of the run that it was forked from, if it says so.
    pub own_from: Option<CommandId>,
}

impl Reading {
    /// Reads a history.
    ///
    /// # Errors
    /// If it is not one that the run's program can have made.
    pub fn of(run: &Run, entries: &[Entry], book: &Book) -> Result<Self, Violation> {
        let wrong = |what: String| broken("RUN-HISTORY", format!("{} {what}", run.id));
        let Some(Entry::Notification(_, Notification::Started { input, .. })) = entries.first()
        else {
            return wrong("does not begin with its start".into());
        };
        if !book.is_asked_for(&run.id, input) {
            return wrong(format!("has an input that nobody sent: {input:?}"));
        }
        let Some(machine) = Machine::of(entries) else {
            return wrong("does not begin with its start".into());
        };
        let lineage = book.lineage(run);
        let mut reading = Self {
            machine,
            tasks: BTreeSet::new(),
            timers: BTreeMap::new(),
            steps: BTreeSet::new(),
            children: BTreeMap::new(),
            asks: BTreeSet::new(),
            calls: Vec::new(),
            asked_children: BTreeMap::new(),
            signals: Vec::new(),
            consumed: 0,
            unconsumed: 0,
            cancelling: false,
            finish: None,
            results: Vec::new(),
            jobs: Vec::new(),
            own_from: None,
        };
        let mut expected = std::collections::VecDeque::new();
        for (index, entry) in entries.iter().enumerate() {
            if !expected.is_empty() && !matches!(entry, Entry::Command(_)) {
                return wrong(format!("lacks {expected:?} at {index}"));
            }
            match entry {
                Entry::Notification(at, notification) => {
                    reading.unconsumed += 1;
                    reading.hear(index as u32, *at, notification, (run, &lineage), book)?;
                }
                Entry::Turn { upto } => {
                    if *upto < reading.consumed || *upto as usize > index {
                        return wrong(format!("has a turn up to {upto} at {index}"));
                    }
                    for index in reading.consumed..*upto {
                        if let Entry::Notification(_, notification) = &entries[index as usize] {
                            reading.unconsumed -= 1;
                            expected.extend(reading.machine.play(index, notification));
                        }
                    }
                    expected.extend(reading.machine.end_turn());
                    reading.consumed = *upto;
                }
                Entry::Command(command) => {
                    if expected.pop_front().as_ref() != Some(command) {
                        return wrong(format!(
                            "asked for {command:?} at {index}, unlike its program"
                        ));
                    }
                    reading.obey(command);
                }
            }
        }
        // What was shipped before the cut, the source has shipped. It may stand behind what says so.
        let own_from = reading.own_from;
        let is_own = |command: CommandId| own_from.is_none_or(|first| command >= first);
        reading.jobs.retain(|(command, ..)| is_own(*command));
        if expected.is_empty() {
            Ok(reading)
        } else {
            wrong(format!("lacks {expected:?} at its end"))
        }
    }

    /// Calls that no turn has consumed.
    pub(super) fn unplayed_calls(&self) -> Vec<u32> {
        let calls = self.calls.iter().map(|(call, _)| *call);
        calls.filter(|call| *call >= self.consumed).collect()
    }

    fn hear(
        &mut self,
        index: u32,
        at: Timestamp,
        notification: &Notification,
        (run, lineage): (&Run, &BTreeSet<RunId>),
        book: &Book,
    ) -> Checked {
        match notification {
            Notification::TaskCompleted { command, result } => {
                let token = std::str::from_utf8(result)
                    .ok()
                    .and_then(|text| text.parse().ok());
                let reported = |token| {
                    let all = |run: &RunId| book.results.get(&(run.key(), *command));
                    let mut known = lineage.iter().filter_map(all);
                    known.any(|all| all.contains(&token))
                };
                if !token.is_some_and(reported) {
                    let detail = format!("{} {command:?} has {result:?}", run.id);
                    return broken("TASK-RESULT", detail);
                }
                self.end_task(index, *command, token.map(Token), run)
            }
            Notification::TaskFailed { command, .. } => self.end_task(index, *command, None, run),
            Notification::TimerFired { command } => match self.timers.remove(command) {
                None => broken("TIMER-ONCE", format!("{} {command:?} is not set", run.id)),
                Some(due) if due > at && !book.hurried.contains(&run.id) => broken(
                    "TIMER-EARLY",
                    format!("{} {command:?} is due at {due:?}, fired at {at:?}", run.id),
                ),
                Some(_) => Ok(()),
            },
            Notification::Signal { payload, nonce, .. } => {
                if !book.has_sent(lineage, nonce.0, payload) {
                    let detail = format!("{} has a signal that nobody sent: {nonce}", run.id);
                    return broken("SIGNAL-SENT", detail);
                }
                if self.signals.contains(nonce) {
                    return broken("SIGNAL-ONCE", format!("{} has {nonce} twice", run.id));
                }
                self.signals.push(*nonce);
                Ok(())
            }
            Notification::StepDone { command, .. } => {
                if self.steps.remove(command) {
                    return Ok(());
                }
                broken("STEP-ONCE", format!("{} {command:?}", run.id))
            }
            Notification::MethodEnded { command, .. } | Notification::Answered { command, .. } => {
                if self.asks.remove(command) {
                    return Ok(());
                }
                broken("ANSWER-ONCE", format!("{} {command:?}", run.id))
            }
            Notification::MethodCalled { method, nonce, .. } => {
                self.calls.push((index, *nonce));
                let known = nonce.0 == 0 || book.calls.contains(&(nonce.0, method.clone()));
                if known {
                    return Ok(());
                }
                broken(
                    "METHOD-ONCE",
                    format!("{} has a call that nobody made: {nonce}", run.id),
                )
            }
            Notification::ChildStarted { command } => {
                if self.children.contains_key(command) {
                    return Ok(());
                }
                broken("CHILD-ONCE", format!("{} {command:?} has begun", run.id))
            }
            Notification::ChildEnded { command, .. } => {
                if self.children.remove(command).is_some() {
                    return Ok(());
                }
                broken("CHILD-ONCE", format!("{} {command:?} has ended", run.id))
            }
            Notification::Rewound {
                next,
                source: Some(_),
                ..
            } => {
                self.own_from = self.own_from.max(Some(*next));
                Ok(())
            }
            Notification::CancelRequested { .. } => {
                if std::mem::replace(&mut self.cancelling, true) {
                    return broken("RUN-HISTORY", format!("{} is cancelled twice", run.id));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end_task(
        &mut self,
        index: u32,
        command: CommandId,
        token: Option<Token>,
        run: &Run,
    ) -> Checked {
        if !self.tasks.remove(&command) {
            let detail = format!("{} {command:?} ends and is not open", run.id);
            return broken("TASK-ONCE", detail);
        }
        self.results.push((index, command, token));
        Ok(())
    }

    fn obey(&mut self, command: &Command) {
        match command {
            Command::ScheduleTask { command, .. } => {
                self.tasks.insert(*command);
            }
            Command::StartTimer { command, at, .. } => {
                self.timers.insert(*command, *at);
            }
            Command::CancelTimer { target } => {
                self.timers.remove(target);
            }
            Command::BeginStep { command, .. } => {
                self.steps.insert(*command);
            }
            Command::CreateJob { command, job } => {
                let job = (*command, job.destination.clone(), job.lane.clone());
                self.jobs.push(job);
            }
            Command::StartChild { command, run, .. } => {
                self.children.insert(*command, run.clone());
                self.asked_children.insert(*command, run.clone());
            }
            Command::SignalRun { command, .. }
            | Command::SignalTagged { command, .. }
            | Command::CallMethod { command, .. } => {
                self.asks.insert(*command);
            }
            Command::Finish { outcome } => self.finish = Some(outcome.clone()),
            _ => {}
        }
    }
}

impl Model {
    /// Reads a run again that has changed, and holds its row and the rows of its tasks and timers against its history.
    /// `gone` is what the batch has removed of it.
    pub(super) fn check_run(&mut self, shard: ShardId, key: RunKey, gone: &[Entry]) -> Checked {
        let Some(run) = self.run(key) else {
            return self.check_purged(shard, key);
        };
        if key.shard(self.shards) != shard || run.id.key() != key {
            return broken("RUN-HISTORY", format!("{} lies elsewhere", run.id));
        }
        let entries = self.history(key);
        let reading = Reading::of(&run, &entries, &self.book)?;
        let wrong = |what: &str| broken("RUN-HISTORY", format!("{}: {what}: {run:?}", run.id));
        if run.entries as usize != entries.len() || run.consumed < reading.consumed {
            return wrong("its row and its history differ in length");
        }
        // A turn that finds nothing new, and asks for nothing, passes over what earlier turns have written.
        let passed = reading.consumed as usize..(run.consumed as usize).min(entries.len());
        let passes = |entry: &Entry| !matches!(entry, Entry::Notification(..));
        if !entries[passed].iter().all(passes) {
            return wrong("its row says that more was consumed than turns have");
        }
        if !run.status.is_final() && run.unconsumed != reading.unconsumed {
            return wrong("its row and its history differ in what no turn has consumed");
        }
        self.check_status(&run, &reading)?;
        if !run.status.is_final() {
            self.check_open(shard, key, &run, &reading)?;
        }
        let seen = self.seen.get(&key).cloned().unwrap_or_default();
        let again = seen.began_at != run.began_at();
        self.marks.set_if(
            seen.started_at != run.started_at && seen.entries > 0,
            "an id was used again after its run was purged",
        );
        let before = if again { &Seen::default() } else { &seen };
        let now_seen = Seen::of(&run, &entries, before);
        let rewound = now_seen.rewound.as_ref();
        let rewound = rewound.filter(|newest| again || seen.rewound.as_ref() != Some(newest));
        let known = if let Some(newest) = rewound {
            self.check_rewound(key, &run, &entries, newest)?;
            entries.len() as u32
        } else if again {
            0
        } else {
            seen.entries
        };
        if again {
            // Attempts for what came before prove nothing for what comes now.
            self.leases.retain(|(run, _), _| *run != key);
        }
        for began_at in [seen.began_at, run.began_at()] {
            self.note_jobs(key, began_at, gone);
        }
        if again && seen.started_at == run.started_at {
            self.check_generation(key, &run, gone, &entries)?;
        }
        self.order.run_changed(key, &run, &entries, known);
        self.check_repeats(key, &run, &reading.signals)?;
        self.check_calls(&run, &reading)?;
        for (index, entry) in (0..).zip(&entries) {
            if let Entry::Notification(_, notification) = entry
                && index >= known
            {
                self.check_child_end(&run, &reading.asked_children, notification)?;
                self.check_tagged((key, &run), &entries, notification)?;
            }
        }
        self.note_child(&run);
        self.note_rewindable(key, &run, &entries);
        self.check_bulk_signals(key, &run, &entries)?;
        for (_, command, token) in reading.results.iter().filter(|(at, ..)| *at >= known) {
            self.check_result(key, *command, *token, &run)?;
        }
        // A turn leaves when its batch is durable, so one that has consumed a result of the same batch has come with it.
        let mut result = None;
        for (index, entry) in (0..).zip(&entries).skip(known as usize) {
            self.note(entry);
            match entry {
                Entry::Notification(
                    _,
                    Notification::TaskCompleted { .. } | Notification::StepDone { .. },
                ) => result = Some(index),
                Entry::Turn { upto } => {
                    let came_along = result.is_some_and(|result| *upto > result);
                    self.marks
                        .set_if(came_along, "a turn behind a result was taken");
                }
                _ => {}
            }
        }
        self.seen.insert(key, now_seen);
        Ok(())
    }

    fn note(&mut self, entry: &Entry) {
        let mark = match entry {
            Entry::Notification(_, Notification::TaskFailed { .. }) => "a task failed for good",
            Entry::Notification(_, Notification::CancelRequested { .. }) => "a run was cancelled",
            Entry::Command(Command::CancelTimer { .. }) => "a timer was cancelled",
            _ => return,
        };
        self.marks.set(mark);
    }

    /// The result that a run has got is of the attempt that had the task.
    fn check_result(
        &mut self,
        key: RunKey,
        command: CommandId,
        token: Option<Token>,
        run: &Run,
    ) -> Checked {
        let lease = self.leases.remove(&(key, command));
        let Some(token) = token.filter(|token| token.0 < OUTSIDE) else {
            return Ok(());
        };
        match lease {
            Some((newest, _)) if newest == token => Ok(()),
            other => broken(
                "LEASE-ONE",
                format!(
                    "{} {command:?}: a result under {token:?}, the lease is {other:?}",
                    run.id
                ),
            ),
        }
    }

    fn check_status(&mut self, run: &Run, reading: &Reading) -> Checked {
        let wrong = |what: &str| broken("RUN-FINAL", format!("{}: {what}: {run:?}", run.id));
        let expected = match &reading.finish {
            Some(Outcome::Completed(_)) => RunStatus::Completed,
            Some(Outcome::Failed(failure))
                if failure.kind == FailureKind::Cancelled && run.cancelling =>
            {
                RunStatus::Cancelled
            }
            Some(Outcome::Failed(_)) => RunStatus::Failed,
            None if run.status.is_final() => RunStatus::Terminated,
            None => return Ok(()),
        };
        if run.status != expected {
            return wrong("its status is not what its history says");
        }
        if expected == RunStatus::Terminated {
            self.marks.set("a run was terminated");
            if !self.book.may_be_terminated(&run.id) {
                return wrong("nobody has asked for its end");
            }
        } else if run.outcome != reading.finish {
            return wrong("its outcome is not what its history says");
        }
        Ok(())
    }

    /// What is final stays as it is until its time is over.
    pub(super) fn check_final(
        &mut self,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
        now: Timestamp,
    ) -> Checked {
        let Some(old) = old else {
            return Ok(());
        };
        let old: Run = decode(old);
        let Some(new) = new else {
            self.order.run_forgotten(old.id.key());
            let over = old
                .finished_at
                .is_some_and(|at| at.plus_ms(self.retention_ms) <= now);
            if over {
                self.marks.set("a finished run was purged");
                return Ok(());
            }
            // One that has ended in this very batch still has the row of before. The feed says that it has ended.
            if self.book.may_be_purged(&old.id) {
                self.marks.set("an operator had a run forgotten");
                return Ok(());
            }
            return broken("RUN-KEPT", format!("{} is removed: {old:?}", old.id));
        };
        let new: Run = decode(new);
        let same =
            (old.status, &old.outcome, old.entries) == (new.status, &new.outcome, new.entries);
        let retried = old.status == RunStatus::Failed && self.book.may_be_retried(&old.id);
        if old.status.is_final() && !same && !retried {
            return broken("RUN-FINAL", format!("{old:?} became {new:?}"));
        }
        Ok(())
    }
}
