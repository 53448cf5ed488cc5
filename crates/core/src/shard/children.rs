//! Children: runs that a run has started, and what else it asks of other runs.
//!
//! A child has a row at its parent until its end is known there: `RunEnded`, or a refusal by `RunStarted`, takes the row away and
//! notifies the parent, once. The child itself only knows its origin. Whatever goes between them goes by [`post`](super::post), so
//! that it makes no difference which shards they are on.

use super::Shard;
use super::history::fitting;
use super::hot::Hot;
use crate::entry::{ChildOptions, Command, Notification, OnParentEnd, Outcome};
use crate::failure::{Failure, FailureKind, Site};
use crate::ids::{CommandId, JobId, Nonce, RunId, RunKey, ShardId};
use crate::input::{EndHow, Message, Tagged};
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::{Name, Payload};
use crate::peer::{Rejection, Start};
use crate::row::command_of_key;
use crate::run::{Origin, RunStatus};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// A child that has not ended, as its parent knows it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ChildRow {
    /// Workflow and id.
    #[n(0)]
    pub run: RunId,
    /// What becomes of it when the parent ends.
    #[n(1)]
    pub on_parent_end: OnParentEnd,
}

/// A command of a run: the run, when its generation began, and the number.
type Asked = (RunId, Timestamp, CommandId);

/// The origin that command `command` of a run is.
pub(super) fn origin_of(hot: &Hot, command: CommandId) -> Origin {
    Origin::Run {
        run: hot.run.id.clone(),
        began_at: hot.run.began_at(),
        command,
    }
}

impl Shard {
    /// Does what a command asks of another run, if that is what it does.
    pub(super) fn ask_other_run(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        command: Command,
    ) {
        match command {
            Command::StartChild {
                command,
                run,
                version,
                input,
                options,
            } => self.start_child(io, (key, hot), command, (run, version), input, options),
            Command::CancelChild { target } => self.cancel_child(io, key, hot, target),
            Command::SignalRun {
                command,
                run,
                channel,
                payload,
            } => {
                let to = self.shard_of(&run);
                // The same again if the run is retried from before: it is not taken twice.
                let nonce = Nonce(JobId::of_command(key, hot.run.began_at().0, command).0);
                let message = Message::Signal {
                    run,
                    channel,
                    payload,
                    nonce,
                    answer_to: Some(origin_of(hot, command)),
                };
                self.post(io, to, message);
            }
            Command::SignalTagged {
                command,
                workflow,
                tag,
                channel,
                payload,
            } => {
                let tagged = Tagged {
                    workflow,
                    tag,
                    channel,
                    payload,
                    nonce: Nonce(JobId::of_command(key, hot.run.began_at().0, command).0),
                    answer_to: origin_of(hot, command),
                    count: 0,
                    after: None,
                };
                self.post(io, ShardId(0), Message::SignalTagged(tagged));
            }
            Command::CancelRun {
                command,
                run,
                reason,
            } => {
                let to = self.shard_of(&run);
                let message = Message::EndRun {
                    run,
                    how: EndHow::Cancel,
                    reason,
                    only_of: None,
                    answer_to: Some(origin_of(hot, command)),
                };
                self.post(io, to, message);
            }
            _ => {}
        }
    }

    /// A run starts a child.
    pub(super) fn start_child(
        &mut self,
        io: &mut Io<'_>,
        (key, hot): (RunKey, &mut Hot),
        command: CommandId,
        (run, version): (RunId, Option<u32>),
        input: Payload,
        options: ChildOptions,
    ) {
        let row = ChildRow {
            run: run.clone(),
            on_parent_end: options.on_parent_end,
        };
        let row_key = self.keys.child(key, command);
        if io.get_bytes(&row_key).is_some() {
            // A worker that uses a number twice asks for nothing new.
            return;
        }
        io.create(&row_key, &row);
        *hot.run.open_children.get_or_insert(0) += 1;
        let origin = origin_of(hot, command);
        let start = Start {
            run,
            version,
            input,
            tags: options.tags,
            nonce: Nonce(0),
            on_conflict: options.on_conflict,
            wait: false,
            timeout_ms: options.timeout_ms,
            start_at: None,
        };
        let to = self.shard_of(&start.run);
        let message = Message::StartRun {
            start,
            origin,
            announce: options.announce == Some(true),
        };
        self.post(io, to, message);
    }

    /// The code has stopped waiting for a child because it was itself asked to cancel.
    pub(super) fn cancel_child(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &Hot,
        target: CommandId,
    ) {
        if let Some(row) = io.get::<ChildRow>(&self.keys.child(key, target)) {
            let reason = Name::from(format!("its parent `{}` was asked to cancel", hot.run.id));
            self.end_child(io, origin_of(hot, target), row.run, EndHow::Cancel, reason);
        }
    }

    fn end_child(
        &mut self,
        io: &mut Io<'_>,
        origin: Origin,
        run: RunId,
        how: EndHow,
        reason: Name,
    ) {
        let to = self.shard_of(&run);
        let message = Message::EndRun {
            run,
            how,
            reason,
            only_of: Some(origin),
            answer_to: None,
        };
        self.post(io, to, message);
    }

    /// A run ends, or its generation: its children are treated as it was said when they were started, and their ends are no
    /// longer waited for.
    pub(super) fn leave_children(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot) {
        if hot.run.open_children.is_none() {
            return;
        }
        for (command, row) in self.children_of(io, key) {
            io.delete(&self.keys.child(key, command));
            let how = match row.on_parent_end {
                _ if mutant::is(Mutant::ChildrenLeft) => continue,
                OnParentEnd::Abandon => continue,
                OnParentEnd::Cancel => EndHow::Cancel,
                OnParentEnd::Terminate => EndHow::Terminate,
            };
            let reason = Name::from(format!("its parent `{}` has ended", hot.run.id));
            self.end_child(io, origin_of(hot, command), row.run, how, reason);
        }
        hot.run.open_children = None;
    }

    /// The children of a run that have not ended.
    pub(super) fn children_of(&self, io: &Io<'_>, key: RunKey) -> Vec<(CommandId, ChildRow)> {
        let (from, to) = self.keys.children(key);
        let mut children = Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            let command = command_of_key(key).expect("a child's key");
            children.push((command, decode(value)));
            true
        });
        children
    }

    /// The run whose command is answered, unless it has ended or moved on to another generation.
    fn asking(&mut self, io: &Io<'_>, (run, began_at, _): &Asked) -> Option<(RunKey, Box<Hot>)> {
        let key = run.key();
        let hot = self.load(io, key)?;
        let is_meant =
            hot.run.id == *run && hot.run.began_at() == *began_at && !hot.run.status.is_final();
        if !is_meant {
            self.keep(key, hot);
            return None;
        }
        Some((key, hot))
    }

    /// A child was accepted, or refused.
    pub(super) fn child_started(
        &mut self,
        io: &mut Io<'_>,
        asked: &Asked,
        run: RunId,
        refused: Option<Rejection>,
    ) {
        match refused {
            Some(rejection) => {
                let failure = refusal(rejection).at(|| Site::Run { run, method: None });
                self.child_over(io, asked, Outcome::Failed(failure));
            }
            None => {
                if let Some((key, mut hot)) = self.asking(io, asked) {
                    let command = asked.2;
                    // It may have ended in the same commit; then that is what the code hears.
                    if io.get_bytes(&self.keys.child(key, command)).is_some() {
                        let started = Notification::ChildStarted { command };
                        self.notify(io, key, &mut hot, started);
                    }
                    self.keep(key, hot);
                }
            }
        }
    }

    /// A child has ended.
    pub(super) fn child_ended(
        &mut self,
        io: &mut Io<'_>,
        asked: &Asked,
        run: RunId,
        status: RunStatus,
        outcome: Outcome,
    ) {
        let outcome = match outcome {
            Outcome::Failed(cause) => Outcome::Failed(child_failure(run, status, cause)),
            completed @ Outcome::Completed(_) => completed,
        };
        self.child_over(io, asked, outcome);
    }

    fn child_over(&mut self, io: &mut Io<'_>, asked: &Asked, outcome: Outcome) {
        let Some((key, mut hot)) = self.asking(io, asked) else {
            return;
        };
        let command = asked.2;
        let row = self.keys.child(key, command);
        if io.get_bytes(&row).is_some() {
            io.delete(&row);
            hot.run.open_children = hot
                .run
                .open_children
                .and_then(|open| open.checked_sub(1))
                .filter(|open| *open > 0);
            let ended = Notification::ChildEnded { command, outcome };
            let (ended, _) = fitting(&hot, ended);
            self.notify(io, key, &mut hot, ended);
        }
        self.keep(key, hot);
    }

    /// A signal by tag has been to every shard: so many runs have it.
    pub(super) fn answered_with(&mut self, io: &mut Io<'_>, asked: &Asked, count: u64) {
        let Some((key, mut hot)) = self.asking(io, asked) else {
            return;
        };
        let command = asked.2;
        if self.wants_answer(io, key, &mut hot, command) {
            let count = Payload::from(count.to_string().into_bytes());
            let outcome = Outcome::Completed(count);
            let answered = Notification::Answered { command, outcome };
            self.notify(io, key, &mut hot, answered);
        }
        self.keep(key, hot);
    }

    /// What a run asked of another was done, or refused.
    pub(super) fn answered(&mut self, io: &mut Io<'_>, asked: &Asked, refused: Option<Rejection>) {
        let Some((key, mut hot)) = self.asking(io, asked) else {
            return;
        };
        let outcome = match refused {
            None => Outcome::Completed(Payload::null()),
            Some(rejection) => Outcome::Failed(refusal(rejection)),
        };
        let command = asked.2;
        if self.wants_answer(io, key, &mut hot, command) {
            let answered = Notification::Answered { command, outcome };
            self.notify(io, key, &mut hot, answered);
        }
        self.keep(key, hot);
    }

    /// What a run waits for among its children, in words.
    pub(super) fn child_waits(&self, io: &Io<'_>, key: RunKey, waits: &mut Vec<Name>) {
        for (_, row) in self.children_of(io, key) {
            waits.push(Name::from(format!("run {}", row.run)));
        }
    }
}

/// A refusal, as the failure of what was asked for.
fn refusal(rejection: Rejection) -> Failure {
    let name = rejection.code.to_string();
    let mut failure = Failure::new(FailureKind::Application, name, rejection.detail);
    failure.non_retryable = true;
    failure
}

/// The failure of a child, as its parent sees it: around the child's own.
fn child_failure(run: RunId, status: RunStatus, cause: Failure) -> Failure {
    // A child that was cancelled is no cancellation of its parent, so it has not that kind.
    let (kind, code) = match status {
        RunStatus::TimedOut => (FailureKind::TimedOut, "TL0052"),
        RunStatus::Terminated => (FailureKind::Terminated, "TL0054"),
        RunStatus::Cancelled => (FailureKind::Application, "TL0053"),
        _ => (FailureKind::Application, "TL0050"),
    };
    let word = match status {
        RunStatus::TimedOut => "timed out",
        other => other.as_str(),
    };
    let was = if matches!(status, RunStatus::Cancelled | RunStatus::Terminated) {
        "was "
    } else {
        ""
    };
    Failure::new(kind, code, format!("run `{run}` {was}{word}"))
        .at(|| Site::Run { run, method: None })
        .caused_by(cause)
}
