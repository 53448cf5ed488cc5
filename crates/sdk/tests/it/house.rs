//! An engine in a folder of its own, with a worker and a client.

use crate::contract::{self, Counter, Shop};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use trunkline::core::code::Code;
use trunkline::{Client, Endpoint, RunningWorker, Worker};
use trunkline_engine::{Config, Engine};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) client: Client,
    pub(crate) counter: Counter,
    worker: Option<RunningWorker>,
    folder: Folder,
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
        let name = format!("trunkline-sdk-{}-{number}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        Self::in_folder(folder, Counter::default()).await
    }

    async fn in_folder(folder: Folder, counter: Counter) -> Self {
        let config = Config {
            shards: Some(4),
            threads: Some(1),
            segment_bytes: 1 << 20,
            ..Config::new(&folder.0)
        };
        // The last of those who let go of an earlier engine may be a task that ends a moment later.
        let mut opened = Engine::open(config.clone(), Handle::current());
        for _ in 0..500 {
            match &opened {
                Err(error) if error.code == Code::DataFolderInUse => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    opened = Engine::open(config.clone(), Handle::current());
                }
                _ => break,
            }
        }
        let engine = opened.unwrap();
        let client = Client::embedded(&engine).await.unwrap();
        Self {
            engine,
            client,
            counter,
            worker: None,
            folder,
        }
    }

    /// Lets everything go as a crash would, and opens the engine on the same folder again, without a worker.
    pub(crate) async fn reopen(self) -> Self {
        let Self {
            engine,
            client,
            counter,
            worker,
            folder,
        } = self;
        client.close().await;
        if let Some(worker) = worker {
            worker.stop().await.unwrap();
        }
        drop(engine);
        Self::in_folder(folder, counter).await
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
            .workflow::<contract::Listener>()
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

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that is left behind does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
