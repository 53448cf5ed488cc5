//! What is measured, and how much of it.

use clap::{Parser, Subcommand, ValueEnum};
use std::time::Duration;

/// The workloads of docs/performance.md, one JSON line per measurement.
#[derive(Debug, Clone, Parser)]
#[command(name = "bench", version)]
pub(crate) struct Options {
    /// Only these workloads, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "IDS", value_enum)]
    pub(crate) only: Vec<Id>,
    /// Only this mode.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// How long a workload that runs for a time does so.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) seconds: u64,
    /// Runs that the client of W1a keeps going at once.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) in_flight: u32,
    /// Runs that W4 parks.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) parked: u32,
    /// Calls that a destination of W5 may have under way at once.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) calls: u32,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What else this program can be.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Role {
    /// The worker of the remote mode: started by the benchmark itself.
    #[command(hide = true)]
    Worker {
        /// The server.
        #[arg(long)]
        url: String,
    },
}

/// The id of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Id {
    /// Runs with two tasks, as many as possible.
    #[value(name = "W1a")]
    W1a,
    /// One at a time.
    #[value(name = "W1b")]
    W1b,
    /// Twenty thousand at once.
    #[value(name = "W1c")]
    W1c,
    /// Sleepers.
    #[value(name = "W1d")]
    W1d,
    /// A thousand tasks in parallel.
    #[value(name = "W2")]
    W2,
    /// Signals.
    #[value(name = "W3")]
    W3,
    /// A million parked runs.
    #[value(name = "W4")]
    W4,
    /// Deliveries, as many as possible.
    #[value(name = "W5a")]
    W5a,
    /// The same under limits.
    #[value(name = "W5b")]
    W5b,
    /// The same in batches.
    #[value(name = "W5c")]
    W5c,
    /// How late deliveries are.
    #[value(name = "W5d")]
    W5d,
    /// Deliveries beside a dead destination.
    #[value(name = "W5e")]
    W5e,
    /// Idle destinations.
    #[value(name = "W5f")]
    W5f,
}

impl Id {
    /// True if it is about deliveries: those are measured without a worker, and remote only.
    pub(crate) fn is_egress(self) -> bool {
        use Id::{W5a, W5b, W5c, W5d, W5e, W5f};
        matches!(self, W5a | W5b | W5c | W5d | W5e | W5f)
    }
}

/// Where the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Server and worker are processes of their own.
    Remote,
    /// Engine and worker are in this process.
    Embedded,
}

impl Mode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Embedded => "embedded",
        }
    }
}

impl Options {
    /// The measurements to take, in order: each workload remote, and W1a embedded too.
    pub(crate) fn plan(&self) -> Vec<(Id, Mode)> {
        let mut plan = Vec::new();
        for &id in Id::value_variants() {
            if !self.only.is_empty() && !self.only.contains(&id) {
                continue;
            }
            let modes: &[Mode] = match (self.mode, id) {
                (Some(Mode::Remote), _) => &[Mode::Remote],
                // A process cannot kill itself and go on measuring.
                (Some(Mode::Embedded), Id::W4) => &[],
                (Some(Mode::Embedded), id) if id.is_egress() => &[],
                (Some(Mode::Embedded), _) => &[Mode::Embedded],
                (None, Id::W1a) => &[Mode::Remote, Mode::Embedded],
                (None, _) => &[Mode::Remote],
            };
            plan.extend(modes.iter().map(|&mode| (id, mode)));
        }
        plan
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
