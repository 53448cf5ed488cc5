//! The test kit: what is to be in a test bed.

use super::bed::TestBed;
use crate::service::Service;
use crate::worker::Worker;
use crate::workflow::Workflow;
use std::fmt;
use std::time::Duration;
use trunkline_api::core::time::Timestamp;

/// When the clock of a test bed begins: 2024-01-01T00:00:00Z, a Monday.
pub const BEGINNING: Timestamp = Timestamp(1_704_067_200_000);

/// Makes a [`TestBed`]: an engine in memory whose clock skips, with a worker that has these workflows and services.
///
/// A service may be the real one, or any other implementation of its trait.
///
/// ```
/// use trunkline::prelude::*;
/// use trunkline::testing::TestKit;
///
/// #[service]
/// trait Mail {
///     async fn send(&self, t: &TaskCx, text: String) -> Result<()>;
/// }
///
/// #[workflow]
/// async fn reminder(cx: Cx, text: String) -> Result<()> {
///     cx.sleep(days(30)).await?;
///     cx.service::<MailStub>().send(text).await?;
///     Ok(())
/// }
///
/// struct Busy;
///
/// impl Mail for Busy {
///     async fn send(&self, t: &TaskCx, _text: String) -> Result<()> {
///         match t.attempt() {
///             1 => Err(Error::new("Busy", "come back later")),
///             _ => Ok(()),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bed = TestKit::new().workflow::<reminder>().service(Busy.into_service()).start().await;
/// let began = bed.now();
/// bed.client().workflow::<reminder>("1").execute("water the plants".into()).await?;
/// assert!(bed.now() >= began.plus_ms(30 * 86_400_000));
/// # Ok(()) }
/// ```
#[must_use = "nothing happens until `start`"]
pub struct TestKit {
    pub(super) worker: Worker,
    pub(super) workers: usize,
    pub(super) shards: u16,
    pub(super) retention_ms: u64,
    pub(super) checkpoint_bytes: usize,
    pub(super) beginning: Timestamp,
}

impl Default for TestKit {
    fn default() -> Self {
        Self::new()
    }
}

impl TestKit {
    /// A kit with nothing in it.
    pub fn new() -> Self {
        Self {
            worker: Worker::builder("nowhere").strict(),
            workers: 1,
            shards: 4,
            retention_ms: 100 * 366 * 86_400_000,
            checkpoint_bytes: 1 << 20,
            beginning: BEGINNING,
        }
    }

    /// Adds a workflow.
    pub fn workflow<W: Workflow>(mut self) -> Self {
        self.worker = self.worker.workflow::<W>();
        self
    }

    /// Adds a service: the real one, or one that was made for the test.
    pub fn service(mut self, service: impl Into<Service>) -> Self {
        self.worker = self.worker.register(service);
        self
    }

    /// Lets every turn replay its run from the beginning. A workflow should pass its tests in both ways.
    pub fn evict_after_every_turn(mut self) -> Self {
        self.worker = self.worker.cache_runs(0);
        self
    }

    /// Adjusts the worker: slots, threads, a name.
    pub fn worker(mut self, adjust: impl FnOnce(Worker) -> Worker) -> Self {
        self.worker = adjust(self.worker);
        self
    }

    /// So many workers, all alike, instead of one.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// How long finished runs are kept: a century unless said otherwise, because a test soon skips a day.
    pub fn retention(mut self, span: Duration) -> Self {
        self.retention_ms = crate::span::whole_ms(span);
        self
    }

    /// When the clock begins: [`BEGINNING`] unless said otherwise.
    pub fn beginning(mut self, at: Timestamp) -> Self {
        self.beginning = at;
        self
    }

    /// How many bytes of commits make a checkpoint due: 1 MiB unless said otherwise.
    pub fn checkpoint_bytes(mut self, bytes: usize) -> Self {
        self.checkpoint_bytes = bytes;
        self
    }

    /// Opens the engine and starts the workers. Must be called within a tokio runtime.
    ///
    /// # Panics
    /// If the engine cannot be opened.
    pub async fn start(self) -> TestBed {
        TestBed::open(self).await
    }
}

impl fmt::Debug for TestKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKit")
            .field("worker", &self.worker)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}
