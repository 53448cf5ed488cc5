//! What is said of a server when nothing moves any more: enough to find the cause from the text alone.
//!
//! Everything is asked through the program itself, as an operator would, and every question has a time limit: a server that
//! does not answer is a finding, too.

use crate::server::Server;
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long one question may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Runs that are shown.
const RUNS_MAX: usize = 5;
/// Lines of the server's log.
const LOG_LINES: usize = 40;

/// Describes the server and what it holds.
#[must_use]
pub fn of(server: &mut Server) -> String {
    let mut text = String::new();
    let state = server.state();
    say(&mut text, "the process", &state);
    let url = server.url();
    let ask = |words: &[&str]| ask(server.program(), &url, words);
    let mut questions: Vec<Vec<String>> = vec![
        words("doctor"),
        words("run count"),
        words("run list --status running"),
        words("run list --status paused"),
        words("egress destination show receiver"),
        words("egress jobs receiver --state pending"),
        words("dead-letters list receiver"),
    ];
    let listed = ask(&["run", "list", "--status", "running", "--json"]);
    for id in ids(&listed).into_iter().take(RUNS_MAX) {
        questions.push(vec!["run".into(), "show".into(), id.clone()]);
        questions.push(vec!["task".into(), "list".into(), id]);
    }
    for question in questions {
        let question: Vec<&str> = question.iter().map(String::as_str).collect();
        say(&mut text, &question.join(" "), &ask(&question));
    }
    let log = std::fs::read_to_string(server.log()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
    say(&mut text, "the end of the server's log", &tail.join("\n"));
    text
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn say(text: &mut String, about: &str, what: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "── {about}\n{}", what.trim_end());
}

/// The names of the runs in a list, as `WORKFLOW/ID`.
fn ids(listed: &str) -> Vec<String> {
    let list: serde_json::Value = serde_json::from_str(listed).unwrap_or_default();
    let runs = list["runs"].as_array().cloned().unwrap_or_default();
    let name = |run: &serde_json::Value| {
        let (workflow, id) = (run["workflow"].as_str()?, run["id"].as_str()?);
        Some(format!("{workflow}/{id}"))
    };
    runs.iter().filter_map(name).collect()
}

/// What the program says, or that it says nothing in time.
fn ask(program: &Path, url: &str, words: &[&str]) -> String {
    let child = Command::new(program)
        .args(words)
        .args(["--server", url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        return "the program does not start".into();
    };
    let begun = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if begun.elapsed() > ANSWER_MAX {
            // It is killed because it does not answer; if that fails, there is nothing more to do.
            let _ = child.kill();
            let _ = child.wait();
            return format!("no answer within {} s", ANSWER_MAX.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut text = String::new();
    for pipe in [
        child
            .stdout
            .take()
            .map(|out| Box::new(out) as Box<dyn Read>),
        child
            .stderr
            .take()
            .map(|out| Box::new(out) as Box<dyn Read>),
    ] {
        // What cannot be read is missing from the text, and that is all.
        let _ = pipe.map(|mut pipe| pipe.read_to_string(&mut text));
    }
    text
}
