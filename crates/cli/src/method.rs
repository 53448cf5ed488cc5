//! `trunkline run call`, `run query` and `run complete-timers`.

use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::story;
use serde_json::value::RawValue;
use std::io::Write;
use trunkline_api::method::{CallBody, CompleteTimers, TimersCompleted};

/// How long one request waits until a method has returned.
const WAIT_MS_PER_REQUEST: u64 = 30_000;

/// Calls a method of the run at `run`. One that fails ends the program with 1.
pub(crate) fn call(
    run: &str,
    (method, argument, key): (&str, &RawValue, Option<&str>),
    no_wait: bool,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let wait_ms = if no_wait { 0 } else { WAIT_MS_PER_REQUEST };
    let path = format!("{run}/methods/{}?wait_ms={wait_ms}", encoded(method));
    let argument = argument.get().as_bytes().to_vec();
    let mut call: CallBody = client.post_keyed(&path, argument, key)?.read()?;
    if no_wait {
        writeln!(out, "call {}", call.call)?;
        return Ok(());
    }
    while !call.has_returned() {
        let path = format!("{run}/calls/{}?wait_ms={WAIT_MS_PER_REQUEST}", call.call);
        call = client.get(&path)?.read()?;
    }
    match (call.result, call.failure) {
        (Some(result), _) => {
            writeln!(out, "{}", result.get())?;
            Ok(())
        }
        (None, failure) => {
            writeln!(out, "call {} {}", call.call, call.status)?;
            if let Some(failure) = failure {
                story::tell_failure(&failure, "  ", out)?;
            }
            Err(Failure::Reported)
        }
    }
}

/// Asks a query of the run at `run`.
pub(crate) fn query(
    run: &str,
    query: &str,
    argument: &RawValue,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let path = format!("{run}/queries/{}", encoded(query));
    let argument = argument.get().as_bytes().to_vec();
    writeln!(out, "{}", client.post_keyed(&path, argument, None)?.text())?;
    Ok(())
}

/// Has timers of the run at `run` fire now.
pub(crate) fn complete_timers(
    run: &str,
    which: &CompleteTimers,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let path = format!("{run}/complete-timers");
    let done: TimersCompleted = client.post(&path, which)?.read()?;
    let noun = if done.completed == 1 {
        "timer"
    } else {
        "timers"
    };
    writeln!(out, "{} {noun} completed", done.completed)?;
    Ok(())
}
