//! Predicate trees: rules as data, which a form can edit. They become the same programs as text does.
//!
//! ```json
//! {"operator": "and", "subPredicates": [
//!     {"operator": "gte", "path": "$.order.total", "value": 100},
//!     {"operator": "in",  "path": "$.order.country", "value": ["DE", "AT"]}]}
//! ```
//!
//! The shape is that of Qilin.Cloud's predicates. A path begins with a variable. A `value` is raw, or `{"Path": "$.…"}`, or
//! `{"Raw": …}`, which can also be a null or an object with a field `Path`. A leaf whose path is missing or null is false,
//! except `ne` and `nin`, which are true, and `eq` with null; types that cannot be compared are an error.

pub(crate) mod path;

use crate::fault::{Fault, FaultKind};
use path::{Path, Step};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use std::fmt::Write as _;

/// Levels of a tree.
const DEPTH_MAX: usize = 16;

/// A predicate tree.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Predicate {
    /// Several predicates, of which all or one must hold.
    Group(Group),
    /// One comparison.
    Leaf(Leaf),
}

/// Several predicates.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Group {
    operator: Junction,
    sub_predicates: Vec<Predicate>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Junction {
    And,
    Or,
}

/// One comparison of what is at a path.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    operator: Comparison,
    path: String,
    /// Absent is not the same as null.
    #[serde(
        default,
        deserialize_with = "there",
        skip_serializing_if = "Option::is_none"
    )]
    value: Option<Operand>,
}

/// How a leaf compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// A text holds a text, a list holds a value.
    Contains,
    /// A text begins with a text.
    StartsWith,
    /// A text ends with a text.
    EndsWith,
    /// One of a list.
    In,
    /// None of a list.
    Nin,
    /// There, and not null.
    Exists,
}

/// What a leaf compares with.
#[derive(Clone, PartialEq, Debug)]
pub enum Operand {
    /// What is at another path.
    Path(String),
    /// A value, written as it is.
    Value(Json),
    /// A value that says that it is one.
    Raw(Json),
}

impl<'de> Deserialize<'de> for Operand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Json::deserialize(deserializer)?;
        let Json::Object(fields) = &written else {
            return Ok(Self::Value(written));
        };
        match (fields.get("Path"), fields.get("Raw"), fields.len()) {
            (Some(Json::String(path)), None, 1) => Ok(Self::Path(path.clone())),
            (None, Some(raw), 1) => Ok(Self::Raw(raw.clone())),
            _ => Ok(Self::Value(written)),
        }
    }
}

fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Operand>, D::Error> {
    Operand::deserialize(deserializer).map(Some)
}

impl Serialize for Operand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Path(path) => serde_json::json!({ "Path": path }).serialize(serializer),
            Self::Raw(raw) => serde_json::json!({ "Raw": raw }).serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

impl Predicate {
    /// The tree as the text of an expression.
    ///
    /// # Errors
    /// If the tree is too deep, a group is empty, a path is none, or a value is missing.
    pub fn source(&self) -> Result<String, Fault> {
        let mut source = String::new();
        self.write(&mut source, 0)?;
        Ok(source)
    }

    fn write(&self, source: &mut String, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            let message = format!("the predicate is nested deeper than {DEPTH_MAX} levels");
            return Err(Fault::new(FaultKind::Limit, message));
        }
        match self {
            Self::Leaf(leaf) => leaf.write(source),
            Self::Group(group) if group.sub_predicates.is_empty() => Err(Fault::new(
                FaultKind::Syntax,
                "a group has at least one predicate",
            )),
            Self::Group(group) => {
                let between = match group.operator {
                    Junction::And => " && ",
                    Junction::Or => " || ",
                };
                for (place, part) in group.sub_predicates.iter().enumerate() {
                    if place > 0 {
                        source.push_str(between);
                    }
                    source.push('(');
                    part.write(source, depth + 1)?;
                    source.push(')');
                }
                Ok(())
            }
        }
    }
}

impl Leaf {
    fn write(&self, source: &mut String) -> Result<(), Fault> {
        let (found, present) = (place("path", &self.path)?, place("present", &self.path)?);
        if self.operator == Comparison::Exists {
            return match &self.value {
                None | Some(Operand::Value(Json::Bool(true))) => put(source, &present),
                Some(Operand::Value(Json::Bool(false))) => put(source, &format!("!{present}")),
                Some(_) => Err(Fault::new(
                    FaultKind::Syntax,
                    "`exists` takes true, false or nothing",
                )),
            };
        }
        let wanted = match &self.value {
            None => {
                let message = format!("the comparison of `{}` lacks its value", self.path);
                return Err(Fault::new(FaultKind::Syntax, message));
            }
            Some(Operand::Path(path)) => place("path", path)?,
            Some(Operand::Raw(value) | Operand::Value(value)) => {
                let is_list = matches!(value, Json::Array(_));
                if matches!(self.operator, Comparison::In | Comparison::Nin) && !is_list {
                    let message = format!("`in` and `nin` compare `{}` with a list", self.path);
                    return Err(Fault::new(FaultKind::Syntax, message));
                }
                literal(value)
            }
        };
        let text = match self.operator {
            Comparison::Eq => format!("{found} == {wanted}"),
            Comparison::Ne => format!("{found} != {wanted}"),
            Comparison::Nin => format!("!{wanted}.holds({found})"),
            Comparison::Gt => format!("{present} && {found} > {wanted}"),
            Comparison::Gte => format!("{present} && {found} >= {wanted}"),
            Comparison::Lt => format!("{present} && {found} < {wanted}"),
            Comparison::Lte => format!("{present} && {found} <= {wanted}"),
            Comparison::Contains => format!("{present} && {found}.holds({wanted})"),
            Comparison::StartsWith => format!("{present} && {found}.startsWith({wanted})"),
            Comparison::EndsWith => format!("{present} && {found}.endsWith({wanted})"),
            Comparison::In => format!("{present} && {wanted}.holds({found})"),
            Comparison::Exists => present,
        };
        put(source, &text)
    }
}

fn put(source: &mut String, text: &str) -> Result<(), Fault> {
    source.push_str(text);
    Ok(())
}

/// A call of `function` for what is at `path`, whose first step is a variable.
fn place(function: &str, path: &str) -> Result<String, Fault> {
    let parsed = Path::parse(path)?;
    let Some((Step::Field(variable), rest)) = parsed.steps().split_first() else {
        let message = format!("`{path}` does not begin with the name of a variable");
        return Err(Fault::new(FaultKind::Syntax, message));
    };
    let is_name = variable
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !variable.starts_with(|c: char| c.is_ascii_digit());
    if !is_name {
        let message = format!("`{variable}` in `{path}` is not the name of a variable");
        return Err(Fault::new(FaultKind::Syntax, message));
    }
    let mut inner = String::from("$");
    for step in rest {
        // Quoted, so that a name may have a dot. A name cannot have a bracket: the path would not have parsed.
        let written = match step {
            Step::Field(name) if name.contains('\'') => write!(inner, "[\"{name}\"]"),
            Step::Field(name) => write!(inner, "['{name}']"),
            Step::Item(place) => write!(inner, "[{place}]"),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    Ok(format!(
        "{function}({variable}, {})",
        literal(&Json::String(inner))
    ))
}

/// A value as a literal of the language.
fn literal(value: &Json) -> String {
    match value {
        Json::String(text) => {
            let mut quoted = String::from("\"");
            for character in text.chars() {
                match character {
                    '"' | '\\' => quoted.extend(['\\', character]),
                    '\n' => quoted.push_str("\\n"),
                    '\r' => quoted.push_str("\\r"),
                    control if control.is_control() => {
                        quoted.push_str(&format!("\\U{:08x}", u32::from(control)));
                    }
                    other => quoted.push(other),
                }
            }
            quoted.push('"');
            quoted
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| {
                    format!(
                        "{}: {}",
                        literal(&Json::String(name.clone())),
                        literal(value)
                    )
                })
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        // Whole numbers beyond 64 bits are doubles in this language.
        Json::Number(number) if number.as_i64().is_none() => {
            let double = number.as_f64().unwrap_or(f64::MAX);
            format!("{double:e}")
        }
        plain => plain.to_string(),
    }
}
