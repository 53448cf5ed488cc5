//! A user's JSON on its way through: checked, and otherwise left as it came.
//!
//! It is never turned into numbers and maps, because that would lose digits and the order of fields.

use crate::core::code::Code;
use crate::core::limits::PAYLOAD_BYTES_MAX;
use crate::core::payload::Payload;
use crate::problem::{Position, Problem};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::value::RawValue;

/// The payload that holds `json`.
///
/// # Errors
/// `TL0004` if it is larger than a payload may be.
pub fn payload_of(what: &str, json: &RawValue) -> Result<Payload, Problem> {
    let bytes = json.get().as_bytes();
    if bytes.len() > PAYLOAD_BYTES_MAX {
        let detail = format!(
            "`{what}` has {} bytes; the limit is {PAYLOAD_BYTES_MAX}",
            bytes.len()
        );
        return Err(Problem::new(Code::PayloadTooLarge, detail));
    }
    Ok(Payload::from(bytes))
}

/// The JSON in `payload`. A worker may have stored bytes that are no JSON; they are shown as a string.
#[must_use]
pub fn json_of(payload: &Payload) -> Box<RawValue> {
    if let Ok(json) = serde_json::from_slice::<Box<RawValue>>(payload) {
        return json;
    }
    let text = String::from_utf8_lossy(payload);
    serde_json::value::to_raw_value(&text).expect("a string is JSON")
}

/// Reads a request's body.
///
/// # Errors
/// `TL0001` if it is not well-formed, `TL0002` if it has an unknown field, `TL0003` if a field is missing or has the
/// wrong type; each with the line, the column and, where there is one, the path.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        problem_of(error.inner(), (path != ".").then_some(path))
    })?;
    deserializer
        .end()
        .map_err(|error| problem_of(&error, None))?;
    Ok(value)
}

fn problem_of(error: &serde_json::Error, path: Option<String>) -> Problem {
    let message = error.to_string();
    let code = match error.classify() {
        Category::Data if message.starts_with("unknown field") => Code::UnknownField,
        Category::Data => Code::WrongType,
        Category::Syntax | Category::Eof | Category::Io => Code::MalformedJson,
    };
    let detail = match &path {
        Some(path) => format!("{message}, in `{path}`"),
        None => message,
    };
    let mut problem = Problem::new(code, detail);
    problem.position = Some(Position {
        line: error.line() as u64,
        column: error.column() as u64,
        path,
    });
    problem
}

#[cfg(test)]
mod tests;
