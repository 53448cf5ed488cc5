//! What is said of tasks besides their result: heartbeats, that an attempt is delegated, and answers from outside.
//!
//! A delegated attempt has ended without a result, and is with no worker; the task waits in its row, over restarts too,
//! until somebody who knows its id answers it or a time-out passes. Whoever knows the id may answer *any* task that has
//! not ended: an answer that comes while an attempt runs is kept, and counts when that ends, however it ends.

use super::task_table::{Delegation, Task};
use super::tasks::{Then, began};
use super::turns::refuse;
use super::{Shard, TaskKey};
use crate::code::Code;
use crate::entry::{Command, Entry, Meta, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::feed::Mark;
use crate::ids::{Nonce, PeerId, RunId, RunKey, TaskId, Token};
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::{Name, Payload};
use crate::peer::{Rejection, Reply, TaskState, TaskStatus, ToPeer};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

impl Shard {
    /// An attempt says that it is alive, and how far it has come.
    pub(super) fn heartbeat(
        &mut self,
        io: &mut Io<'_>,
        peer: PeerId,
        key: TaskKey,
        token: Token,
        details: Option<Payload>,
        meta: Option<Meta>,
    ) {
        if self.has_attempt(key, token, peer) {
            self.alive(io, key, details, meta);
        } else if !self.tasks.lingering.contains(key, token, peer) {
            let (run, command) = key;
            io.tell(
                peer,
                ToPeer::AbandonTask {
                    run,
                    command,
                    token,
                },
            );
        }
    }

    /// Notes what a heartbeat says, and puts the next one's deadline off. True if the task was asked to end.
    fn alive(
        &mut self,
        io: &mut Io<'_>,
        key: TaskKey,
        details: Option<Payload>,
        meta: Option<Meta>,
    ) -> bool {
        let lease = self.tasks.leased(key);
        let task = self
            .tasks
            .tasks
            .get_mut(&key)
            .expect("the caller has seen it");
        let heartbeat_ms = task.row.options.heartbeat_timeout_ms;
        let next = heartbeat_ms.map(|ms| io.now.plus_ms(ms));
        let says_more = details.is_some() || meta.is_some();
        if says_more {
            let progress = task.row.progress_mut();
            progress.heartbeat_details = details.or(progress.heartbeat_details.take());
            progress.meta = meta.or(progress.meta.take());
        }
        let mut changed = says_more;
        if let Some(lease) = lease
            && let Some(next) = next
        {
            let deadline = task.attempt_ends_at.min(next);
            let queue = self.tasks.queues.get_mut(&task.row.service);
            let queue = queue.expect("what is leased is queued");
            queue.extend(key, lease.token, deadline);
        } else if next.is_some()
            && let Some(delegation) = task
                .row
                .progress
                .as_mut()
                .and_then(|progress| progress.delegated.as_mut())
        {
            // Nobody else remembers it: no lease is in memory.
            delegation.heartbeat_by = next;
            changed = true;
        }
        let cancelling = task.row.is_cancelling();
        if changed {
            io.put(&self.keys.task(key.0, key.1), &task.row);
            self.tasks.reckon(key);
        }
        cancelling
    }

    /// An attempt has ended without a result: somebody answers the task later, or has done so already.
    pub(super) fn task_delegated(
        &mut self,
        io: &mut Io<'_>,
        peer: PeerId,
        key: TaskKey,
        token: Token,
    ) {
        if !self.has_attempt(key, token, peer) {
            if !self.tasks.lingering.remove(key, token, peer) {
                let detail = "the attempt is no longer leased";
                refuse(io, peer, key.0, Code::TokenStale, detail);
            }
            return;
        }
        let task = self.tasks.tasks.get_mut(&key).expect("it is leased");
        if task.row.is_answered() {
            // What is given as the attempt's own outcome is not looked at.
            let unseen = Failure::new(FailureKind::Application, "Delegated", "");
            return self.attempt_over(io, key, Outcome::Failed(unseen), Then::Nothing);
        }
        let options = &task.row.options;
        let delegation = Delegation {
            // The default would end what waits for a person: only a time-out that was asked for applies.
            until: options.attempt_timeout_ms.map(|_| task.attempt_ends_at),
            heartbeat_by: options.heartbeat_timeout_ms.map(|ms| io.now.plus_ms(ms)),
        };
        let attempt = task.row.failed_attempts + 1;
        task.row.progress_mut().delegated = Some(delegation);
        io.put(&self.keys.task(key.0, key.1), &task.row);
        let queue = self.tasks.queues.get_mut(&task.row.service);
        queue.expect("what is leased is queued").remove(io.now, key);
        self.tasks.reckon(key);
        let command = key.1;
        self.mark_task(io, key.0, &Mark::TaskDelegated { command, attempt });
    }

    pub(super) fn complete_task(
        &mut self,
        io: &mut Io<'_>,
        id: TaskId,
        outcome: Outcome,
        nonce: Nonce,
    ) -> Result<Reply, Rejection> {
        let key = (id.run, id.command);
        let full = self.run_of_task(io, id, &outcome)?;
        let lease = self.tasks.leased(key);
        let Some(task) = self.tasks.tasks.get_mut(&key) else {
            return self.answer_after_the_end(io, id, &outcome);
        };
        let known = task.row.progress.as_ref();
        if nonce != Nonce(0) && known.is_some_and(|known| known.answer_nonce == Some(nonce)) {
            return Ok(Reply::Done);
        }
        if let Some(kept) = known.and_then(|known| known.answer.as_ref()) {
            if *kept == outcome {
                return Ok(Reply::Done);
            }
            let detail = format!("task {id} has another answer already");
            return Err(Rejection::new(Code::TaskEnded, detail));
        }
        if let Some(full) = full {
            return Err(Rejection::new(Code::HistoryFull, full));
        }
        let progress = task.row.progress_mut();
        progress.answer_nonce = Some(nonce);
        if lease.is_some() {
            progress.answer = Some(outcome).filter(|_| !mutant::is(Mutant::AnswerForgotten));
            io.put(&self.keys.task(key.0, key.1), &task.row);
            self.tasks.reckon(key);
        } else {
            self.attempt_over(io, key, outcome, Then::Nothing);
        }
        Ok(Reply::Done)
    }

    pub(super) fn heartbeat_task(
        &mut self,
        io: &mut Io<'_>,
        id: TaskId,
        details: Option<Payload>,
    ) -> Result<Reply, Rejection> {
        self.open_task(io, id)?;
        let cancelling = self.alive(io, (id.run, id.command), details, None);
        Ok(Reply::TaskAlive { cancelling })
    }

    pub(super) fn cancel_task_asked(
        &mut self,
        io: &mut Io<'_>,
        id: TaskId,
    ) -> Result<Reply, Rejection> {
        self.open_task(io, id)?;
        if let Some(mut hot) = self.load(io, id.run) {
            self.cancel_task(io, (id.run, id.command), &mut hot, true);
            self.keep(id.run, hot);
        }
        Ok(Reply::Done)
    }

    /// Refuses unless the task is there and has not ended.
    fn open_task(&mut self, io: &mut Io<'_>, id: TaskId) -> Result<(), Rejection> {
        let nothing = Outcome::Completed(Payload::null());
        self.run_of_task(io, id, &nothing)?;
        if self.tasks.contains((id.run, id.command)) {
            return Ok(());
        }
        Err(match self.end_of_task(io, id)? {
            Some(_) => Rejection::new(Code::TaskEnded, format!("task {id} has ended")),
            None => abandoned(id),
        })
    }

    /// Looks for the run of a task. Says why `outcome` does not fit into its history, if that is so.
    fn run_of_task(
        &mut self,
        io: &Io<'_>,
        id: TaskId,
        outcome: &Outcome,
    ) -> Result<Option<String>, Rejection> {
        let Some(hot) = self.load(io, id.run) else {
            let detail = format!("the run of task {id} is not here");
            return Err(Rejection::new(Code::RunNotFound, detail));
        };
        let is_its = began(&hot.run) == id.began;
        let full = match outcome {
            Outcome::Completed(result) if !hot.run.status.is_final() => {
                hot.would_overflow(1, result.len())
            }
            _ => None,
        };
        let run = hot.run.id.clone();
        self.keep(id.run, hot);
        if is_its {
            Ok(full)
        } else {
            let detail = format!("task {id} is of an earlier run `{run}`");
            Err(Rejection::new(Code::TaskNotFound, detail))
        }
    }

    /// An answer to a task that has ended: a repeat of the one that counted is fine.
    fn answer_after_the_end(
        &mut self,
        io: &mut Io<'_>,
        id: TaskId,
        outcome: &Outcome,
    ) -> Result<Reply, Rejection> {
        match self.end_of_task(io, id)? {
            Some(end) if end == *outcome => Ok(Reply::Done),
            Some(Outcome::Completed(_)) => {
                let detail = format!("task {id} has completed");
                Err(Rejection::new(Code::TaskEnded, detail))
            }
            Some(Outcome::Failed(failure)) => {
                let detail = format!("task {id} has failed: {}", failure.name);
                Err(Rejection::new(Code::TaskEnded, detail))
            }
            None => Err(abandoned(id)),
        }
    }

    /// How a task has ended, as its run's history says; nothing if it was abandoned with the run.
    fn end_of_task(&mut self, io: &mut Io<'_>, id: TaskId) -> Result<Option<Outcome>, Rejection> {
        let Some(mut hot) = self.load(io, id.run) else {
            return Ok(None);
        };
        self.close_chunk(io, id.run, &mut hot);
        let chunks = hot.run.chunks;
        self.keep(id.run, hot);
        let mut was_scheduled = false;
        for number in (0..chunks).rev() {
            for entry in self.chunk_entries(io, id.run, number) {
                match entry {
                    Entry::Notification(_, Notification::TaskCompleted { command, result })
                        if command == id.command =>
                    {
                        return Ok(Some(Outcome::Completed(result)));
                    }
                    Entry::Notification(_, Notification::TaskFailed { command, failure })
                        if command == id.command =>
                    {
                        return Ok(Some(Outcome::Failed(failure)));
                    }
                    Entry::Command(Command::ScheduleTask { command, .. }) => {
                        was_scheduled |= command == id.command;
                    }
                    _ => {}
                }
            }
        }
        if was_scheduled {
            return Ok(None);
        }
        let detail = format!("the run has no task {id}");
        Err(Rejection::new(Code::TaskNotFound, detail))
    }

    pub(super) fn open_tasks_of(&mut self, io: &Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, hot) = self.find(io, run)?;
        let began = began(&hot.run);
        self.keep(key, hot);
        let tasks = self.tasks_of(key).into_iter();
        let tasks = tasks.map(|key| self.status_of(io, key, began)).collect();
        Ok(Reply::Tasks(tasks))
    }

    fn status_of(&self, io: &Io<'_>, key: TaskKey, began: Timestamp) -> TaskStatus {
        let task = self.tasks.tasks.get(&key).expect("the caller has seen it");
        let row = &task.row;
        let lease = self.tasks.leased(key);
        let state = if row.delegated().is_some() {
            TaskState::Delegated
        } else if lease.is_some() {
            TaskState::Running
        } else if row.ready_at > io.now {
            TaskState::Delayed
        } else {
            TaskState::Ready
        };
        let delayed = (state == TaskState::Delayed).then_some(row.ready_at);
        let times = [lease.map(|lease| lease.deadline), task.due(), delayed];
        let (run, command) = key;
        TaskStatus {
            id: TaskId {
                run,
                began,
                command,
            },
            service: row.service.clone(),
            task: row.task.clone(),
            state,
            attempt: row.failed_attempts + 1,
            scheduled_at: row.scheduled_at,
            due_at: times.into_iter().flatten().min(),
            tags: row.options.tags.clone().unwrap_or_default(),
            meta: row.meta().cloned().unwrap_or_default(),
            heartbeat_details: row
                .progress
                .as_ref()
                .and_then(|progress| progress.heartbeat_details.clone()),
            last_failure: row.last_failure.clone(),
            cancelling: row.is_cancelling(),
            answered: row.is_answered(),
        }
    }

    /// What a run waits for among its tasks, in words.
    pub(super) fn task_waits(
        &self,
        io: &Io<'_>,
        (run, began): (RunKey, Timestamp),
        waits: &mut Vec<Name>,
    ) {
        for key in self.tasks_of(run) {
            let task = self.tasks.tasks.get(&key).expect("just seen");
            let id = TaskId {
                run,
                began,
                command: key.1,
            };
            waits.push(Name::from(self.task_wait(io, key, task, id)));
        }
    }

    fn task_wait(&self, io: &Io<'_>, key: TaskKey, task: &Task, id: TaskId) -> String {
        let row = &task.row;
        let attempt = row.failed_attempts + 1;
        let mut wait = format!("task {}.{}: ", row.service, row.task);
        let mut heartbeat = None;
        let queue = self.tasks.queues.get(&row.service);
        // Writing to a String cannot fail.
        let _ = if let Some(delegation) = row.delegated() {
            heartbeat = delegation.heartbeat_by;
            write!(wait, "delegated, waits for the answer to {id}")
        } else if let Some(lease) = self.tasks.leased(key) {
            heartbeat = row.options.heartbeat_timeout_ms.map(|_| lease.deadline);
            write!(wait, "attempt {attempt} is with a worker")
        } else if let Some(reason) = queue.and_then(|queue| queue.blocked_on(io.now, key)) {
            let failure = row.last_failure.as_ref();
            let failure = failure.map_or("", |failure| &failure.message);
            let failed = row.failed_attempts;
            write!(wait, "{reason}; attempt {failed} failed: {failure}")
        } else {
            write!(
                wait,
                "a worker with a free slot for service `{}`",
                row.service
            )
        };
        if let Some(at) = heartbeat {
            let _ = write!(wait, ", heartbeat due in {} ms", at.since_ms(io.now));
        }
        if let Some(at) = row.cancel_by() {
            let ms = at.since_ms(io.now);
            let _ = write!(wait, ", asked to end, given up in {ms} ms");
        }
        if row.is_answered() {
            wait.push_str(", its answer is here and counts when the attempt ends");
        }
        wait
    }
}

fn abandoned(id: TaskId) -> Rejection {
    let detail = format!("task {id} was abandoned when its run ended");
    Rejection::new(Code::RunFinished, detail)
}
