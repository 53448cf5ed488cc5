//! Calling tasks from workflow code.
//!
//! A [`Call`] is a description: nothing happens until it is awaited, started or detached. Then it claims the run's next
//! command number and becomes a [`TaskHandle`].

use crate::cx::Cx;
use crate::fault::Fault;
use crate::payload;
use crate::pending::Pending;
use crate::retry::Retry;
use crate::span::whole_ms;
use crate::task_cx::set;
use crate::task_error::TaskError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use trunkline_api::core::entry::{Command, TaskOptions};
use trunkline_api::core::failure::Failure;
use trunkline_api::core::ids::{CommandId, TaskId};
use trunkline_api::core::payload::{Name, Payload};

/// A typed stub of a service, as `#[service]` makes it.
pub trait Stub {
    /// The stub for the run of `cx`.
    fn bind(cx: &Cx) -> Self;
}

/// A task to be done. Await it, or [`start`](Self::start) it, or [`detach`](Self::detach) it.
#[must_use = "nothing happens until the call is awaited, started or detached"]
pub struct Call<T, E> {
    cx: Cx,
    service: Name,
    task: Name,
    input: Result<Payload, Failure>,
    options: TaskOptions,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Call<T, E> {
    pub(crate) fn new(
        cx: &Cx,
        service: Name,
        task: Name,
        input: &(impl Serialize + ?Sized),
    ) -> Self {
        Self {
            cx: cx.clone(),
            service,
            task,
            input: payload::encode(input),
            options: TaskOptions::default(),
            types: PhantomData,
        }
    }

    /// How failed attempts are repeated.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = Some(retry.into_policy());
        self
    }

    /// How long one attempt may take: five minutes unless said otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.attempt_timeout_ms = Some(whole_ms(timeout));
        self
    }

    /// How long all attempts and the waits between them may take: without end unless said otherwise.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.options.total_timeout_ms = Some(whole_ms(timeout));
        self
    }

    /// How long an attempt may be silent: without a heartbeat it counts as lost after that. Attempts need no heartbeats unless
    /// this is said.
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.options.heartbeat_timeout_ms = Some(whole_ms(timeout));
        self
    }

    /// How long an attempt may go on that was asked to end, because it was cancelled or took too long: 5 s unless said
    /// otherwise.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace_ms = Some(whole_ms(grace));
        self
    }

    /// Adds a tag, for people and filters.
    pub fn tag(mut self, tag: impl Into<Name>) -> Self {
        self.options.tags.get_or_insert_default().push(tag.into());
        self
    }

    /// Sets a value that goes along with the task: its attempts read it, and may change it for those that follow.
    pub fn meta(mut self, name: impl Into<Name>, value: impl Serialize) -> Self {
        match payload::encode(&value) {
            Ok(value) => set(
                self.options.meta.get_or_insert_default(),
                name.into(),
                value,
            ),
            Err(failure) => self.input = Err(failure),
        }
        self
    }

    /// Schedules the task, and gives a handle to await it later.
    pub fn start(self) -> TaskHandle<T, E> {
        let (service, task, options) = (self.service, self.task, self.options);
        let pending = Pending::asking(&self.cx, self.input, |input| {
            self.cx
                .ledger
                .schedule_task(|command| Command::ScheduleTask {
                    command,
                    service,
                    task,
                    input,
                    options: Box::new(options),
                })
        });
        TaskHandle {
            pending,
            types: PhantomData,
        }
    }

    /// Schedules the task and forgets it. It is done and retried like any other.
    pub fn detach(self) {
        drop(self.start());
    }
}

impl<T: DeserializeOwned, E: Fault> IntoFuture for Call<T, E> {
    type Output = Result<T, TaskError<E>>;
    type IntoFuture = TaskHandle<T, E>;

    fn into_future(self) -> TaskHandle<T, E> {
        self.start()
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({}.{})", self.service, self.task)
    }
}

/// A scheduled task. Dropping the handle lets the task go on; its result is not looked at.
#[must_use = "the task goes on, and its result is lost; call `detach` on the call to say that this is meant"]
pub struct TaskHandle<T, E> {
    pending: Pending,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> TaskHandle<T, E> {
    /// Asks the task to end. One that no worker has ends at once; an attempt that is under way is told, and has its grace.
    /// Awaited, the handle gives [`TaskError::Cancelled`], or what the attempt returned all the same.
    pub fn cancel(&self) {
        if let Some(wait) = self.pending.wait() {
            self.pending.cx().ledger.cancel_task(wait);
        }
    }

    /// The identity of the task, by which anybody can answer it; nothing if its argument could not be written, or if the handle
    /// is used up.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        let wait = self.pending.wait()?;
        let identity = &self.pending.cx().ledger.identity;
        Some(TaskId {
            run: identity.id.key(),
            began: identity.started_at,
            command: CommandId(u32::try_from(wait).ok()?),
        })
    }
}

impl<T: DeserializeOwned, E: Fault> Future for TaskHandle<T, E> {
    type Output = Result<T, TaskError<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let settled = ready!(self.pending.poll(context));
        let result = settled
            .into_result()
            .and_then(|value| payload::decode(&value));
        Poll::Ready(result.map_err(TaskError::new))
    }
}

impl<T, E> fmt::Debug for TaskHandle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskHandle({:?})", self.pending)
    }
}
