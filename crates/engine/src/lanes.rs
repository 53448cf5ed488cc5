//! Lanes by expression: compiled, kept, and evaluated for the shards when jobs are accepted.
//!
//! An expression sees `job` (`destination`, `object_type`, `action`, `object_ids`, `batch`, `stage`, `body`) and `now`, the time of
//! acceptance. Its result is the lane: a text, or a whole number. A shard waits for it, so it may take fewer steps than a rule.

use crate::door::check_name;
use crate::programs::Programs;
use serde_json::{Value, json};
use trunkline_core::egress::{LaneBy, NewJob};
use trunkline_core::payload::Name;
use trunkline_core::time::Timestamp;
use trunkline_expr::{Fault, Inputs, Limits, Program};

/// Steps of one evaluation.
const STEPS_MAX: u64 = 20_000;

/// Expressions that have been compiled, by their text.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Programs);

/// Compiles an expression of lanes, or says what is wrong with it and where.
pub(crate) fn compile(source: &str) -> Result<Program, Fault> {
    let limits = Limits {
        steps_max: STEPS_MAX,
        result_bytes_max: 4 << 10,
        ..Limits::default()
    };
    Program::compile(source, &["job"], limits)
}

impl LaneBy for Lanes {
    fn lane(&self, expression: &Name, job: &NewJob, now: Timestamp) -> Result<Name, Name> {
        let value = self
            .0
            .get(expression, compile)
            .and_then(|program| program.evaluate(&inputs(expression, job, now)))
            .map_err(|fault| Name::from(fault.to_string()))?;
        let lane = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            other => {
                let kind = match other {
                    Value::Null => "null",
                    Value::Bool(_) => "a truth value",
                    Value::Number(_) => "a number with a fraction",
                    Value::Array(_) => "a list",
                    Value::Object(_) | Value::String(_) => "a map",
                };
                let words = format!("the result is {kind}; a lane is a text or a whole number");
                return Err(Name::from(words));
            }
        };
        check_name("the lane", &lane).map_err(|rejection| rejection.detail)?;
        Ok(Name::from(lane))
    }
}

fn inputs(expression: &Name, job: &NewJob, now: Timestamp) -> Inputs {
    let ids: Vec<&str> = job.object_ids.iter().map(Name::as_str).collect();
    let mut about = json!({
        "destination": job.destination.as_str(), "object_type": job.object_type.as_str(),
        "action": job.action.as_str(), "object_ids": ids,
        "batch": job.batch.as_ref().map(Name::as_str), "stage": job.stage,
    });
    // Bodies are large, and most expressions do not look at them.
    if expression.contains("body") {
        about["body"] = serde_json::from_slice(&job.body).unwrap_or(Value::Null);
    }
    Inputs::at(now.0).with("job", &about)
}

#[cfg(test)]
mod tests;
