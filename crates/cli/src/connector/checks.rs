//! The checks that a connector must pass: each has a name, does a few calls, and says what it saw.
//!
//! Every call has the header `trunkline-check`, on which a connector answers as ever and leaves its target alone. An item whose object
//! id is `trunkline-check-` and an error class is to be answered with that class: no other way shows from outside that a connector can
//! tell failures apart.

use super::caller::{Answered, Caller, Post};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use trunkline_api::connector::{
    Answer, CHECK_PREFIX, CONTRACT, Idempotency, ItemAnswer, Manifest, Operation,
};
use trunkline_api::core::egress::ErrorClass;

/// How long a manifest may take: nobody has said yet how long calls do.
const MANIFEST_LIMIT: Duration = Duration::from_secs(10);
/// Bodies beyond this are not tried.
const OVERSIZED_MAX: u64 = 64 << 20;
/// Items of a call that checks.
const ITEMS: usize = 3;

/// What a check has found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) name: &'static str,
    pub(crate) result: Verdict,
    pub(crate) detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Ok,
    Failed,
    Skipped,
}

/// What a check saw: good, bad, or a reason not to look.
enum Seen {
    Good(String),
    Bad(String),
    Skipped(&'static str),
}

/// What is wrong, in words.
type Checked = Result<Seen, String>;

type Check = fn(&Round<'_>) -> Checked;

/// The names of the checks, in the order in which they are made, and how.
const CHECKS: [(&str, Check); 9] = [
    ("items", |round| round.items()),
    ("idempotency", |round| round.idempotency()),
    ("error-classes", |round| round.error_classes()),
    ("unknown-action", |round| round.unknown_action()),
    ("unknown-fields", |round| round.unknown_fields()),
    ("malformed-body", |round| round.malformed_body()),
    ("oversized-body", |round| round.oversized_body()),
    ("auth", |round| round.auth()),
    ("timing", |round| round.timing()),
];

/// Reads the manifest.
pub(crate) fn manifest(caller: &Caller) -> Result<Manifest, String> {
    let answered = caller.get("/manifest", MANIFEST_LIMIT)?;
    if answered.status != 200 {
        return Err(format!(
            "GET /manifest was answered with {}",
            answered.status
        ));
    }
    serde_json::from_slice(&answered.body).map_err(|error| format!("it cannot be read: {error}"))
}

/// Makes all checks. Without a manifest there is nothing to check the others against.
pub(crate) fn all(caller: &Caller, settings: &Value) -> (Option<Manifest>, Vec<Finding>) {
    let finding = |name, seen: Checked| {
        let (result, detail) = match seen {
            Ok(Seen::Good(detail)) => (Verdict::Ok, detail),
            Ok(Seen::Skipped(why)) => (Verdict::Skipped, why.to_owned()),
            Ok(Seen::Bad(detail)) | Err(detail) => (Verdict::Failed, detail),
        };
        Finding {
            name,
            result,
            detail,
        }
    };
    let manifest = match manifest(caller) {
        Ok(manifest) => manifest,
        Err(reason) => {
            let mut findings = vec![finding("manifest", Err(reason))];
            let skipped = || Ok(Seen::Skipped("there is no manifest"));
            findings.extend(CHECKS.map(|(name, _)| finding(name, skipped())));
            return (None, findings);
        }
    };
    let faults = manifest.faults();
    let seen = if faults.is_empty() {
        Seen::Good(format!(
            "contract {CONTRACT}, {} types of objects, {} items a call",
            manifest.operations.len(),
            manifest.batch_max
        ))
    } else {
        Seen::Bad(faults.join("; "))
    };
    let mut findings = vec![finding("manifest", Ok(seen))];
    if manifest.operations.is_empty() {
        let skipped = || Ok(Seen::Skipped("there are no operations"));
        findings.extend(CHECKS.map(|(name, _)| finding(name, skipped())));
        return (Some(manifest), findings);
    }
    let round = Round {
        caller,
        manifest: &manifest,
        settings,
        nonce: nonce(),
    };
    for (name, check) in CHECKS {
        findings.push(finding(name, check(&round)));
    }
    (Some(manifest), findings)
}

/// Something that no earlier round of checks had: a connector remembers the ids of items.
fn nonce() -> u128 {
    use std::hash::{BuildHasher, RandomState};
    let half = || u128::from(RandomState::new().hash_one(0));
    half() << 64 | half()
}

/// One round of checks against one connector.
struct Round<'a> {
    caller: &'a Caller,
    manifest: &'a Manifest,
    settings: &'a Value,
    nonce: u128,
}

impl Round<'_> {
    fn limit(&self) -> Duration {
        Duration::from_millis(self.manifest.timeout_ms)
    }

    fn operation(&self) -> &Operation {
        let operations = &self.manifest.operations;
        let with_example = operations.iter().find(|one| one.example.is_some());
        with_example.unwrap_or(&operations[0])
    }

    fn action(&self) -> &str {
        match self.operation().actions.first().map(String::as_str) {
            None | Some("*") => "update",
            Some(action) => action,
        }
    }

    fn id(&self, number: usize) -> String {
        format!("{:032x}", self.nonce.wrapping_add(number as u128))
    }

    fn item(&self, id: &str, object: &str) -> Value {
        let example = self.operation().example.clone();
        json!({
            "id": id, "object_ids": [object], "lane": object, "sequence": 1, "attempt": 1, "source": null,
            "body": example.unwrap_or_else(|| json!({})),
        })
    }

    fn call(&self, action: &str, items: &[Value]) -> Value {
        json!({
            "contract": CONTRACT, "destination": "trunkline-check", "action": action,
            "object_type": self.operation().object_type, "settings": self.settings, "items": items,
        })
    }

    fn post(&self, call: &Value) -> Result<Answered, String> {
        let key = call["items"][0]["id"].as_str().unwrap_or_default();
        self.caller.post(Post {
            body: call.to_string().into_bytes(),
            key,
            authenticated: true,
            limit: self.limit(),
        })
    }

    /// Calls, and reads an answer that has each item once.
    fn ask(&self, call: &Value) -> Result<BTreeMap<String, ItemAnswer>, String> {
        let answered = self.post(call)?;
        if answered.status != 200 {
            return Err(format!(
                "answered with {}, where 200 and items are expected",
                answered.status
            ));
        }
        let answer: Answer = serde_json::from_slice(&answered.body)
            .map_err(|error| format!("the answer cannot be read: {error}"))?;
        let mut items = BTreeMap::new();
        for item in answer.items {
            if let Some(twice) = items.insert(item.id.clone(), item) {
                return Err(format!("item {} is answered twice", twice.id));
            }
        }
        for item in call["items"].as_array().into_iter().flatten() {
            let id = item["id"].as_str().unwrap_or_default();
            let answer = items
                .get(id)
                .ok_or_else(|| format!("item {id} is not in the answer"))?;
            fits(answer)?;
        }
        if items.len() != call["items"].as_array().map_or(0, Vec::len) {
            return Err("the answer has items that nobody asked about".to_owned());
        }
        Ok(items)
    }

    fn items(&self) -> Checked {
        let count = ITEMS.min(self.manifest.batch_max as usize);
        let items: Vec<Value> = (0..count)
            .map(|n| self.item(&self.id(n), &format!("check-{n}")))
            .collect();
        let answers = self.ask(&self.call(self.action(), &items))?;
        match answers.values().find(|answer| answer.status != "succeeded") {
            Some(failed) => Ok(Seen::Bad(format!(
                "the example of the manifest is refused: {}",
                words(failed)
            ))),
            None => Ok(Seen::Good(format!("{count} items, each answered once"))),
        }
    }

    fn idempotency(&self) -> Checked {
        let id = self.id(100);
        let call = self.call(self.action(), &[self.item(&id, "check-repeated")]);
        let first = self.ask(&call)?.remove(&id);
        let again = self.ask(&call)?.remove(&id);
        let (Some(first), Some(again)) = (first, again) else {
            return Err("the item is not in the answer".to_owned());
        };
        if first.repeated {
            return Err("an item that is new is answered as repeated".to_owned());
        }
        if first.status != again.status {
            return Err(format!("first {}, then {}", words(&first), words(&again)));
        }
        match self.manifest.idempotency {
            Idempotency::Natural => Ok(Seen::Good("its operations may be done twice".to_owned())),
            Idempotency::Keys if again.repeated => {
                Ok(Seen::Good("a repeat is answered as one".to_owned()))
            }
            Idempotency::Keys => Err(
                "a repeat with the same id is answered without `repeated: true`: it was done twice"
                    .to_owned(),
            ),
        }
    }

    fn error_classes(&self) -> Checked {
        let wanted: Vec<(String, ErrorClass)> = ErrorClass::ALL
            .into_iter()
            .enumerate()
            .map(|(n, class)| (self.id(200 + n), class))
            .collect();
        let items: Vec<Value> = wanted
            .iter()
            .map(|(id, class)| self.item(id, &format!("{CHECK_PREFIX}{}", class.as_str())))
            .collect();
        let mut answers = BTreeMap::new();
        for items in items.chunks(self.manifest.batch_max.max(1) as usize) {
            answers.extend(self.ask(&self.call(self.action(), items))?);
        }
        for (id, class) in &wanted {
            let said = answers[id].error.as_ref().map(|error| error.class.as_str());
            if said != Some(class.as_str()) {
                return Ok(Seen::Bad(format!(
                    "object {CHECK_PREFIX}{} is answered as {}",
                    class.as_str(),
                    words(&answers[id])
                )));
            }
        }
        Ok(Seen::Good(format!("all {} are told apart", wanted.len())))
    }

    fn unknown_action(&self) -> Checked {
        if self.operation().actions.iter().any(|action| action == "*") {
            return Ok(Seen::Skipped("it takes every action"));
        }
        let id = self.id(300);
        let call = self.call("trunkline-check-no-such-action", &[self.item(&id, "check")]);
        let answers = self.ask(&call)?;
        let class = answers[&id]
            .error
            .as_ref()
            .map(|error| error.class.as_str());
        if class == Some("invalid") {
            return Ok(Seen::Good("its item is invalid".to_owned()));
        }
        let said = words(&answers[&id]);
        Ok(Seen::Bad(format!(
            "its item is {said}, where invalid is expected"
        )))
    }

    fn unknown_fields(&self) -> Checked {
        let id = self.id(400);
        let mut item = self.item(&id, "check");
        item["of_a_later_version"] = json!(1);
        let mut call = self.call(self.action(), &[item]);
        call["of_a_later_version"] = json!({});
        let answers = self.ask(&call)?;
        if answers[&id].status == "succeeded" {
            return Ok(Seen::Good("they are ignored".to_owned()));
        }
        Ok(Seen::Bad(format!(
            "they are not ignored: {}",
            words(&answers[&id])
        )))
    }

    fn malformed_body(&self) -> Checked {
        let answered = self.caller.post(Post {
            body: b"{\"contract\":1,".to_vec(),
            key: &self.id(500),
            authenticated: true,
            limit: self.limit(),
        })?;
        expect(&answered, &[400])
    }

    fn oversized_body(&self) -> Checked {
        if self.manifest.body_bytes_max > OVERSIZED_MAX {
            return Ok(Seen::Skipped("it takes more than 64 MiB"));
        }
        let mut item = self.item(&self.id(600), "check");
        item["body"] = json!("x".repeat(self.manifest.body_bytes_max as usize));
        let answered = self.post(&self.call(self.action(), &[item]))?;
        let seen = expect(&answered, &[413])?;
        manifest(self.caller)
            .map_err(|error| format!("afterwards the connector is gone: {error}"))?;
        Ok(seen)
    }

    fn auth(&self) -> Checked {
        let auth = &self.manifest.auth;
        if auth.is_empty() || auth.iter().any(|auth| auth == "none") {
            return Ok(Seen::Skipped("the manifest asks for none"));
        }
        let id = self.id(700);
        let answered = self.caller.post(Post {
            body: self
                .call(self.action(), &[self.item(&id, "check")])
                .to_string()
                .into_bytes(),
            key: &id,
            authenticated: false,
            limit: self.limit(),
        })?;
        expect(&answered, &[401, 403])
    }

    fn timing(&self) -> Checked {
        let begun = std::time::Instant::now();
        let id = self.id(800);
        self.ask(&self.call(self.action(), &[self.item(&id, "check")]))?;
        Ok(Seen::Good(format!(
            "{} ms, {} ms are allowed",
            begun.elapsed().as_millis(),
            self.manifest.timeout_ms
        )))
    }
}

fn expect(answered: &Answered, statuses: &[u16]) -> Checked {
    if statuses.contains(&answered.status) {
        return Ok(Seen::Good(format!("answered with {}", answered.status)));
    }
    Ok(Seen::Bad(format!(
        "answered with {}, where {} is expected",
        answered.status, statuses[0]
    )))
}

/// Refuses an answer that the contract does not know.
fn fits(answer: &ItemAnswer) -> Result<(), String> {
    let id = &answer.id;
    match (answer.status.as_str(), &answer.error) {
        ("succeeded", _) => Ok(()),
        ("failed", None) => Err(format!("item {id} failed without an error")),
        ("failed", Some(error)) if ErrorClass::of(&error.class).is_none() => Err(format!(
            "item {id} failed with the class `{}`, which the contract does not know",
            error.class
        )),
        ("failed", Some(_)) => Ok(()),
        (status, _) => Err(format!(
            "item {id} has the status `{status}`; it is succeeded or failed"
        )),
    }
}

fn words(answer: &ItemAnswer) -> String {
    match &answer.error {
        Some(error) => format!("{} ({}: {})", answer.status, error.class, error.message),
        None => answer.status.clone(),
    }
}
