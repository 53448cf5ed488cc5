//! Values of the language, to and from JSON.
//!
//! Lists and maps are shared, so that passing one on costs nothing. Whole numbers of JSON that fit in 64 bits are integers,
//! others are doubles. Decimals, times and spans become text: JSON has no exact number and no time.

use crate::fault::{Fault, FaultKind};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Whole(i64),
    Double(f64),
    Exact(Decimal),
    Text(Arc<str>),
    List(Arc<Vec<Self>>),
    Map(Arc<BTreeMap<Arc<str>, Self>>),
    Time(Timestamp),
    Span(SignedDuration),
    /// The type of a value, by its name.
    Type(&'static str),
}

/// The names of the types.
pub(crate) const TYPES: [&str; 11] = [
    "null_type",
    "bool",
    "int",
    "double",
    "decimal",
    "string",
    "list",
    "map",
    "timestamp",
    "duration",
    "type",
];

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items))
    }

    /// The name of its type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Whole(_) => "int",
            Self::Double(_) => "double",
            Self::Exact(_) => "decimal",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Time(_) => "timestamp",
            Self::Span(_) => "duration",
            Self::Type(_) => "type",
        }
    }

    /// How much longer than a step it takes to go through it.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len() / 8,
            Self::List(items) => items.len(),
            Self::Map(fields) => fields.len(),
            _ => 0,
        }
    }

    /// The field or item under `key`.
    pub(crate) fn item(&self, key: &Self) -> Option<&Self> {
        match (self, key) {
            (Self::Map(fields), Self::Text(name)) => fields.get(&**name),
            (Self::List(items), Self::Whole(place)) => items.get(usize::try_from(*place).ok()?),
            _ => None,
        }
    }

    /// A JSON value in the language. JSON is as deep as its parser allowed.
    pub(crate) fn of_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => number.as_i64().map_or_else(
                || Self::Double(number.as_f64().unwrap_or(f64::NAN)),
                Self::Whole,
            ),
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::list(items.iter().map(Self::of_json).collect()),
            Json::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| (Arc::from(name.as_str()), Self::of_json(value)));
                Self::Map(Arc::new(fields.collect()))
            }
        }
    }

    /// The value in JSON, if it takes at most `bytes_left` bytes.
    pub(crate) fn to_json(&self, bytes_left: &mut usize) -> Result<Json, Fault> {
        // Punctuation, numbers and short words.
        spend(bytes_left, 8)?;
        Ok(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Whole(number) => Json::from(*number),
            Self::Double(number) => {
                let number = serde_json::Number::from_f64(*number).ok_or_else(|| {
                    Fault::new(FaultKind::Value, format!("JSON has no number for {number}"))
                })?;
                Json::Number(number)
            }
            Self::Exact(_) | Self::Time(_) | Self::Span(_) | Self::Type(_) => {
                Json::String(self.shown().unwrap_or_default())
            }
            Self::Text(text) => {
                spend(bytes_left, text.len())?;
                Json::String(text.as_ref().to_owned())
            }
            Self::List(items) => {
                let mut array = Vec::new();
                for item in items.iter() {
                    array.push(item.to_json(bytes_left)?);
                }
                Json::Array(array)
            }
            Self::Map(fields) => {
                let mut object = serde_json::Map::new();
                for (name, value) in fields.iter() {
                    spend(bytes_left, name.len())?;
                    object.insert(name.as_ref().to_owned(), value.to_json(bytes_left)?);
                }
                Json::Object(object)
            }
        })
    }

    /// A plain value as text; nothing for lists, maps and null.
    pub(crate) fn shown(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Whole(number) => Some(number.to_string()),
            Self::Double(number) => Some(number.to_string()),
            Self::Exact(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.as_ref().to_owned()),
            Self::Time(at) => Some(at.to_string()),
            Self::Span(span) => Some(format!("{}s", span.as_secs_f64())),
            Self::Type(name) => Some((*name).to_owned()),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }
}

fn spend(bytes_left: &mut usize, bytes: usize) -> Result<(), Fault> {
    match bytes_left.checked_sub(bytes) {
        Some(left) => {
            *bytes_left = left;
            Ok(())
        }
        None => Err(Fault::new(FaultKind::Limit, "the result is too large")),
    }
}
