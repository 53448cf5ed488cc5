//! The stage: the folder, the addresses and the processes of one demo.
//!
//! Invariant: the server has the same port and data folder before and after a crash, so that worker and feeder find it
//! again by themselves.

use super::process::Process;
use crate::http::Http;
use crate::worker::Farewell;
use hyper::Method;
use serde::Deserialize;
use serde_json::json;
use std::fmt;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// What the shop takes, and announces.
const SHOP_RATE_PER_SECOND: u32 = 500;
const SHOP_BURST: u32 = 100;
/// What the engine is told to send: slightly less, so that the shop's clock and its stalls make no difference.
const RATE_PER_SECOND: u32 = 480;
const BURST: u32 = 20;
/// Calls at once. A stalled shop can find no more than these waiting when it looks up.
const CONCURRENCY: u32 = 32;
/// How long a process may take to be ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long a process may take to end when asked to.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Ports are looked for here: below the range from which systems take ports of outgoing connections, because such a port
/// could be taken while the server is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Everything that runs, and where.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
    remove_folder: bool,
    program: PathBuf,
    server_program: PathBuf,
    server_address: SocketAddr,
    api: Http,
    shop_url: Option<String>,
    // In the order in which they end when the stage is dropped.
    worker: Option<Process>,
    server: Option<Process>,
    shop: Option<Process>,
}

/// The destination's work as the server counts it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct DestinationWork {
    pub(super) pending: u64,
    pub(super) in_flight: u64,
    pub(super) succeeded: u64,
    pub(super) dead: u64,
    #[serde(default)]
    pub(super) blocked_on: Option<String>,
}

impl DestinationWork {
    /// Every job that was ever accepted for it.
    pub(super) fn all(&self) -> u64 {
        self.pending + self.in_flight + self.succeeded + self.dead
    }

    /// True if nothing is left to do.
    pub(super) fn is_idle(&self) -> bool {
        self.pending + self.in_flight == 0
    }
}

impl fmt::Display for DestinationWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the destination has {} jobs pending, {} in flight, {} succeeded, {} dead",
            self.pending, self.in_flight, self.succeeded, self.dead
        )?;
        match &self.blocked_on {
            Some(reason) => write!(f, ", and is blocked on: {reason}"),
            None => Ok(()),
        }
    }
}

impl Stage {
    /// Finds the programs, a folder and a port.
    pub(super) fn set(folder: Option<PathBuf>) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let server_program = program.with_file_name("trunkline");
        if !server_program.is_file() {
            return Err(format!(
                "there is no server at {}: build it with `cargo build --release -p trunkline-cli`",
                server_program.display()
            ));
        }
        let remove_folder = folder.is_none();
        let folder = folder.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("trunkline-demo-{}", std::process::id()))
        });
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let server_address = free_address()?;
        Ok(Self {
            folder,
            remove_folder,
            program,
            server_program,
            server_address,
            api: Http::new(&format!("http://{server_address}"), Duration::from_secs(10)),
            shop_url: None,
            worker: None,
            server: None,
            shop: None,
        })
    }

    /// Where data and logs are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends every process, and removes the folder unless somebody asked for it.
    pub(super) fn clear(&mut self) {
        for process in [&mut self.worker, &mut self.server, &mut self.shop] {
            drop(process.take());
        }
        if self.remove_folder {
            // What is left in the system's folder for such things does no harm.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    /// Opens the shop.
    pub(super) async fn open_shop(&mut self, seed: u64) -> Result<(), String> {
        let args = [
            "shop".to_owned(),
            format!("--rate-per-second={SHOP_RATE_PER_SECOND}"),
            format!("--burst={SHOP_BURST}"),
            format!("--seed={seed}"),
        ];
        let mut shop = Process::start("shop", &self.folder, &self.program, args, true)?;
        let output = shop.take_output().ok_or("the shop has no output")?;
        let mut line = String::new();
        let read = BufReader::new(output);
        let mut read = read.take(1_000);
        match tokio::time::timeout(READY_MAX, read.read_line(&mut line)).await {
            Ok(Ok(count)) if count > 0 => {}
            _ => {
                shop.expect_alive()?;
                return Err(format!("the shop has not opened{}", shop.log_end()));
            }
        }
        self.shop_url = Some(line.trim().to_owned());
        self.shop = Some(shop);
        Ok(())
    }

    /// A client of the shop.
    pub(super) fn shop(&self, timeout: Duration) -> Result<Http, String> {
        let url = self.shop_url.as_deref().ok_or("the shop is not open")?;
        Ok(Http::new(url, timeout))
    }

    /// Starts the server, or starts it again, and waits until it is ready.
    pub(super) async fn start_server(&mut self) -> Result<(), String> {
        let args = [
            "server".into(),
            "--data".into(),
            self.folder.join("data").into_os_string(),
            "--listen".into(),
            self.server_address.to_string().into(),
            "--egress-allow".into(),
            "loopback".into(),
        ];
        let args: [std::ffi::OsString; 7] = args;
        let mut server = Process::start("server", &self.folder, &self.server_program, args, false)?;
        let began_at = Instant::now();
        let probe = Http::new(self.api.base(), Duration::from_secs(2));
        loop {
            server.expect_alive()?;
            let Err(error) = probe.probe("/readyz").await else {
                break;
            };
            if began_at.elapsed() > READY_MAX {
                return Err(format!(
                    "the server is not ready after {} s: {error}{}",
                    READY_MAX.as_secs(),
                    server.log_end()
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.server = Some(server);
        Ok(())
    }

    /// Kills the server as a power cut would, leaves it down for a while, and starts it again.
    pub(super) async fn crash_server(&mut self, down: Duration) -> Result<(), String> {
        let mut server = self.server.take().ok_or("there is no server to kill")?;
        server.kill().await?;
        tokio::time::sleep(down).await;
        self.start_server().await
    }

    /// Tells the server about the shop.
    pub(super) async fn configure_destination(&self) -> Result<(), String> {
        let url = self.shop_url.as_deref().ok_or("the shop is not open")?;
        let destination = json!({
            "url": format!("{url}/deliveries"),
            "rate": {"per_second": RATE_PER_SECOND, "burst": BURST},
            "concurrency": CONCURRENCY,
            "timeout_ms": 10_000,
            "retry": {"initial_ms": 50, "factor_percent": 200, "max_ms": 2_000, "attempts": 100, "jitter_percent": 20},
            "head_of_line": "block",
        });
        self.api
            .send::<serde::de::IgnoredAny>(
                Method::PUT,
                "/v1/egress/destinations/shop",
                &destination,
            )
            .await
            .map(|_| ())
    }

    /// How the destination's work stands.
    pub(super) async fn destination(&self) -> Result<DestinationWork, String> {
        self.api.get("/v1/egress/destinations/shop").await
    }

    /// Starts the worker.
    pub(super) fn start_worker(&mut self, seed: u64) -> Result<(), String> {
        let args = [
            "worker".to_owned(),
            format!("--server={}", self.api.base()),
            format!("--seed={seed}"),
        ];
        let worker = Process::start("worker", &self.folder, &self.program, args, true)?;
        self.worker = Some(worker);
        Ok(())
    }

    /// Starts the feeder.
    pub(super) fn start_feeder(&self, input: &Path) -> Result<Process, String> {
        let mut rejects = std::ffi::OsString::from("--rejects=");
        rejects.push(self.folder.join("rejected.csv"));
        let args = [
            "feeder".into(),
            format!("--server={}", self.api.base()).into(),
            rejects,
            input.as_os_str().to_owned(),
        ];
        let args: [std::ffi::OsString; 4] = args;
        Process::start("feeder", &self.folder, &self.program, args, true)
    }

    /// Fails if one of those that are never killed has ended, or the server has ended without being killed.
    pub(super) fn expect_alive(&mut self) -> Result<(), String> {
        [&mut self.shop, &mut self.server, &mut self.worker]
            .into_iter()
            .flatten()
            .try_for_each(Process::expect_alive)
    }

    /// Stops the worker, and answers what its payment service has charged in all.
    pub(super) async fn stop_worker(&mut self) -> Result<String, String> {
        let mut worker = self.worker.take().ok_or("there is no worker")?;
        let mut output = worker.take_output().ok_or("the worker has no output")?;
        worker.stop(STOP_MAX).await?;
        let mut text = String::new();
        let read = tokio::time::timeout(STOP_MAX, output.read_to_string(&mut text));
        let farewell = match read.await {
            Ok(Ok(_)) => text
                .lines()
                .find_map(|line| serde_json::from_str::<Farewell>(line).ok()),
            _ => None,
        };
        farewell
            .map(|farewell| farewell.charged)
            .ok_or_else(|| "the worker has not said what it charged".to_owned())
    }

    /// Stops the server as an operator would.
    pub(super) async fn stop_server(&mut self) -> Result<(), String> {
        let mut server = self.server.take().ok_or("there is no server")?;
        server.stop(STOP_MAX).await
    }
}

/// A port of this machine that is free, and likely to stay so while the server is down.
fn free_address() -> Result<SocketAddr, String> {
    let span = u32::from(PORTS.end - PORTS.start);
    let first = std::process::id().wrapping_mul(7_919) % span;
    (0..span)
        .map(|step| PORTS.start + ((first + step) % span) as u16)
        .find_map(|port| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            TcpListener::bind(address).ok().map(|_| address)
        })
        .ok_or_else(|| format!("no port from {} to {} is free", PORTS.start, PORTS.end))
}
