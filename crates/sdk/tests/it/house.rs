//! An engine in a folder of its own, with a worker and a client.

use crate::contract::{self, Counter, Shop};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Handle;
use trunkline::{Client, Endpoint, RunningWorker, Worker};
use trunkline_engine::{Config, Engine};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) client: Client,
    pub(crate) counter: Counter,
    worker: Option<RunningWorker>,
    folder: PathBuf,
}

/// With futures kept, and with every turn replayed.
pub(crate) const MODES: [usize; 2] = [10_000, 0];

impl House {
    /// An engine, a client and a worker in this process.
    pub(crate) async fn open(cache_runs: usize) -> Self {
        let mut house = Self::without_worker().await;
        house.work(&house.engine.clone(), cache_runs).await;
        house
    }

    pub(crate) async fn without_worker() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("trunkline-sdk-{}-{number}", std::process::id()));
        let config = Config {
            shards: Some(4),
            threads: Some(1),
            segment_bytes: 1 << 20,
            ..Config::new(&folder)
        };
        let engine = Engine::open(config, Handle::current()).unwrap();
        let client = Client::embedded(&engine).await.unwrap();
        Self {
            engine,
            client,
            counter: Counter::default(),
            worker: None,
            folder,
        }
    }

    /// The worker of the tests.
    pub(crate) fn worker(&self, endpoint: impl Into<Endpoint>, cache_runs: usize) -> Worker {
        Worker::builder(endpoint)
            .register(self.counter.clone().into_service())
            .workflow::<contract::two_tasks>()
            .workflow::<contract::sums>()
            .workflow::<contract::patient>()
            .workflow::<contract::reserving>()
            .workflow::<contract::impatient>()
            .workflow::<contract::surviving>()
            .workflow::<contract::slow_one>()
            .workflow::<contract::Approval>()
            .workflow::<contract::steps>()
            .workflow::<contract::shipping>()
            .workflow::<contract::clockwork>()
            .cache_runs(cache_runs)
            .threads(2)
            .strict()
    }

    pub(crate) async fn work(&mut self, endpoint: impl Into<Endpoint>, cache_runs: usize) {
        let worker = self.worker(endpoint, cache_runs);
        self.employ(worker).await;
    }

    /// Has this worker work, and the one before stop.
    pub(crate) async fn employ(&mut self, worker: Worker) {
        self.worker = Some(worker.start().await.unwrap());
    }

    /// Stops the worker, and waits until it has finished what it had.
    pub(crate) async fn dismiss(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await.unwrap();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // A folder that is left behind does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
