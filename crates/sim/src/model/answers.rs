//! Answers of tasks from outside: one that was taken is the result, and a task that is delegated is with nobody else.

use super::{Checked, Model, broken, decode};
use trunkline_core::entry::{Entry, Notification, Outcome};
use trunkline_core::failure::FailureKind;
use trunkline_core::ids::{ShardId, TaskId};
use trunkline_core::row::{Keys, Kind, command_of_key, run_of_key};
use trunkline_core::shard::TaskRow;

/// Results from outside are numbers from here on: no token is so high.
pub const OUTSIDE: u64 = 1 << 63;

impl Model {
    /// The open task with this place.
    #[must_use]
    pub fn open_task(&self, place: usize) -> Option<TaskId> {
        let mut tasks = Vec::new();
        for shard in (0..self.shards).map(ShardId) {
            let (from, to) = Keys::new(shard).all(Kind::Task);
            tasks.extend(self.live.range(from..to).map(|(key, _)| key));
        }
        let key = tasks.get(place % tasks.len().max(1))?;
        let (run, command) = (run_of_key(key)?, command_of_key(key)?);
        Some(TaskId {
            run,
            began: self.run(run)?.began_at(),
            command,
        })
    }

    /// An attempt begins: nobody else has the task.
    pub(super) fn check_not_delegated(&self, row: &TaskRow) -> Checked {
        let progress = row.progress.as_ref();
        if progress.is_some_and(|progress| progress.delegated.is_some()) {
            return broken("TASK-DELEGATED", format!("{row:?} is handed out"));
        }
        Ok(())
    }

    /// Marks what is seen of a task's row.
    pub(super) fn note_task(&mut self, new: Option<&[u8]>) {
        let row: Option<TaskRow> = new.map(decode);
        let Some(progress) = row.and_then(|row| row.progress) else {
            return;
        };
        let marks = &mut self.marks;
        marks.set_if(progress.delegated.is_some(), "a task was delegated");
        marks.set_if(
            progress.answer.is_some(),
            "an answer was kept until its attempt ends",
        );
        marks.set_if(progress.cancel_by.is_some(), "a task was asked to end");
    }

    /// Whether a task has the result that somebody was told it takes; nothing if its run is no longer known.
    #[must_use]
    pub fn took(&self, task: TaskId, answer: &Outcome) -> Option<bool> {
        let run = self.run(task.run)?;
        if run.began_at() != task.began {
            return Some(true);
        }
        let entries = self.history(task.run);
        let fits = |entry: &Entry| match entry {
            Entry::Notification(_, Notification::TaskCompleted { command, result }) => {
                *command != task.command || Outcome::Completed(result.clone()) == *answer
            }
            Entry::Notification(_, Notification::TaskFailed { command, failure }) => {
                *command != task.command || failure.kind == FailureKind::Cancelled
            }
            _ => true,
        };
        Some(entries.iter().all(fits))
    }
}
