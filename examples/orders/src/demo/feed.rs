//! The feeder's process, and what it reports.

use super::process::Process;
use super::stage::Stage;
use crate::report::Report;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The feeder as far as it has come.
#[derive(Debug)]
pub(super) struct Feed {
    process: Process,
    seen: Arc<Mutex<Seen>>,
}

/// What its reports said.
#[derive(Debug, Default)]
struct Seen {
    started: u64,
    finished: u64,
    done: Option<Report>,
}

impl Feed {
    /// Starts the feeder with the file `input`.
    pub(super) fn begin(stage: &Stage, input: &Path) -> Result<Self, String> {
        let mut process = stage.start_feeder(input)?;
        let output = process.take_output().ok_or("the feeder has no output")?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut seen = notes.lock().unwrap_or_else(PoisonError::into_inner);
                match serde_json::from_str(&line) {
                    Ok(Report::Progress { started, finished }) => {
                        (seen.started, seen.finished) = (started, finished);
                    }
                    Ok(done @ Report::Done { .. }) => seen.done = Some(done),
                    // Whatever else it says is for people who run it by hand.
                    Err(_) => {}
                }
            }
        });
        Ok(Self { process, seen })
    }

    /// Fails if the feeder has ended before its work was done.
    pub(super) fn look(&mut self) -> Result<(), String> {
        match self.process.exited()? {
            Some(status) if !status.success() => Err(format!(
                "the feeder has failed ({status}){}",
                self.process.log_end()
            )),
            _ => Ok(()),
        }
    }

    /// Runs that the server has accepted.
    pub(super) fn started(&self) -> u64 {
        self.seen().started
    }

    /// Runs that have ended.
    pub(super) fn finished(&self) -> u64 {
        self.seen().finished
    }

    /// How many jobs the runs have created, when every run has ended.
    pub(super) fn jobs_created(&self) -> Option<u64> {
        match &self.seen().done {
            Some(Report::Done { totals, .. }) => Some(totals.jobs),
            _ => None,
        }
    }

    /// The last report.
    pub(super) fn take_done(&mut self) -> Option<Report> {
        self.seen().done.take()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
