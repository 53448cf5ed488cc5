//! Lanes by expression: compiled, kept, and evaluated for the shards when jobs are accepted.
//!
//! An expression sees `job` (`destination`, `object_type`, `action`, `object_ids`, `batch`, `stage`, `body`) and `now`, the time of
//! acceptance. Its result is the lane: a text, or a whole number. A shard waits for it, so it may take fewer steps than a rule.

use crate::door::check_name;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use trunkline_core::egress::{LaneBy, NewJob};
use trunkline_core::payload::Name;
use trunkline_core::time::Timestamp;
use trunkline_expr::{Fault, Inputs, Limits, Program};

/// Steps of one evaluation.
const STEPS_MAX: u64 = 20_000;
/// Compiled expressions that are kept. Past it all are forgotten, and compiled again as they are needed.
const PROGRAMS_MAX: usize = 10_000;

/// Expressions that have been compiled, by their text.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<HashMap<Name, Arc<Program>>>);

/// Compiles an expression of lanes, or says what is wrong with it and where.
pub(crate) fn compile(source: &str) -> Result<Program, Fault> {
    let limits = Limits {
        steps_max: STEPS_MAX,
        result_bytes_max: 4 << 10,
        ..Limits::default()
    };
    Program::compile(source, &["job"], limits)
}

impl Lanes {
    fn get(&self, source: &Name) -> Result<Arc<Program>, Fault> {
        let mut programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = programs.get(source) {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(compile(source)?);
        if programs.len() >= PROGRAMS_MAX {
            programs.clear();
        }
        programs.insert(source.clone(), Arc::clone(&program));
        Ok(program)
    }
}

impl LaneBy for Lanes {
    fn lane(&self, expression: &Name, job: &NewJob, now: Timestamp) -> Result<Name, Name> {
        let value = self
            .get(expression)
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
