//! The test bed: a whole Trunkline in the memory of a test.

use super::board::{Board, Party};
use super::kit::TestKit;
use super::time::TestTime;
use crate::Name;
use crate::client::{Client, ClientError, RunHandle, StartRun};
use crate::replay::History;
use crate::worker::{RunningWorker, Worker};
use crate::workflow::Workflow;
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::peer::Op;
use trunkline_api::core::time::Timestamp;
use trunkline_engine::sim::{CrashPolicy, SimDisk};
use trunkline_engine::{Config, Engine};

/// The size of the journal's segments: as small as the limits on payloads allow in tests, because each is memory.
const SEGMENT_BYTES: u64 = 1 << 20;

/// A whole Trunkline in the memory of a test: engine, disk, clock, workers and a client. [`TestKit`] makes it.
///
/// # Time
///
/// The clock stands still, except while an await of this bed's [`client`](Self::client) waits for the end of a run, or
/// [`advance_by`](Self::advance_by) moves it. Then it skips to the next deadline whenever nothing is going on: timers,
/// delays between attempts and time-outs take no time. A task that runs holds the clock as long as it really takes, unless it
/// waits in [`TaskCx::sleep`](crate::TaskCx::sleep).
///
/// # Crashes
///
/// [`crash`](Self::crash) is a kill of the engine; [`break_worker`](Self::break_worker) is one of a worker. The client
/// and its handles go on working through both.
pub struct TestBed {
    time: Arc<TestTime>,
    keeper: Option<JoinHandle<()>>,
    board: Arc<Board>,
    client: Client,
    config: Config,
    disk: SimDisk,
    engine: Option<Engine>,
    blueprint: Worker,
    workers: Vec<Option<Employed>>,
}

/// A worker that works.
struct Employed {
    running: RunningWorker,
    /// Notified whenever it has registered.
    registered: Arc<Notify>,
}

/// While it lives, the clock stands still.
#[must_use = "the clock moves again when it is dropped"]
#[derive(Debug)]
pub struct Hold {
    time: Arc<TestTime>,
}

impl Hold {
    fn new(time: &Arc<TestTime>) -> Self {
        time.hold();
        Self {
            time: Arc::clone(time),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.time.let_go();
    }
}

impl TestBed {
    pub(super) async fn open(kit: TestKit) -> Self {
        let config = Config {
            shards: Some(kit.shards),
            threads: Some(1),
            retention_ms: kit.retention_ms,
            segment_bytes: SEGMENT_BYTES,
            checkpoint_bytes: kit.checkpoint_bytes,
            store_cache_bytes: 1 << 20,
            ..Config::new("in memory")
        };
        let time = TestTime::new(kit.beginning);
        let board = Arc::new(Board::default());
        let disk = SimDisk::new();
        let engine = open_engine(&disk, &config, &time);
        board.serve(Some(engine.clone()));
        let client = Client::connect(board.endpoint(Party::Client))
            .await
            .expect("an engine in the process answers");
        time.serve(Some(engine.clone()));
        time.follow(Some(client.clone()));
        let keeper = {
            let time = Arc::clone(&time);
            let body = move || time.keep();
            std::thread::Builder::new()
                .name("trunkline-time".into())
                .spawn(body)
                .expect("a thread for the clock can be started")
        };
        let mut bed = Self {
            time,
            keeper: Some(keeper),
            board,
            client,
            config,
            disk,
            engine: Some(engine),
            blueprint: kit.worker,
            workers: Vec::new(),
        };
        for _ in 0..kit.workers {
            bed.workers.push(None);
            bed.start_worker(bed.workers.len() - 1).await;
        }
        bed
    }

    /// A client of the engine.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Begins a start, as [`Client::workflow`] does.
    pub fn workflow<W: Workflow>(&self, id: impl Into<Name>) -> StartRun<W> {
        self.client.workflow::<W>(id)
    }

    /// The engine of the moment. A crash replaces it.
    ///
    /// # Panics
    /// Never: between crashes there is one.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("there is one between crashes")
    }

    /// What the clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Moves the clock, deadline by deadline; returns when everything that came due has been done.
    pub async fn advance_by(&self, span: Duration) {
        let ms = crate::span::whole_ms(span);
        self.advance_to(self.now().plus_ms(ms)).await;
    }

    /// Moves the clock to `time`, deadline by deadline; returns when everything that came due has been done.
    pub async fn advance_to(&self, time: Timestamp) {
        self.time.reach(time).await;
        self.time.rest().await;
    }

    /// Waits until nothing is going on any more, without moving the clock.
    pub async fn rest(&self) {
        self.time.rest().await;
    }

    /// Stops the clock, also while somebody waits for the end of a run.
    pub fn hold(&self) -> Hold {
        Hold::new(&self.time)
    }

    /// What the clock shows and what holds it, for a person who wonders why a test does not go on. It can be printed while
    /// the bed is borrowed.
    #[must_use]
    pub fn clock(&self) -> impl fmt::Debug + Clone + Send + Sync + 'static {
        Arc::clone(&self.time)
    }

    /// The history of a run so far.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because there is no such run.
    pub async fn history<W>(&self, run: &RunHandle<W>) -> Result<History, ClientError> {
        History::of(run.untyped()).await
    }

    /// Kills the engine and opens it again on what is on the disk, as after a kill of its process. Returns when the workers
    /// are connected again.
    ///
    /// # Panics
    /// If the engine does not open again.
    pub async fn crash(&mut self) {
        self.crash_with(CrashPolicy::KeepAll, 0).await;
    }

    /// The same as after a loss of power: of what was not synced, `policy` and `seed` say what survives.
    ///
    /// # Panics
    /// If the engine does not open again.
    pub async fn crash_with(&mut self, policy: CrashPolicy, seed: u64) {
        let hold = self.hold();
        // First it falls silent, then its disk is looked at: nothing that is lost was acknowledged.
        self.board.serve(None);
        if let Some(engine) = self.engine.take() {
            engine.kill();
        }
        self.disk = self.disk.crash(policy, seed);
        self.time.serve(None);
        let engine = open_engine(&self.disk, &self.config, &self.time);
        self.time.serve(Some(engine.clone()));
        self.board.serve(Some(engine.clone()));
        self.engine = Some(engine);
        for worker in self.workers.iter().flatten() {
            worker.registered.notified().await;
        }
        // Answered behind everything that the client asked again.
        let probe = RunId::new("client", "connected");
        let _ = self.client.request(Op::DescribeRun { run: probe }).await;
        drop(hold);
    }

    /// Ends when the engine has failed by itself, for instance at a fault of its [`disk`](Self::disk). It can be opened
    /// again with [`crash`](Self::crash).
    pub async fn failed(&self) {
        self.engine().failed().await;
    }

    /// The disk of the engine of the moment. A crash replaces it.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Kills a worker, in the middle of whatever it does, and starts another one in its place.
    pub async fn break_worker(&mut self, number: usize) {
        let hold = self.hold();
        self.stop_worker(number).await;
        self.start_worker(number).await;
        drop(hold);
    }

    /// Kills a worker.
    ///
    /// # Panics
    /// If there are fewer workers.
    pub async fn stop_worker(&mut self, number: usize) {
        if let Some(worker) = self.workers[number].take() {
            self.board.sever(Party::Worker(number));
            // What it was doing, it no longer can say.
            let _ = worker.running.stop().await;
        }
    }

    /// Starts a worker in the place of one that was stopped.
    ///
    /// # Panics
    /// If there are fewer workers, or this one works.
    pub async fn start_worker(&mut self, number: usize) {
        assert!(self.workers[number].is_none(), "worker {number} works");
        let endpoint = self.board.endpoint(Party::Worker(number));
        let worker = self.blueprint.copy(endpoint, &self.time);
        let registered = Arc::clone(worker.registered());
        let running = worker.start().await;
        let running = running.unwrap_or_else(|error| panic!("the worker does not start: {error}"));
        self.workers[number] = Some(Employed {
            running,
            registered,
        });
    }
}

fn open_engine(disk: &SimDisk, config: &Config, time: &TestTime) -> Engine {
    let disk = Arc::new(disk.clone());
    Engine::open_virtual(disk, config, Arc::clone(time.clock()), Handle::current())
        .unwrap_or_else(|error| panic!("the engine does not open: {error}"))
}

impl Drop for TestBed {
    fn drop(&mut self) {
        self.time.end();
        if let Some(engine) = self.engine.take() {
            engine.kill();
        }
        self.board.serve(None);
        if let Some(keeper) = self.keeper.take() {
            // A panic there has been printed.
            let _ = keeper.join();
        }
    }
}

impl fmt::Debug for TestBed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBed")
            .field("now", &self.now())
            .field("workers", &self.workers.len())
            .finish_non_exhaustive()
    }
}
