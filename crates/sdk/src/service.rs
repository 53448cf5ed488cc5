//! Services: named sets of task handlers, as a worker offers them.

mod batch;

pub use batch::{Batch, Item};

use crate::fault::Fault;
use crate::payload;
use crate::task_cx::TaskCx;
use batch::Batcher;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::payload::{Name, Payload};

/// The future of one attempt.
pub(crate) type AttemptFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

type Handler = Arc<dyn Fn(Arc<TaskCx>, Payload) -> AttemptFuture + Send + Sync>;

/// A named set of task handlers.
///
/// `#[service]` on a trait gives every implementation a method `into_service`. By hand:
///
/// ```
/// use trunkline::{Error, Service};
/// let greeter = Service::new("Greeter").task("greet", |_, name: String| async move {
///     Ok::<_, Error>(format!("Hello, {name}!"))
/// });
/// ```
#[derive(Clone)]
pub struct Service {
    name: Name,
    handlers: HashMap<Name, Handler>,
}

impl Service {
    /// A service without tasks.
    #[must_use]
    pub fn new(name: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            handlers: HashMap::new(),
        }
    }

    /// The same service with one more task.
    #[must_use]
    pub fn task<I, T, E, F, Fut>(mut self, name: impl Into<Name>, handler: F) -> Self
    where
        I: DeserializeOwned + 'static,
        T: Serialize + 'static,
        E: Fault,
        F: Fn(Arc<TaskCx>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |cx, input| {
            let input: I = match payload::decode(&input) {
                Ok(input) => input,
                Err(failure) => return Box::pin(std::future::ready(Outcome::Failed(failure))),
            };
            let attempt = handler(Arc::clone(&cx), input);
            Box::pin(async move {
                match attempt.await {
                    Ok(value) => match payload::encode(&value) {
                        Ok(value) => Outcome::Completed(value),
                        Err(failure) => Outcome::Failed(failure),
                    },
                    Err(error) => {
                        let mut failure = error.into_failure();
                        failure.non_retryable |= cx.is_final();
                        Outcome::Failed(failure)
                    }
                }
            })
        });
        self.handlers.insert(name.into(), handler);
        self
    }

    /// The same service with a task whose attempts are done many at a time, in the place of the task of that name if it has
    /// one. The callers see no difference: each item succeeds, fails and is retried on its own. `handler` gives one result for
    /// each item, in their order. If it panics, or gives more or fewer, each item is done once more, alone.
    ///
    /// ```
    /// use trunkline::prelude::*;
    /// use trunkline::{Batch, Item};
    /// let batch = Batch::new().max_messages(50).max_wait(millis(250)).key(|mail: &(String, String)| mail.0.clone());
    /// let mailer = Service::new("Mailer").batch("send", batch, |mails: Vec<Item<(String, String)>>| async move {
    ///     // All mails of a batch have the same first field: the key.
    ///     mails.iter().map(|mail| Ok::<_, Error>(mail.input.1.len())).collect()
    /// });
    /// ```
    #[must_use]
    pub fn batch<I, T, E, F, Fut>(
        mut self,
        name: impl Into<Name>,
        batch: Batch<I>,
        handler: F,
    ) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        T: Serialize + 'static,
        E: Fault,
        F: Fn(Vec<Item<I>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Result<T, E>>> + Send + 'static,
    {
        let batcher = Batcher::new(batch, handler);
        let handler: Handler = Arc::new(move |cx, input| batcher.accept(cx, input));
        self.handlers.insert(name.into(), handler);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Begins an attempt, if the service has the task.
    pub(crate) fn begin(
        &self,
        task: &Name,
        cx: Arc<TaskCx>,
        input: Payload,
    ) -> Option<AttemptFuture> {
        self.handlers.get(task).map(|handler| handler(cx, input))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({}, {} tasks)", self.name, self.handlers.len())
    }
}
