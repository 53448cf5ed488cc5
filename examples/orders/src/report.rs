//! What the feeder reports on its standard output, one JSON line each: how the driver learns how far the runs have come.

use crate::totals::Totals;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// One line of the feeder's output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Report {
    /// How far the runs have come.
    Progress {
        /// Runs that the server has accepted.
        started: u64,
        /// Runs that have ended.
        finished: u64,
    },
    /// Every run has ended. The totals are those that the runs returned; their jobs are counted as the runs created them.
    Done {
        /// The totals.
        totals: Totals,
        /// Orders whose charge was refused for good.
        declined: u64,
        /// Orders that nobody approved in time.
        expired: u64,
        /// Runs that failed, with the reason.
        failed: Vec<String>,
    },
}

impl Report {
    /// Writes the report as one line.
    ///
    /// # Errors
    /// If standard output is gone.
    pub fn print(&self) -> io::Result<()> {
        print_line(&serde_json::to_string(self)?)
    }
}

/// Writes a line to standard output, at once.
///
/// # Errors
/// If standard output is gone.
pub fn print_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
