//! Judging rules: the expressions of a destination that say what a delivery means.
//!
//! They see `status` (0 if there was no answer), `headers` (names in lower case), `body` (JSON if it is, else text), `error` (empty,
//! `timeout` or `transport`), `attempt` (from 1) and `job` (`id`, `destination`, `lane`, `sequence`, `object_type`, `action`,
//! `object_ids`, `body`). A list of statuses such as `>=500, 408, !501` is short for an expression.
//!
//! The first rule that holds decides. One that cannot be evaluated does not hold, and the attempt's record says why.

use super::{FORBIDDEN, Outcome, excerpt};
use crate::programs::Programs;
use hyper::header::HeaderMap;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};
use trunkline_core::egress::{Delivery, Job, Rule, Verdict};
use trunkline_core::payload::Name;
use trunkline_expr::{Fault, FaultKind, Inputs, Limits, Program};

/// What a rule can name.
const VARIABLES: [&str; 6] = ["status", "headers", "body", "error", "attempt", "job"];
/// Rules of one destination.
pub(crate) const RULES_MAX: usize = 50;

/// Compiles a rule, or says what is wrong with it and where.
pub(crate) fn compile(source: &str) -> Result<Program, Fault> {
    let source = of_statuses(source)
        .transpose()?
        .unwrap_or_else(|| source.to_owned());
    Program::compile(&source, &VARIABLES, Limits::default())
}

/// The expression that a list of statuses is short for; nothing if it is none.
fn of_statuses(source: &str) -> Option<Result<String, Fault>> {
    let is_list = !source.trim().is_empty()
        && source
            .chars()
            .all(|c| c.is_ascii_digit() || "<>=!,- ".contains(c));
    is_list.then(|| {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for item in source.split(',').map(str::trim) {
            let (list, item) = match item.strip_prefix('!') {
                Some(rest) => (&mut unwanted, rest),
                None => (&mut wanted, item),
            };
            list.push(status_condition(item)?);
        }
        let wanted = if wanted.is_empty() {
            "status > 0".to_owned()
        } else {
            wanted.join(" || ")
        };
        let mut expression = format!("({wanted})");
        for condition in unwanted {
            // Writing to a string cannot fail.
            let _ = write!(expression, " && !({condition})");
        }
        Ok(expression)
    })
}

fn status_condition(item: &str) -> Result<String, Fault> {
    let refuse = || Fault {
        kind: FaultKind::Syntax,
        message: format!("`{item}` is no status: write 408, >=500, 500-599 or !501"),
        place: None,
    };
    let status = |text: &str| match text.trim().parse::<u16>() {
        Ok(status @ 100..=999) => Ok(status),
        _ => Err(refuse()),
    };
    if let Some((from, to)) = item.split_once('-') {
        return Ok(format!(
            "(status >= {} && status <= {})",
            status(from)?,
            status(to)?
        ));
    }
    for operator in [">=", "<=", ">", "<"] {
        if let Some(rest) = item.strip_prefix(operator) {
            return Ok(format!(
                "(status > 0 && status {operator} {})",
                status(rest)?
            ));
        }
    }
    Ok(format!("status == {}", status(item)?))
}

/// Judges how a call ended: the core's own words for it, with the verdict of the first rule that holds.
pub(super) fn judge(
    programs: &Programs,
    rules: &[Rule],
    job: &Job,
    attempt: u32,
    outcome: Outcome,
) -> Delivery {
    // No rule decides what was never asked: the destination waits until the operator allows its address, and no attempt is lost.
    if let Outcome::Unanswered {
        kind: FORBIDDEN,
        reason,
    } = outcome
    {
        return Delivery::Unanswered {
            reason: Name::from(reason),
            verdict: Some(Verdict::Pause),
        };
    }
    let mut troubles = String::new();
    let verdict = if rules.is_empty() {
        None
    } else {
        let inputs = inputs(job, attempt, &outcome);
        first_that_holds(programs, rules, &inputs, &mut troubles)
    };
    match outcome {
        Outcome::Answered {
            status,
            retry_after_ms,
            body,
            ..
        } => Delivery::Answered {
            status,
            retry_after_ms,
            excerpt: Name::from(excerpt(status, &body) + &troubles),
            verdict,
        },
        Outcome::Unanswered { reason, .. } => Delivery::Unanswered {
            reason: Name::from(reason + &troubles),
            verdict,
        },
    }
}

/// What the rules say of an item of a connector's answer: they see it as `body`, and its error class as `error`.
pub(super) fn judge_item(
    programs: &Programs,
    rules: &[Rule],
    (job, attempt): (&Job, u32),
    (status, headers): (u16, &HeaderMap),
    (item, class): (&Value, &str),
) -> (Option<Verdict>, String) {
    let mut troubles = String::new();
    if rules.is_empty() {
        return (None, troubles);
    }
    let inputs = inputs_of((job, attempt), status, &named(headers), item, class);
    let verdict = first_that_holds(programs, rules, &inputs, &mut troubles);
    (verdict, troubles)
}

fn first_that_holds(
    programs: &Programs,
    rules: &[Rule],
    inputs: &Inputs,
    troubles: &mut String,
) -> Option<Verdict> {
    for (place, rule) in rules.iter().enumerate() {
        let held = programs
            .get(&rule.when, compile)
            .and_then(|program| program.holds(inputs));
        match held {
            Ok(true) => return Some(rule.then),
            Ok(false) => {}
            Err(fault) => {
                let number = place + 1;
                // Writing to a string cannot fail.
                let _ = write!(troubles, " (rule {number} could not be evaluated: {fault})");
            }
        }
    }
    None
}

fn inputs(job: &Job, attempt: u32, outcome: &Outcome) -> Inputs {
    let (status, headers, body, error) = match outcome {
        Outcome::Answered {
            status,
            headers,
            body,
            ..
        } => {
            let body = serde_json::from_slice(body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
            (*status, named(headers), body, "")
        }
        Outcome::Unanswered { kind, .. } => (0, Value::Object(Map::new()), Value::Null, *kind),
    };
    inputs_of((job, attempt), status, &headers, &body, error)
}

fn inputs_of(
    (job, attempt): (&Job, u32),
    status: u16,
    headers: &Value,
    body: &Value,
    error: &str,
) -> Inputs {
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
    let ids: Vec<&str> = job.new.object_ids.iter().map(Name::as_str).collect();
    let sent = serde_json::from_slice::<Value>(&job.new.body).unwrap_or(Value::Null);
    let about = json!({
        "id": job.id.to_string(), "destination": job.new.destination.as_str(), "lane": job.new.lane.as_str(),
        "sequence": job.lane_sequence, "object_type": job.new.object_type.as_str(), "action": job.new.action.as_str(),
        "object_ids": ids, "body": sent,
    });
    Inputs::at(now_ms)
        .with("status", &json!(status))
        .with("headers", headers)
        .with("body", body)
        .with("error", &json!(error))
        .with("attempt", &json!(attempt))
        .with("job", &about)
}

/// Headers as a map; of one that is there several times the last. Values that are not text are left out.
fn named(headers: &HeaderMap) -> Value {
    let texts = headers.iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), Value::from(value)))
    });
    Value::Object(texts.collect())
}

#[cfg(test)]
mod tests;
