//! The tasks of a worker: each attempt is polled once where it arrived, and gets a tokio task only if it waits.

use crate::executor::panic_failure;
use crate::payload::coded;
use crate::service::Service;
use crate::task_cx::{Ending, TaskCx, Tell};
use crate::time::Time;
use futures_util::FutureExt;
use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::oneshot;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::failure::FailureKind;
use trunkline_api::core::ids::{CommandId, RunKey, Token};
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{FromPeer, TaskAttempt};

/// A finished attempt.
#[derive(Debug)]
pub(crate) struct AttemptDone {
    pub(crate) run: RunKey,
    pub(crate) command: CommandId,
    pub(crate) token: Token,
    pub(crate) outcome: Outcome,
}

/// What names an attempt on this connection.
type AttemptKey = (RunKey, CommandId, Token);

type Done = Arc<dyn Fn(AttemptDone) + Send + Sync>;

/// Runs attempts, and reports each exactly once: as done, or as delegated.
pub(crate) struct TaskRunner {
    services: Arc<HashMap<Name, Service>>,
    waiting: Arc<Mutex<HashMap<AttemptKey, Waiting>>>,
    in_flight: Arc<AtomicUsize>,
    poll_inline: bool,
    time: Time,
    done: Done,
    tell: Tell,
}

/// An attempt that waits for something.
struct Waiting {
    cx: Arc<TaskCx>,
    /// Dropped, it ends the attempt where it waits.
    _abandon: oneshot::Sender<()>,
}

impl TaskRunner {
    /// `done` is called with finished attempts, `tell` with what else is to be said of attempts.
    pub(crate) fn new(
        services: Arc<HashMap<Name, Service>>,
        poll_inline: bool,
        time: Time,
        done: impl Fn(AttemptDone) + Send + Sync + 'static,
        tell: impl Fn(FromPeer) + Send + Sync + 'static,
    ) -> Self {
        Self {
            services,
            waiting: Arc::default(),
            in_flight: Arc::default(),
            poll_inline,
            time,
            done: Arc::new(done),
            tell: Arc::new(tell),
        }
    }

    /// Attempts that have begun and not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Begins an attempt. Gives its end if it came at once; else `done` is called with it.
    pub(crate) fn begin(&self, mut attempt: TaskAttempt) -> Option<AttemptDone> {
        let (run, command, token) = (attempt.run, attempt.command, attempt.token);
        let finished = move |outcome| AttemptDone {
            run,
            command,
            token,
            outcome,
        };
        let cx = TaskCx::new(&mut attempt, self.time.clone(), Arc::clone(&self.tell));
        let begin = || {
            self.services
                .get(&attempt.service)
                .and_then(|service| service.begin(&attempt.task, Arc::clone(&cx), attempt.input))
        };
        let future = match std::panic::catch_unwind(AssertUnwindSafe(begin)) {
            Ok(Some(future)) => future,
            Ok(None) => {
                let message = format!("no task {}.{} here", attempt.service, attempt.task);
                let failure = coded(FailureKind::Application, Code::UnknownTask, message);
                return Some(finished(Outcome::Failed(failure)));
            }
            Err(panic) => return Some(finished(Outcome::Failed(panic_failure(&*panic)))),
        };
        let mut attempt = Attempt {
            future: Box::pin(AssertUnwindSafe(future).catch_unwind()),
            cx,
        };
        if self.poll_inline {
            // The waker is replaced by the task's own in its first poll, so nothing is lost by ignoring it here.
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(end) = Pin::new(&mut attempt).poll(&mut context) {
                return attempt.cx.settle(end).map(finished);
            }
        }
        let (abandon, abandoned) = oneshot::channel();
        let cx = Arc::clone(&attempt.cx);
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.lock().insert(
            (run, command, token),
            Waiting {
                cx: Arc::clone(&cx),
                _abandon: abandon,
            },
        );
        let (waiting, in_flight, done) = (
            Arc::clone(&self.waiting),
            Arc::clone(&self.in_flight),
            Arc::clone(&self.done),
        );
        tokio::spawn(async move {
            let end = tokio::select! {
                biased;
                _ = abandoned => End::Outcome(given_up(Ending::Cancelled)),
                end = attempt => end,
                ending = cx.given_up() => End::Outcome(given_up(ending)),
            };
            waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&(run, command, token));
            if let Some(outcome) = cx.settle(end) {
                done(finished(outcome));
            }
            in_flight.fetch_sub(1, Ordering::AcqRel);
        });
        None
    }

    /// The attempt is to come to its end within `grace`.
    pub(crate) fn cancel(&self, attempt: AttemptKey, ending: Ending, grace: Duration) {
        // What it has others do must not find the table locked.
        let cx = self
            .lock()
            .get(&attempt)
            .map(|waiting| Arc::clone(&waiting.cx));
        if let Some(cx) = cx {
            cx.end(ending, grace);
        }
    }

    /// Nobody waits for this attempt any more: it is dropped where it waits, and ends as cancelled.
    pub(crate) fn abandon(&self, run: RunKey, command: CommandId, token: Token) {
        let abandoned = self.lock().remove(&(run, command, token));
        drop(abandoned);
    }

    /// Drops every attempt.
    pub(crate) fn abandon_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AttemptKey, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an attempt ends.
enum End {
    Outcome(Outcome),
    /// Somebody answers the task later.
    Delegated,
}

type Unwound = Result<Outcome, Box<dyn Any + Send>>;

/// An attempt's future; it ends too when the attempt is delegated.
struct Attempt<F> {
    future: Pin<Box<F>>,
    cx: Arc<TaskCx>,
}

impl<F: Future<Output = Unwound>> Future for Attempt<F> {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End> {
        let Self { future, cx } = &mut *self;
        match cx.polled(|| future.as_mut().poll(context)) {
            Poll::Ready(ended) => Poll::Ready(End::Outcome(settled(ended))),
            Poll::Pending if self.cx.is_delegated() => Poll::Ready(End::Delegated),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl TaskCx {
    /// The outcome to report, behind everything that the attempt has said; nothing if it is delegated, which is told here.
    fn settle(&self, end: End) -> Option<Outcome> {
        match end {
            End::Delegated => {
                self.tell_delegated();
                None
            }
            // It came in the grace, and does not count: a run that is held here must not be played on with it.
            End::Outcome(Outcome::Completed(_)) if self.ending() == Some(Ending::TimedOut) => {
                Some(given_up(Ending::TimedOut))
            }
            End::Outcome(outcome) => {
                if matches!(outcome, Outcome::Failed(_)) {
                    self.tell_notes();
                }
                Some(outcome)
            }
        }
    }
}

fn given_up(ending: Ending) -> Outcome {
    Outcome::Failed(match ending {
        Ending::Cancelled => coded(
            FailureKind::Cancelled,
            Code::TaskCancelled,
            "nobody waits for this attempt any more".into(),
        ),
        Ending::TimedOut => coded(
            FailureKind::TimedOut,
            Code::TaskTimedOut,
            "the attempt took longer than its time-out".into(),
        ),
    })
}

pub(crate) fn settled(ended: Unwound) -> Outcome {
    ended.unwrap_or_else(|panic| Outcome::Failed(panic_failure(&*panic)))
}
