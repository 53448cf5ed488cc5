//! The job that `trunkline replay` gives to a worker program through its environment.

use super::{History, Replayed, replay};
use crate::Name;
use crate::executor::Strictness;
use crate::worker::Definitions;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use trunkline_api::replay::{HISTORIES, REPORT, ReplayResult, Report, STRICT};

/// Histories to replay instead of working.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Job {
    histories: Vec<PathBuf>,
    report: Option<PathBuf>,
    strict: bool,
}

impl Job {
    /// The job, if this program was started for one.
    pub(crate) fn of_environment() -> Option<Self> {
        Self::read(|name| std::env::var_os(name))
    }

    pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let histories = variable(HISTORIES)?.into_string().ok()?;
        Some(Self {
            histories: histories
                .lines()
                .filter(|line| !line.is_empty())
                .map(PathBuf::from)
                .collect(),
            report: variable(REPORT).map(PathBuf::from),
            strict: variable(STRICT).is_some(),
        })
    }

    /// Does it, writes the report, and says with which exit code the program is to end.
    pub(crate) fn carry_out(
        &self,
        definitions: &Definitions,
        strictness: Strictness,
        build_id: Option<&Name>,
    ) -> i32 {
        let strictness = if self.strict {
            Strictness::Arguments
        } else {
            strictness
        };
        let histories: Vec<ReplayResult> = self
            .histories
            .iter()
            .map(|file| try_one(file, definitions, strictness))
            .collect();
        let report = Report {
            build_id: build_id.map(ToString::to_string),
            ok: histories.iter().all(|history| history.ok),
            histories,
        };
        match self.write(&report) {
            Ok(()) => i32::from(!report.ok),
            Err(error) => {
                tracing::error!(%error, "the report cannot be written");
                70
            }
        }
    }

    fn write(&self, report: &Report) -> std::io::Result<()> {
        let mut json = serde_json::to_vec_pretty(report)?;
        json.push(b'\n');
        match &self.report {
            Some(path) => std::fs::write(path, json),
            None => std::io::stdout().write_all(&json),
        }
    }
}

fn try_one(file: &Path, definitions: &Definitions, strictness: Strictness) -> ReplayResult {
    let mut result = ReplayResult {
        file: file.display().to_string(),
        ..ReplayResult::default()
    };
    let replayed = History::load(file).and_then(|history| {
        result.workflow = Some(history.run().workflow.to_string());
        result.id = Some(history.run().id.to_string());
        result.version = Some(history.version());
        let mut begun = replay(&history);
        begun.strictness = strictness;
        begun.with_any(definitions)
    });
    match replayed {
        Ok(Replayed { turns, commands }) => {
            result.ok = true;
            result.turns = Some(turns);
            result.commands = Some(commands);
        }
        Err(error) => {
            result.code = Some(error.code.to_string());
            result.reason = Some(error.reason);
        }
    }
    result
}
