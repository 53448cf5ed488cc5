//! Calling methods from workflow code: of another run, or of the run's own.
//!
//! A call is a command like a task's. The method runs as a branch of its own in the run that is called, and its result comes
//! back when it has returned; a refusal comes back in the same way.

use crate::cx::Cx;
use crate::error::Error;
use crate::fault::Fault;
use crate::invocation::Invocation;
use crate::payload;
use crate::pending::Pending;
use crate::workflow::Workflow;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use trunkline_api::core::entry::Command;
use trunkline_api::core::failure::Failure;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::{Name, Payload};

impl Cx {
    /// Calls a method of the run `id` of `W`, which may be this run: `cx.call_run::<Cart, _, _>("7", |w| w.add(item)).await?`.
    pub fn call_run<W: Workflow, T, E>(
        &self,
        id: impl Into<Name>,
        method: impl FnOnce(&W::Stub) -> Invocation<T, E>,
    ) -> MethodCall<T, E> {
        let Invocation { method, input, .. } = method(&W::Stub::default());
        MethodCall {
            cx: self.clone(),
            run: RunId::new(W::NAME, id),
            method: Name::from(method),
            input,
            types: PhantomData,
        }
    }

    /// Calls a method of this very run, as a branch of its own: `cx.call_self::<Cart, _, _>(|w| w.add(item)).start()`.
    pub fn call_self<W: Workflow, T, E>(
        &self,
        method: impl FnOnce(&W::Stub) -> Invocation<T, E>,
    ) -> MethodCall<T, E> {
        self.call_run::<W, T, E>(self.run_id().id.clone(), method)
    }
}

/// A method of a run to be called. Await it, or [`start`](Self::start) it.
#[must_use = "nothing is called until it is awaited or started"]
pub struct MethodCall<T, E> {
    cx: Cx,
    run: RunId,
    method: Name,
    input: Result<Payload, Failure>,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> MethodCall<T, E> {
    /// Calls the method, and gives a handle to await it later.
    pub fn start(self) -> MethodHandle<T, E> {
        let (run, method) = (self.run, self.method);
        let pending = Pending::asking(&self.cx, self.input, |input| {
            let of = run.clone();
            let command = |command| Command::CallMethod {
                command,
                run,
                method,
                input,
            };
            self.cx.ledger.call_method(&of, command)
        });
        MethodHandle {
            pending,
            types: PhantomData,
        }
    }

    /// Calls the method and forgets it. A run does not end before the methods of its own that it has called.
    pub fn detach(self) {
        drop(self.start());
    }
}

impl<T: DeserializeOwned, E: Fault> IntoFuture for MethodCall<T, E> {
    type Output = Result<T, Error>;
    type IntoFuture = MethodHandle<T, E>;

    fn into_future(self) -> MethodHandle<T, E> {
        self.start()
    }
}

impl<T, E> fmt::Debug for MethodCall<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MethodCall({}, {})", self.run, self.method)
    }
}

/// A method that was called. The method's own error is found with [`Error::downcast`].
#[must_use = "the method goes on, and its result is lost; call `detach` on the call to say that this is meant"]
pub struct MethodHandle<T, E> {
    pending: Pending,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T: DeserializeOwned, E: Fault> Future for MethodHandle<T, E> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let settled = ready!(self.pending.poll(context));
        let result = settled
            .into_result()
            .and_then(|value| payload::decode(&value));
        Poll::Ready(result.map_err(Error::from_failure))
    }
}

impl<T, E> fmt::Debug for MethodHandle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MethodHandle({:?})", self.pending)
    }
}
