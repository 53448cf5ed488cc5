//! How tasks end other than by their result: time-outs, cancellation, and the end of their run.
//!
//! An attempt that is not wanted any more is told so, and has its grace: the time to come to an end in good order. A task
//! that was asked to end waits for that, because what its attempt says in the grace still counts; an attempt that has taken
//! too long *lingers*, and what it says does not count.

use super::hot::Hot;
use super::tasks::Then;
use super::{Shard, TaskKey};
use crate::entry::{Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::ids::{CommandId, RunKey, Token};
use crate::io::Io;
use crate::peer::ToPeer;
use crate::queue::Lease;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Shard {
    /// Ends attempts, and tasks, that have taken too long.
    pub(super) fn lapse_tasks(&mut self, io: &mut Io<'_>) {
        while let Some((at, key)) = self.tasks.due.first().copied() {
            if at > io.now {
                break;
            }
            self.settle_due(io, key);
        }
        let mut lapsed = Vec::new();
        for queue in self.tasks.queues.values_mut() {
            queue.ripen(io.now);
            lapsed.extend(queue.lapsed(io.now));
        }
        for (key, lease) in lapsed {
            let task = self.tasks.tasks.get(&key).expect("what is leased is here");
            let failure = if io.now < task.attempt_ends_at {
                silent()
            } else {
                took_too_long()
            };
            self.part_with(io, key, lease, true);
            self.attempt_over(io, key, Outcome::Failed(failure), Then::Nothing);
        }
        while let Some((key, token, peer)) = self.tasks.lingering.lapsed(io.now) {
            io.tell(peer, abandon(key, token));
        }
    }

    /// Does what is due with a task. What it does changes when the task is due next, or ends it.
    pub(super) fn settle_due(&mut self, io: &mut Io<'_>, key: TaskKey) {
        let lease = self.tasks.leased(key);
        let task = self.tasks.tasks.get(&key).expect("what is due is here");
        let row = &task.row;
        let is_over = |at: Option<Timestamp>| at.is_some_and(|at| at <= io.now);
        let delegated = row.delegated();
        let grace_is_over = row.is_cancelling() && is_over(row.cancel_by());
        let is_out_of_time = is_over(row.total_deadline()) || grace_is_over;
        if row.is_answered() && (lease.is_none() || is_out_of_time) {
            // Its attempt went with its worker, or is waited for no longer: the answer counts. The failure is not looked at.
            if let Some(lease) = lease {
                self.part_with(io, key, lease, true);
            }
            self.attempt_over(io, key, Outcome::Failed(took_too_long()), Then::Nothing);
        } else if is_over(row.total_deadline()) {
            let mut failure = Failure::new(
                FailureKind::TimedOut,
                "TL0072",
                "the attempts together took longer than the task's total time-out",
            );
            failure.cause = row.last_failure.clone().map(Box::new);
            if let Some(lease) = lease {
                self.part_with(io, key, lease, true);
            }
            let command = key.1;
            let notification = Notification::TaskFailed { command, failure };
            self.end_task(io, key, notification, Then::Nothing);
        } else if row.is_cancelling() && (lease.is_none() && delegated.is_none() || grace_is_over) {
            if let Some(lease) = lease {
                io.tell(lease.peer, abandon(key, lease.token));
            }
            self.end_cancelled(io, key, None);
        } else if let Some(delegation) = delegated {
            let failure = if is_over(delegation.until) {
                took_too_long()
            } else {
                silent()
            };
            self.attempt_over(io, key, Outcome::Failed(failure), Then::Nothing);
        }
    }

    /// Asks a task to end. Its run hears of the end, unless the run has just ended itself: then `hot` is final or about to be,
    /// and `notify` false.
    pub(super) fn cancel_task(
        &mut self,
        io: &mut Io<'_>,
        key: TaskKey,
        hot: &mut Hot,
        notify: bool,
    ) {
        let lease = self.tasks.leased(key);
        let Some(task) = self.tasks.tasks.get_mut(&key) else {
            // It has ended meanwhile: the run finds out by its history.
            return;
        };
        if task.row.is_cancelling() {
            return;
        }
        let grace_ms = task.row.options.grace_ms();
        if grace_ms > 0 && (lease.is_some() || task.row.delegated().is_some()) {
            task.row.progress_mut().cancel_by = Some(io.now.plus_ms(grace_ms));
            io.put(&self.keys.task(key.0, key.1), &task.row);
            self.tasks.reckon(key);
            if let Some(lease) = lease {
                io.tell(
                    lease.peer,
                    come_to_an_end(key, lease.token, grace_ms, false),
                );
            }
            return;
        }
        if let Some(lease) = lease {
            io.tell(lease.peer, abandon(key, lease.token));
        }
        let last_failure = task.row.last_failure.take();
        self.tasks.remove(io.now, key);
        io.delete(&self.keys.task(key.0, key.1));
        if hot.run.status.is_final() {
            return;
        }
        hot.run.open_tasks -= 1;
        hot.changed = true;
        if notify {
            let command = key.1;
            let failure = cancelled(last_failure);
            self.notify(
                io,
                key.0,
                hot,
                Notification::TaskFailed { command, failure },
            );
        }
    }

    /// Ends a task as cancelled; `failure` is how its attempt ended in the grace, if it did.
    pub(super) fn end_cancelled(
        &mut self,
        io: &mut Io<'_>,
        key: TaskKey,
        failure: Option<Failure>,
    ) {
        let command = key.1;
        let failure = cancelled(failure);
        let notification = Notification::TaskFailed { command, failure };
        self.end_task(io, key, notification, Then::Nothing);
    }

    /// Nobody waits for this attempt any more: its worker is told, and it has its grace.
    fn part_with(&mut self, io: &mut Io<'_>, key: TaskKey, lease: Lease, timed_out: bool) {
        let task = self.tasks.tasks.get(&key).expect("what is leased is here");
        let until = match task.row.cancel_by() {
            // It has been told before.
            Some(until) => until,
            None => {
                let grace_ms = task.row.options.grace_ms();
                if grace_ms > 0 {
                    let message = come_to_an_end(key, lease.token, grace_ms, timed_out);
                    io.tell(lease.peer, message);
                }
                io.now.plus_ms(grace_ms)
            }
        };
        if until <= io.now {
            io.tell(lease.peer, abandon(key, lease.token));
        } else {
            self.tasks
                .lingering
                .insert(key, lease.token, lease.peer, until);
        }
    }

    /// Drops all tasks of a run that has ended early. An attempt that was asked to end before keeps its grace.
    pub(super) fn abandon_tasks(&mut self, io: &mut Io<'_>, run: RunKey) {
        for key in self.tasks_of(run) {
            if let Some(lease) = self.tasks.leased(key) {
                let task = self.tasks.tasks.get(&key).expect("just seen");
                if task.row.is_cancelling() {
                    self.part_with(io, key, lease, false);
                } else {
                    io.tell(lease.peer, abandon(key, lease.token));
                }
            }
            self.tasks.remove(io.now, key);
            io.delete(&self.keys.task(key.0, key.1));
        }
    }

    /// The tasks of a run that have not ended.
    pub(super) fn tasks_of(&self, run: RunKey) -> Vec<TaskKey> {
        let (first, last) = (CommandId(0), CommandId(u32::MAX));
        let range = (run, first)..=(run, last);
        self.tasks.tasks.range(range).map(|(key, _)| *key).collect()
    }
}

fn come_to_an_end((run, command): TaskKey, token: Token, grace_ms: u64, timed_out: bool) -> ToPeer {
    ToPeer::CancelTask {
        run,
        command,
        token,
        grace_ms,
        timed_out,
    }
}

fn abandon((run, command): TaskKey, token: Token) -> ToPeer {
    ToPeer::AbandonTask {
        run,
        command,
        token,
    }
}

fn took_too_long() -> Failure {
    let message = "the attempt took longer than its time-out";
    Failure::new(FailureKind::TimedOut, "TL0071", message)
}

fn silent() -> Failure {
    let message = "the attempt was silent for longer than its heartbeat time-out";
    Failure::new(FailureKind::TimedOut, "TL0081", message)
}

fn cancelled(cause: Option<Failure>) -> Failure {
    let mut failure = Failure::new(FailureKind::Cancelled, "TL0080", "the task was cancelled");
    failure.cause = cause.map(Box::new);
    failure
}
