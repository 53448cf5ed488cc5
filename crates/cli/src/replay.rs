//! `trunkline replay`: plays exported histories to a build of a worker, before that build meets the runs.
//!
//! The worker program is started with the histories in its environment. It builds its worker as always and replays instead of
//! connecting, so what is tested is the very program that will be deployed. It needs no server, and does no task.

use crate::args::ReplayArgs;
use crate::failure::Failure;
use crate::table::Table;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use trunkline_api::core::code::Code;
use trunkline_api::replay::{HISTORIES, REPORT, Report, STRICT};

/// How often a program that replays is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Replays, and prints what came of it.
pub(crate) fn carry_out(args: &ReplayArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let histories = histories(&args.histories)?;
    let report = Scratch::new();
    let status = run(args, &histories, &report.0)?;
    let json = fs::read(&report.0).map_err(|_| {
        failed(format!(
            "{} ended with {status} and has replayed nothing: it must build its worker and call `run`, `run_until` or `start`",
            args.build.display()
        ))
    })?;
    let report: Report = serde_json::from_slice(&json)
        .map_err(|error| failed(format!("the report of the program cannot be read: {error}")))?;
    if args.json {
        out.write_all(&json)?;
    } else {
        print(&report, out)?;
    }
    if report.ok && status.success() && report.histories.len() == histories.len() {
        return Ok(());
    }
    let bad = report
        .histories
        .iter()
        .filter(|history| !history.ok)
        .count();
    out.flush()?;
    Err(failed(format!(
        "{bad} of {} histories do not replay",
        histories.len()
    )))
}

fn failed(detail: String) -> Failure {
    Failure::new(Code::ReplayFailed, detail)
}

/// The files meant: those named, and those in named folders that end in `.json`.
fn histories(named: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    for path in named {
        let unusable = |error: std::io::Error| {
            Failure::new(
                Code::HistoryFileInvalid,
                format!("{}: {error}", path.display()),
            )
        };
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = fs::read_dir(path)
                .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
                .map_err(unusable)?;
            inside.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
            inside.sort();
            files.extend(inside);
        } else {
            fs::metadata(path).map_err(unusable)?;
            files.push(path.clone());
        }
    }
    if files.is_empty() {
        return Err(Failure::new(
            Code::HistoryFileInvalid,
            "there is no history to replay",
        ));
    }
    files
        .into_iter()
        .map(|file| {
            // The program may have another working directory.
            let file = fs::canonicalize(&file).unwrap_or(file);
            match file.to_str() {
                Some(name) if !name.contains('\n') => Ok(name.to_owned()),
                _ => Err(Failure::new(
                    Code::HistoryFileInvalid,
                    format!("{}: its name is not text of one line", file.display()),
                )),
            }
        })
        .collect()
}

/// Runs the program to its end. What it prints goes to standard error: standard output is for the report.
fn run(args: &ReplayArgs, histories: &[String], report: &Path) -> Result<ExitStatus, Failure> {
    let mut command = Command::new(&args.build);
    command
        .args(&args.args)
        .env(HISTORIES, histories.join("\n"))
        .env(REPORT, report)
        .env_remove(STRICT)
        .stdin(Stdio::null())
        .stdout(std::io::stderr());
    if args.strict {
        command.env(STRICT, "1");
    }
    let mut child = command.spawn().map_err(|error| {
        Failure::new(
            Code::ConfigInvalid,
            format!("{} cannot be started: {error}", args.build.display()),
        )
    })?;
    let until = Instant::now() + Duration::from_millis(args.timeout_ms);
    loop {
        let looked = child.try_wait();
        match looked.map_err(|error| Failure::new(Code::Internal, error.to_string()))? {
            Some(status) => return Ok(status),
            None if Instant::now() >= until => {
                // It may have ended by itself at this very moment.
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!(
                    "{} has not ended within {} ms: does it do something else before its worker runs?",
                    args.build.display(),
                    args.timeout_ms
                )));
            }
            None => std::thread::sleep(LOOK_AGAIN),
        }
    }
}

fn print(report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = Table::new(["HISTORY", "RUN", "VERSION", "REPLAY"]);
    for history in &report.histories {
        let run = match (&history.workflow, &history.id) {
            (Some(workflow), Some(id)) => format!("{workflow}/{id}"),
            _ => String::new(),
        };
        let replay = match (&history.code, history.turns, history.commands) {
            (None, Some(turns), Some(commands)) => {
                format!("ok: {turns} turns, {commands} commands")
            }
            (code, ..) => code.clone().unwrap_or_default(),
        };
        let file = Path::new(&history.file).file_name();
        table.row([
            file.map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            run,
            history
                .version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            replay,
        ]);
    }
    table.write("no histories", out)?;
    for history in &report.histories {
        if let Some(reason) = &history.reason {
            writeln!(out, "\n{}\n  {reason}", history.file)?;
        }
    }
    Ok(())
}

/// A file for the report, gone with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("trunkline-replay-{}.json", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is not there if the program wrote none.
        let _ = fs::remove_file(&self.0);
    }
}
