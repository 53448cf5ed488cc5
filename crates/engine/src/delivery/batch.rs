//! Calls to connectors: several jobs in one `POST`, and an answer for each.
//!
//! The contract is `docs/guides/connectors.md`. An answer of 2xx says of each item whether it was carried out; an item that it does not
//! mention is unknown, and so is every item of an answer that cannot be read. Any other status is about the call, and each item is
//! judged by it as a webhook would be; 401 and 403 pause the destination, because a credential is not good and no job is to blame.

use super::{Outcome, post, resolve, rules, send, transport, unauthenticated};
use crate::credentials::Used;
use crate::node::Node;
use answer::Answer;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use trunkline_core::code::Code;
use trunkline_core::effect::BatchItem;
use trunkline_core::egress::{Delivery, Destination, ErrorClass, ItemFailure, Verdict};
use trunkline_core::ids::{JobId, ShardId};
use trunkline_core::input::Input;
use trunkline_core::payload::Name;

mod answer;

/// The version of the contract.
const CONTRACT: u32 = 1;
/// Bytes of a connector's answer that are read.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Bytes of an answer that is no success: each item gets a copy.
const REFUSAL_BYTES_MAX: usize = 20_000;

/// A call to make to a connector.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The shard that wants to know how it ended.
    pub(crate) shard: ShardId,
    pub(crate) destination: Box<Destination>,
    pub(crate) items: Vec<BatchItem>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    contract: u32,
    destination: &'a str,
    action: &'a str,
    object_type: &'a str,
    settings: Cow<'a, RawValue>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: String,
    object_ids: Vec<&'a str>,
    lane: &'a str,
    sequence: u64,
    attempt: u32,
    source: Option<&'a str>,
    body: Cow<'a, RawValue>,
}

impl Batch {
    /// Makes the call and reports each of its jobs.
    pub(super) async fn deliver(mut self, node: &Node) {
        let unresolved = {
            let mut jobs: Vec<_> = self.items.iter_mut().map(|item| &mut item.job).collect();
            resolve::fill(node, &self.destination, &mut jobs).await
        };
        let (mut sent, mut reports) = (Vec::new(), Vec::new());
        for (item, unresolved) in std::mem::take(&mut self.items).into_iter().zip(unresolved) {
            match unresolved {
                Some(delivery) => reports.push((item, delivery)),
                None => sent.push(item),
            }
        }
        if !sent.is_empty() {
            let deliveries = match self.call(node, &sent).await {
                Ok((outcome, used)) => self.judge(node, &sent, outcome, used.as_ref()),
                Err(reason) => vec![unauthenticated(reason); sent.len()],
            };
            reports.extend(sent.into_iter().zip(deliveries));
        }
        for (item, delivery) in reports {
            node.submit(
                self.shard,
                Input::Delivered {
                    destination: self.destination.name.clone(),
                    job: item.job.id,
                    token: item.token,
                    delivery,
                },
            );
        }
    }

    /// Makes the call. It fails if what authenticates it is not to be had.
    async fn call(
        &self,
        node: &Node,
        items: &[BatchItem],
    ) -> Result<(Outcome, Option<Used>), String> {
        match self.request(items) {
            Ok(request) => {
                let id = key_of(&self.destination.name, items);
                send(node, &self.destination, request, &id, ANSWER_BYTES_MAX).await
            }
            Err(reason) => Ok((transport(reason), None)),
        }
    }

    fn request(&self, items: &[BatchItem]) -> Result<Request<Full<Bytes>>, String> {
        let first = &items[0].job.new;
        let settings = self.destination.connector.as_ref();
        let envelope = Envelope {
            contract: CONTRACT,
            destination: &self.destination.name,
            action: &first.action,
            object_type: &first.object_type,
            settings: super::envelope::json(settings.map_or(b"null", |it| &it.settings)),
            items: items.iter().map(item_of).collect(),
        };
        let body = serde_json::to_vec(&envelope).map_err(|error| error.to_string())?;
        let attempt = items.iter().map(|item| item.attempt).max().unwrap_or(1);
        post(&self.destination.url)
            .header("idempotency-key", key_of(&self.destination.name, items))
            .header("trunkline-attempt", attempt)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| format!("the call cannot be made: {error}"))
    }

    fn judge(
        &self,
        node: &Node,
        items: &[BatchItem],
        mut outcome: Outcome,
        used: Option<&Used>,
    ) -> Vec<Delivery> {
        let status = outcome.status();
        let hear = |verdict| used.and_then(|used| node.credentials.heard(used, status, verdict));
        // Whether a credential could be renewed is found out once for the whole call.
        let mut renewed: Option<bool> = None;
        let mut is_renewed = || {
            *renewed.get_or_insert_with(|| {
                let heard = hear(Some(Verdict::RefreshCredential));
                matches!(heard, Some(Verdict::Retry { .. }))
            })
        };
        if let Outcome::Answered {
            status: status @ 200..=299,
            headers,
            body,
            ..
        } = &outcome
        {
            let answer = Answer::read(body);
            let judge = |item| self.judge_item(node, item, (*status, headers), &answer);
            let mut deliveries: Vec<Delivery> = items.iter().map(judge).collect();
            let mut is_refused = false;
            for delivery in &mut deliveries {
                if let Delivery::Item { verdict, .. } = delivery
                    && *verdict == Some(Verdict::RefreshCredential)
                {
                    is_refused = true;
                    *verdict = Some(after_renewal(is_renewed()));
                }
            }
            // A credential that is refused for an item has not proved good.
            if !is_refused {
                hear(None);
            }
            return deliveries;
        }
        let refused = match &mut outcome {
            Outcome::Answered { status, body, .. } => {
                body.truncate(REFUSAL_BYTES_MAX);
                matches!(status, 401 | 403)
            }
            Outcome::Unanswered { .. } => false,
        };
        let (programs, rules) = (&node.deliveries.programs, &self.destination.rules);
        let judge = |item: &BatchItem| {
            let outcome = outcome.clone();
            let mut delivery = rules::judge(programs, rules, &item.job, item.attempt, outcome);
            if let Delivery::Answered { verdict, .. } = &mut delivery {
                let wants_renewal = match verdict {
                    Some(Verdict::RefreshCredential) => true,
                    None => status == Some(401),
                    Some(_) => false,
                };
                if wants_renewal && is_renewed() {
                    *verdict = Some(Verdict::Retry { after_ms: Some(0) });
                } else if wants_renewal || refused {
                    verdict.take_if(|verdict| *verdict == Verdict::RefreshCredential);
                    verdict.get_or_insert(Verdict::Pause);
                }
            }
            delivery
        };
        items.iter().map(judge).collect()
    }

    fn judge_item(
        &self,
        node: &Node,
        item: &BatchItem,
        (status, headers): (u16, &HeaderMap),
        answer: &Result<Answer, String>,
    ) -> Delivery {
        let id = item.job.id.to_string();
        let unknown = |what: &str| ItemFailure {
            class: ErrorClass::Unknown,
            message: Name::from(format!("{}: {what}", Code::ConnectorAnswerInvalid)),
            retry_after_ms: None,
        };
        let mut failure = match answer {
            Err(reason) => Some(unknown(reason)),
            Ok(answer) => match answer.of(&id) {
                None => Some(unknown("the answer does not mention the item")),
                Some(Err(reason)) => Some(unknown(reason)),
                Some(Ok(failure)) => failure,
            },
        };
        let said = match answer {
            Ok(answer) => answer.said_of(&id),
            Err(_) => serde_json::Value::Null,
        };
        let class = failure
            .as_ref()
            .map_or("", |failure| failure.class.as_str());
        let (verdict, troubles) = rules::judge_item(
            &node.deliveries.programs,
            &self.destination.rules,
            (&item.job, item.attempt),
            (status, headers),
            (&said, class),
        );
        if let Some(failure) = failure.as_mut().filter(|_| !troubles.is_empty()) {
            failure.message = Name::from(format!("{}{troubles}", failure.message));
        }
        Delivery::Item { failure, verdict }
    }
}

/// What follows if a rule wants the credential renewed: another try with a new one; without one no job is to blame, and the
/// destination waits for a person.
fn after_renewal(is_renewed: bool) -> Verdict {
    if is_renewed {
        Verdict::Retry { after_ms: Some(0) }
    } else {
        Verdict::Pause
    }
}

fn item_of(item: &BatchItem) -> Item<'_> {
    let job = &item.job;
    Item {
        id: job.id.to_string(),
        object_ids: job.new.object_ids.iter().map(|id| id.as_str()).collect(),
        lane: &job.new.lane,
        sequence: job.lane_sequence,
        attempt: item.attempt,
        source: job.source.as_deref(),
        body: super::envelope::json(&job.new.body),
    }
}

/// The key of a call: that of its item, or one that the same items always give.
fn key_of(destination: &str, items: &[BatchItem]) -> String {
    match items {
        [one] => one.job.id.to_string(),
        _ => {
            let ids: Vec<String> = items.iter().map(|item| item.job.id.to_string()).collect();
            JobId::of_key(destination, &ids.join(" ")).to_string()
        }
    }
}
