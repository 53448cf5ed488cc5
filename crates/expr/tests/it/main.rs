//! The behaviour of expressions, as their users see it.

mod hostile;
mod language;
mod predicates;

use serde_json::Value as Json;
use trunkline_expr::{Fault, Inputs, Limits, Program};

/// 2026-11-21T12:00:00Z.
const NOON_MS: u64 = 1_795_262_400_000;

/// Compiles and evaluates `source` with the variable `v`.
fn evaluate(source: &str, v: &Json) -> Result<Json, Fault> {
    Program::compile(source, &["v"], Limits::default())?.evaluate(&Inputs::at(NOON_MS).with("v", v))
}
