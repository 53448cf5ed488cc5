//! The connector contract, version 1: what a connector is asked and what it answers (`docs/guides/connectors.md`).
//!
//! Connectors in Rust may use these types; the conformance runner and the engine hold connectors to what is written here. A connector
//! ignores fields that it does not know, so nothing here refuses them.

use crate::core::egress::ErrorClass;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the contract.
pub const CONTRACT: u32 = 1;
/// The header of a call that checks the connector: it must not touch its target.
pub const CHECK_HEADER: &str = "trunkline-check";
/// What the object id of an item begins with that a checked connector answers with the error class that follows.
pub const CHECK_PREFIX: &str = "trunkline-check-";

/// What a connector says of itself: `GET {endpoint}/manifest`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the contract that it speaks: 1.
    pub contract: u32,
    /// Its identity: lower-case letters, digits and dashes.
    pub name: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its version.
    pub version: String,
    /// How calls to it may be authenticated: `none`, `basic`, `bearer`, `api_key`, `hmac`, `webhook`, `oauth2`.
    #[serde(default)]
    pub auth: Vec<String>,
    /// Its settings, as JSON Schema of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Value>,
    /// What it does.
    pub operations: Vec<Operation>,
    /// Jobs that one call may have.
    #[serde(default = "one")]
    pub batch_max: u32,
    /// Bytes that a call may have.
    #[serde(default = "mebibyte")]
    pub body_bytes_max: u64,
    /// How long a call may take, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: u64,
    /// How many calls a second it wants at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<crate::egress::RateBody>,
    /// How it keeps a repeated item from being done twice.
    pub idempotency: Idempotency,
}

fn one() -> u32 {
    1
}

fn mebibyte() -> u64 {
    1 << 20
}

fn ten_seconds() -> u64 {
    10_000
}

/// How a connector keeps a repeated item from being done twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// It remembers the ids of items, and answers a repeat with `repeated: true`.
    Keys,
    /// Each of its operations may be done twice without harm, such as setting a price.
    Natural,
}

/// What a connector does with one type of objects.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// The type.
    pub object_type: String,
    /// The actions: `create`, `update`, `delete`, or words of its own; `*` is every action.
    pub actions: Vec<String>,
    /// A body that it takes, for whoever reads the manifest and for checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
}

/// A call: `POST {endpoint}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Call {
    /// The version of the contract.
    pub contract: u32,
    /// The destination on whose behalf it is made.
    pub destination: String,
    /// What to do with the objects of all items.
    pub action: String,
    /// Their type.
    pub object_type: String,
    /// The connector's settings, as the destination has them.
    #[serde(default)]
    pub settings: Value,
    /// What to do it with: in any order, each on its own.
    pub items: Vec<Item>,
}

/// One job of a call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Item {
    /// The job's identity. The same in every attempt: whoever has done it before does not do it again.
    pub id: String,
    /// The objects.
    #[serde(default)]
    pub object_ids: Vec<String>,
    /// The job's lane.
    #[serde(default)]
    pub lane: String,
    /// Its place in the lane, from 1.
    #[serde(default)]
    pub sequence: u64,
    /// Which attempt this is, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// The run that created it, as `workflow/id`.
    #[serde(default)]
    pub source: Option<String>,
    /// The object.
    #[serde(default)]
    pub body: Value,
}

/// The answer to a call: 200, and an answer for each item.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// The answers, in any order.
    pub items: Vec<ItemAnswer>,
}

/// What became of an item.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ItemAnswer {
    /// Which.
    pub id: String,
    /// `succeeded` or `failed`.
    pub status: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
    /// True if it had been done before, and was not done again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}

/// Why an item failed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ItemError {
    /// What kind of failure it is: `retryable`, `rate_limited`, `invalid`, `auth`, `gone` or `unknown`.
    pub class: String,
    /// What happened, for a person.
    #[serde(default)]
    pub message: String,
    /// Not to be tried again within so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ItemAnswer {
    /// The item was carried out.
    #[must_use]
    pub fn succeeded(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            status: "succeeded".to_owned(),
            error: None,
            repeated: false,
        }
    }

    /// The item was not carried out.
    #[must_use]
    pub fn failed(id: &str, class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            status: "failed".to_owned(),
            error: Some(ItemError {
                class: class.as_str().to_owned(),
                message: message.into(),
                retry_after_ms: None,
            }),
            repeated: false,
        }
    }
}

impl Manifest {
    /// What is wrong with it, each in words.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.contract != CONTRACT {
            faults.push(format!("`contract` is {}; it is {CONTRACT}", self.contract));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            faults.push("`name` has lower-case letters, digits and dashes".to_owned());
        }
        if self.version.is_empty() {
            faults.push("`version` is empty".to_owned());
        }
        for auth in &self.auth {
            if !AUTH_TYPES.contains(&auth.as_str()) {
                faults.push(format!(
                    "`auth` has `{auth}`; it is one of {}",
                    AUTH_TYPES.join(", ")
                ));
            }
        }
        if let Some(settings) = &self.settings
            && settings.get("type").and_then(Value::as_str) != Some("object")
        {
            faults.push("`settings` is a JSON Schema with \"type\": \"object\"".to_owned());
        }
        if self.operations.is_empty() {
            faults.push("`operations` is empty".to_owned());
        }
        for operation in &self.operations {
            if operation.object_type.is_empty() || operation.actions.is_empty() {
                faults.push("an operation has an object type and at least one action".to_owned());
            }
        }
        if !(1..=crate::egress::BATCH_MAX).contains(&self.batch_max) {
            let most = crate::egress::BATCH_MAX;
            faults.push(format!("`batch_max` goes from 1 to {most}"));
        }
        if self.body_bytes_max < 1_024 || self.timeout_ms == 0 {
            faults.push("`body_bytes_max` is at least 1024, `timeout_ms` at least 1".to_owned());
        }
        faults
    }
}

/// How calls to a connector may be authenticated.
const AUTH_TYPES: [&str; 7] = [
    "none", "basic", "bearer", "api_key", "hmac", "webhook", "oauth2",
];
