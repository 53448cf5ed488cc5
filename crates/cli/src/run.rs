//! `trunkline run …`: starting, showing and steering runs.

use crate::args::{RunArg, RunCommand, RunListArgs, StartArgs, StopArgs};
use crate::client::{Client, encoded, query};
use crate::failure::Failure;
use crate::many;
use crate::method;
use crate::numbers::{date, shortened};
use crate::story;
use crate::table::Table;
use serde_json::value::RawValue;
use std::io::{Read, Write};
use trunkline_api::core::code::Code;
use trunkline_api::history::{EntryBody, HistoryPage};
use trunkline_api::many::{ForkRun, RetryRun};
use trunkline_api::method::CompleteTimers;
use trunkline_api::run::{
    OnConflictBody, RunBody, RunPage, RunResult, RunStarted, StartRun, StopRun,
};

/// Entries of a history that `run show` tells at most.
const STORY_ENTRIES_MAX: usize = 1_000;
/// How long one request waits for a result.
const WAIT_MS_PER_REQUEST: u64 = 30_000;

/// Does what the command says.
pub(crate) fn carry_out(
    command: RunCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        RunCommand::Start(args) => start(args, client, out),
        RunCommand::List(args) => list(&args, client, out),
        RunCommand::Count(args) => many::count(&args, client, out),
        RunCommand::Show { run, json } => show(&run, json, client, out),
        RunCommand::Tree { run, json } => {
            crate::tree::show(&path(&run, client)?, json, client, out)
        }
        RunCommand::History { run, from, json } => history(&run, from, json, client, out),
        RunCommand::Result { run, wait_ms, json } => result(&run, wait_ms, json, client, out),
        RunCommand::Property { run, name } => {
            let path = format!("{}/properties/{}", path(&run, client)?, encoded(&name));
            writeln!(out, "{}", client.get(&path)?.text())?;
            Ok(())
        }
        RunCommand::Signal {
            run,
            channel,
            value,
            key,
        } => {
            json_of("VALUE", &value)?;
            let path = format!("{}/signals/{}", path(&run, client)?, encoded(&channel));
            client.post_keyed(&path, value.into_bytes(), key.as_deref())?;
            writeln!(out, "signal sent")?;
            Ok(())
        }
        RunCommand::Call {
            run,
            method,
            argument,
            key,
            no_wait,
        } => {
            let argument = json_of("ARGUMENT", &argument)?;
            let path = path(&run, client)?;
            let call = (method.as_str(), &*argument, key.as_deref());
            method::call(&path, call, no_wait, client, out)
        }
        RunCommand::Query {
            run,
            query,
            argument,
        } => {
            let argument = json_of("ARGUMENT", &argument)?;
            method::query(&path(&run, client)?, &query, &argument, client, out)
        }
        RunCommand::CompleteTimers {
            run,
            call,
            timer,
            main,
        } => {
            let which = CompleteTimers { call, timer, main };
            method::complete_timers(&path(&run, client)?, &which, client, out)
        }
        RunCommand::Cancel(args) => stop(&args, "cancel", "asked to cancel", client, out),
        RunCommand::Terminate(args) => stop(&args, "terminate", "terminated", client, out),
        RunCommand::Pause(run) => steer(&run, "pause", "paused", client, out),
        RunCommand::Resume(run) => steer(&run, "resume", "goes on", client, out),
        RunCommand::Retry(args) => {
            let path = path(&args.run, client)?;
            client.post(&format!("{path}/retry"), &RetryRun { at: args.at })?;
            writeln!(out, "{} is retried", args.run.run)?;
            Ok(())
        }
        RunCommand::Fork(args) => {
            let body = ForkRun {
                at: args.at,
                new_id: args.new_id,
            };
            let path = format!("{}/fork", path(&args.run, client)?);
            let forked: RunStarted = client.post(&path, &body)?.read()?;
            writeln!(
                out,
                "{}/{} goes on from before command {} of {}",
                forked.workflow, forked.id, args.at, args.run.run
            )?;
            Ok(())
        }
        RunCommand::Purge(run) => steer(&run, "purge", "is forgotten", client, out),
        RunCommand::Tagged(args) => many::act_on_tagged(&args, client, out),
        RunCommand::Export(run) => {
            let path = format!("{}/export", path(&run, client)?);
            writeln!(out, "{}", client.get(&path)?.text())?;
            Ok(())
        }
    }
}

/// The JSON of `--input`, where "-" is what standard input has.
pub(crate) fn json_argument(input: &str) -> Result<Box<RawValue>, Failure> {
    if input != "-" {
        return json_of("--input", input);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::new(Code::ConfigInvalid, format!("--input -: {error}")))?;
    json_of("--input", &text)
}

fn start(args: StartArgs, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let path = format!("/v1/workflows/{}/runs", encoded(&args.workflow));
    let mut request = StartRun {
        id: args.id,
        input: Some(json_argument(&args.input)?),
        version: args.version,
        tags: args.tags,
        on_conflict: match (args.attach, args.replace) {
            (true, _) => OnConflictBody::Attach,
            (_, true) => OnConflictBody::Replace,
            _ => OnConflictBody::Reject,
        },
        wait: false,
        timeout_ms: None,
        run_timeout_ms: args.timeout_ms,
        start_at: args.start_at,
    };
    if args.wait {
        // The first request waits as long as one may; what takes longer is asked for again.
        request.wait = true;
        request.timeout_ms = Some(WAIT_MS_PER_REQUEST);
    }
    let answer = client.post(&path, &request)?;
    let started: RunStarted = answer.read()?;
    let name = format!("{}/{}", started.workflow, started.id);
    if args.wait {
        let ended = RunResult {
            status: started.status.unwrap_or_default(),
            result: started.result,
            failure: started.failure,
        };
        let path = format!("{path}/{}", encoded(&started.id));
        let ended = until_ended(ended, &path, None, client)?;
        return tell_result(&name, &ended, args.json, out);
    }
    if args.json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let what = if started.created {
        "started"
    } else {
        "was there before"
    };
    writeln!(out, "{name} {what} (version {})", started.version)?;
    Ok(())
}

fn list(args: &RunListArgs, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let mut parameters = many::parameters(&args.filter)?;
    parameters.push(format!("limit={}", args.page.limit));
    if let Some(cursor) = &args.page.cursor {
        parameters.push(format!("cursor={}", encoded(cursor)));
    }
    let answer = client.get(&format!("/v1/runs?{}", parameters.join("&")))?;
    if args.page.json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let page: RunPage = answer.read()?;
    let mut table = Table::new(["RUN", "STATUS", "STARTED", "ENDED", "TAGS"]);
    for run in &page.runs {
        table.row([
            format!("{}/{}", run.workflow, run.id),
            run.status.clone(),
            date(run.started_at),
            run.finished_at.map(date).unwrap_or_default(),
            shortened(&run.tags.join(" "), 60),
        ]);
    }
    table.write("no runs", out)?;
    if let Some(cursor) = page.next_cursor {
        writeln!(out, "more: add --cursor {cursor}")?;
    }
    Ok(())
}

fn show(run: &RunArg, json: bool, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let path = path(run, client)?;
    let answer = client.get(&path)?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let run: RunBody = answer.read()?;
    let (entries, more) = entries(&path, 0, STORY_ENTRIES_MAX, client)?;
    story::tell(&run, &entries, more, out)?;
    Ok(())
}

fn history(
    run: &RunArg,
    from: u32,
    json: bool,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let path = path(run, client)?;
    let (entries, _) = entries(&path, from, usize::MAX, client)?;
    if json {
        let page = HistoryPage {
            entries,
            next: None,
        };
        let text = serde_json::to_string(&page)
            .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        writeln!(out, "{text}")?;
    } else {
        story::tell_entries(&entries, out)?;
    }
    Ok(())
}

/// The entries from `from` on, and whether there are more than `max`.
fn entries(
    path: &str,
    from: u32,
    max: usize,
    client: &Client,
) -> Result<(Vec<EntryBody>, bool), Failure> {
    let mut all = Vec::new();
    let mut next = Some(from);
    while let Some(from) = next {
        let page: HistoryPage = client.get(&format!("{path}/history?from={from}"))?.read()?;
        all.extend(page.entries);
        next = page.next;
        if all.len() > max {
            all.truncate(max);
            return Ok((all, true));
        }
    }
    Ok((all, false))
}

fn result(
    run: &RunArg,
    wait_ms: u64,
    json: bool,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let path = path(run, client)?;
    let first: RunResult = client.get(&format!("{path}/result"))?.read()?;
    let ended = until_ended(first, &path, Some(wait_ms), client)?;
    tell_result(&run.run, &ended, json, out)
}

/// Asks until the run has ended or `wait_ms` are over.
fn until_ended(
    mut result: RunResult,
    path: &str,
    wait_ms: Option<u64>,
    client: &Client,
) -> Result<RunResult, Failure> {
    let mut left = wait_ms;
    while result.result.is_none() && result.failure.is_none() && left != Some(0) {
        let wait = left.unwrap_or(WAIT_MS_PER_REQUEST).min(WAIT_MS_PER_REQUEST);
        result = client
            .get(&format!("{path}/result?wait_ms={wait}"))?
            .read()?;
        left = left.map(|left| left - wait);
    }
    Ok(result)
}

/// A run that did not complete ends the program with 1, so that scripts notice.
fn tell_result(
    name: &str,
    ended: &RunResult,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string(ended)
            .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        writeln!(out, "{text}")?;
    } else if let Some(result) = &ended.result {
        writeln!(out, "{}", result.get())?;
    } else if let Some(failure) = &ended.failure {
        writeln!(out, "{name} {}", ended.status)?;
        story::tell_failure(failure, "  ", out)?;
    } else {
        writeln!(out, "{name} has not ended: {}", ended.status)?;
    }
    if ended.result.is_some() {
        Ok(())
    } else {
        Err(Failure::Reported)
    }
}

fn stop(
    args: &StopArgs,
    command: &str,
    done: &str,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let path = format!("{}/{command}", path(&args.run, client)?);
    let body = StopRun {
        reason: args.reason.clone(),
    };
    client.post(&path, &body)?;
    writeln!(out, "{} {done}", args.run.run)?;
    Ok(())
}

fn steer(
    run: &RunArg,
    command: &str,
    done: &str,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    client.post_nothing(&format!("{}/{command}", path(run, client)?))?;
    writeln!(out, "{} {done}", run.run)?;
    Ok(())
}

/// The address of a run. An id without a workflow is looked up.
pub(crate) fn path(run: &RunArg, client: &Client) -> Result<String, Failure> {
    let at = |workflow: &str, id: &str| {
        format!("/v1/workflows/{}/runs/{}", encoded(workflow), encoded(id))
    };
    let text = run.run.as_str();
    if let Some((workflow, id)) = text.split_once('/') {
        return Ok(at(workflow, id));
    }
    let mut found: Vec<RunBody> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = query(&[("id", Some(text)), ("cursor", cursor.as_deref())]);
        let page: RunPage = client.get(&format!("/v1/runs{page}"))?.read()?;
        found.extend(page.runs);
        cursor = page.next_cursor;
        if cursor.is_none() || found.len() > 1 {
            break;
        }
    }
    match found.as_slice() {
        [] => Err(Failure::new(
            Code::RunNotFound,
            format!("no workflow has a run `{text}`"),
        )),
        [run] => Ok(at(&run.workflow, &run.id)),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|run| format!("{}/{}", run.workflow, run.id))
                .collect();
            Err(Failure::new(
                Code::NameInvalid,
                format!("several runs have the id `{text}`: {}", names.join(", ")),
            ))
        }
    }
}

pub(crate) fn json_of(what: &str, text: &str) -> Result<Box<RawValue>, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::new(
            Code::MalformedJson,
            format!("{what}: {error}; a text is written with quotes, as in '\"text\"'"),
        )
    })
}
