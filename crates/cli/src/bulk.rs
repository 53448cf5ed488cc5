//! `trunkline bulk …`: doing something to many runs, and watching what is done to many runs or jobs.

use crate::args::{BulkCommand, BulkStartArgs, CourseArgs};
use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::many;
use crate::numbers::{date, grouped};
use crate::table::Table;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;
use trunkline_api::many::{BulkBody, BulkList, StartBulk};

/// How often a progress bar looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Characters of a progress bar.
const BAR_CHARS: u64 = 30;

/// Does what the command says.
pub(crate) fn carry_out(
    command: BulkCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        BulkCommand::Start(args) => start(&args, client, out),
        BulkCommand::Show { id, wait, json } => {
            let mut answer = client.get(&path(&id))?;
            if wait {
                answer = until_ended(&answer.read()?, client)?;
            }
            if json {
                writeln!(out, "{}", answer.text())?;
                return Ok(());
            }
            tell(&answer.read()?, out)
        }
        BulkCommand::List { json } => list(json, client, out),
        BulkCommand::Cancel { id } => {
            let path = format!("{}/cancel", path(&id));
            tell(&client.post_nothing(&path)?.read()?, out)
        }
    }
}

fn path(id: &str) -> String {
    format!("/v1/bulk/{}", encoded(id))
}

fn start(args: &BulkStartArgs, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let request = StartBulk {
        id: id_of(&args.course),
        filter: many::filter(&args.filter)?,
        run: many::action(&args.action)?,
        per_second: args.course.per_second,
        dry_run: args.course.dry_run,
    };
    begin("/v1/bulk", &request, &args.course, client, out)
}

/// What an operation is called. One that only counts needs no name.
pub(crate) fn id_of(course: &CourseArgs) -> String {
    course.name.clone().unwrap_or_else(|| "dry run".to_owned())
}

/// Asks for an operation, and says how it stands, or has ended.
pub(crate) fn begin(
    path: &str,
    request: &impl Serialize,
    course: &CourseArgs,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut answer = client.post(path, request)?;
    if course.wait && !course.dry_run {
        answer = until_ended(&answer.read()?, client)?;
    }
    if course.json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    tell(&answer.read()?, out)
}

/// Asks until the operation has ended; on a terminal with a bar.
pub(crate) fn until_ended(
    first: &BulkBody,
    client: &Client,
) -> Result<crate::client::Answer, Failure> {
    let path = path(&first.id);
    let mut terminal = io::stderr();
    let is_watched = terminal.is_terminal();
    loop {
        let answer = client.get(&path)?;
        let bulk: BulkBody = answer.read()?;
        if is_watched {
            write!(terminal, "\r{}", bar(&bulk))?;
        }
        if bulk.state != "running" {
            if is_watched {
                writeln!(terminal)?;
            }
            return Ok(answer);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// `[#######·······] 1,234 of 5,000`
fn bar(bulk: &BulkBody) -> String {
    let seen = bulk.done + bulk.refused;
    let whole = bulk.expected.max(seen).max(1);
    let full = seen * BAR_CHARS / whole;
    let bar: String = (0..BAR_CHARS)
        .map(|at| if at < full { '#' } else { '·' })
        .collect();
    format!("[{bar}] {} of {}", grouped(seen), grouped(whole))
}

pub(crate) fn tell(bulk: &BulkBody, out: &mut dyn Write) -> Result<(), Failure> {
    let BulkBody { id, action, .. } = bulk;
    let what = if action.ends_with("_jobs") {
        "jobs"
    } else {
        "runs"
    };
    if bulk.state == "dry_run" {
        let count = grouped(bulk.expected);
        writeln!(out, "{action}: {count} {what} match, and nothing was done")?;
        return Ok(());
    }
    writeln!(
        out,
        "{id}: {action}, {}: {} of {} {what} done, {} refused",
        bulk.state,
        grouped(bulk.done),
        grouped(bulk.expected),
        grouped(bulk.refused)
    )?;
    if let Some(refusal) = &bulk.refusal {
        writeln!(out, "  the first that refused: {refusal}")?;
    }
    Ok(())
}

fn list(json: bool, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = client.get("/v1/bulk")?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let all: BulkList = answer.read()?;
    let mut table = Table::new([
        "BULK", "ACTION", "STATE", "DONE", "OF", "REFUSED", "STARTED",
    ]);
    for bulk in &all.bulk {
        table.row([
            bulk.id.clone(),
            bulk.action.clone(),
            bulk.state.clone(),
            grouped(bulk.done),
            grouped(bulk.expected),
            grouped(bulk.refused),
            bulk.started_at.map(date).unwrap_or_default(),
        ]);
    }
    table.write("no bulk operations", out)?;
    Ok(())
}

#[cfg(test)]
mod tests;
