//! A process of the demo: started with its output in a log file, killed when it is dropped.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, ChildStdout, Command};

/// How many lines of a log are shown when its process has failed.
const LOG_LINES_SHOWN: usize = 12;

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` as the process `name`. Its error output, and its output unless `piped`, go to `folder/name.log`.
    ///
    /// To be called from the thread that lives as long as the driver: the system ends the process when that thread ends.
    pub(super) fn start(
        name: &'static str,
        folder: &Path,
        program: &Path,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
        piped: bool,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start the {name}: {error}");
        let log = folder.join(format!("{name}.log"));
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .arg("tether")
            .arg(std::process::id().to_string())
            .arg(program)
            .args(args.into_iter().map(|arg| OsString::from(arg.as_ref())))
            .stdin(Stdio::null())
            .stdout(if piped {
                Stdio::piped()
            } else {
                open().map_err(failed)?.into()
            })
            .stderr(open().map_err(failed)?)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(failed)?;
        Ok(Self { name, child, log })
    }

    /// Its output, once.
    pub(super) fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Fails if the process has ended, with the end of its log.
    pub(super) fn expect_alive(&mut self) -> Result<(), String> {
        match self.exited()? {
            None => Ok(()),
            Some(status) => Err(format!(
                "the {} has ended ({status}){}",
                self.name,
                self.log_end()
            )),
        }
    }

    /// How it ended, if it has.
    pub(super) fn exited(&mut self) -> Result<Option<ExitStatus>, String> {
        self.child
            .try_wait()
            .map_err(|error| format!("cannot look after the {}: {error}", self.name))
    }

    /// `kill -9`, and waits until it is gone.
    pub(super) async fn kill(&mut self) -> Result<(), String> {
        self.child
            .kill()
            .await
            .map_err(|error| format!("cannot kill the {}: {error}", self.name))
    }

    /// Asks it to end, and waits for that at most so long; then kills it.
    pub(super) async fn stop(&mut self, patience: Duration) -> Result<(), String> {
        if let Some(pid) = self
            .child
            .id()
            .and_then(|pid| rustix::process::Pid::from_raw(pid as i32))
        {
            // It may have ended by itself meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!(
                "the {} did not end cleanly ({status}){}",
                self.name,
                self.log_end()
            )),
            Ok(Err(error)) => Err(format!("cannot look after the {}: {error}", self.name)),
            Err(_) => {
                self.kill().await?;
                Err(format!(
                    "the {} did not end within {} s of being asked to{}",
                    self.name,
                    patience.as_secs(),
                    self.log_end()
                ))
            }
        }
    }

    /// The end of its log, for a person.
    pub(super) fn log_end(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut lines = VecDeque::new();
        for line in text.lines() {
            if lines.len() == LOG_LINES_SHOWN {
                lines.pop_front();
            }
            lines.push_back(line);
        }
        let lines = Vec::from(lines).join("\n  ");
        if lines.is_empty() {
            String::new()
        } else {
            format!("; the end of its log:\n  {lines}")
        }
    }
}
