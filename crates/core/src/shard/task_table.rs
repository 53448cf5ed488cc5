//! The tasks of a shard in memory: their rows, and the queue of each service.

use super::TaskKey;
use crate::entry::TaskOptions;
use crate::failure::Failure;
use crate::ids::PeerId;
use crate::payload::{Name, Payload};
use crate::peer::Counters;
use crate::queue::{Lease, Queue};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use minicbor::{Decode, Encode};

/// The tasks of a shard.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    pub(super) queues: BTreeMap<Name, Queue<TaskKey>>,
    pub(super) tasks: BTreeMap<TaskKey, Task>,
    /// When all attempts of a task together have taken too long.
    pub(super) totals: BTreeSet<(Timestamp, TaskKey)>,
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) row: TaskRow,
    /// Absent when it has to be read from the history.
    pub(super) input: Option<Payload>,
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
}

impl TaskRow {
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
            if !self
                .queues
                .get(&task.row.service)
                .is_some_and(|queue| queue.contains(*key))
            {
                return Err(format!("task {key:?} is in no queue"));
            }
        }
        Ok(())
    }

    pub(crate) fn has_ready(&self) -> bool {
        self.queues.values().any(Queue::has_ready)
    }

    pub(crate) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let total = self.totals.first().map(|(at, _)| *at);
        // Ready tasks wait for a worker, not for a time: tasks have no limits of their own.
        self.queues
            .values()
            .filter_map(|queue| queue.next_deadline(now))
            .chain(total)
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
        for queue in self.queues.values_mut() {
            queue.release(peer);
        }
    }

    pub(super) fn insert(&mut self, now: Timestamp, key: TaskKey, task: Task) {
        let queue = self.queues.entry(task.row.service.clone()).or_default();
        queue.push(now, key, None, task.row.ready_at);
        if let Some(deadline) = task.row.total_deadline() {
            self.totals.insert((deadline, key));
        }
        self.tasks.insert(key, task);
    }

    pub(super) fn remove(&mut self, now: Timestamp, key: TaskKey) -> Option<(Task, Option<Lease>)> {
        let task = self.tasks.remove(&key)?;
        if let Some(deadline) = task.row.total_deadline() {
            self.totals.remove(&(deadline, key));
        }
        let lease = self
            .queues
            .get_mut(&task.row.service)
            .and_then(|queue| queue.remove(now, key));
        Some((task, lease))
    }
}
