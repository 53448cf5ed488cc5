//! Going on from an earlier point: an operator retries a run, in place, or forks it.
//!
//! [`cut`](super::cut) says what is left of the history; here a run gets that history instead of its own, and what was open at
//! the cut is opened again.

use super::Shard;
use super::cut::{Cut, Point, cut};
use super::hot::Hot;
use crate::code::Code;
use crate::entry::{Command, Entry, Notification};
use crate::feed::Mark;
use crate::ids::{CommandId, RunId, RunKey};
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::{Name, Payload};
use crate::peer::{Rejection, Reply, Start};
use crate::run::{OpenCall, RunStatus};
use alloc::format;
use alloc::vec::Vec;

impl Shard {
    /// Retries a run: a failed one goes on from before its last failure, or from before the turn that asked for `at`; a
    /// paused one goes on; a turn that a worker sits on is given to another.
    pub(super) fn retry_run(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        at: Option<CommandId>,
    ) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find(io, run)?;
        let answer = match hot.run.status {
            RunStatus::Failed => self.retry_failed(io, key, &mut hot, at),
            RunStatus::Paused if at.is_none() => {
                self.set_status(&mut hot, RunStatus::Running);
                self.mark(&mut hot, &Mark::Resumed);
                hot.run.paused_because = None;
                Ok(())
            }
            RunStatus::Running if at.is_none() && hot.turn.is_some() => {
                self.end_turn(&mut hot);
                hot.holder = None;
                Ok(())
            }
            status => {
                let detail = format!("run `{run}` is {}, and nothing failed", status.as_str());
                Err(Rejection::new(Code::RetryNotPossible, detail))
            }
        };
        self.keep(key, hot);
        answer.map(|()| Reply::Done)
    }

    fn retry_failed(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        at: Option<CommandId>,
    ) -> Result<(), Rejection> {
        self.close_chunk(io, key, hot);
        let mut entries: Vec<Entry> = Vec::new();
        for chunk in self.whole_history(io, key, hot.run.chunks) {
            entries.append(&mut decode(&chunk));
        }
        let point = at.map_or(Point::LastFailure, Point::Command);
        let cut = cut(entries, point, None, io.now).ok_or_else(|| nowhere(&hot.run.id, at))?;
        self.set_status(hot, RunStatus::Running);
        hot.run.asked_again = true;
        hot.run.finished_at = None;
        hot.run.outcome = None;
        // Its time may long be over: whoever retries it wants it to go on.
        hot.run.timeout_at = None;
        self.rewrite(io, key, hot, &cut);
        Ok(())
    }

    /// True if the run is to hear what became of `command`. One that was retried may not: the answer to what it had asked for before
    /// may still be under way, and either the retry has cut away that it asked, or it has asked again and got the other answer.
    pub(super) fn wants_answer(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        command: CommandId,
    ) -> bool {
        if !hot.run.asked_again {
            return true;
        }
        self.close_chunk(io, key, hot);
        let (mut asked, mut answered) = (false, false);
        for chunk in self.whole_history(io, key, hot.run.chunks) {
            for entry in decode::<Vec<Entry>>(&chunk) {
                asked |= super::cut::awaiting(&entry) == Some(command);
                answered |= super::cut::closed(&entry) == Some(command);
            }
        }
        asked && !answered
    }

    /// Starts a run with part of the history of another, which is not touched.
    pub(super) fn start_forked(
        &mut self,
        io: &mut Io<'_>,
        mut start: Start,
        source: &RunId,
        at: CommandId,
        chunks: &[Payload],
    ) -> Result<Reply, Rejection> {
        let mut entries: Vec<Entry> = Vec::new();
        for chunk in chunks {
            let chunk: Vec<Entry> = minicbor::decode(chunk)
                .map_err(|error| Rejection::new(Code::Internal, format!("{error}")))?;
            entries.extend(chunk);
        }
        let cut = cut(entries, Point::Command(at), Some(source), io.now)
            .ok_or_else(|| nowhere(source, Some(at)))?;
        start.tags.retain(|tag| !cut.tags_gone.contains(tag));
        start.tags.extend(cut.tags_back.iter().cloned());
        let (key, mut hot, created) = self.begin(io, start, None)?;
        let version = hot.run.version;
        if created {
            // Its own start is not written yet: the fork begins with that of its source.
            hot.open_chunk.clear();
            hot.open_entries = 0;
            self.rewrite(io, key, &mut hot, &cut);
        }
        self.keep(key, hot);
        Ok(Reply::Started { created, version })
    }

    /// Gives a run a history in place of its own.
    fn rewrite(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot, cut: &Cut) {
        let is_new = hot.run.chunks == 0;
        self.part_with_history(io, key, hot, 0);
        for chunk in 0..hot.run.chunks {
            io.delete(&self.keys.history(key, chunk));
        }
        self.abandon_tasks(io, key);
        self.cancel_timers(io, key);
        let run = &mut hot.run;
        (run.entries, run.chunks, run.history_bytes) = (0, 0, 0);
        (run.open_tasks, run.open_timers) = (0, 0);
        run.open_steps.clear();
        run.open_children = None;
        run.consumed = cut.consumed;
        run.unconsumed = cut.unconsumed();
        run.signals = cut.count(|it| matches!(it, Notification::Signal { .. }));
        run.cancelling = cut.count(|it| matches!(it, Notification::CancelRequested { .. })) > 0;
        run.calls = cut.count(|it| matches!(it, Notification::MethodCalled { .. }));
        run.open_methods = cut.open_calls().into_iter().map(OpenCall::new).collect();
        Self::forget_calls(hot);
        hot.nonces = None;
        hot.holder = None;
        hot.steps_with = None;
        let mut open: Vec<(u32, Command)> = Vec::new();
        for entry in &cut.entries {
            if let Entry::Command(command) = entry
                && super::cut::awaiting(entry).is_some_and(|id| cut.open.contains(&id))
            {
                open.push((hot.run.chunks, command.clone()));
            }
            self.append(io, key, hot, entry);
        }
        self.close_chunk(io, key, hot);
        self.tell_rewound(key, hot, is_new, &cut.entries);
        hot.recent.clear();
        for name in core::mem::take(&mut hot.run.properties) {
            io.delete(&self.keys.property(key, &name));
        }
        for (name, value) in &cut.properties {
            io.out.change(&self.keys.property(key, name), Some(value));
        }
        hot.run.properties = cut.properties.keys().cloned().collect();
        self.add_tags(io, key, hot, cut.tags_back.clone());
        self.remove_tags(io, key, hot, &cut.tags_gone);
        for (chunk, command) in open {
            self.obey(io, key, hot, command, chunk);
        }
        for entry in &cut.entries {
            if let Entry::Command(Command::CancelTask { target }) = entry
                && cut.open.contains(target)
            {
                self.cancel_task(io, (key, *target), hot, true);
            }
        }
        hot.changed = true;
    }

    /// Forgets a run that has ended.
    pub(super) fn purge_run(&mut self, io: &mut Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find(io, run)?;
        let status = hot.run.status;
        if !status.is_final() && !mutant::is(Mutant::PurgeOfLive) {
            self.keep(key, hot);
            let detail = format!("run `{run}` is {}", status.as_str());
            return Err(Rejection::new(Code::RunNotEnded, detail));
        }
        self.mark(&mut hot, &Mark::Purged);
        self.keep(key, hot);
        self.purge(io, key);
        Ok(Reply::Done)
    }
}

fn nowhere(run: &RunId, at: Option<CommandId>) -> Rejection {
    let detail = match at {
        Some(at) => format!("the history of run `{run}` has no command {}", at.0),
        None => format!("the history of run `{run}` has no turn"),
    };
    Rejection::new(Code::CutInvalid, Name::from(detail))
}
