//! The engine as its users see it: sessions, mailboxes and a data folder.
#![expect(clippy::unwrap_used, reason = "tests")]

mod acceptor;
mod connectors;
mod crashes;
mod deliveries;
mod doors;
mod driver;
mod encrypted;
mod life;
mod limiters;
mod player;
mod work;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use trunkline_core::ids::{Nonce, RunId};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{OnConflict, Op, Reply, Start};
use trunkline_core::run::Run;
use trunkline_engine::{Config, Engine};

/// Long enough for anything that is to happen; a test that reaches it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A data folder that is removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trunkline-engine-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Small files, two threads: as much as possible happens.
    fn config(&self) -> Config {
        let mut config = Config::new(&self.0);
        config.shards = Some(8);
        config.threads = Some(2);
        small(&mut config);
        config
    }

    fn open(&self) -> Engine {
        Engine::open(self.config(), Handle::current()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn small(config: &mut Config) {
    config.segment_bytes = 256 << 10;
    config.free_bytes_min = 64 << 10;
    config.store_cache_bytes = 1 << 20;
}

fn start(workflow: &str, id: &str, input: &str) -> Op {
    Op::Start(Start {
        run: RunId::new(workflow, id),
        version: None,
        input: Payload::from(input.as_bytes()),
        tags: Vec::new(),
        nonce: Nonce(0),
        on_conflict: OnConflict::Reject,
        wait: false,
        timeout_ms: None,
        start_at: None,
    })
}

fn signal(workflow: &str, id: &str, nonce: u128) -> Op {
    Op::Signal {
        run: RunId::new(workflow, id),
        channel: Name::from("news"),
        payload: Payload::from(&b"1"[..]),
        nonce: Nonce(nonce),
    }
}

async fn describe(engine: &Engine, workflow: &str, id: &str) -> Run {
    let op = Op::DescribeRun {
        run: RunId::new(workflow, id),
    };
    match engine.request(op).await.unwrap() {
        Reply::Run(run) => *run,
        other => panic!("asked for a run, got {other:?}"),
    }
}

/// How a run ended; waits for it.
async fn outcome(engine: &Engine, workflow: &str, id: &str) -> Reply {
    let run = RunId::new(workflow, id);
    tokio::time::timeout(PATIENCE, engine.request(Op::AwaitOutcome { run }))
        .await
        .expect("the run ends")
        .unwrap()
}

async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < end, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
