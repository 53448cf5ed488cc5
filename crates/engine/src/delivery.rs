//! Delivery: one HTTP call for one job, reported to its shard whatever came of it.
//!
//! The core decides what is delivered and when. This module calls: `POST`, with time-out, without redirects, over kept
//! connections, encrypted ones verified, where the [`guard`] lets it; and it evaluates the destination's [`rules`], which the core
//! cannot. A call that has not ended when the process does is made again after the restart, with the same `Idempotency-Key`.

use crate::credentials::{self, Used};
use crate::node::Node;
use crate::programs::Programs;
use crate::stats::{add, subtract};
use client::HttpClient;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use trunkline_core::egress::{Delivery, Destination, Job};
use trunkline_core::ids::{ShardId, Token};
use trunkline_core::input::Input;
use trunkline_core::payload::Name;
use trunkline_vault::Redactor;

mod batch;
pub(crate) mod client;
mod envelope;
pub(crate) mod guard;
mod resolve;
mod retry_after;
pub(crate) mod rules;

pub(crate) use batch::Batch;

/// Bytes of an answer's body that are handed on if it is no success, for a person.
const EXCERPT_BYTES_MAX: usize = 20_000;
/// Bytes of a success's body that are handed on: enough if a rule says that it was none.
const SUCCESS_EXCERPT_BYTES_MAX: usize = 2_000;
/// Bytes of an answer's body that are read, so that the connection can be used again. Longer ones cost the connection.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The kind of an outcome that was no call at all, because the guard did not let it.
const FORBIDDEN: &str = "forbidden";

/// What the engine calls itself.
pub(crate) const USER_AGENT: &str = concat!("trunkline/", env!("CARGO_PKG_VERSION"));

/// A delivery to make.
#[derive(Debug)]
pub(crate) struct Call {
    /// The shard that wants to know how it ended.
    pub(crate) shard: ShardId,
    pub(crate) destination: Box<Destination>,
    pub(crate) job: Box<Job>,
    pub(crate) attempt: u32,
    pub(crate) token: Token,
}

/// Makes deliveries.
#[derive(Debug)]
pub(crate) struct Deliveries {
    client: HttpClient,
    programs: Programs,
    bodies: resolve::Bodies,
    runtime: tokio::runtime::Handle,
    in_flight: AtomicUsize,
    closed: AtomicBool,
}

impl Deliveries {
    pub(crate) fn new(runtime: tokio::runtime::Handle, client: HttpClient) -> Self {
        Self {
            client,
            programs: Programs::default(),
            bodies: resolve::Bodies::default(),
            runtime,
            in_flight: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Begins deliveries. Once [closed](Deliveries::close) it begins none: their jobs stay as they are.
    pub(crate) fn start(&self, node: &Arc<Node>, calls: Vec<Call>) {
        if self.closed.load(Ordering::SeqCst) {
            return;
        }
        self.in_flight.fetch_add(calls.len(), Ordering::SeqCst);
        add(&node.figures.deliveries, calls.len() as u64);
        add(&node.figures.deliveries_in_flight, calls.len() as u64);
        let node = Arc::clone(node);
        // One hop into the runtime for all of them; from within it the others are cheap to begin.
        self.runtime.spawn(async move {
            for mut call in calls {
                let node = Arc::clone(&node);
                tokio::spawn(async move {
                    let delivery = call.deliver(&node).await;
                    node.submit(
                        call.shard,
                        Input::Delivered {
                            destination: call.destination.name.clone(),
                            job: call.job.id,
                            token: call.token,
                            delivery,
                        },
                    );
                    // Afterwards: until then it is under way.
                    node.deliveries.in_flight.fetch_sub(1, Ordering::SeqCst);
                    subtract(&node.figures.deliveries_in_flight, 1);
                });
            }
        });
    }

    /// The client that makes the calls.
    pub(crate) fn http(&self) -> &HttpClient {
        &self.client
    }

    /// The runtime that makes the calls.
    pub(crate) fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }

    /// Begins calls to connectors, like [`Deliveries::start`].
    pub(crate) fn start_batches(&self, node: &Arc<Node>, batches: Vec<Batch>) {
        if batches.is_empty() || self.closed.load(Ordering::SeqCst) {
            return;
        }
        self.in_flight.fetch_add(batches.len(), Ordering::SeqCst);
        add(&node.figures.deliveries, batches.len() as u64);
        add(&node.figures.deliveries_in_flight, batches.len() as u64);
        let node = Arc::clone(node);
        self.runtime.spawn(async move {
            for batch in batches {
                let node = Arc::clone(&node);
                tokio::spawn(async move {
                    batch.deliver(&node).await;
                    // Afterwards: until then it is under way.
                    node.deliveries.in_flight.fetch_sub(1, Ordering::SeqCst);
                    subtract(&node.figures.deliveries_in_flight, 1);
                });
            }
        });
    }

    /// Begins no more deliveries.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// True if none is under way.
    pub(crate) fn are_done(&self) -> bool {
        self.in_flight.load(Ordering::SeqCst) == 0
    }
}

/// How a call ended.
#[derive(Clone, Debug)]
enum Outcome {
    Answered {
        status: u16,
        retry_after_ms: Option<u64>,
        headers: HeaderMap,
        /// Its beginning.
        body: Vec<u8>,
    },
    Unanswered {
        /// `timeout`, `transport` or `forbidden`.
        kind: &'static str,
        reason: String,
    },
}

impl Outcome {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Unanswered { .. } => None,
        }
    }

    /// The same without the secrets with which the call was made: a destination may send back what it got.
    fn without(mut self, redactor: &Redactor) -> Self {
        match &mut self {
            Self::Answered { headers, body, .. } => {
                if let Some(redacted) = redactor.redact(body) {
                    *body = redacted;
                }
                for value in headers.values_mut() {
                    let redacted = redactor.redact(value.as_bytes());
                    if let Some(redacted) = redacted {
                        *value = HeaderValue::from_bytes(&redacted)
                            .unwrap_or(HeaderValue::from_static(""));
                    }
                }
            }
            Self::Unanswered { reason, .. } => {
                *reason = redactor.redact_text(std::mem::take(reason));
            }
        }
        self
    }
}

impl Call {
    /// Makes the call and judges how it ended.
    async fn deliver(&mut self, node: &Node) -> Delivery {
        let unresolved = resolve::fill(node, &self.destination, &mut [&mut *self.job]).await;
        if let Some(delivery) = unresolved.into_iter().flatten().next() {
            return delivery;
        }
        let sent = match self.request() {
            Ok(request) => {
                let id = self.job.id.to_string();
                send(node, &self.destination, request, &id, ANSWER_BYTES_MAX).await
            }
            Err(reason) => Ok((transport(reason), None)),
        };
        let (outcome, used) = match sent {
            Ok(sent) => sent,
            Err(reason) => return unauthenticated(reason),
        };
        let status = outcome.status();
        let programs = &node.deliveries.programs;
        let rules = &self.destination.rules;
        let mut delivery = rules::judge(programs, rules, &self.job, self.attempt, outcome);
        if let Some(used) = used
            && let Delivery::Answered { verdict, .. } | Delivery::Unanswered { verdict, .. } =
                &mut delivery
        {
            *verdict = node.credentials.heard(&used, status, *verdict);
        }
        delivery
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        let job = &self.job;
        let body = envelope::of(job, self.attempt);
        post(&self.destination.url)
            .header("idempotency-key", job.id.to_string())
            .header("trunkline-attempt", self.attempt)
            .header("trunkline-lane-sequence", job.lane_sequence)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| format!("the call cannot be made: {error}"))
    }
}

/// The beginning of every call.
fn post(url: &str) -> hyper::http::request::Builder {
    Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )
        .header(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))
}

fn transport(reason: String) -> Outcome {
    Outcome::Unanswered {
        kind: "transport",
        reason,
    }
}

/// What authenticates a call is not to be had: nothing has left.
fn unauthenticated(reason: String) -> Delivery {
    Delivery::Unanswered {
        reason: Name::from(reason),
        verdict: Some(credentials::wait()),
    }
}

/// Authenticates a request, if its destination has a credential, and sends it; `id` names the message if it is signed. The outcome
/// is without the secrets that were used. It fails if the credential is not to be had.
async fn send(
    node: &Node,
    destination: &Destination,
    mut request: Request<Full<Bytes>>,
    id: &str,
    bytes_max: usize,
) -> Result<(Outcome, Option<Used>), String> {
    let client = &node.deliveries.client;
    let limit = Duration::from_millis(destination.timeout_ms);
    let Some(credential) = &destination.credential else {
        return Ok((exchange(client, request, limit, bytes_max).await, None));
    };
    let body = request.body().clone();
    let body = body
        .collect()
        .await
        .map_or_else(|never| match never {}, Collected::to_bytes);
    let now_ms = node.clock.now().0;
    let used = node
        .credentials
        .authenticate(client, credential, &mut request, (id, &body), now_ms)
        .await?;
    let outcome = exchange(client, request, limit, bytes_max).await;
    Ok((outcome.without(&used.redactor), Some(used)))
}

/// Sends a request and waits for its answer for as long as `limit`, of which it reads `bytes_max`.
async fn exchange(
    client: &HttpClient,
    request: Request<Full<Bytes>>,
    limit: Duration,
    bytes_max: usize,
) -> Outcome {
    let exchange = async {
        match client.request(request).await {
            Ok(response) => answered(response, bytes_max).await,
            Err(error) => match client::forbidden(&error) {
                Some(forbidden) => Outcome::Unanswered {
                    kind: FORBIDDEN,
                    reason: forbidden.to_string(),
                },
                None => transport(chain(&error)),
            },
        }
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Unanswered {
            kind: "timeout",
            reason: format!("no answer within {} ms", limit.as_millis()),
        },
    }
}

async fn answered(response: Response<Incoming>, bytes_max: usize) -> Outcome {
    let (head, mut incoming) = response.into_parts();
    let retry_after_ms = head
        .headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after::to_ms(value, std::time::SystemTime::now()))
        // The core counts from the whole millisecond that has begun: without one more it would be early by a part of one.
        .map(|ms| ms.saturating_add(1));
    let mut body = Vec::new();
    // The status is the answer; a body that breaks off does not take it back.
    while let Some(Ok(frame)) = incoming.frame().await {
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = bytes_max - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            break;
        }
    }
    Outcome::Answered {
        status: head.status.as_u16(),
        retry_after_ms,
        headers: head.headers,
        body,
    }
}

/// The beginning of an answer's body, for a person.
fn excerpt(status: u16, body: &[u8]) -> String {
    let most = if (200..300).contains(&status) {
        SUCCESS_EXCERPT_BYTES_MAX
    } else {
        EXCERPT_BYTES_MAX
    };
    let beginning = &body[..body.len().min(most)];
    String::from_utf8_lossy(beginning).into_owned()
}

/// An error with everything that caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// Says what is wrong with the URL of a destination, if something is.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("the URL is not one: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err("the URL must begin with http:// or https://".into()),
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err("the URL has no host".into());
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err("the URL has a user name, which would be stored in plain text".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
