//! `trunkline events`: what happens, as it was committed, one line for each event.

use crate::args::EventsArgs;
use crate::client::{Client, query};
use crate::failure::Failure;
use crate::numbers::{date, shortened};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::io::Write;
use std::time::Duration;
use trunkline_api::core::code::Code;
use trunkline_api::timestamp::Time;

/// How long one request waits for events.
const WAIT_MS: &str = "30000";
/// Events of one request.
const PAGE: u32 = 500;
/// How long to wait before asking again a server that does not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// How much of the particulars fits in a line.
const PARTICULARS_MAX: usize = 100;

/// What is shown of an event.
#[derive(Debug, Deserialize)]
struct Shown {
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: Time,
    data: Value,
}

/// Does what the command says.
pub(crate) fn carry_out(
    args: &EventsArgs,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let types = (!args.types.is_empty()).then(|| args.types.join(","));
    let mut cursor = args.cursor.clone();
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        let limit = left.min(u64::from(PAGE)).to_string();
        let path = format!(
            "/v1/events{}",
            query(&[
                ("cursor", cursor.as_deref()),
                ("since", args.since.as_deref()),
                ("workflow", args.workflow.as_deref()),
                ("id", args.id.as_deref()),
                ("type", types.as_deref()),
                ("limit", Some(&limit)),
                ("wait_ms", args.follow.then_some(WAIT_MS)),
            ])
        );
        let answer = match client.get(&path) {
            // A server that is being restarted: the cursor goes on exactly here.
            Err(failure) if args.follow && cursor.is_some() && failure.may_pass() => {
                std::thread::sleep(AGAIN);
                continue;
            }
            answer => answer?,
        };
        let events: Vec<Box<RawValue>> = answer.read()?;
        for event in &events {
            tell(event, args.json, out)?;
        }
        out.flush()?;
        left = left.saturating_sub(events.len() as u64);
        let stands_still = cursor.is_some() && cursor == answer.cursor;
        cursor = answer.cursor;
        if !args.follow && events.is_empty() && stands_still {
            break;
        }
    }
    if let Some(cursor) = cursor.filter(|_| !args.json) {
        writeln!(out, "go on with --cursor {cursor}")?;
    }
    Ok(())
}

fn tell(event: &RawValue, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if json {
        writeln!(out, "{event}")?;
        return Ok(());
    }
    let shown: Shown = serde_json::from_str(event.get()).map_err(|error| {
        Failure::new(Code::Internal, format!("an event cannot be read: {error}"))
    })?;
    let kind = shown.kind.strip_prefix("io.trunkline.");
    writeln!(
        out,
        "{}  {:22} {}  {}",
        date(shown.time),
        kind.unwrap_or(&shown.kind),
        shown.subject,
        particulars(&shown.data)
    )?;
    Ok(())
}

/// What is particular about the event, in a few words: everything that the line does not say already.
fn particulars(data: &Value) -> String {
    const SAID: [&str; 9] = [
        "workflow",
        "run",
        "version",
        "run_started_at",
        "index",
        "type",
        "at",
        "job",
        "credential",
    ];
    let Some(fields) = data.as_object() else {
        return String::new();
    };
    let words: Vec<String> = fields
        .iter()
        .filter(|(name, _)| !SAID.contains(&name.as_str()))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect();
    shortened(&words.join(" "), PARTICULARS_MAX)
}
