//! `faulty-server`: the production engine and server on a disk with troubles and a clock that can jump. For the torture.
//!
//! `faulty-server server --data FOLDER --listen ADDRESS`, like the real one; the script of troubles is in the environment.
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trunkline_core::time::Timestamp;
use trunkline_engine::{Config as EngineConfig, Engine, VirtualClock};
use trunkline_server::{Config, End};
use trunkline_sim::faulty::{Control, FaultyDisk, Script};
use trunkline_sim::server::TROUBLES;

/// How often the clock is moved on.
const TICK: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).cloned()
    };
    let data = PathBuf::from(after("--data").ok_or("--data is missing")?);
    let listen: SocketAddr = after("--listen").ok_or("--listen is missing")?.parse()?;
    let script = std::env::var(TROUBLES).unwrap_or_default();
    let script = Script::of_words(&script).ok_or("the script cannot be read")?;

    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(trunkline_server::bind(listen))?;
    let mut config = EngineConfig::new(&data);
    // Small, so that segments change and checkpoints are written while the torture looks.
    config.segment_bytes = 1 << 20;
    config.checkpoint_bytes = 256 << 10;
    config.free_bytes_min = 64 << 10;
    if let Some(ms) = after("--retention-ms") {
        config.retention_ms = ms.parse()?;
    }
    if let Some(ms) = after("--events-retention-ms") {
        config.events_retention_ms = ms.parse()?;
    }
    let clock = Arc::new(VirtualClock::new(now(&data)));
    let engine = Engine::open_virtual(
        Arc::new(FaultyDisk::new(&data, script)?),
        &config,
        Arc::clone(&clock),
        runtime.handle().clone(),
    )?;
    let ticking = engine.clone();
    std::thread::spawn(move || {
        loop {
            clock.set(now(&data));
            ticking.wake_for_deadlines();
            std::thread::sleep(TICK);
        }
    });
    let never = std::future::pending();
    match runtime.block_on(trunkline_server::serve(
        engine,
        listener,
        Config::default(),
        never,
    )) {
        End::Stopped => Ok(()),
        End::Failed(reason) => Err(reason.into()),
    }
}

/// The time of the machine, and what it is ahead or behind.
fn now(data: &std::path::Path) -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let ms = since.unwrap_or_default().as_millis() as u64;
    Timestamp(ms.saturating_add_signed(Control::read(data).ahead_ms))
}

#[expect(clippy::print_stderr, reason = "the torture reads it")]
fn complain(text: &str) {
    eprintln!("{text}");
}
