//! What a task's code has in its hand: the handle to its attempt.

use crate::time::Time;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use trunkline_api::core::ids::{CommandId, RunId, RunKey, Token};
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::TaskAttempt;

/// The handle of a task to its attempt.
#[derive(Debug)]
pub struct TaskCx {
    key: RunKey,
    run: RunId,
    command: CommandId,
    service: Name,
    task: Name,
    attempt: u32,
    is_final: AtomicBool,
    token: Token,
    time: Time,
}

impl TaskCx {
    pub(crate) fn new(attempt: &TaskAttempt, time: Time) -> Self {
        Self {
            key: attempt.run,
            run: attempt.id.clone(),
            command: attempt.command,
            service: attempt.service.clone(),
            task: attempt.task.clone(),
            attempt: attempt.attempt,
            is_final: AtomicBool::new(false),
            token: attempt.token,
            time,
        }
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The run that the task is for.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.run
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &Name {
        &self.service
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Name {
        &self.task
    }

    /// A key that is the same for every attempt of this task, and for no other task: hand it to systems that can
    /// recognise a repeat.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}-{}", self.key, self.command.0)
    }

    /// Marks the error to be returned as final: there is no other attempt, whatever the retry policy says.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # fn declined() -> bool { true }
    /// # fn charge(t: &TaskCx) -> trunkline::Result<()> {
    /// if declined() {
    ///     return Err(t.fatal(Error::new("Declined", "the card was declined")));
    /// }
    /// # Ok(()) }
    /// ```
    pub fn fatal<E>(&self, error: E) -> E {
        self.is_final.store(true, Ordering::Relaxed);
        error
    }

    /// Lets time pass. In a test bed it is skipped like every other, so a task that polls for something should sleep with
    /// this rather than with tokio's timer.
    pub async fn sleep(&self, span: Duration) {
        self.time.sleep((self.key, self.token), span).await;
    }

    pub(crate) fn is_final(&self) -> bool {
        self.is_final.load(Ordering::Relaxed)
    }
}
