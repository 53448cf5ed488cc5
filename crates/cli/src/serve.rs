//! `trunkline dev` and `trunkline server`: an engine and a server in this process, until a signal ends them.

use crate::args::{DevArgs, LogArgs, ServerArgs};
use crate::failure::Failure;
use crate::{log, token_file};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use trunkline_api::core::code::Code;
use trunkline_server::engine::vault::{Vault, VaultError};
use trunkline_server::engine::{Config as EngineConfig, Engine};
use trunkline_server::{Config, End};

/// The exit code of a process that a second signal ends: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// How long a starting server waits for another to let go of the address and the folder.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is printed before a server begins, once its address is known.
type Banner<'a> = &'a dyn Fn(&mut dyn Write, &str) -> std::io::Result<()>;

/// `trunkline dev`
pub(crate) fn dev(args: &DevArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let data = args.data.display().to_string();
    let banner = |out: &mut dyn Write, url: &str| {
        writeln!(out, "Trunkline {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "  API   {url}")?;
        writeln!(out, "  data  {data}")?;
        writeln!(out)?;
        let server = if url == "http://127.0.0.1:7411" {
            String::new()
        } else {
            format!(" --server {url}")
        };
        writeln!(out, "Next, in another terminal:")?;
        writeln!(out, "  trunkline doctor{server}")?;
        writeln!(out)?;
        writeln!(out, "Ctrl-C stops it; the data stays.")
    };
    let key_file = args.key_file.clone().unwrap_or_else(|| beside(&args.data));
    let mut engine = EngineConfig::new(&args.data);
    engine.vault = Some(Arc::new(
        Vault::load_or_create(&key_file).map_err(unusable)?,
    ));
    args.reach.set(&mut engine);
    let config = Config {
        tenants: Some(engine.clone()),
        ..Config::default()
    };
    serve(&engine, config, args.listen, &args.log, &banner, out)
}

/// `trunkline server`
pub(crate) fn server(args: &ServerArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if !(args.listen.ip().is_loopback() || args.require_tokens || args.open) {
        let detail = format!(
            "whoever reaches {} could do everything: start with --require-tokens, or with --open if that is meant",
            args.listen
        );
        return Err(Failure::new(Code::ConfigInvalid, detail));
    }
    let mut engine = EngineConfig::new(&args.data);
    args.reach.set(&mut engine);
    engine.shards = args.shards;
    engine.threads = args.threads;
    if let Some(key_file) = &args.key_file {
        engine.vault = Some(Arc::new(Vault::load(key_file).map_err(unusable)?));
    }
    if let Some(retention_ms) = args.retention_ms {
        engine.retention_ms = retention_ms;
    }
    if let Some(retention_ms) = args.events_retention_ms {
        engine.events_retention_ms = retention_ms;
    }
    if let Some(bytes_max) = args.events_bytes_max {
        engine.events_bytes_max = bytes_max;
    }
    if let Some(segment_bytes) = args.segment_bytes {
        engine.segment_bytes = segment_bytes;
    }
    let config = Config {
        grace: Duration::from_millis(args.grace_ms),
        tokens_required: args.require_tokens,
        admin_token: match &args.admin_token_file {
            Some(file) => Some(token_file::read_or_create(file)?),
            None => None,
        },
        tenants: Some(engine.clone()),
        tenants_max: args.tenants_max,
        metrics_destinations: args.metrics_destinations,
        ..Config::default()
    };
    let banner = |out: &mut dyn Write, url: &str| writeln!(out, "listening on {url}");
    serve(&engine, config, args.listen, &args.log, &banner, out)
}

/// The key file of a data folder, unless somebody says otherwise. Not in the folder, so that a copy of that gives nothing away.
fn beside(data: &Path) -> PathBuf {
    let mut name = data.components().as_path().as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn unusable(error: VaultError) -> Failure {
    Failure::new(Code::KeyRingInvalid, error.to_string())
}

fn serve(
    engine: &EngineConfig,
    config: Config,
    listen: SocketAddr,
    log: &LogArgs,
    banner: Banner<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    log::start(log);
    let internal = |what: &str, error: std::io::Error| {
        Failure::new(Code::Internal, format!("cannot {what}: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| internal("start a runtime", error))?;
    // The address first: if it is taken, the data folder is not touched.
    let listener = after_another(Code::AddressInUse, || {
        let bound = runtime.block_on(trunkline_server::bind(listen));
        bound.map_err(|error| Failure::new(error.code, error.message))
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| internal("find out the address", error))?;
    let stop = {
        let _context = runtime.enter();
        let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
        let [terminate, interrupt] = signals;
        (
            terminate.map_err(|error| internal("listen for signals", error))?,
            interrupt.map_err(|error| internal("listen for signals", error))?,
        )
    };
    let data = engine.data_dir.display().to_string();
    let engine = after_another(Code::DataFolderInUse, || {
        let opened = Engine::open(engine.clone(), runtime.handle().clone());
        opened.map_err(|error| Failure::new(error.code, error.message))
    })?;
    if config.tokens_required && config.admin_token.is_none() && engine.tokens().is_empty() {
        tracing::warn!("tokens are required and there is none: start with --admin-token-file");
    }
    tracing::info!(%address, data, tokens_required = config.tokens_required, "serving");
    banner(out, &format!("http://{address}"))?;
    out.flush()?;
    let end = runtime.block_on(trunkline_server::serve(
        engine,
        listener,
        config,
        stopped(stop),
    ));
    match end {
        End::Stopped => Ok(()),
        End::Failed(reason) => Err(Failure::new(Code::JournalPoisoned, reason)),
    }
}

/// Does it again for a while if it is refused with `taken`: a server that was killed a moment ago may still be on its way out.
fn after_another<T>(
    taken: Code,
    mut what: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let patience = Instant::now() + PATIENCE;
    loop {
        match what() {
            Err(failure) if failure.code() == Some(taken) && Instant::now() < patience => {
                std::thread::sleep(PATIENCE / 100);
            }
            done => return done,
        }
    }
}

/// Returns at the first signal. A second one ends the process at once: nothing acknowledged is lost by that.
async fn stopped((mut terminate, mut interrupt): (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(INTERRUPTED);
    });
}
