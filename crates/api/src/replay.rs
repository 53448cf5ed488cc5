//! The agreement between `trunkline replay` and a worker program: how it is told to replay, and what it reports.
//!
//! The CLI starts the program with [`HISTORIES`] and [`REPORT`] in its environment. The program builds its worker as always;
//! where it would begin to work, it replays the histories with the worker's workflows instead, writes a [`Report`], and
//! ends with exit code 0 if all of them replay and 1 if not.

use serde::{Deserialize, Serialize};

/// The environment variable with the files to replay, one a line.
pub const HISTORIES: &str = "TRUNKLINE_REPLAY";
/// The environment variable with the file to write the report to; without it the report goes to standard output.
pub const REPORT: &str = "TRUNKLINE_REPLAY_REPORT";
/// The environment variable that is set if arguments are to be compared too.
pub const STRICT: &str = "TRUNKLINE_REPLAY_STRICT";

/// What came of replaying histories.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The build of the worker, if it has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// True if every history replays.
    pub ok: bool,
    /// What came of each, in the order in which they were given.
    pub histories: Vec<ReplayResult>,
}

/// What came of replaying one history.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReplayResult {
    /// The file.
    pub file: String,
    /// The workflow, if the file could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The run's id, if the file could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The version that the run is pinned to, if the file could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// True if it replays.
    pub ok: bool,
    /// Turns that were replayed, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<usize>,
    /// Commands that were compared, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<usize>,
    /// The code of what is wrong, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What differs, field by field, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
