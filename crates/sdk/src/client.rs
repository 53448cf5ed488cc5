//! The client: starts runs, talks to them, and waits for their results.

mod error;
mod events;
mod many;
mod method;
mod query;
mod requests;
mod run;
mod schedule;
mod signal;
mod start;
mod task;
mod timers;

#[cfg(test)]
mod tests;

pub use error::{ClientError, RunError};
pub use events::{Event, EventCursor, EventStream};
pub use method::{CallRun, MethodRun, UntypedCall};
pub use query::QueryRun;
pub use run::{RunHandle, UntypedRun};
pub use schedule::{Fired, PutSchedule, ScheduleHandle};
pub use signal::SendSignal;
pub use start::StartRun;
pub use task::{ClientTask, TaskName};

use crate::link::Endpoint;
use crate::workflow::Workflow;
use requests::Requests;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{Op, Reply, RunFilter};
use trunkline_api::core::run::Run;

/// A connection to the engine for asking. Cheap to clone; all clones share one connection, which reconnects by itself.
///
/// Requests that were not answered when the connection broke are sent again with the same nonce, so that nothing happens
/// twice. While the engine does not answer, requests wait: put a time-out around what must not.
///
/// ```no_run
/// # use trunkline::prelude::*;
/// # #[workflow] async fn hello(cx: Cx, name: String) -> Result<String> { Ok(name) }
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("http://127.0.0.1:7411").await?;
/// let run = client.workflow::<hello>("greeting-1").tag("lang:en").start("world".into()).await?;
/// println!("{}", run.result().await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    requests: Arc<Requests>,
}

impl Client {
    /// Connects to the engine at `endpoint`: a URL, or an engine in this process.
    ///
    /// # Errors
    /// If it does not answer. Once connected, the client reconnects by itself.
    pub async fn connect(endpoint: impl Into<Endpoint>) -> Result<Self, ClientError> {
        let requests = Requests::connect(endpoint.into()).await?;
        Ok(Self {
            requests: Arc::new(requests),
        })
    }

    /// A client of an engine in this process.
    ///
    /// # Errors
    /// Never so far: an engine that is open answers.
    #[cfg(feature = "embedded")]
    pub async fn embedded(engine: &trunkline_engine::Engine) -> Result<Self, ClientError> {
        Self::connect(engine).await
    }

    /// Begins a start: a run of `W` called `id`. The id is what makes a repeated start the same run.
    pub fn workflow<W: Workflow>(&self, id: impl Into<Name>) -> StartRun<W> {
        StartRun::new(self.clone(), RunId::new(W::NAME, id))
    }

    /// A handle to the schedule `name`, whether it exists or not.
    #[must_use]
    pub fn schedule(&self, name: impl Into<Name>) -> ScheduleHandle {
        ScheduleHandle::new(self.clone(), name.into())
    }

    /// A handle to the run `id` of `W`, whether it exists or not.
    #[must_use]
    pub fn run<W: Workflow>(&self, id: impl Into<Name>) -> RunHandle<W> {
        RunHandle::new(self.untyped(W::NAME, id), PhantomData)
    }

    /// A handle to a run whose workflow has no type here.
    #[must_use]
    pub fn untyped(&self, workflow: impl Into<Name>, id: impl Into<Name>) -> UntypedRun {
        UntypedRun::new(self.clone(), RunId::new(workflow, id))
    }

    /// Listens to what happens: the events of runs, tasks and jobs, as they were committed.
    pub fn events(&self) -> EventStream {
        EventStream::new(self.clone())
    }

    /// Closes the connection in good order, for this handle and its clones. What is not answered yet ends with an error. A
    /// client that is dropped closes by itself, unless the process ends first.
    pub async fn close(self) {
        self.requests.close().await;
    }

    /// Asks the engine anything; for what has no method of its own.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn request(&self, op: Op) -> Result<Reply, ClientError> {
        self.requests.ask(op).await
    }

    /// True if somebody waits for the end of a run, with this client or a clone of it.
    #[cfg(feature = "testing")]
    pub(crate) fn awaits_an_end(&self) -> bool {
        self.requests.await_an_end()
    }

    /// Runs that match `filter`, in the order of their keys, a page at most; `filter.after` goes on behind a run.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn list(&self, filter: RunFilter) -> Result<Vec<Run>, ClientError> {
        match self.request(Op::ListRuns(Box::new(filter))).await? {
            Reply::Runs { runs, .. } => Ok(runs),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({:?})", self.requests)
    }
}
