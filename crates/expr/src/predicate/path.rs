//! Paths into a value: `$.lines[0].sku`, `$['a b'].c`. The part of JSONPath that names one place.

use crate::fault::{Fault, FaultKind};
use crate::value::Value;

/// A path into a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Path(Vec<Step>);

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Field(String),
    Item(i64),
}

impl Step {
    /// The step as a key of the language.
    pub(crate) fn key(&self) -> Value {
        match self {
            Self::Field(name) => Value::text(name),
            Self::Item(place) => Value::Whole(*place),
        }
    }
}

impl Path {
    /// Reads a path.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let refuse =
            |what: &str| Fault::new(FaultKind::Syntax, format!("`{text}` is not a path: {what}"));
        let mut rest = text
            .strip_prefix('$')
            .ok_or_else(|| refuse("it begins with $"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, next) = after.split_at(end);
                if name.is_empty() || name == "*" {
                    return Err(refuse("a dot is followed by a name"));
                }
                steps.push(Step::Field(name.to_owned()));
                rest = next;
            } else if let Some(after) = rest.strip_prefix('[') {
                let (inside, next) = after
                    .split_once(']')
                    .ok_or_else(|| refuse("a bracket stays open"))?;
                let quoted = ['\'', '"']
                    .into_iter()
                    .find_map(|quote| inside.strip_prefix(quote)?.strip_suffix(quote));
                steps.push(match (quoted, inside.parse::<u32>()) {
                    (Some(name), _) => Step::Field(name.to_owned()),
                    (None, Ok(place)) => Step::Item(i64::from(place)),
                    (None, Err(_)) => {
                        return Err(refuse("brackets hold a number or a quoted name"));
                    }
                });
                rest = next;
            } else {
                return Err(refuse("a step begins with a dot or a bracket"));
            }
        }
        Ok(Self(steps))
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }
}
