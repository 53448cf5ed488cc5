//! The answer of a connector: what became of each item.

use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use trunkline_core::egress::{ErrorClass, ItemFailure};
use trunkline_core::payload::Name;

/// What became of the items of a call, by their ids.
#[derive(Debug)]
pub(super) struct Answer(HashMap<String, Value>);

#[derive(Deserialize)]
struct Body {
    items: Vec<Value>,
}

#[derive(Deserialize)]
struct ItemBody {
    status: String,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct ErrorBody {
    class: String,
    #[serde(default)]
    message: String,
    retry_after_ms: Option<u64>,
}

impl Answer {
    /// Reads an answer, or says why it is none.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| format!("the answer is not as the contract has it: {error}"))?;
        let mut items = HashMap::new();
        for item in body.items {
            if let Some(id) = item.get("id").and_then(Value::as_str) {
                // The first word counts: a second one about the same item is a mistake of the connector.
                items.entry(id.to_owned()).or_insert(item);
            }
        }
        Ok(Self(items))
    }

    /// What it says of an item: carried out, failed, or something that is not in the contract. Nothing if it does not mention it.
    pub(super) fn of(&self, id: &str) -> Option<Result<Option<ItemFailure>, &'static str>> {
        let item = self.0.get(id)?;
        let Ok(item) = ItemBody::deserialize(item) else {
            return Some(Err("the item has no readable status or error"));
        };
        Some(match (item.status.as_str(), item.error) {
            ("succeeded", _) => Ok(None),
            ("failed", Some(error)) => Ok(Some(ItemFailure {
                class: ErrorClass::of(&error.class).unwrap_or(ErrorClass::Unknown),
                message: Name::from(error.message),
                retry_after_ms: error.retry_after_ms,
            })),
            ("failed", None) => Err("the item failed without an error"),
            _ => Err("the item's status is neither succeeded nor failed"),
        })
    }

    /// The item as it was answered, for rules.
    pub(super) fn said_of(&self, id: &str) -> Value {
        self.0.get(id).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
