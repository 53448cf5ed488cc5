//! Names at the door: what a user may call things.
//!
//! A name has 1 to 256 bytes and no control characters. A workflow's name has no `/` either, so that `workflow/id` is
//! always unambiguous; an id may have one.

use crate::core::code::Code;
use crate::core::ids::RunId;
use crate::core::limits::{NAME_BYTES_MAX, TAGS_MAX};
use crate::core::payload::Name;
use crate::problem::Problem;

/// The name `text`, which is the request's `what`.
///
/// # Errors
/// `TL0006` if it is no name.
pub fn name(what: &str, text: &str) -> Result<Name, Problem> {
    let wrong = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > NAME_BYTES_MAX {
        format!("has {} bytes; the limit is {NAME_BYTES_MAX}", text.len())
    } else if let Some(bad) = text.chars().find(|char| char.is_control()) {
        format!("has the control character {bad:?}")
    } else {
        return Ok(Name::from(text));
    };
    Err(Problem::new(Code::NameInvalid, format!("`{what}` {wrong}")))
}

/// The name of a workflow.
///
/// # Errors
/// `TL0006` if it is no name, or has a `/`.
pub fn workflow(text: &str) -> Result<Name, Problem> {
    if text.contains('/') {
        let detail = format!("the workflow's name `{text}` has a `/`");
        return Err(Problem::new(Code::NameInvalid, detail));
    }
    name("workflow", text)
}

/// The run `id` of `workflow`.
///
/// # Errors
/// `TL0006` if one of them is no name.
pub fn run(workflow_name: &str, id: &str) -> Result<RunId, Problem> {
    Ok(RunId {
        workflow: workflow(workflow_name)?,
        id: name("id", id)?,
    })
}

/// Tags.
///
/// # Errors
/// `TL0006` if one of them is no name, `TL0018` if there are too many.
pub fn tags(texts: &[String]) -> Result<Vec<Name>, Problem> {
    if texts.len() > TAGS_MAX {
        let detail = format!("{} tags; the limit is {TAGS_MAX}", texts.len());
        return Err(Problem::new(Code::TooManyTags, detail));
    }
    texts
        .iter()
        .enumerate()
        .map(|(at, text)| name(&format!("tags[{at}]"), text))
        .collect()
}

#[cfg(test)]
mod tests;
