//! Tasks: scheduled by runs, leased to workers, repeated when they fail.
//!
//! A task is a message of its service's [`Queue`]. Its row holds what must survive; its argument is in the run's history, and
//! in memory while the task is young.

use super::history::fitting;
use super::task_table::{Task, TaskRow};
use super::turns::refuse;
use super::{Offer, Shard, TaskKey};
use crate::code::Code;
use crate::entry::{Command, Entry, Notification, Outcome, TaskOptions};
use crate::failure::{Failure, FailureKind};
use crate::ids::{PeerId, RunKey, Token};
use crate::io::{Io, decode};
use crate::payload::{Name, Payload};
use crate::peer::{TaskAttempt, ToPeer, TurnDone};
use crate::policy::RetryPolicy;
use crate::row::{Kind, command_of_key, run_of_key};
use crate::time::Timestamp;
use alloc::format;
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
        for (key, row) in rows {
            self.tasks.insert(io.now, key, Task { row, input: None });
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
        };
        io.create(&self.keys.task(key.0, key.1), &row);
        self.tasks.insert(
            io.now,
            key,
            Task {
                row,
                input: Some(input),
            },
        );
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
                    .max_by_key(|index| offers[*index].tasks);
                let Some(roomiest) = roomiest.filter(|index| offers[*index].tasks > 0) else {
                    break;
                };
                let peer = offers[roomiest].peer;
                if !self.send_task(io, &service, peer) {
                    break;
                }
                offers[roomiest].tasks -= 1;
            }
        }
    }

    /// Leases the next task of a service to a worker; false if there is none.
    fn send_task(&mut self, io: &mut Io<'_>, service: &Name, peer: PeerId) -> bool {
        let token = self.next_token();
        let Some(queue) = self.tasks.queues.get_mut(service) else {
            return false;
        };
        // The deadline is only known with the task, so look at it first.
        queue.ripen(io.now);
        let Some(next) = queue.peek() else {
            return false;
        };
        let row = &self
            .tasks
            .tasks
            .get(&next)
            .expect("what is queued is here")
            .row;
        let timeout_ms = row
            .options
            .attempt_timeout_ms
            .unwrap_or(TaskOptions::ATTEMPT_TIMEOUT_MS);
        let Some(key) = queue.take(io.now, peer, token, io.now.plus_ms(timeout_ms)) else {
            return false;
        };
        let Some(hot) = self.load(io, key.0) else {
            // The run was purged: nobody waits for the task.
            self.tasks.remove(io.now, key);
            io.delete(&self.keys.task(key.0, key.1));
            return true;
        };
        let id = hot.run.id.clone();
        self.keep(key.0, hot);
        let input = self.task_input(io, key);
        let row = &self.tasks.tasks.get(&key).expect("just taken").row;
        let attempt = TaskAttempt {
            run: key.0,
            id,
            command: key.1,
            token,
            service: row.service.clone(),
            task: row.task.clone(),
            input,
            attempt: row.failed_attempts + 1,
            options: row.options.clone(),
        };
        io.tell(peer, ToPeer::Task(attempt));
        true
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
        let held = self.tasks.tasks.get(&key).and_then(|task| {
            let lease = self
                .tasks
                .queues
                .get(&task.row.service)?
                .lease(key, token)?;
            (lease.peer == peer).then_some(())
        });
        if held.is_none() {
            return refuse(
                io,
                peer,
                key.0,
                Code::TokenStale,
                "the attempt is no longer leased",
            );
        }
        match outcome {
            Outcome::Completed(result) => {
                let notification = Notification::TaskCompleted {
                    command: key.1,
                    result,
                };
                self.end_task(io, key, notification, then.map(|turn| (peer, turn)));
            }
            Outcome::Failed(failure) => self.attempt_failed(io, key, failure),
        }
    }

    /// A task has ended: its run hears of it.
    fn end_task(
        &mut self,
        io: &mut Io<'_>,
        key: TaskKey,
        notification: Notification,
        then: Option<(PeerId, TurnDone)>,
    ) {
        self.tasks.remove(io.now, key);
        io.delete(&self.keys.task(key.0, key.1));
        let Some(mut hot) = self.load(io, key.0) else {
            return;
        };
        if !hot.run.status.is_final() {
            hot.run.open_tasks -= 1;
            let (notification, fits) = fitting(&hot, notification);
            self.notify(io, key.0, &mut hot, notification);
            // A worker that has played the result ahead must hear what became of it.
            let then = if fits { then } else { None };
            if !fits {
                hot.holder = None;
            }
            if let Some((peer, turn)) = then {
                self.turn_behind_result(io, key.0, &mut hot, peer, turn);
            }
        }
        self.keep(key.0, hot);
    }

    /// An attempt has failed: there is another, or that was the last.
    fn attempt_failed(&mut self, io: &mut Io<'_>, key: TaskKey, failure: Failure) {
        let task = self
            .tasks
            .tasks
            .get_mut(&key)
            .expect("the caller has seen it");
        let attempt = task.row.failed_attempts + 1;
        let default_policy = RetryPolicy::default();
        let policy = task.row.options.retry.as_ref().unwrap_or(&default_policy);
        let seed = (key.0.0 as u64) ^ u64::from(key.1.0).rotate_left(32);
        let delay = policy.delay_ms(attempt, seed);
        let is_final = failure.non_retryable || policy.non_retryable.contains(&failure.name);
        let in_time = |at: &Timestamp| task.row.total_deadline().is_none_or(|end| *at < end);
        match delay
            .map(|ms| io.now.plus_ms(ms))
            .filter(in_time)
            .filter(|_| !is_final)
        {
            Some(ready_at) => {
                task.row.failed_attempts = attempt;
                task.row.ready_at = ready_at;
                task.row.last_failure = Some(failure);
                io.put(&self.keys.task(key.0, key.1), &task.row);
                let queue = self.tasks.queues.get_mut(&task.row.service);
                queue
                    .expect("a task is in its service's queue")
                    .retry(io.now, key, ready_at);
            }
            None => {
                let notification = Notification::TaskFailed {
                    command: key.1,
                    failure,
                };
                self.end_task(io, key, notification, None);
            }
        }
    }

    /// Ends attempts, and tasks, that have taken too long.
    pub(super) fn lapse_tasks(&mut self, io: &mut Io<'_>) {
        while let Some((at, key)) = self.tasks.totals.first().copied() {
            if at > io.now {
                break;
            }
            self.abandon_attempt(io, key);
            let mut failure = Failure::new(
                FailureKind::TimedOut,
                "TL0072",
                "the attempts together took longer than the task's total time-out",
            );
            let task = self
                .tasks
                .tasks
                .get(&key)
                .expect("totals name tasks that are here");
            failure.cause = task.row.last_failure.clone().map(alloc::boxed::Box::new);
            let notification = Notification::TaskFailed {
                command: key.1,
                failure,
            };
            self.end_task(io, key, notification, None);
        }
        let mut lapsed = Vec::new();
        for queue in self.tasks.queues.values_mut() {
            queue.ripen(io.now);
            lapsed.extend(queue.lapsed(io.now));
        }
        for (key, _) in lapsed {
            self.abandon_attempt(io, key);
            let message = "the attempt took longer than its time-out";
            let failure = Failure::new(FailureKind::TimedOut, "TL0071", message);
            self.attempt_failed(io, key, failure);
        }
    }

    /// Tells the worker that has an attempt of this task, if one does, that nobody waits for it.
    fn abandon_attempt(&mut self, io: &mut Io<'_>, key: TaskKey) {
        let Some(task) = self.tasks.tasks.get(&key) else {
            return;
        };
        let queue = self.tasks.queues.get(&task.row.service);
        if let Some(lease) = queue.and_then(|queue| queue.leased(key)) {
            let message = ToPeer::AbandonTask {
                run: key.0,
                command: key.1,
                token: lease.token,
            };
            io.tell(lease.peer, message);
        }
    }

    /// Drops all tasks of a run that has ended early.
    pub(super) fn abandon_tasks(&mut self, io: &mut Io<'_>, run: RunKey) {
        let (first, last) = (crate::ids::CommandId(0), crate::ids::CommandId(u32::MAX));
        let range = (run, first)..=(run, last);
        let keys: Vec<TaskKey> = self.tasks.tasks.range(range).map(|(key, _)| *key).collect();
        for key in keys {
            self.abandon_attempt(io, key);
            self.tasks.remove(io.now, key);
            io.delete(&self.keys.task(key.0, key.1));
        }
    }

    /// What a run waits for among its tasks, in words.
    pub(super) fn task_waits(&self, io: &Io<'_>, run: RunKey, waits: &mut Vec<Name>) {
        let (first, last) = (crate::ids::CommandId(0), crate::ids::CommandId(u32::MAX));
        for (key, task) in self.tasks.tasks.range((run, first)..=(run, last)) {
            let row = &task.row;
            let what = format!("task {}.{}", row.service, row.task);
            let queue = self.tasks.queues.get(&row.service);
            let wait = if queue.is_some_and(|queue| queue.leased(*key).is_some()) {
                format!(
                    "{what}: attempt {} is with a worker",
                    row.failed_attempts + 1
                )
            } else if let Some(reason) = queue.and_then(|queue| queue.blocked_on(io.now, *key)) {
                let failure = row
                    .last_failure
                    .as_ref()
                    .map_or("", |failure| &failure.message);
                format!(
                    "{what}: {reason}; attempt {} failed: {failure}",
                    row.failed_attempts
                )
            } else {
                format!(
                    "{what}: a worker with a free slot for service `{}`",
                    row.service
                )
            };
            waits.push(Name::from(wait));
        }
    }
}
