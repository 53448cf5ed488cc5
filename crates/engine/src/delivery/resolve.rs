//! Resolving: bodies of jobs that carry none come from the destination's metadata API when the job leaves.
//!
//! One `POST` asks for all objects of a call by type and ids. What it answers is kept for a short time, so that jobs of other lanes and
//! a retry soon after ask no more. **A job never gets a body that was asked for before it was accepted**: the change that the job is
//! about may be missing in it, and nothing would ever send it.

use super::{Outcome, exchange, post};
use crate::node::Node;
use http_body_util::Full;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use trunkline_core::code::Code;
use trunkline_core::egress::{Delivery, Destination, Job, Resolve, Verdict};
use trunkline_core::limits::PAYLOAD_BYTES_MAX;
use trunkline_core::payload::{Name, Payload};

/// Objects that are asked for at once.
const IDS_MAX: usize = 1_000;
/// Bytes of an answer of a metadata API.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Objects that are kept, over all destinations.
const OBJECTS_MAX: usize = 20_000;
/// Bytes of the objects that are kept.
const BYTES_MAX: usize = 64 << 20;

/// An object: where it was asked for, of which type, which.
type Key = (Name, Name, Name);

/// Objects that were resolved a short time ago.
#[derive(Debug, Default)]
pub(super) struct Bodies(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    objects: HashMap<Key, Object>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Object {
    body: Payload,
    asked_ms: u64,
    until_ms: u64,
}

#[derive(Serialize)]
struct Question<'a> {
    object_type: &'a str,
    ids: Vec<&'a str>,
}

#[derive(Deserialize)]
struct Objects {
    objects: HashMap<String, Box<RawValue>>,
}

impl Bodies {
    /// A body that is good for a job that was accepted at `accepted_ms`.
    fn get(&self, key: &Key, accepted_ms: u64, now_ms: u64) -> Option<Payload> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let object = kept.objects.get(key)?;
        let good = object.asked_ms > accepted_ms && now_ms < object.until_ms;
        good.then(|| object.body.clone())
    }

    fn put(&self, key: Key, object: Object, now_ms: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = object.body.len();
        if kept.objects.len() >= OBJECTS_MAX || kept.bytes + bytes > BYTES_MAX {
            kept.objects.retain(|_, object| now_ms < object.until_ms);
            kept.bytes = kept.objects.values().map(|object| object.body.len()).sum();
        }
        // Still full of what is fresh: without a cache it is slower, and as right.
        if kept.objects.len() >= OBJECTS_MAX || kept.bytes + bytes > BYTES_MAX {
            return;
        }
        kept.bytes += bytes;
        if let Some(old) = kept.objects.insert(key, object) {
            kept.bytes -= old.body.len();
        }
    }
}

/// Gives the jobs of a call, which are about one type of objects, their bodies. For each that stays without one: how its delivery ended.
pub(super) async fn fill(
    node: &Node,
    destination: &Destination,
    jobs: &mut [&mut Job],
) -> Vec<Option<Delivery>> {
    let wants = |job: &Job| job.new.resolve == Some(true) && job.new.action.as_str() != "delete";
    let mut failed: Vec<Option<Delivery>> = jobs.iter().map(|_| None).collect();
    if !jobs.iter().any(|job| wants(job)) {
        return failed;
    }
    let Some(resolve) = &destination.resolve else {
        let reason = "the destination has no metadata API";
        let delivery = unresolved(reason, Some(Verdict::Pause));
        for (job, failed) in jobs.iter().zip(&mut failed) {
            *failed = wants(job).then(|| delivery.clone());
        }
        return failed;
    };
    let bodies = &node.deliveries.bodies;
    let now_ms = node.clock.now().0;
    let key = |job: &Job, id: &Name| {
        let object_type = job.new.object_type.clone();
        (resolve.url.clone(), object_type, id.clone())
    };
    let mut found: HashMap<Key, Payload> = HashMap::new();
    let mut missing = BTreeSet::new();
    for job in jobs.iter().filter(|job| wants(job)) {
        for id in &job.new.object_ids {
            let key = key(job, id);
            match bodies.get(&key, job.created_at.0, now_ms) {
                Some(body) => {
                    found.insert(key, body);
                }
                None => {
                    missing.insert(key);
                }
            }
        }
    }
    // An object that one job may have from the cache and another may not is asked for, for both.
    found.retain(|key, _| !missing.contains(key));
    let missing: Vec<Key> = missing.into_iter().collect();
    for keys in missing.chunks(IDS_MAX) {
        match ask(node, destination, resolve, keys).await {
            Ok(objects) => found.extend(objects),
            Err(delivery) => {
                for (job, failed) in jobs.iter().zip(&mut failed) {
                    let waits = job
                        .new
                        .object_ids
                        .iter()
                        .any(|id| keys.contains(&key(job, id)));
                    if wants(job) && waits && failed.is_none() {
                        *failed = Some(delivery.clone());
                    }
                }
            }
        }
    }
    for (job, failed) in jobs.iter_mut().zip(&mut failed) {
        if !wants(job) || failed.is_some() {
            continue;
        }
        let parts: Result<Vec<&Payload>, &Name> = job
            .new
            .object_ids
            .iter()
            .map(|id| found.get(&key(job, id)).ok_or(id))
            .collect();
        match parts {
            Ok(parts) => job.new.body = together(&parts),
            Err(id) => {
                let reason = format!("there is no {} `{id}`", job.new.object_type);
                *failed = Some(unresolved(&reason, None));
            }
        }
    }
    failed
}

/// The body of a job about one object is that object; about several, the list of them in the job's order.
fn together(parts: &[&Payload]) -> Payload {
    if let [one] = parts {
        return (*one).clone();
    }
    let mut list = vec![b'['];
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            list.push(b',');
        }
        list.extend_from_slice(part);
    }
    list.push(b']');
    Payload::from(list)
}

/// Asks the metadata API, and keeps what it answers.
async fn ask(
    node: &Node,
    destination: &Destination,
    resolve: &Resolve,
    keys: &[Key],
) -> Result<Vec<(Key, Payload)>, Delivery> {
    let question = Question {
        object_type: &keys[0].1,
        ids: keys.iter().map(|(.., id)| id.as_str()).collect(),
    };
    let body = serde_json::to_vec(&question).expect("a question is texts");
    let request = post(&resolve.url)
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| unresolved(&error.to_string(), None))?;
    // Before the question: what changes while it is under way may be missing in the answer.
    let asked_ms = node.clock.now().0;
    let limit = Duration::from_millis(destination.timeout_ms);
    let client = &node.deliveries.client;
    let body = match exchange(client, request, limit, ANSWER_BYTES_MAX).await {
        Outcome::Answered {
            status: 200..=299,
            body,
            ..
        } => body,
        Outcome::Answered { status, .. } => {
            let reason = format!("the metadata API answered {status}");
            return Err(unresolved(&reason, None));
        }
        Outcome::Unanswered { kind, reason } => {
            let verdict = (kind == super::FORBIDDEN).then_some(Verdict::Pause);
            let reason = format!("the metadata API: {reason}");
            return Err(unresolved(&reason, verdict));
        }
    };
    let mut objects: Objects = serde_json::from_slice(&body).map_err(|error| {
        let reason = format!("the metadata API's answer cannot be read: {error}");
        unresolved(&reason, None)
    })?;
    let until_ms = asked_ms.saturating_add(resolve.ttl_ms);
    let mut found = Vec::new();
    for key in keys {
        let object = objects.objects.remove(key.2.as_str());
        let Some(object) = object.filter(|object| object.get().len() <= PAYLOAD_BYTES_MAX) else {
            continue;
        };
        let body = Payload::from(object.get().as_bytes());
        let object = Object {
            body: body.clone(),
            asked_ms,
            until_ms,
        };
        node.deliveries.bodies.put(key.clone(), object, asked_ms);
        found.push((key.clone(), body));
    }
    Ok(found)
}

fn unresolved(reason: &str, verdict: Option<Verdict>) -> Delivery {
    Delivery::Unanswered {
        reason: Name::from(format!("{}: {reason}", Code::Unresolved)),
        verdict,
    }
}

#[cfg(test)]
mod tests;
