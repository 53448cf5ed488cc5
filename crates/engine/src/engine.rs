//! The engine: a handle on everything.

use crate::clock::Clock;
use crate::config::Config;
use crate::error::OpenError;
use crate::health::Health;
use crate::list::{self, Cursor};
use crate::mailbox::Mailbox;
use crate::node::Node;
use crate::open::{self, Opened};
use crate::session::Session;
use crate::stats::Stats;
use crate::virtual_clock::VirtualClock;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use trunkline_core::code::Code;
use trunkline_core::ids::RequestId;
use trunkline_core::limits::PAGE_MAX;
use trunkline_core::peer::{
    Counters, DestinationStatus, FromPeer, Op, Rejection, Reply, RunFilter, ToPeer,
};
use trunkline_core::run::Run;
use trunkline_journal::{Disk, Folder, OsDisk};

/// How often a stopping engine looks whether what runs has finished.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A handle on an engine. Cheap to clone.
///
/// When the last handle and the last [`Session`] are dropped without [`Engine::shutdown`], the engine stops at once, as in
/// a crash: nothing acknowledged is lost, and the next opening replays the journal.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// What handles and sessions keep alive.
#[derive(Debug)]
pub(crate) struct Inner {
    node: Arc<Node>,
    runtime: Handle,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    threads: Vec<JoinHandle<()>>,
    /// Dropped last: it holds the lock.
    folder: Folder,
}

impl Engine {
    /// Opens the data folder, recovers what it holds, and starts the threads. `runtime` does the deliveries.
    ///
    /// This reads and writes files, so it may take a while; it blocks.
    ///
    /// # Errors
    /// With a code and, where there is damage, the file and the offset. Nothing has been changed then.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "settings are given away when the engine opens"
    )]
    pub fn open(config: Config, runtime: Handle) -> Result<Self, OpenError> {
        let disk = OsDisk::new(&config.data_dir).map_err(|error| {
            let folder = config.data_dir.display();
            OpenError::new(
                Code::ConfigInvalid,
                format!("the data folder {folder} cannot be used: {error}"),
            )
        })?;
        Self::open_on(Arc::new(disk), &config, runtime)
    }

    /// Opens the data folder on a disk of the caller's, whatever `config` says about the folder.
    ///
    /// # Errors
    /// As for [`Engine::open`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the disk is given away when the engine opens"
    )]
    pub fn open_on(
        disk: Arc<dyn Disk>,
        config: &Config,
        runtime: Handle,
    ) -> Result<Self, OpenError> {
        Self::open_with(&disk, config, Clock::default(), runtime)
    }

    /// The same with a clock that stands still until it is moved, for tests.
    ///
    /// # Errors
    /// As for [`Engine::open`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the disk is given away when the engine opens"
    )]
    pub fn open_virtual(
        disk: Arc<dyn Disk>,
        config: &Config,
        clock: Arc<VirtualClock>,
        runtime: Handle,
    ) -> Result<Self, OpenError> {
        Self::open_with(&disk, config, Clock::Virtual(clock), runtime)
    }

    fn open_with(
        disk: &Arc<dyn Disk>,
        config: &Config,
        clock: Clock,
        runtime: Handle,
    ) -> Result<Self, OpenError> {
        let Opened {
            folder,
            node,
            threads,
        } = open::open(disk, config, clock, runtime.clone())?;
        Ok(Self {
            inner: Arc::new(Inner {
                node,
                runtime,
                running: Mutex::new(Some(Running { threads, folder })),
            }),
        })
    }

    /// Connects a peer: what it sends goes into the session, what it is told comes out of the mailbox.
    #[must_use]
    pub fn connect(&self) -> (Session, Mailbox) {
        let peer = self.node().connect();
        let mailbox = Mailbox::new(Arc::clone(&peer.post));
        (Session::new(Arc::clone(&self.inner), peer), mailbox)
    }

    /// Asks, and waits for the answer. Dropping the future lets go of the answer, not of what was asked for.
    ///
    /// # Errors
    /// The refusal, by the door or by the shard.
    pub async fn request(&self, op: Op) -> Result<Reply, Rejection> {
        if !op.awaits_an_end() {
            return list::request(self.node(), op).await;
        }
        // A peer of its own: when the caller lets go, the shard forgets that somebody waits.
        let (session, mut mailbox) = self.connect();
        session.send(vec![FromPeer::Request(RequestId(0), op)]);
        while let Some(messages) = mailbox.recv().await {
            for message in messages {
                if let ToPeer::Reply(_, answer) = message {
                    return answer;
                }
            }
        }
        Err(list::unanswered(self.node()))
    }

    /// A page of the runs that `filter` lets through, in the order of their keys, and where to go on; `filter.after` is
    /// ignored. A page may be short, or even empty, and still have a cursor.
    ///
    /// # Errors
    /// If the engine stops or fails, or the cursor is not one of this data folder.
    pub async fn list_runs(
        &self,
        mut filter: RunFilter,
        cursor: Option<Cursor>,
    ) -> Result<(Vec<Run>, Option<Cursor>), Rejection> {
        if let Some((shard, after)) = cursor
            && (shard.0 >= self.node().shards
                || after.is_some_and(|after| after.shard(self.node().shards) != shard))
        {
            return Err(Rejection::new(
                Code::CursorInvalid,
                "the cursor points to no shard of this data folder",
            ));
        }
        filter.limit = filter.limit.clamp(1, PAGE_MAX);
        list::list_runs(self.node(), filter, cursor).await
    }

    /// All destinations and how their work stands, by name.
    ///
    /// # Errors
    /// If the engine stops or fails.
    pub async fn list_destinations(&self) -> Result<Vec<DestinationStatus>, Rejection> {
        list::list_destinations(self.node()).await
    }

    /// How long ended runs and settled jobs are kept, in milliseconds.
    #[must_use]
    pub fn retention_ms(&self) -> u64 {
        self.node().bounds.retention_ms
    }

    /// The sum of all shards' counters; what can no longer be asked for counts nothing.
    pub async fn counters(&self) -> Counters {
        list::counters(self.node()).await.unwrap_or_default()
    }

    /// Figures of the engine's own work.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.node().figures.stats()
    }

    /// How the engine is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.node().vitals.health()
    }

    /// Resolves when the engine has failed. The process should exit then: see [`Engine::health`] for the reason.
    pub async fn failed(&self) {
        self.node().vitals.failed().await;
    }

    /// Writes a checkpoint of everything acknowledged so far, and returns when it is in the stores.
    pub async fn checkpoint(&self) {
        let written: Vec<_> = self
            .node()
            .inboxes
            .iter()
            .map(|inbox| inbox.checkpoint())
            .collect();
        for written in written {
            // A thread that has ended writes none; then there is nothing to wait for.
            let _ = written.await;
        }
    }

    /// The number that tells the data folder from every other; nothing once the engine has been shut down.
    #[must_use]
    pub fn folder_id(&self) -> Option<[u8; 16]> {
        let running = self.inner.running.lock();
        let running = running.unwrap_or_else(PoisonError::into_inner);
        let running = running.as_ref()?;
        Some(running.folder.meta().id.to_be_bytes())
    }

    /// The time by the engine's clock, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.node().clock.now().0
    }

    /// How many shards the data folder has.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.node().shards
    }

    /// Stops: refuses new work, lets running turns, tasks and deliveries finish within `grace`, writes a last checkpoint and
    /// closes the data folder. Every mailbox ends.
    pub async fn shutdown(&self, grace: Duration) {
        let node = self.node();
        node.vitals.stop();
        node.workers.close();
        node.deliveries.close();
        // Not even an answer may come while the disk is full, so the whole wait is bounded.
        let quiet = async {
            while !node.has_ended() && !self.is_quiet().await {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        // Whether it became quiet or the grace is over: it is time.
        let _ = tokio::time::timeout(grace, quiet).await;
        node.close();
        let running = self.inner.take_running();
        let Some(Running { threads, folder }) = running else {
            return;
        };
        let waiting = Arc::clone(node);
        let joined = self.inner.runtime.spawn_blocking(move || {
            // The shard threads and the writers end by themselves; the keepers when they are told to.
            let (keepers, others): (Vec<_>, Vec<_>) = threads.into_iter().partition(|thread| {
                thread
                    .thread()
                    .name()
                    .is_some_and(|name| name.starts_with("keeper"))
            });
            join(others);
            waiting.end();
            join(keepers);
            drop(folder);
        });
        // A panic of a thread has been reported as a failure.
        let _ = joined.await;
    }

    /// True if no worker has anything to do, and no delivery is under way.
    async fn is_quiet(&self) -> bool {
        let counters = self.counters().await;
        counters.turns_in_flight == 0
            && counters.tasks_in_flight == 0
            && self.node().deliveries.are_done()
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.inner.node
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }
}

impl Inner {
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    fn take_running(&self) -> Option<Running> {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(Running { threads, folder }) = self.take_running() {
            self.node.end();
            join(threads);
            drop(folder);
        }
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        // One that panicked has been reported as a failure.
        let _ = thread.join();
    }
}
