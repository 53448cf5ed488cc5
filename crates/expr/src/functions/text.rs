//! Functions of text.

use crate::fault::{Fault, FaultKind};
use crate::meter::Meter;
use crate::value::Value;
use std::sync::Arc;

/// Bytes of the pattern that `matches` takes, and of what it compiles to.
const PATTERN_BYTES_MAX: usize = 512;
const COMPILED_BYTES_MAX: usize = 256 << 10;

/// Calls a function of text; nothing if it is none, or does not take these.
pub(super) fn call(
    name: &str,
    arguments: &[Value],
    meter: &mut Meter,
) -> Option<Result<Value, Fault>> {
    let weight = arguments.iter().map(Value::weight).sum();
    Some(match (name, arguments) {
        ("contains", [Value::Text(text), Value::Text(part)]) => {
            meter_then(meter, weight, || Ok(Value::Bool(text.contains(&**part))))
        }
        ("startsWith", [Value::Text(text), Value::Text(part)]) => {
            meter_then(meter, weight, || Ok(Value::Bool(text.starts_with(&**part))))
        }
        ("endsWith", [Value::Text(text), Value::Text(part)]) => {
            meter_then(meter, weight, || Ok(Value::Bool(text.ends_with(&**part))))
        }
        ("lower", [Value::Text(text)]) => {
            meter_then(meter, weight, || Ok(Value::text(&text.to_lowercase())))
        }
        ("upper", [Value::Text(text)]) => {
            meter_then(meter, weight, || Ok(Value::text(&text.to_uppercase())))
        }
        ("trim", [Value::Text(text)]) => meter_then(meter, weight, || Ok(Value::text(text.trim()))),
        ("matches", [Value::Text(text), Value::Text(pattern)]) => {
            meter_then(meter, text.len(), || matches(text, pattern))
        }
        ("split", [Value::Text(text), Value::Text(separator)]) => {
            meter_then(meter, text.len(), || Ok(split(text, separator)))
        }
        ("join", [Value::List(items), Value::Text(separator)]) => join(items, separator, meter),
        ("replace", [Value::Text(text), Value::Text(from), Value::Text(to)]) => {
            let found = text.matches(&**from).count();
            let grown = text.len().saturating_add(found.saturating_mul(to.len()));
            meter_then(meter, grown / 8, || {
                Ok(Value::text(&text.replace(&**from, to)))
            })
        }
        _ => return None,
    })
}

fn meter_then(
    meter: &mut Meter,
    weight: usize,
    answer: impl FnOnce() -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    meter.take(weight)?;
    answer()
}

fn split(text: &str, separator: &str) -> Value {
    if separator.is_empty() {
        let characters = text
            .chars()
            .map(|character| Value::text(character.encode_utf8(&mut [0; 4])));
        return Value::list(characters.collect());
    }
    Value::list(text.split(separator).map(Value::text).collect())
}

fn join(items: &[Value], separator: &str, meter: &mut Meter) -> Result<Value, Fault> {
    let mut joined = String::new();
    for (place, part) in items.iter().enumerate() {
        let Value::Text(part) = part else {
            let message = format!("`join`: item {place} is of type {}, not text", part.kind());
            return Err(Fault::new(FaultKind::Type, message));
        };
        meter.take((part.len() + separator.len()) / 8)?;
        if place > 0 {
            joined.push_str(separator);
        }
        joined.push_str(part);
    }
    Ok(Value::Text(Arc::from(joined)))
}

fn matches(text: &str, pattern: &str) -> Result<Value, Fault> {
    let refuse = |message: String| Fault::new(FaultKind::Value, format!("`matches`: {message}"));
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(refuse(format!(
            "a pattern of more than {PATTERN_BYTES_MAX} bytes"
        )));
    }
    let compiled = regex::RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| refuse(error.to_string()))?;
    Ok(Value::Bool(compiled.is_match(text)))
}
