//! Examining a server: does it answer, does it take work, what is going on?

use crate::client::Client;
use crate::failure::Failure;
use crate::numbers::{bytes, grouped};
use serde_json::json;
use std::io::Write;

/// Metrics that are shown, with words for them.
const FIGURES: &[(&str, &str)] = &[
    ("trunkline_runs{status=\"running\"}", "runs running"),
    ("trunkline_runs{status=\"paused\"}", "runs paused"),
    (
        "trunkline_tasks{state=\"ready\"}",
        "tasks waiting for a worker",
    ),
    ("trunkline_tasks{state=\"in_flight\"}", "tasks with workers"),
    ("trunkline_jobs{state=\"pending\"}", "jobs pending"),
    ("trunkline_jobs{state=\"dead\"}", "dead letters"),
    ("trunkline_peers", "workers and clients connected"),
    (
        "trunkline_journal_bytes",
        "bytes that a restart would replay",
    ),
    ("process_resident_memory_bytes", "bytes of memory"),
];

/// Examines the server.
pub(crate) fn examine(client: &Client, as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let index = client.get("/")?.text();
    let version = index.split(':').next().unwrap_or_default().to_owned();
    let ready = client.get("/readyz").map(|_| ());
    let metrics = client.get("/metrics")?.text();
    let figure = |name: &str| -> Option<u64> {
        let line = metrics.lines().find(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        })?;
        Some(line.rsplit(' ').next()?.parse::<f64>().ok()? as u64)
    };
    if as_json {
        let figures: serde_json::Map<String, serde_json::Value> = FIGURES
            .iter()
            .filter_map(|(name, words)| Some(((*words).to_owned(), json!(figure(name)?))))
            .collect();
        let report = json!({
            "server": client.base(),
            "version": version,
            "ready": ready.is_ok(),
            "problem": ready.as_ref().err().and_then(Failure::line),
            "figures": figures,
        });
        writeln!(out, "{report}")?;
        return ready;
    }
    writeln!(out, "{}  {version}", client.base())?;
    if ready.is_ok() {
        writeln!(out, "  takes work")?;
    }
    for (name, words) in FIGURES {
        let Some(value) = figure(name) else { continue };
        match words.strip_prefix("bytes ") {
            Some(rest) => writeln!(out, "  {} {rest}", bytes(value))?,
            None => writeln!(out, "  {} {words}", grouped(value))?,
        }
    }
    let ready_tasks = figure("trunkline_tasks{state=\"ready\"}").unwrap_or(0);
    let peers = figure("trunkline_peers").unwrap_or(0);
    if ready.is_ok() && ready_tasks > 0 && peers == 0 {
        writeln!(out, "\nTasks wait and no worker is connected: start one.")?;
    }
    ready
}
