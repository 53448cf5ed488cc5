//! Calling methods of runs.
//!
//! A call is part of the run's history. It is named by the caller's nonce, so that a call that was sent twice because a
//! connection broke is one call.

use super::{ClientError, RunError, RunHandle, UntypedRun};
use crate::error::Error;
use crate::fault::Fault;
use crate::invocation::Invocation;
use crate::nonce::nonce;
use crate::payload;
use crate::workflow::Workflow;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::failure::{Failure, FailureKind};
use trunkline_api::core::ids::Nonce;
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{CallMethod, Op, Reply};
use trunkline_api::core::run::RunStatus;

impl<W: Workflow> RunHandle<W> {
    /// Calls a method of the run: `run.call(|w| w.change_address(address)).await?`.
    ///
    /// The method runs beside the run's own code and its other methods, and sees their properties. Awaiting the call waits
    /// until the method has returned; [`start`](CallRun::start) only until the call is accepted. The run does not end before
    /// its methods have returned. That a method fails is told to its caller, and does not fail the run.
    pub fn call<T, E>(&self, method: impl FnOnce(&W::Stub) -> Invocation<T, E>) -> CallRun<T, E> {
        let Invocation { method, input, .. } = method(&W::Stub::default());
        CallRun::new(self.untyped().clone(), Name::from(method), input)
    }
}

impl UntypedRun {
    /// Calls a method of the run by its name.
    pub fn call<T>(
        &self,
        method: impl Into<Name>,
        input: &(impl Serialize + ?Sized),
    ) -> UntypedCall<T> {
        CallRun::new(self.clone(), method.into(), payload::encode(input))
    }
}

/// A call by name: its error has no type of its own.
pub type UntypedCall<T> = CallRun<T, Error>;

/// A call of a method of a run. Await it for the method's result, or [`start`](Self::start) it.
#[must_use = "nothing is called until it is awaited or started"]
pub struct CallRun<T, E> {
    run: UntypedRun,
    method: Name,
    input: Result<Payload, Failure>,
    nonce: Nonce,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> CallRun<T, E> {
    fn new(run: UntypedRun, method: Name, input: Result<Payload, Failure>) -> Self {
        Self {
            run,
            method,
            input,
            nonce: nonce(),
            types: PhantomData,
        }
    }

    /// Names the call yourself, so that a repeat from another process is recognised too.
    pub fn nonce(mut self, nonce: Nonce) -> Self {
        self.nonce = nonce;
        self
    }

    /// Calls the method. The call is accepted, and durable, when this returns.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because the run has ended.
    pub async fn start(self) -> Result<MethodRun<T, E>, ClientError> {
        let (run, nonce) = (self.run.clone(), self.nonce);
        let op = self.into_op(false)?;
        match run.client.request(op).await? {
            Reply::MethodCalled { call, .. } => Ok(MethodRun {
                run,
                call,
                nonce,
                types: PhantomData,
            }),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    fn into_op(self, wait: bool) -> Result<Op, ClientError> {
        Ok(Op::CallMethod(CallMethod {
            run: self.run.id,
            method: self.method,
            input: self.input.map_err(ClientError::payload)?,
            nonce: self.nonce,
            wait,
        }))
    }
}

impl<T: DeserializeOwned + 'static, E: Fault> IntoFuture for CallRun<T, E> {
    type Output = Result<T, RunError<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let client = self.run.client.clone();
            returned(client.request(self.into_op(true)?).await?)
        })
    }
}

impl<T, E> fmt::Debug for CallRun<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallRun({}, {})", self.run.id, self.method)
    }
}

/// A method that was called. It holds nothing but the name of the call.
pub struct MethodRun<T, E> {
    run: UntypedRun,
    call: u32,
    nonce: Nonce,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> MethodRun<T, E> {
    /// What names the call within the run: the index of its entry in the history.
    #[must_use]
    pub fn call(&self) -> u32 {
        self.call
    }
}

impl<T: DeserializeOwned, E: Fault> MethodRun<T, E> {
    /// Waits until the method has returned, and gives its result. Also long after, while the run is kept.
    ///
    /// # Errors
    /// How the method ended if not well, or why it could not be asked.
    pub async fn result(&self) -> Result<T, RunError<E>> {
        let op = Op::AwaitMethod {
            run: self.run.id.clone(),
            call: self.call,
            nonce: Some(self.nonce),
        };
        returned(self.run.client.request(op).await?)
    }
}

impl<T, E> fmt::Debug for MethodRun<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MethodRun({}, call {})", self.run.id, self.call)
    }
}

impl UntypedRun {
    /// Waits until the method of a call has returned, and says how.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because there was no such call.
    pub async fn call_outcome(&self, call: u32) -> Result<Outcome, ClientError> {
        let op = Op::AwaitMethod {
            run: self.id.clone(),
            call,
            nonce: None,
        };
        match self.client.request(op).await? {
            Reply::MethodEnded { outcome, .. } => Ok(outcome),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

fn returned<T: DeserializeOwned, E: Fault>(reply: Reply) -> Result<T, RunError<E>> {
    let Reply::MethodEnded { outcome, .. } = reply else {
        return Err(ClientError::unexpected(&reply).into());
    };
    let value = RunError::check(status_of(&outcome), outcome)?;
    payload::decode(&value).map_err(|f| ClientError::payload(f).into())
}

/// The status of a run that would have ended like this.
fn status_of(outcome: &Outcome) -> RunStatus {
    match outcome {
        Outcome::Completed(_) => RunStatus::Completed,
        Outcome::Failed(failure) => match failure.kind {
            FailureKind::Cancelled => RunStatus::Cancelled,
            FailureKind::Terminated => RunStatus::Terminated,
            _ => RunStatus::Failed,
        },
    }
}
