//! The tasks of a shard in memory: their rows, and the queue of each service.

use super::TaskKey;
use super::lingering::Lingering;
use crate::entry::{Meta, Outcome, TaskOptions};
use crate::failure::Failure;
use crate::ids::{Nonce, PeerId};
use crate::payload::{Name, Payload};
use crate::peer::Counters;
use crate::queue::{Lease, Queue};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// The tasks of a shard.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    pub(super) queues: BTreeMap<Name, Queue<TaskKey>>,
    pub(super) tasks: BTreeMap<TaskKey, Task>,
    /// When something happens to a task by itself, apart from its lease and its delay.
    pub(super) due: BTreeSet<(Timestamp, TaskKey)>,
    /// Attempts that nobody waits for any more, and that have their grace.
    pub(super) lingering: Lingering,
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) row: TaskRow,
    /// Absent when it has to be read from the history.
    pub(super) input: Option<Payload>,
    /// When the attempt that is with a worker has taken too long. Its lease may end before: with its next heartbeat due.
    pub(super) attempt_ends_at: Timestamp,
    /// Its place in [`Tasks::due`].
    due: Option<Timestamp>,
}

impl Task {
    pub(super) fn new(row: TaskRow, input: Option<Payload>) -> Self {
        Self {
            row,
            input,
            attempt_ends_at: Timestamp(0),
            due: None,
        }
    }

    /// When something happens to it by itself, apart from its lease and its delay.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }
}

/// What must survive of a task.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TaskRow {
    /// The service.
    #[n(0)]
    pub service: Name,
    /// The task.
    #[n(1)]
    pub task: Name,
    /// Attempts that have failed.
    #[n(2)]
    pub failed_attempts: u32,
    /// Not to be tried before.
    #[n(3)]
    pub ready_at: Timestamp,
    /// When the run asked for it.
    #[n(4)]
    pub scheduled_at: Timestamp,
    /// Times and retries.
    #[n(5)]
    pub options: TaskOptions,
    /// The chunk of the run's history that holds the command.
    #[n(6)]
    pub chunk: u32,
    /// How the newest attempt failed.
    #[n(7)]
    pub last_failure: Option<Failure>,
    /// What has been learnt of it since it was scheduled: of most tasks nothing.
    #[n(8)]
    pub progress: Option<Box<TaskProgress>>,
}

/// What has been learnt of a task since it was scheduled.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct TaskProgress {
    /// What the attempts made of its meta; absent: it is as in the options.
    #[n(0)]
    pub meta: Option<Meta>,
    /// What the last heartbeat said.
    #[n(1)]
    pub heartbeat_details: Option<Payload>,
    /// Its attempt has ended without a result: somebody answers it later.
    #[n(2)]
    pub delegated: Option<Delegation>,
    /// The answer that came while an attempt was under way.
    #[n(3)]
    pub answer: Option<Outcome>,
    /// The nonce of the newest answer.
    #[n(4)]
    pub answer_nonce: Option<Nonce>,
    /// It was asked to end, and has until then.
    #[n(5)]
    pub cancel_by: Option<Timestamp>,
}

/// Until when a delegated task waits for its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Delegation {
    /// When the attempt has taken too long; absent: no time-out was asked for.
    #[n(0)]
    pub until: Option<Timestamp>,
    /// When its next heartbeat is due; absent: it needs none.
    #[n(1)]
    pub heartbeat_by: Option<Timestamp>,
}

impl TaskRow {
    pub(super) fn progress_mut(&mut self) -> &mut TaskProgress {
        self.progress.get_or_insert_default()
    }

    pub(super) fn delegated(&self) -> Option<Delegation> {
        self.progress.as_ref()?.delegated
    }

    pub(super) fn is_cancelling(&self) -> bool {
        self.cancel_by().is_some()
    }

    pub(super) fn cancel_by(&self) -> Option<Timestamp> {
        self.progress.as_ref()?.cancel_by
    }

    /// True if its answer is here and waits for the end of the attempt.
    pub(super) fn is_answered(&self) -> bool {
        self.progress
            .as_ref()
            .is_some_and(|progress| progress.answer.is_some())
    }

    /// What the next attempt knows.
    pub(super) fn meta(&self) -> Option<&Meta> {
        let changed = self.progress.as_ref().and_then(|p| p.meta.as_ref());
        changed.or(self.options.meta.as_ref())
    }

    pub(super) fn total_deadline(&self) -> Option<Timestamp> {
        self.options
            .total_timeout_ms
            .map(|ms| self.scheduled_at.plus_ms(ms))
    }
}

impl Tasks {
    pub(crate) fn contains(&self, key: TaskKey) -> bool {
        self.tasks.contains_key(&key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (TaskKey, &TaskRow)> {
        self.tasks.iter().map(|(key, task)| (*key, &task.row))
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for queue in self.queues.values() {
            queue.check()?;
        }
        for (key, task) in &self.tasks {
            let queued = self
                .queues
                .get(&task.row.service)
                .is_some_and(|queue| queue.contains(*key));
            if queued == task.row.delegated().is_some() {
                return Err(format!(
                    "task {key:?}: in a queue: {queued}, and delegated if not"
                ));
            }
            if task.due != self.due_at(*key, task) {
                return Err(format!("task {key:?} is due at {:?}", task.due));
            }
        }
        Ok(())
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.queues.values().any(Queue::has_ready)
    }

    pub(crate) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.due.first().map(|(at, _)| *at);
        // Ready tasks wait for a worker, not for a time: tasks have no limits of their own.
        self.queues
            .values()
            .filter_map(|queue| queue.next_deadline(now))
            .chain(due)
            .chain(self.lingering.next_deadline())
            .min()
    }

    pub(crate) fn count(&self, counters: &mut Counters) {
        for queue in self.queues.values() {
            let (ready, delayed) = queue.ready_and_delayed();
            counters.tasks_ready += ready as u64;
            counters.tasks_delayed += delayed as u64;
            counters.tasks_in_flight += queue.waiting_and_leased().1 as u64;
        }
    }

    pub(crate) fn release(&mut self, peer: PeerId) {
        self.lingering.release(peer);
        let mut released = Vec::new();
        for queue in self.queues.values_mut() {
            released.append(&mut queue.release(peer));
        }
        for key in released {
            self.reckon(key);
        }
    }

    pub(super) fn insert(&mut self, now: Timestamp, key: TaskKey, task: Task) {
        if task.row.delegated().is_none() {
            self.push(now, key, &task.row);
        }
        let has_more = task.row.options.total_timeout_ms.is_some() || task.row.progress.is_some();
        self.tasks.insert(key, task);
        if has_more {
            self.reckon(key);
        }
    }

    /// Puts a task into its service's queue.
    pub(super) fn push(&mut self, now: Timestamp, key: TaskKey, row: &TaskRow) {
        let queue = self.queues.entry(row.service.clone()).or_default();
        queue.push(now, key, None, row.ready_at);
    }

    /// The lease of the attempt that is with a worker.
    pub(super) fn leased(&self, key: TaskKey) -> Option<Lease> {
        let task = self.tasks.get(&key)?;
        self.queues.get(&task.row.service)?.leased(key)
    }

    /// Finds out anew when something happens to a task by itself. To be called when its row or its lease has changed.
    pub(super) fn reckon(&mut self, key: TaskKey) {
        let Some(task) = self.tasks.get(&key) else {
            return;
        };
        let due = self.due_at(key, task);
        let task = self.tasks.get_mut(&key).expect("just seen");
        let before = core::mem::replace(&mut task.due, due);
        if before != due {
            if let Some(at) = before {
                self.due.remove(&(at, key));
            }
            if let Some(at) = due {
                self.due.insert((at, key));
            }
        }
    }

    fn due_at(&self, key: TaskKey, task: &Task) -> Option<Timestamp> {
        let total = task.row.total_deadline();
        let Some(progress) = &task.row.progress else {
            return total;
        };
        let waits = progress.delegated;
        // What ends with the attempt ends at once when no attempt is under way.
        let at_once = (progress.answer.is_some()
            || (progress.cancel_by.is_some() && waits.is_none()))
            && self.leased(key).is_none();
        [
            total,
            progress.cancel_by,
            waits.and_then(|delegation| delegation.until),
            waits.and_then(|delegation| delegation.heartbeat_by),
            at_once.then_some(Timestamp(0)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn remove(&mut self, now: Timestamp, key: TaskKey) -> Option<(Task, Option<Lease>)> {
        let task = self.tasks.remove(&key)?;
        if let Some(at) = task.due {
            self.due.remove(&(at, key));
        }
        let lease = self
            .queues
            .get_mut(&task.row.service)
            .and_then(|queue| queue.remove(now, key));
        Some((task, lease))
    }
}
