//! `trunkline replay` on the command line.

use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Files of `trunkline run export`, or folders of them
    #[arg(value_name = "HISTORY", required = true)]
    pub(crate) histories: Vec<PathBuf>,
    /// The worker program; it replays instead of connecting
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) build: PathBuf,
    /// Compare the arguments of commands too
    #[arg(long)]
    pub(crate) strict: bool,
    /// How long the program may take, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    pub(crate) timeout_ms: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Arguments of the worker program
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
}
