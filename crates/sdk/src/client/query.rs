//! Asking queries of runs.

use super::{ClientError, RunHandle, UntypedRun};
use crate::invocation::Question;
use crate::payload;
use crate::span::whole_ms;
use crate::workflow::Workflow;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;
use trunkline_api::core::failure::Failure;
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{AskQuery, Op, Reply};

impl<W: Workflow> RunHandle<W> {
    /// Asks a query of the run: `run.query(|w| w.summary()).await?`.
    ///
    /// A worker answers it from the run as its last committed turn left it, also long after the run has ended, and nothing of
    /// it is recorded. What was sent to the run before is taken in first.
    pub fn query<T>(&self, query: impl FnOnce(&W::Stub) -> Question<T>) -> QueryRun<T> {
        let Question { query, input, .. } = query(&W::Stub::default());
        QueryRun::new(self.untyped().clone(), Name::from(query), input)
    }
}

impl UntypedRun {
    /// Asks a query of the run by its name.
    pub fn query<T>(
        &self,
        query: impl Into<Name>,
        input: &(impl Serialize + ?Sized),
    ) -> QueryRun<T> {
        QueryRun::new(self.clone(), query.into(), payload::encode(input))
    }
}

/// A query of a run. Await it for its answer.
#[must_use = "nothing is asked until it is awaited"]
pub struct QueryRun<T> {
    run: UntypedRun,
    query: Name,
    input: Result<Payload, Failure>,
    timeout_ms: Option<u64>,
    types: PhantomData<fn() -> T>,
}

impl<T> QueryRun<T> {
    fn new(run: UntypedRun, query: Name, input: Result<Payload, Failure>) -> Self {
        Self {
            run,
            query,
            input,
            timeout_ms: None,
            types: PhantomData,
        }
    }

    /// How long to wait for a worker: ten seconds unless said otherwise, a minute at most. Then the answer is `TL0057`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout_ms = Some(whole_ms(timeout));
        self
    }
}

impl<T: DeserializeOwned + 'static> IntoFuture for QueryRun<T> {
    type Output = Result<T, ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let op = Op::Query(AskQuery {
                run: self.run.id.clone(),
                query: self.query,
                input: self.input.map_err(ClientError::payload)?,
                timeout_ms: self.timeout_ms,
            });
            match self.run.client.request(op).await? {
                Reply::Answer(value) => payload::decode(&value).map_err(ClientError::payload),
                other => Err(ClientError::unexpected(&other)),
            }
        })
    }
}

impl<T> fmt::Debug for QueryRun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueryRun({}, {})", self.run.id, self.query)
    }
}
