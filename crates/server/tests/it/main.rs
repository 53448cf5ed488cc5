//! The server as its clients see it: a real engine on a temporary folder, a real listener, requests over TCP.

#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod bad_input;
mod connections;
mod credentials;
mod disk;
mod events;
mod grants;
mod guard;
mod guarded;
mod http;
mod isolation;
mod jobs;
mod lists;
mod many_jobs;
mod metrics;
mod outages;
mod outgoing;
mod raw;
mod runs;
mod schedules;
mod stop;
mod target;
mod tasks;
mod tenants;
mod worker;

use raw::{Response, request};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trunkline_server::engine::{Config as EngineConfig, Engine};
use trunkline_server::{Config, End, bind, serve};

/// Long enough for anything that is to happen; a test that reaches it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a free port, and its data in a folder that is removed at the end.
struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<End>>,
    _folder: Folder,
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trunkline-server-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Small files: tests write little.
fn small(folder: &Folder) -> EngineConfig {
    let mut config = EngineConfig::new(&folder.0);
    config.segment_bytes = 256 << 10;
    config.free_bytes_min = 64 << 10;
    config.store_cache_bytes = 1 << 20;
    config
}

impl Server {
    async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    async fn start_with(config: Config) -> Self {
        let folder = Folder::new();
        let engine = Engine::open(small(&folder), Handle::current()).unwrap();
        Self::start_on(engine, folder, config).await
    }

    async fn start_on(engine: Engine, folder: Folder, config: Config) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(engine, listener, config, async move {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop: Some(stop),
            served: Some(served),
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) -> Response {
        request(self.address, "GET", path, &[], b"").await
    }

    async fn post(&self, path: &str, body: &str) -> Response {
        self.send("POST", path, body).await
    }

    async fn put(&self, path: &str, body: &str) -> Response {
        self.send("PUT", path, body).await
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Response {
        let headers = [("content-type", "application/json")];
        request(self.address, method, path, &headers, body.as_bytes()).await
    }

    /// Tells the server to stop, and waits for the end.
    async fn stop(&mut self) -> End {
        self.begin_to_stop();
        self.end().await
    }

    fn begin_to_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    async fn end(&mut self) -> End {
        let served = self.served.take().unwrap();
        tokio::time::timeout(PATIENCE, served)
            .await
            .unwrap()
            .unwrap()
    }

    /// Asks until `path` answers what `until` wants.
    async fn get_until(&self, path: &str, until: impl Fn(&Value) -> bool) -> Value {
        let asked = async {
            loop {
                let answer = self.get(path).await;
                if answer.status < 400 && until(&answer.json()) {
                    return answer.json();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => panic!("{path} never came to it: {}", self.get(path).await.text()),
        }
    }
}
