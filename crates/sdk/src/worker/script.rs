//! For tests: an engine for one run, driven by hand. It keeps the history as the core does, hands turns to [`Runs`], and
//! checks what comes back. Every scenario is told twice, with the future kept and with it evicted after every turn; the
//! histories must be the same.

use super::runs::{Definitions, Runs, Work};
use super::task_runner::AttemptDone;
use crate::executor::Strictness;
use crate::payload;
use crate::time::Time;
use crate::workflow::{Typed, Workflow};
use serde::Serialize;
use std::fmt::Write;
use std::sync::Arc;
use trunkline_api::core::entry::{Command, Entry, Notification, Outcome};
use trunkline_api::core::failure::{Failure, FailureKind};
use trunkline_api::core::ids::{CommandId, Nonce, RunId, Token};
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{FromPeer, Turn, TurnDone};
use trunkline_api::core::time::Timestamp;

pub(crate) struct Script {
    pub(crate) runs: Runs,
    run: RunId,
    version: u32,
    pub(crate) history: Vec<Entry>,
    consumed: u32,
    /// How many entries the history had when the newest turn was sent.
    sent: usize,
    /// What the worker's copy has, and its token.
    holder: Option<(u32, Token)>,
    token: u64,
    now: u64,
    /// Turns that came behind a result, without being asked for.
    pub(crate) ahead: u32,
    /// What comes in while the next turn is with the worker.
    pub(crate) late: Vec<Notification>,
    /// Why the run is paused.
    pub(crate) stuck: Option<String>,
    pub(crate) evicted: u32,
}

impl Script {
    pub(crate) fn start<W: Workflow>(input: &W::Input, cache_runs: usize) -> Self {
        Self::start_strict::<W>(input, cache_runs, Strictness::Shape)
    }

    pub(crate) fn start_strict<W: Workflow>(
        input: &W::Input,
        cache_runs: usize,
        strictness: Strictness,
    ) -> Self {
        let mut script = Self {
            runs: runs::<W>(cache_runs, strictness),
            run: RunId::new(W::NAME, "1"),
            version: W::VERSION,
            history: Vec::new(),
            consumed: 0,
            sent: 0,
            holder: None,
            token: 0,
            now: 1_000,
            ahead: 0,
            late: Vec::new(),
            stuck: None,
            evicted: 0,
        };
        let input = payload::encode(input).unwrap();
        script.note(Notification::Started {
            input,
            seed: 7,
            tags: None,
        });
        script
    }

    /// The same history, met by other code: a deployment.
    pub(crate) fn deploy<W: Workflow>(&mut self, strictness: Strictness) {
        self.runs = runs::<W>(0, strictness);
        self.holder = None;
    }

    pub(crate) fn note(&mut self, notification: Notification) {
        self.now += 10;
        self.history
            .push(Entry::Notification(Timestamp(self.now), notification));
    }

    pub(crate) fn completed(&mut self, command: u32, value: &impl Serialize) {
        self.note(Notification::TaskCompleted {
            command: CommandId(command),
            result: payload::encode(value).unwrap(),
        });
    }

    pub(crate) fn failed(&mut self, command: u32, message: &str) {
        self.note(Notification::TaskFailed {
            command: CommandId(command),
            failure: Failure::new(FailureKind::Application, "Broken", message),
        });
    }

    pub(crate) fn fired(&mut self, command: u32) {
        self.note(Notification::TimerFired {
            command: CommandId(command),
        });
    }

    pub(crate) fn signal(&mut self, channel: &str, value: &impl Serialize) {
        self.note(Notification::Signal {
            channel: Name::from(channel),
            payload: payload::encode(value).unwrap(),
            nonce: Nonce(u128::from(self.now)),
        });
    }

    pub(crate) fn cancel(&mut self) {
        self.note(Notification::CancelRequested {
            reason: Name::from("enough"),
        });
    }

    /// Has the worker do a turn with everything that is new.
    pub(crate) fn turn(&mut self) {
        let turn = self.lease();
        for late in std::mem::take(&mut self.late) {
            self.note(late);
        }
        self.hand(turn);
    }

    /// A turn with everything that is new, on its way to the worker.
    pub(crate) fn lease(&mut self) -> Turn {
        self.token += 1;
        let from = self.holder.map_or(0, |(knows, _)| knows);
        let chunks = self.history[from as usize..]
            .chunks(3)
            .map(|chunk| Payload::from(minicbor::to_vec(chunk).unwrap()))
            .collect();
        self.sent = self.history.len();
        Turn {
            run: self.run.key(),
            id: self.run.clone(),
            version: self.version,
            token: Token(self.token),
            consumed: self.consumed,
            from,
            chunks,
            started_at: Timestamp(1_000),
            now: Timestamp(self.now + 1),
        }
    }

    /// The turn reaches the worker.
    pub(crate) fn hand(&mut self, turn: Turn) {
        self.runs.take_in(Work::Turn(turn));
        self.take_out();
    }

    /// The worker reports a success of a task that it has just done itself.
    pub(crate) fn finish_task(&mut self, command: u32, value: &impl Serialize) {
        self.runs.take_in(Work::Attempt(AttemptDone {
            run: self.run.key(),
            command: CommandId(command),
            token: Token(900),
            outcome: Outcome::Completed(payload::encode(value).unwrap()),
        }));
        self.take_out();
    }

    /// The same with a result that is encoded already.
    pub(crate) fn finish_task_with(&mut self, command: CommandId, result: Payload) {
        self.runs.take_in(Work::Attempt(AttemptDone {
            run: self.run.key(),
            command,
            token: Token(900),
            outcome: Outcome::Completed(result),
        }));
        self.take_out();
    }

    /// Something that the task of a command may return: `undo` returns nothing, the others a string.
    pub(crate) fn result_of(&self, wanted: CommandId) -> Payload {
        let is_undo = self.commands().iter().any(|asked| {
            matches!(asked, Command::ScheduleTask { command, task, .. }
                if *command == wanted && task.as_str() == "undo")
        });
        let text: &[u8] = if is_undo { b"null" } else { b"\"ritz\"" };
        Payload::from(text)
    }

    /// What came in, in order.
    pub(crate) fn notifications(&self) -> impl Iterator<Item = &Notification> {
        self.history.iter().filter_map(|entry| match entry {
            Entry::Notification(_, note) => Some(note),
            _ => None,
        })
    }

    /// Does turns until nothing is new.
    pub(crate) fn settle(&mut self) {
        for _ in 0..50 {
            if self.is_finished() || self.stuck.is_some() {
                return;
            }
            let consumed = self.consumed as usize;
            let fresh = self.history.get(consumed..).unwrap_or_default();
            if !fresh
                .iter()
                .any(|entry| matches!(entry, Entry::Notification(..)))
            {
                return;
            }
            self.turn();
        }
        panic!("the run does not come to rest:\n{}", self.trace());
    }

    pub(crate) fn is_finished(&self) -> bool {
        matches!(
            self.history.last(),
            Some(Entry::Command(Command::Finish { .. }))
        )
    }

    fn take_out(&mut self) {
        for message in self.runs.take_out() {
            match message {
                FromPeer::TurnDone(done) => {
                    assert_eq!(done.token, Token(self.token), "the token of the turn");
                    assert_eq!(done.from, self.consumed, "where the turn began");
                    assert_eq!(done.upto as usize, self.sent, "what it consumed");
                    self.accept(done);
                }
                FromPeer::TurnStuck { token, reason, .. } => {
                    assert_eq!(token, Token(self.token), "the token of the turn");
                    self.stuck = Some(reason.to_string());
                    self.holder = None;
                }
                FromPeer::TaskDone {
                    command,
                    outcome: Outcome::Completed(result),
                    then,
                    ..
                } => {
                    self.note(Notification::TaskCompleted { command, result });
                    self.behind(then);
                }
                FromPeer::StepDone {
                    command,
                    outcome,
                    then,
                    ..
                } => {
                    self.note(Notification::StepDone { command, outcome });
                    self.behind(then);
                }
                FromPeer::Evicted { .. } => {
                    self.holder = None;
                    self.evicted += 1;
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// The rule of the core: the result did become the next entry that the worker's copy did not have.
    fn behind(&mut self, then: Option<TurnDone>) {
        let Some(done) = then else { return };
        let len = u32::try_from(self.history.len()).unwrap();
        if self.holder == Some((len - 1, done.token))
            && done.from == self.consumed
            && done.upto == len
        {
            self.ahead += 1;
            self.accept(done);
        } else {
            self.holder = None;
        }
    }

    fn accept(&mut self, done: TurnDone) {
        let upto = done.upto as usize;
        let nothing_late = self.history.len() == upto;
        let fresh = self.history[self.consumed as usize..upto]
            .iter()
            .any(|entry| matches!(entry, Entry::Notification(..)));
        if fresh || !done.commands.is_empty() {
            self.history.push(Entry::Turn { upto: done.upto });
        }
        self.consumed = done.upto;
        self.history
            .extend(done.commands.into_iter().map(Entry::Command));
        let knows = if nothing_late {
            self.history.len()
        } else {
            upto
        };
        let knows = u32::try_from(knows).unwrap();
        self.holder = done.held.then_some((knows, done.token));
    }

    /// The commands, in order.
    pub(crate) fn commands(&self) -> Vec<&Command> {
        self.history
            .iter()
            .filter_map(|entry| match entry {
                Entry::Command(command) => Some(command),
                _ => None,
            })
            .collect()
    }

    /// The history, a line per entry.
    pub(crate) fn trace(&self) -> String {
        let mut text = String::new();
        for (index, entry) in self.history.iter().enumerate() {
            let line = match entry {
                Entry::Notification(_, Notification::Started { .. }) => "◀ started".into(),
                Entry::Notification(_, note) => format!("◀ {}", note_line(note)),
                Entry::Turn { .. } => continue,
                Entry::Command(command) => format!("▶ {}", command_line(command)),
            };
            let _ = index;
            writeln!(text, "{line}").unwrap();
        }
        if let Some(stuck) = &self.stuck {
            writeln!(text, "✗ {stuck}").unwrap();
        }
        text
    }
}

fn runs<W: Workflow>(cache_runs: usize, strictness: Strictness) -> Runs {
    let mut definitions = Definitions::new();
    definitions.insert(
        (Name::from(W::NAME), W::VERSION),
        Arc::new(Typed::<W>::new()),
    );
    Runs::new(
        Arc::new(definitions),
        strictness,
        cache_runs,
        64 << 20,
        Time::default(),
        |_, _| panic!("steps in scripts end at once"),
    )
}

fn note_line(note: &Notification) -> String {
    match note {
        Notification::Started { .. } => "started".into(),
        Notification::TaskCompleted { command, result } => {
            format!("completed {} {result:?}", command.0)
        }
        Notification::TaskFailed { command, failure } => {
            format!("failed {} {}", command.0, failure.message)
        }
        Notification::TimerFired { command } => format!("fired {}", command.0),
        Notification::Signal {
            channel, payload, ..
        } => format!("signal {channel} {payload:?}"),
        Notification::StepDone { command, outcome } => {
            format!("step {} {}", command.0, outcome_line(outcome))
        }
        Notification::CancelRequested { reason } => format!("cancel: {reason}"),
        Notification::Rewound { next, .. } => format!("rewound {}", next.0),
        Notification::MethodCalled { method, input, .. } => format!("call {method} {input:?}"),
        Notification::MethodEnded { command, outcome } => {
            format!("called {} {}", command.0, outcome_line(outcome))
        }
        other => format!("{other:?}"),
    }
}

fn command_line(command: &Command) -> String {
    match command {
        Command::ScheduleTask {
            command,
            service,
            task,
            input,
            ..
        } => format!("{} {service}.{task} {input:?}", command.0),
        Command::StartTimer { command, .. } => format!("{} timer", command.0),
        Command::CancelTask { target } => format!("cancel task {}", target.0),
        Command::CancelTimer { target } => format!("cancel timer {}", target.0),
        Command::SetProperty { name, value } => format!("{name} = {value:?}"),
        Command::AddTags { tags } => format!("+tags {tags:?}"),
        Command::RemoveTags { tags } => format!("-tags {tags:?}"),
        Command::BeginStep { command, name } => format!("{} step {name}", command.0),
        Command::CreateJob { command, job } => format!(
            "{} job {} lane {} {} {} {:?} {:?}",
            command.0,
            job.destination,
            job.lane,
            job.object_type,
            job.action,
            job.object_ids,
            job.body
        ),
        Command::Finish { outcome } => format!("finish {}", outcome_line(outcome)),
        Command::Patch { name } => format!("patch {name}"),
        Command::MethodReturned { call, outcome } => {
            format!("return {call} {}", outcome_line(outcome))
        }
        Command::CallMethod {
            command,
            run,
            method,
            input,
        } => format!("{} call {run} {method} {input:?}", command.0),
        other => format!("{other:?}"),
    }
}

fn outcome_line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed(value) => format!("ok {value:?}"),
        Outcome::Failed(failure) => {
            let mut line = format!("{:?} {}: {}", failure.kind, failure.name, failure.message);
            let mut cause = failure.cause.as_deref();
            while let Some(inner) = cause {
                write!(line, " ← {}: {}", inner.name, inner.message).unwrap();
                cause = inner.cause.as_deref();
            }
            line
        }
    }
}

/// Tells a scenario with the future kept and with it evicted after every turn, and gives the trace, which must be the same.
pub(crate) fn told<W: Workflow>(input: &W::Input, scenario: impl Fn(&mut Script)) -> String {
    let [kept, evicted] = [1_000, 0].map(|cache_runs| {
        let mut script = Script::start::<W>(input, cache_runs);
        script.settle();
        scenario(&mut script);
        script.settle();
        script.trace()
    });
    assert_eq!(kept, evicted, "kept and evicted runs differ");
    kept
}
