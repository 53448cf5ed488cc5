//! The executor of one run: its future, and the loop that feeds it.
//!
//! Notifications are delivered **one at a time**, in the order of the history; after each, the future is polled until
//! nothing is woken. Live and replay run the same loop, so the commands are a function of the history alone, and joins and
//! races need no record of who won.
//!
//! Invariant: a future that is dropped asks for nothing, because its ledger is closed first.

mod mismatch;
mod turn;
mod waker;

#[cfg(test)]
mod tests;

pub(crate) use mismatch::Strictness;
pub(crate) use turn::{Ahead, Player};

use crate::ledger::{Identity, Ledger};
use crate::payload::coded;
use crate::workflow::{Definition, RunFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{Command, Notification};
use trunkline_api::core::failure::FailureKind;
use trunkline_api::core::time::Timestamp;
use waker::RunWaker;

/// Polls of one future for one notification, before the code is taken to spin.
const POLLS_MAX: u32 = 100_000;

/// Why a turn cannot be done. The run is paused with it; it never fails the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stuck {
    pub(crate) code: Code,
    pub(crate) reason: String,
}

impl Stuck {
    pub(crate) fn new(code: Code, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

/// A run's future with its ledger.
pub(crate) struct Execution {
    definition: Arc<dyn Definition>,
    ledger: Rc<Ledger>,
    future: Option<RunFuture>,
    flag: Arc<RunWaker>,
    waker: Waker,
    finished: bool,
}

impl Execution {
    pub(crate) fn new(definition: Arc<dyn Definition>, identity: Identity, seed: u64) -> Self {
        let flag = Arc::new(RunWaker::default());
        Self {
            definition,
            ledger: Ledger::new(identity, seed),
            future: None,
            waker: Waker::from(Arc::clone(&flag)),
            flag,
            finished: false,
        }
    }

    pub(crate) fn ledger(&self) -> &Rc<Ledger> {
        &self.ledger
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// An estimate of the bytes that the run takes.
    pub(crate) fn bytes(&self) -> usize {
        let future = self.future.as_deref().map_or(0, size_of_val);
        future + self.ledger.bytes()
    }

    /// Delivers one notification and polls until the run rests. `at` is absent while it is not known: the result of a task
    /// that the engine has not seen yet.
    pub(crate) fn deliver(
        &mut self,
        at: Option<Timestamp>,
        clock: Timestamp,
        notification: Notification,
    ) -> Result<(), Stuck> {
        if self.flag.was_woken_from_outside() {
            return Err(foreign_wake());
        }
        self.ledger.set_time(at, clock);
        let entered = self.flag.enter();
        let rest = if let Notification::Started { input, .. } = &notification {
            let begin = || self.definition.begin(&self.ledger, input);
            match catch_unwind(AssertUnwindSafe(begin)) {
                Ok(future) => {
                    self.future = Some(future);
                    self.poll()
                }
                Err(panic) => Err(panicked(&*panic)),
            }
        } else {
            self.ledger.deliver(notification);
            self.poll()
        };
        drop(entered);
        rest
    }

    fn poll(&mut self) -> Result<(), Stuck> {
        let Some(future) = &mut self.future else {
            return Ok(());
        };
        let mut context = Context::from_waker(&self.waker);
        for _ in 0..POLLS_MAX {
            self.flag.rest();
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
            match polled {
                Err(panic) => return Err(panicked(&*panic)),
                Ok(Poll::Ready(outcome)) => {
                    // What the future still owned let go of its timers while it returned; that is part of its code.
                    self.ledger.record(Command::Finish { outcome });
                    self.finished = true;
                    self.discard();
                    return Ok(());
                }
                Ok(Poll::Pending) if !self.flag.is_woken() => {
                    if self.flag.was_woken_from_outside() {
                        return Err(foreign_wake());
                    }
                    if !self.ledger.is_awaited() {
                        return Err(Stuck::new(
                            Code::ForeignAwait,
                            "the code awaits something that is not durable: nothing in the run's history can wake it. \
                             Await tasks, steps, timers, signals or children; do other I/O in a step or a task",
                        ));
                    }
                    return Ok(());
                }
                Ok(Poll::Pending) => {}
            }
        }
        Err(Stuck::new(
            Code::ForeignAwait,
            format!("the code wakes itself without end: {POLLS_MAX} polls without rest"),
        ))
    }

    /// Drops the future. Its ledger is closed, so that this asks for nothing.
    fn discard(&mut self) {
        self.ledger.close();
        let future = self.future.take();
        if catch_unwind(AssertUnwindSafe(|| drop(future))).is_err() {
            tracing::warn!(run = %self.ledger.identity.id, "the code panicked while its future was dropped");
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.discard();
    }
}

fn foreign_wake() -> Stuck {
    Stuck::new(
        Code::ForeignAwait,
        "the code was woken from outside: it awaits something that is not durable, such as a tokio timer or socket. \
         Do that in a step or a task",
    )
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Stuck {
    Stuck::new(
        Code::WorkflowPanicked,
        format!("the workflow's code panicked: {}", panic_message(panic)),
    )
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

/// The failure of a task that panicked.
pub(crate) fn panic_failure(
    panic: &(dyn std::any::Any + Send),
) -> trunkline_api::core::failure::Failure {
    coded(
        FailureKind::Panicked,
        Code::TaskPanicked,
        format!("the task panicked: {}", panic_message(panic)),
    )
}
