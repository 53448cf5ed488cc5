//! Inline steps: closures that run in the worker, and whose result is journaled.

use crate::cx::Cx;
use crate::error::{Error, Result};
use crate::payload;
use crate::pending::Pending;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::payload::Name;

/// A future that the worker runs on tokio for a run.
pub(crate) type OutcomeFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A step that has begun and not been run.
pub(crate) type StepClosure = Box<dyn FnOnce() -> OutcomeFuture>;

/// A step to be run. Await it, or [`start`](Self::start) it.
#[must_use = "nothing happens until the step is awaited or started"]
pub struct Step<T> {
    cx: Cx,
    name: Name,
    closure: StepClosure,
    types: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned + 'static> Step<T> {
    pub(crate) fn new<F, Fut>(cx: &Cx, name: Name, closure: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        Self {
            cx: cx.clone(),
            name,
            closure: Box::new(move || Box::pin(run(closure))),
            types: PhantomData,
        }
    }

    /// Begins the step, and gives a handle to await it later.
    pub fn start(self) -> StepHandle<T> {
        let wait = self.cx.ledger.begin_step(self.name, self.closure);
        StepHandle {
            pending: Pending::new(&self.cx, wait),
            types: PhantomData,
        }
    }
}

async fn run<T, F, Fut>(closure: F) -> Outcome
where
    T: Serialize,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    match closure().await {
        Ok(value) => match payload::encode(&value) {
            Ok(value) => Outcome::Completed(value),
            Err(failure) => Outcome::Failed(failure),
        },
        Err(error) => Outcome::Failed(error.failure().clone()),
    }
}

impl<T: Serialize + DeserializeOwned + 'static> IntoFuture for Step<T> {
    type Output = Result<T>;
    type IntoFuture = StepHandle<T>;

    fn into_future(self) -> StepHandle<T> {
        self.start()
    }
}

impl<T> fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({})", self.name)
    }
}

/// A step that has begun.
#[derive(Debug)]
#[must_use = "the step goes on, and its result is lost"]
pub struct StepHandle<T> {
    pending: Pending,
    types: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Future for StepHandle<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let settled = ready!(self.pending.poll(context));
        let result = settled
            .into_result()
            .and_then(|value| payload::decode(&value));
        Poll::Ready(result.map_err(Error::from_failure))
    }
}
