//! A run as a story: who it is, what happened when, and what it waits for.
//!
//! ```text
//! Checkout/order-42  completed
//!   version 2, tags: country:DE
//!   began 2026-11-21 14:03:07 UTC, ended after 1.204 s
//!
//! 14:03:07.250  began with {"id":42}
//!               task #0 Payments.charge scheduled, with {"id":42}
//! 14:03:07.310  task #0 Payments.charge completed: {"receipt":7}
//! ```
//!
//! Times are those of what came to the run; what its code asked for happened right after.

use crate::numbers::{date, day, shortened, span, time_of_day};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io::{self, Write};
use trunkline_api::failure::FailureBody;
use trunkline_api::history::EntryBody;
use trunkline_api::run::RunBody;
use trunkline_api::timestamp::Time;
use trunkline_api::tree::StartedBy;

/// Characters of a value that a line shows.
const VALUE_CHARS_MAX: usize = 120;

/// Tells all of it.
pub(crate) fn tell(
    run: &RunBody,
    entries: &[EntryBody],
    more: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}/{}  {}", run.workflow, run.id, run.status)?;
    write!(out, "  version {}", run.version)?;
    if !run.tags.is_empty() {
        write!(out, ", tags: {}", run.tags.join(" "))?;
    }
    writeln!(out)?;
    match &run.started_by {
        Some(StartedBy::Run { workflow, id }) => writeln!(out, "  child of {workflow}/{id}")?,
        Some(StartedBy::Schedule { name, at }) => {
            writeln!(out, "  started by schedule {name}, for {} UTC", date(*at))?;
        }
        None => {}
    }
    write!(out, "  began {} UTC", date(run.started_at))?;
    if let Some(finished_at) = run.finished_at {
        let took = finished_at.0.since_ms(run.started_at.0);
        write!(out, ", ended after {}", span(took))?;
    }
    writeln!(out)?;
    if let Some(number) = run.generation {
        let often = match number {
            1 => "once".to_owned(),
            _ => format!("{number} times"),
        };
        writeln!(
            out,
            "  has continued as new {often}: the last time is told here"
        )?;
    }
    if let Some(expires_at) = run.expires_at {
        writeln!(out, "  kept until {} UTC", date(expires_at))?;
    }
    if !run.properties.is_empty() {
        writeln!(out, "  properties: {}", run.properties.join(" "))?;
    }
    if let Some(why) = &run.paused_because {
        writeln!(out, "  paused: {why}")?;
    }
    if run.cancelling && run.finished_at.is_none() {
        writeln!(out, "  asked to cancel")?;
    }
    if let Some(result) = &run.result {
        writeln!(out, "  result: {}", value(result))?;
    }
    if let Some(failure) = &run.failure {
        tell_failure(failure, "  ", out)?;
    }
    writeln!(out)?;
    tell_entries(entries, out)?;
    if more {
        writeln!(
            out,
            "…  and so on: trunkline run history {}/{} --from {}",
            run.workflow,
            run.id,
            entries.len()
        )?;
    }
    let waits = run.waits.as_deref().unwrap_or_default();
    if !waits.is_empty() {
        writeln!(out, "\nIt waits for:")?;
        for wait in waits {
            writeln!(out, "  {}", legible(wait))?;
        }
    }
    Ok(())
}

/// What a run waits for, with spans that people read: not `timer 1, due in 2591999123 ms`, and timers
/// with the sign that they have in the story.
pub(crate) fn legible(wait: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in wait.split(' ') {
        let before = words.last().map(String::as_str);
        let ms = before.and_then(|before| before.parse().ok());
        match (ms, word.strip_prefix("ms")) {
            _ if before == Some("timer") => words.push(format!("#{word}")),
            (Some(ms), Some(rest)) if !rest.starts_with(char::is_alphabetic) => {
                words.pop();
                words.push(span(ms) + rest);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

/// Tells what happened, one line each.
pub(crate) fn tell_entries(entries: &[EntryBody], out: &mut dyn Write) -> io::Result<()> {
    // What the notifications that name a command are about.
    let mut subjects: HashMap<u32, String> = HashMap::new();
    let mut now: Option<Time> = None;
    for entry in entries {
        if let (Some(at), Some(before)) = (entry.at, now)
            && day(at) != day(before)
        {
            writeln!(out, "{}", day(at))?;
        }
        now = entry.at.or(now);
        let at = entry.at.map(time_of_day).unwrap_or_default();
        if let Some(what) = sentence(entry, now, &mut subjects) {
            writeln!(out, "{at:<12}  {what}")?;
        }
    }
    Ok(())
}

/// A time, with its date if that is not the date of `now`: what is due tomorrow must not look past.
fn seen_from(now: Option<Time>, at: Option<Time>) -> String {
    let Some(at) = at else {
        return String::new();
    };
    match now {
        Some(now) if day(now) == day(at) => time_of_day(at),
        _ => format!("{} {}", day(at), time_of_day(at)),
    }
}

/// A failure and what caused it.
pub(crate) fn tell_failure(
    failure: &FailureBody,
    indent: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut next = Some(failure);
    let mut word = "failure";
    while let Some(failure) = next {
        writeln!(out, "{indent}{word}: {}", failure_line(failure))?;
        next = failure.cause.as_deref();
        word = "caused by";
    }
    Ok(())
}

/// A failure in a line, with what lies at its root.
fn failure_and_root(failure: &FailureBody) -> String {
    let mut root = failure;
    while let Some(cause) = &root.cause {
        root = cause;
    }
    let line = failure_line(failure);
    if root.message == failure.message {
        return line;
    }
    format!("{line}, because of {}", failure_line(root))
}

fn failure_line(failure: &FailureBody) -> String {
    // Where a failure came from is news beside its message, unless that says it.
    let site = match &failure.site {
        Some(site) if site.task.is_some() => format!(" (in {site})"),
        _ => String::new(),
    };
    shortened(
        &format!("{}: {}{site}", failure.name, failure.message),
        2 * VALUE_CHARS_MAX,
    )
}

/// What an entry says; nothing for marks that only matter to a replay.
fn sentence(
    entry: &EntryBody,
    now: Option<Time>,
    subjects: &mut HashMap<u32, String>,
) -> Option<String> {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let json = |field: &Option<Box<RawValue>>| value_or_null(field.as_deref());
    // Nothing is said of a value that is nothing.
    let said = |before: &str, field: &Option<Box<RawValue>>| match json(field) {
        null if null == "null" => String::new(),
        value => format!("{before}{value}"),
    };
    let failure = entry.failure.as_ref().map(failure_and_root);
    let number = entry.command.unwrap_or_default();
    let subject = |what: &str| match subjects.get(&number) {
        Some(subject) => subject.clone(),
        None => format!("{what} #{number}"),
    };
    Some(match entry.kind.as_str() {
        "turn" => return None,
        "started" => format!("began{}", said(" with ", &entry.input)),
        "task_scheduled" => {
            let subject = format!(
                "task #{number} {}.{}",
                text(&entry.service),
                text(&entry.task)
            );
            let sentence = format!("{subject} scheduled{}", said(", with ", &entry.input));
            subjects.insert(number, subject);
            sentence
        }
        "task_completed" => format!("{} completed{}", subject("task"), said(": ", &entry.result)),
        "task_failed" => format!("{} failed: {}", subject("task"), failure?),
        "task_cancel_requested" => format!("{} asked to end", subject("task")),
        "timer_set" => format!("timer #{number} set for {}", seen_from(now, entry.due_at)),
        "timer_fired" => format!("timer #{number} fired"),
        "timer_cancelled" => format!("timer #{number} no longer needed"),
        "signal" => format!("signal {}: {}", text(&entry.channel), json(&entry.value)),
        "step_begun" => {
            let subject = format!("step #{number} {}", text(&entry.name));
            let sentence = format!("{subject} begun");
            subjects.insert(number, subject);
            sentence
        }
        "step_completed" => format!("{} completed{}", subject("step"), said(": ", &entry.result)),
        "step_failed" => format!("{} failed: {}", subject("step"), failure?),
        "property_set" => format!("property {} = {}", text(&entry.name), json(&entry.value)),
        "tags_added" => format!("tagged {}", entry.tags.as_ref()?.join(" ")),
        "tags_removed" => format!("no longer tagged {}", entry.tags.as_ref()?.join(" ")),
        "job_created" => format!(
            "job #{number} {} {} for {}, lane {}",
            text(&entry.object_type),
            text(&entry.action),
            text(&entry.destination),
            text(&entry.lane)
        ),
        "method_called" => {
            format!(
                "call {} of {}{}",
                entry.index,
                text(&entry.method),
                said(", with ", &entry.input)
            )
        }
        "method_returned" => {
            let call = entry.call.unwrap_or_default();
            match failure {
                Some(failure) => format!("call {call} failed: {failure}"),
                None => format!("call {call} returned{}", said(" ", &entry.result)),
            }
        }
        "method_call_sent" => {
            let subject = format!(
                "call #{number} of {}'s {}",
                text(&entry.run),
                text(&entry.method)
            );
            let sentence = format!("{subject} sent{}", said(", with ", &entry.input));
            subjects.insert(number, subject);
            sentence
        }
        "method_completed" => format!("{} returned{}", subject("call"), said(" ", &entry.result)),
        "method_failed" => format!("{} failed: {}", subject("call"), failure?),
        "patched" => format!("takes the new way at {}", text(&entry.name)),
        "child_scheduled" => {
            let subject = format!(
                "child #{number} {}/{}",
                text(&entry.workflow),
                text(&entry.id)
            );
            let sentence = format!("{subject} to be started{}", said(", with ", &entry.input));
            subjects.insert(number, subject);
            sentence
        }
        "child_started" => format!("{} started", subject("child")),
        "child_completed" => format!(
            "{} completed{}",
            subject("child"),
            said(": ", &entry.result)
        ),
        "child_failed" => format!("{} failed: {}", subject("child"), failure?),
        "child_cancelled" => format!("{} asked to cancel", subject("child")),
        "signal_sent_by_tag" => {
            let (channel, workflow) = (text(&entry.channel), text(&entry.workflow));
            let tag = entry.tags.as_ref()?.join(" ");
            let subject = format!("signal #{number} {channel}");
            let value = json(&entry.value);
            let sentence = format!("{subject} sent to all {workflow} with tag {tag}: {value}");
            subjects.insert(number, subject);
            sentence
        }
        "signal_sent" => {
            let run = format!("{}/{}", text(&entry.workflow), text(&entry.id));
            let channel = text(&entry.channel);
            let sentence = format!(
                "signal #{number} {channel} sent to {run}: {}",
                json(&entry.value)
            );
            subjects.insert(number, format!("signal #{number} to {run}"));
            sentence
        }
        "cancel_sent" => {
            let run = format!("{}/{}", text(&entry.workflow), text(&entry.id));
            subjects.insert(number, format!("request #{number} to {run}"));
            format!(
                "request #{number}: {run} is to cancel: {}",
                text(&entry.reason)
            )
        }
        "answered" => format!("{} was taken", subject("request")),
        "refused" => format!("{} was refused: {}", subject("request"), failure?),
        "continued_as_new" => format!("goes on as new{}", said(", with ", &entry.input)),
        "cancel_requested" => format!("asked to cancel: {}", text(&entry.reason)),
        "rewound" => {
            let dropped = entry.dropped.unwrap_or_default();
            match &entry.run {
                Some(source) => format!("forked from {source} here"),
                None => format!("retried from here; {dropped} later entries were dropped"),
            }
        }
        "finished" => match failure {
            Some(failure) => format!("ended: {failure}"),
            None => format!("ended{}", said(" with ", &entry.result)),
        },
        // A newer server may know more.
        other => other.replace('_', " "),
    })
}

fn value(json: &RawValue) -> String {
    shortened(json.get(), VALUE_CHARS_MAX)
}

fn value_or_null(json: Option<&RawValue>) -> String {
    json.map_or_else(|| "null".to_owned(), value)
}

#[cfg(test)]
mod tests;
