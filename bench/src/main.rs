//! The benchmark program: the workloads of docs/performance.md, one JSON line per measurement.
//!
//! Progress and trouble go to standard error; standard output has the lines and nothing else.

mod bed;
mod measurement;
mod options;
mod percentiles;
mod process;
mod program;
mod receiver;
mod server;
mod worker;
mod workload;

use clap::Parser as _;
use measurement::Measurement;
use options::{Options, Role};
use std::process::ExitCode;

/// The same as in the program `trunkline`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(Role::Worker { url }) = &options.role {
        return match worker::work(url).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&format!("worker: {error}"));
                ExitCode::FAILURE
            }
        };
    }
    let mut failed = false;
    for (id, mode) in options.plan() {
        say(&format!("{id:?} {} …", mode.as_str()));
        match workload::measure(id, mode, &options).await {
            Ok(measurements) => measurements.iter().for_each(Measurement::print),
            Err(error) => {
                failed = true;
                say(&format!("{id:?} {}: {error}", mode.as_str()));
            }
        }
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Tells the person who waits.
#[expect(clippy::print_stderr, reason = "progress is for the person who waits")]
fn say(text: &str) {
    eprintln!("{text}");
}
