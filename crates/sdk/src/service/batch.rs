//! Batched tasks: many attempts of one task are done by one call of the worker's code.
//!
//! To the engine and to the callers they are tasks like any other: each has its own id, attempts, time-outs and result.
//! Only the worker gathers those that are with it, by key, until there are enough or the first has waited long enough.
//!
//! Invariants: all items of a batch have the same key; each item is answered once; an item whose input cannot be read
//! never gets into a batch; if the code fails for a whole batch, each of its items is done once more, alone, so that one
//! poison item spoils no other.

use super::AttemptFuture;
use crate::executor::panic_failure;
use crate::fault::Fault;
use crate::payload::{self, coded};
use crate::task_cx::TaskCx;
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::failure::FailureKind;
use trunkline_api::core::payload::Payload;

/// How attempts of a task are gathered: see [`Service::batch`](crate::Service::batch).
pub struct Batch<I> {
    max_messages: usize,
    max_wait: Duration,
    key: Key<I>,
}

type Key<I> = Box<dyn Fn(&I) -> String + Send + Sync>;

impl<I> Default for Batch<I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I> Batch<I> {
    /// At most 100 items, none waits longer than 250 ms, and any go together.
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_messages: 100,
            max_wait: Duration::from_millis(250),
            key: Box::new(|_| String::new()),
        }
    }

    /// At most so many items at once. The worker needs as many task slots.
    #[must_use]
    pub fn max_messages(mut self, max: usize) -> Self {
        self.max_messages = max.max(1);
        self
    }

    /// How long the first item waits for others.
    #[must_use]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Only items with the same key go together.
    #[must_use]
    pub fn key<K: fmt::Display>(mut self, key: impl Fn(&I) -> K + Send + Sync + 'static) -> Self {
        self.key = Box::new(move |input| key(input).to_string());
        self
    }
}

impl<I> fmt::Debug for Batch<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} in {:?})", self.max_messages, self.max_wait)
    }
}

/// One item of a batch: an attempt of a task, and its argument.
#[derive(Debug)]
pub struct Item<I> {
    /// The attempt. It can say heartbeats and hear of its end; it cannot be delegated.
    pub cx: Arc<TaskCx>,
    /// The argument.
    pub input: I,
}

/// An attempt that waits for its batch, or for what comes of it.
struct Waiting {
    cx: Arc<TaskCx>,
    input: Payload,
    answer: oneshot::Sender<Outcome>,
}

/// A batch that is being gathered.
struct Gathered {
    number: u64,
    attempts: Vec<Waiting>,
}

#[derive(Default)]
struct Table {
    by_key: HashMap<String, Gathered>,
    batches: u64,
}

type Unwound<T> = Result<T, Box<dyn Any + Send>>;
type Run<I> = Box<dyn Fn(Vec<Item<I>>) -> RunFuture + Send + Sync>;
type RunFuture = Pin<Box<dyn Future<Output = Vec<Outcome>> + Send>>;

/// Gathers the attempts of one task, and runs the batches.
pub(super) struct Batcher<I> {
    settings: Batch<I>,
    table: Mutex<Table>,
    run: Run<I>,
}

impl<I: DeserializeOwned + Send + 'static> Batcher<I> {
    pub(super) fn new<T, E, F, Fut>(settings: Batch<I>, handler: F) -> Arc<Self>
    where
        T: Serialize + 'static,
        E: Fault,
        F: Fn(Vec<Item<I>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Result<T, E>>> + Send + 'static,
    {
        let run: Run<I> = Box::new(move |items| {
            let results = handler(items);
            Box::pin(async move { results.await.into_iter().map(outcome).collect() })
        });
        Arc::new(Self {
            settings,
            table: Mutex::default(),
            run,
        })
    }

    /// Takes an attempt in. Its future ends when its batch has been run.
    pub(super) fn accept(self: &Arc<Self>, cx: Arc<TaskCx>, input: Payload) -> AttemptFuture {
        let key = match payload::decode(&input) {
            Ok(input) => (self.settings.key)(&input),
            Err(failure) => return Box::pin(std::future::ready(Outcome::Failed(failure))),
        };
        let (answer, answered) = oneshot::channel();
        self.gather(key, Waiting { cx, input, answer });
        Box::pin(async move {
            answered.await.unwrap_or_else(|_| {
                let message = "the batch was given up".into();
                let failure = coded(FailureKind::Application, Code::BatchItemMissing, message);
                Outcome::Failed(failure)
            })
        })
    }

    fn gather(self: &Arc<Self>, key: String, attempt: Waiting) {
        let mut table = self.lock();
        let number = table.batches;
        let gathered = table.by_key.entry(key.clone()).or_insert_with(|| Gathered {
            number,
            attempts: Vec::new(),
        });
        gathered.attempts.push(attempt);
        let (gathered_now, is_new) = (gathered.attempts.len(), gathered.number == number);
        if is_new && gathered_now == 1 {
            table.batches += 1;
        }
        if gathered_now >= self.settings.max_messages {
            let full = table.by_key.remove(&key);
            drop(table);
            if let Some(full) = full {
                let itself = Arc::clone(self);
                tokio::spawn(async move { itself.run(full.attempts).await });
            }
        } else if gathered_now == 1 {
            drop(table);
            let itself = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(itself.settings.max_wait).await;
                if let Some(attempts) = itself.take(&key, number) {
                    itself.run(attempts).await;
                }
            });
        }
    }

    /// The batch with this number, if it is still being gathered.
    fn take(&self, key: &str, number: u64) -> Option<Vec<Waiting>> {
        let mut table = self.lock();
        if table.by_key.get(key)?.number != number {
            return None;
        }
        Some(table.by_key.remove(key)?.attempts)
    }

    async fn run(&self, mut attempts: Vec<Waiting>) {
        // Those that were given up meanwhile.
        attempts.retain(|attempt| !attempt.answer.is_closed());
        let ended = self.call(&mut attempts).await;
        match ended {
            None => {}
            Some(Ok(outcomes)) if outcomes.len() == attempts.len() => {
                for (attempt, outcome) in attempts.into_iter().zip(outcomes) {
                    attempt.settle(outcome);
                }
            }
            Some(_) if attempts.len() > 1 => {
                join_all(attempts.into_iter().map(|attempt| self.run_alone(attempt))).await;
            }
            Some(other) => {
                if let Some(attempt) = attempts.pop() {
                    attempt.settle(alone(other));
                }
            }
        }
    }

    async fn run_alone(&self, attempt: Waiting) {
        let mut attempts = vec![attempt];
        let ended = self.call(&mut attempts).await;
        if let (Some(ended), Some(attempt)) = (ended, attempts.pop()) {
            attempt.settle(alone(ended));
        }
    }

    /// Calls the code; nothing if all attempts were given up meanwhile.
    async fn call(&self, attempts: &mut [Waiting]) -> Option<Unwound<Vec<Outcome>>> {
        let items: Vec<Item<I>> = attempts
            .iter()
            .filter_map(|attempt| {
                // It could be read when it came.
                let input = payload::decode(&attempt.input).ok()?;
                let cx = Arc::clone(&attempt.cx);
                Some(Item { cx, input })
            })
            .collect();
        if items.is_empty() {
            return None;
        }
        let future = match std::panic::catch_unwind(AssertUnwindSafe(|| (self.run)(items))) {
            Ok(future) => AssertUnwindSafe(future).catch_unwind(),
            Err(panic) => return Some(Err(panic)),
        };
        let all_given_up = join_all(attempts.iter_mut().map(|attempt| attempt.answer.closed()));
        tokio::select! {
            biased;
            ended = future => Some(ended),
            _ = all_given_up => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn settle(self, mut outcome: Outcome) {
        if let Outcome::Failed(failure) = &mut outcome {
            failure.non_retryable |= self.cx.is_final();
        }
        // Who waited may have been given up.
        let _ = self.answer.send(outcome);
    }
}

/// What came of an item that was alone in its batch.
fn alone(ended: Unwound<Vec<Outcome>>) -> Outcome {
    match ended {
        Ok(mut outcomes) => match (outcomes.pop(), outcomes.len()) {
            (Some(outcome), 0) => outcome,
            (last, others) => {
                let results = others + usize::from(last.is_some());
                let message = format!("{results} results for a batch of one item");
                let failure = coded(FailureKind::Application, Code::BatchItemMissing, message);
                Outcome::Failed(failure)
            }
        },
        Err(panic) => Outcome::Failed(panic_failure(&*panic)),
    }
}

fn outcome<T: Serialize, E: Fault>(result: Result<T, E>) -> Outcome {
    match result.map(|value| payload::encode(&value)) {
        Ok(Ok(value)) => Outcome::Completed(value),
        Ok(Err(failure)) => Outcome::Failed(failure),
        Err(error) => Outcome::Failed(error.into_failure()),
    }
}
