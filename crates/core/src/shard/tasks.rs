//! Tasks: scheduled by runs, leased to workers, repeated when they fail.
//!
//! A task is a message of its service's [`Queue`]. Its row holds what must survive; its argument is in the run's history, and
//! in memory while the task is young.

use super::feed::shortened;
use super::history::fitting;
use super::task_table::{Task, TaskRow};
use super::turns::refuse;
use super::{Offer, Shard, TaskKey};
use crate::code::Code;
use crate::entry::{Command, Entry, Notification, Outcome, TaskOptions};
use crate::failure::{Failure, Site};
use crate::feed::Mark;
use crate::ids::{PeerId, Token};
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::{Name, Payload};
use crate::peer::{TaskAttempt, ToPeer, TurnDone};
use crate::policy::RetryPolicy;
use crate::row::{Kind, command_of_key, run_of_key};
use crate::run::Run;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Shard {
    pub(super) fn open_tasks(&mut self, io: &Io<'_>) {
        let (from, to) = self.keys.all(Kind::Task);
        let mut rows: Vec<(TaskKey, TaskRow)> = Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            let run = run_of_key(key).expect("a task's key");
            let command = command_of_key(key).expect("a task's key");
            rows.push(((run, command), decode(value)));
            true
        });
        rows.sort_by_key(|(key, row)| (row.scheduled_at, *key));
        for (key, mut row) in rows {
            if mutant::is(Mutant::DelegationForgotten)
                && let Some(progress) = &mut row.progress
            {
                progress.delegated = None;
            }
            self.tasks.insert(io.now, key, Task::new(row, None));
        }
    }

    pub(super) fn schedule_task(
        &mut self,
        io: &mut Io<'_>,
        key: TaskKey,
        (service, task): (Name, Name),
        input: Payload,
        options: TaskOptions,
        chunk: u32,
    ) {
        let row = TaskRow {
            service,
            task,
            failed_attempts: 0,
            ready_at: io.now,
            scheduled_at: io.now,
            options,
            chunk,
            last_failure: None,
            progress: None,
        };
        io.create(&self.keys.task(key.0, key.1), &row);
        self.tasks.insert(io.now, key, Task::new(row, Some(input)));
    }

    /// Gives ready tasks to the workers that offer their service, to the one with the most room first.
    pub(super) fn dispatch_tasks(&mut self, io: &mut Io<'_>, offers: &mut [Offer]) {
        let services: Vec<Name> = self
            .tasks
            .queues
            .iter()
            .filter(|(_, queue)| queue.has_ready())
            .map(|(name, _)| name.clone())
            .collect();
        for service in services {
            let able: Vec<usize> = (0..offers.len())
                .filter(|index| offers[*index].abilities.services.contains(&service))
                .collect();
            loop {
                let roomiest = able
                    .iter()
                    .copied()
                    .map(|index| (offers[index].tasks_of(&service), index))
                    .max_by_key(|(room, _)| *room);
                let Some((_, roomiest)) = roomiest.filter(|(room, _)| *room > 0) else {
                    break;
                };
                match self.send_task(io, &service, offers[roomiest].peer) {
                    Sending::Sent => offers[roomiest].give_task(&service),
                    Sending::Settled => {}
                    Sending::Nothing => break,
                }
            }
        }
    }

    /// Leases the next task of a service to a worker.
    fn send_task(&mut self, io: &mut Io<'_>, service: &Name, peer: PeerId) -> Sending {
        let Some(queue) = self.tasks.queues.get_mut(service) else {
            return Sending::Nothing;
        };
        // The deadline is only known with the task, so look at it first.
        queue.ripen(io.now);
        let Some(key) = queue.peek() else {
            return Sending::Nothing;
        };
        let Some(hot) = self.load(io, key.0) else {
            // The run was purged: nobody waits for the task.
            self.tasks.remove(io.now, key);
            io.delete(&self.keys.task(key.0, key.1));
            return Sending::Settled;
        };
        let (id, began) = (hot.run.id.clone(), began(&hot.run));
        self.keep(key.0, hot);
        let task = self.tasks.tasks.get(&key).expect("what is queued is here");
        if task.row.is_cancelling() || task.row.is_answered() {
            self.settle_due(io, key);
            return Sending::Settled;
        }
        let token = self.next_token();
        let input = self.task_input(io, key);
        let task = self
            .tasks
            .tasks
            .get_mut(&key)
            .expect("what is queued is here");
        let row = &task.row;
        let mut options = row.options.clone();
        let timeout_ms = options
            .attempt_timeout_ms
            .unwrap_or(TaskOptions::ATTEMPT_TIMEOUT_MS);
        task.attempt_ends_at = io.now.plus_ms(timeout_ms);
        if let Some(end) = row.total_deadline()
            && end < task.attempt_ends_at
        {
            // So that the attempt knows how long it really has.
            options.attempt_timeout_ms = Some(end.since_ms(io.now));
        }
        let lease_ends_at = match options.heartbeat_timeout_ms {
            Some(ms) => task.attempt_ends_at.min(io.now.plus_ms(ms)),
            None => task.attempt_ends_at,
        };
        let progress = row.progress.as_ref();
        let attempt = TaskAttempt {
            run: key.0,
            id,
            command: key.1,
            token,
            service: row.service.clone(),
            task: row.task.clone(),
            input,
            attempt: row.failed_attempts + 1,
            options,
            meta: progress.and_then(|progress| progress.meta.clone()),
            last_failure: row.last_failure.clone().map(Box::new),
            heartbeat_details: progress.and_then(|progress| progress.heartbeat_details.clone()),
            began,
        };
        let queue = self.tasks.queues.get_mut(service).expect("just seen");
        let taken = queue.take(io.now, peer, token, lease_ends_at);
        debug_assert_eq!(taken, Some(key), "tasks have no limits of their own");
        let begun = Mark::AttemptStarted {
            command: key.1,
            attempt: attempt.attempt,
        };
        self.mark_task(io, key.0, &begun);
        io.tell(peer, ToPeer::Task(Box::new(attempt)));
        Sending::Sent
    }

    /// A task's argument: from memory, or from the run's history.
    fn task_input(&mut self, io: &mut Io<'_>, key: TaskKey) -> Payload {
        let task = self.tasks.tasks.get(&key).expect("the caller has it");
        if let Some(input) = &task.input {
            return input.clone();
        }
        let chunk = task.row.chunk;
        let found =
            self.chunk_entries(io, key.0, chunk)
                .into_iter()
                .find_map(|entry| match entry {
                    Entry::Command(Command::ScheduleTask { command, input, .. })
                        if command == key.1 =>
                    {
                        Some(input)
                    }
                    _ => None,
                });
        found.expect("a task's row names the chunk with its command")
    }

    pub(super) fn task_done(
        &mut self,
        io: &mut Io<'_>,
        peer: PeerId,
        key: TaskKey,
        token: Token,
        outcome: Outcome,
        then: Option<TurnDone>,
    ) {
        if !self.has_attempt(key, token, peer) {
            // A worker that has played the result ahead must hear that it did not count.
            if !self.tasks.lingering.remove(key, token, peer) || then.is_some() {
                let detail = "the attempt is no longer leased";
                refuse(io, peer, key.0, Code::TokenStale, detail);
            }
            return;
        }
        let then = match then {
            Some(turn) => Then::Turn(peer, turn),
            None => Then::Nothing,
        };
        self.attempt_over(io, key, outcome, then);
    }

    /// True if the attempt with this token is the task's present one, and with this worker.
    pub(super) fn has_attempt(&self, key: TaskKey, token: Token, peer: PeerId) -> bool {
        let lease = self.tasks.leased(key);
        lease.is_some_and(|lease| lease.token == token && lease.peer == peer)
            || (mutant::is(Mutant::LateLease) && self.tasks.tasks.contains_key(&key))
    }

    /// An attempt has ended like this, or with the answer that came meanwhile.
    pub(super) fn attempt_over(
        &mut self,
        io: &mut Io<'_>,
        key: TaskKey,
        outcome: Outcome,
        mut then: Then,
    ) {
        let task = self
            .tasks
            .tasks
            .get_mut(&key)
            .expect("the caller has seen it");
        let progress = task.row.progress.as_mut();
        let answer = progress.and_then(|progress| progress.answer.take());
        let outcome = match answer {
            // It was acknowledged before the attempt ended, so it counts.
            Some(answer) => {
                then.does_not_count();
                answer
            }
            None => outcome,
        };
        match outcome {
            Outcome::Completed(result) => {
                let command = key.1;
                let notification = Notification::TaskCompleted { command, result };
                self.end_task(io, key, notification, then);
            }
            Outcome::Failed(failure) => self.attempt_failed(io, key, failure),
        }
    }

    /// A task has ended: its run hears of it.
    pub(super) fn end_task(
        &mut self,
        io: &mut Io<'_>,
        key: TaskKey,
        notification: Notification,
        then: Then,
    ) {
        let notification = self.with_site(key, notification);
        let chunk = self.tasks.tasks.get(&key).map_or(0, |task| task.row.chunk);
        self.tasks.remove(io.now, key);
        io.delete(&self.keys.task(key.0, key.1));
        let Some(mut hot) = self.load(io, key.0) else {
            return;
        };
        if !hot.run.status.is_final() {
            hot.run.open_tasks -= 1;
            self.mark_distant(&mut hot, key.1, chunk);
            let (notification, fits) = fitting(&hot, notification);
            self.notify(io, key.0, &mut hot, notification);
            match then {
                Then::Nothing => {}
                Then::Turn(peer, turn) if fits => {
                    self.turn_behind_result(io, key.0, &mut hot, peer, turn);
                }
                // A worker that has played the result ahead must hear what became of it.
                Then::Turn(..) | Then::Void => hot.holder = None,
            }
            if !fits {
                hot.holder = None;
            }
        }
        self.keep(key.0, hot);
    }

    /// The end of a task, with the task's name if it failed.
    fn with_site(&self, key: TaskKey, ended: Notification) -> Notification {
        let (Notification::TaskFailed { command, failure }, Some(task)) =
            (&ended, self.tasks.tasks.get(&key))
        else {
            return ended;
        };
        let failure = failure.clone().at(|| Site::Task {
            service: task.row.service.clone(),
            task: task.row.task.clone(),
        });
        Notification::TaskFailed {
            command: *command,
            failure,
        }
    }

    /// An attempt has failed: there is another, or that was the last.
    fn attempt_failed(&mut self, io: &mut Io<'_>, key: TaskKey, failure: Failure) {
        let task = self
            .tasks
            .tasks
            .get_mut(&key)
            .expect("the caller has seen it");
        if task.row.is_cancelling() {
            return self.end_cancelled(io, key, Some(failure));
        }
        let attempt = task.row.failed_attempts + 1;
        let default_policy = RetryPolicy::default();
        let policy = task.row.options.retry.as_ref().unwrap_or(&default_policy);
        let seed = (key.0.0 as u64) ^ u64::from(key.1.0).rotate_left(32);
        let delay = policy.delay_ms(attempt, seed);
        let is_final = failure.non_retryable || policy.non_retryable.contains(&failure.name);
        let elapsed_ms = policy.elapsed_ms;
        let in_time = |at: &Timestamp| {
            task.row.total_deadline().is_none_or(|end| *at < end)
                && elapsed_ms.is_none_or(|ms| *at <= task.row.scheduled_at.plus_ms(ms))
        };
        match delay
            .map(|ms| {
                io.now.plus_ms(if mutant::is(Mutant::BackoffForgotten) {
                    0
                } else {
                    ms
                })
            })
            .filter(in_time)
            .filter(|_| !is_final)
        {
            Some(ready_at) => {
                task.row.failed_attempts = attempt;
                task.row.ready_at = ready_at;
                let failed = Mark::AttemptFailed {
                    command: key.1,
                    attempt,
                    retry_at: ready_at,
                    failure: shortened(&failure),
                };
                task.row.last_failure = Some(failure);
                let progress = task.row.progress.as_mut();
                let delegated = progress.and_then(|progress| progress.delegated.take());
                io.put(&self.keys.task(key.0, key.1), &task.row);
                let queue = self
                    .tasks
                    .queues
                    .entry(task.row.service.clone())
                    .or_default();
                if delegated.is_some() {
                    queue.push(io.now, key, None, ready_at);
                } else {
                    queue.retry(io.now, key, ready_at);
                }
                self.tasks.reckon(key);
                self.mark_task(io, key.0, &failed);
            }
            None => {
                let command = key.1;
                let notification = Notification::TaskFailed { command, failure };
                self.end_task(io, key, notification, Then::Nothing);
            }
        }
    }
}

/// What became of a try to send a task.
enum Sending {
    /// It is on its way.
    Sent,
    /// There was one that need not be sent.
    Settled,
    /// There is none.
    Nothing,
}

/// The turn that a worker has played at once behind a result.
pub(super) enum Then {
    /// There is none.
    Nothing,
    /// It counts if the result does.
    Turn(PeerId, TurnDone),
    /// There was one, and the result that it began from does not count.
    Void,
}

impl Then {
    fn does_not_count(&mut self) {
        if matches!(self, Self::Turn(..)) {
            *self = Self::Void;
        }
    }
}

/// When the count of a run's commands began: what makes their numbers its own.
pub(super) fn began(run: &Run) -> Timestamp {
    run.began_at()
}
