//! The tasks of a worker: each attempt is polled once where it arrived, and gets a tokio task only if it waits.

use crate::executor::panic_failure;
use crate::payload::coded;
use crate::service::Service;
use crate::task_cx::TaskCx;
use crate::time::Time;
use futures_util::FutureExt;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::oneshot;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{Outcome, TaskOptions};
use trunkline_api::core::failure::FailureKind;
use trunkline_api::core::ids::{CommandId, RunKey, Token};
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::TaskAttempt;

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

/// Runs attempts, and reports each exactly once.
pub(crate) struct TaskRunner {
    services: Arc<HashMap<Name, Service>>,
    waiting: Arc<Mutex<HashMap<AttemptKey, oneshot::Sender<()>>>>,
    in_flight: Arc<AtomicUsize>,
    poll_inline: bool,
    time: Time,
    done: Done,
}

impl TaskRunner {
    pub(crate) fn new(
        services: Arc<HashMap<Name, Service>>,
        poll_inline: bool,
        time: Time,
        done: impl Fn(AttemptDone) + Send + Sync + 'static,
    ) -> Self {
        Self {
            services,
            waiting: Arc::default(),
            in_flight: Arc::default(),
            poll_inline,
            time,
            done: Arc::new(done),
        }
    }

    /// Attempts that have begun and not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Begins an attempt. Gives its end if it came at once; else `done` is called with it.
    pub(crate) fn begin(&self, attempt: TaskAttempt) -> Option<AttemptDone> {
        let (run, command, token) = (attempt.run, attempt.command, attempt.token);
        let finished = move |outcome| AttemptDone {
            run,
            command,
            token,
            outcome,
        };
        let cx = Arc::new(TaskCx::new(&attempt, self.time.clone()));
        let timeout = Duration::from_millis(
            attempt
                .options
                .attempt_timeout_ms
                .unwrap_or(TaskOptions::ATTEMPT_TIMEOUT_MS),
        );
        let begin = || {
            self.services
                .get(&attempt.service)
                .and_then(|service| service.begin(&attempt.task, cx, attempt.input))
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
        let mut future = Box::pin(AssertUnwindSafe(future).catch_unwind());
        if self.poll_inline {
            // The waker is replaced by the task's own in its first poll, so nothing is lost by ignoring it here.
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(ended) = Pin::new(&mut future).poll(&mut context) {
                return Some(finished(settled(ended)));
            }
        }
        let (abandon, abandoned) = oneshot::channel();
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.lock().insert((run, command, token), abandon);
        let (waiting, in_flight, done) = (
            Arc::clone(&self.waiting),
            Arc::clone(&self.in_flight),
            Arc::clone(&self.done),
        );
        tokio::spawn(async move {
            let outcome = tokio::select! {
                biased;
                _ = abandoned => Outcome::Failed(coded(
                    FailureKind::Cancelled,
                    Code::RunCancelled,
                    "nobody waits for this attempt any more".into(),
                )),
                ended = tokio::time::timeout(timeout, future) => match ended {
                    Ok(ended) => settled(ended),
                    Err(_) => Outcome::Failed(coded(
                        FailureKind::TimedOut,
                        Code::TaskTimedOut,
                        format!("the attempt took longer than {} ms", timeout.as_millis()),
                    )),
                },
            };
            waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&(run, command, token));
            done(finished(outcome));
            in_flight.fetch_sub(1, Ordering::AcqRel);
        });
        None
    }

    /// Nobody waits for this attempt any more: it is dropped where it waits, and ends as cancelled.
    pub(crate) fn abandon(&self, run: RunKey, command: CommandId, token: Token) {
        self.lock().remove(&(run, command, token));
    }

    /// Drops every attempt.
    pub(crate) fn abandon_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AttemptKey, oneshot::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn settled(ended: Result<Outcome, Box<dyn std::any::Any + Send>>) -> Outcome {
    ended.unwrap_or_else(|panic| Outcome::Failed(panic_failure(&*panic)))
}
