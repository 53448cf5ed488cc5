//! Delivery: one HTTP call for one job, reported to its shard whatever came of it.
//!
//! The core decides what is delivered and when. This module calls: `POST`, with time-out, without redirects, over kept
//! connections; and it evaluates the destination's [`rules`], which the core cannot. A call that has not ended when the process does is made again after the restart,
//! with the same `Idempotency-Key`.

use crate::credentials::{self, Used};
use crate::node::Node;
use crate::stats::{add, subtract};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use trunkline_core::egress::{Delivery, Destination, Job};
use trunkline_core::ids::{ShardId, Token};
use trunkline_core::input::Input;
use trunkline_core::payload::Name;
use trunkline_vault::Redactor;

mod envelope;
mod retry_after;
pub(crate) mod rules;

/// Bytes of an answer's body that are kept, for a person.
const EXCERPT_BYTES_MAX: usize = 2_000;
/// Bytes of an answer's body that are read, so that the connection can be used again. Longer ones cost the connection.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long a connection is kept without a call.
const IDLE: Duration = Duration::from_secs(30);

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
    client: Client<HttpConnector, Full<Bytes>>,
    programs: rules::Programs,
    runtime: tokio::runtime::Handle,
    in_flight: AtomicUsize,
    closed: AtomicBool,
}

impl Deliveries {
    pub(crate) fn new(runtime: tokio::runtime::Handle) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self {
            client,
            programs: rules::Programs::default(),
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
            for call in calls {
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
    pub(crate) fn http(&self) -> &Client<HttpConnector, Full<Bytes>> {
        &self.client
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
#[derive(Debug)]
enum Outcome {
    Answered {
        status: u16,
        retry_after_ms: Option<u64>,
        headers: HeaderMap,
        /// Its beginning: [`ANSWER_BYTES_MAX`] at most.
        body: Vec<u8>,
    },
    Unanswered {
        /// `timeout` or `transport`.
        kind: &'static str,
        reason: String,
    },
}

impl Outcome {
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
    async fn deliver(&self, node: &Node) -> Delivery {
        let (outcome, used) = match self.make(node).await {
            Ok(made) => made,
            Err(reason) => {
                return Delivery::Unanswered {
                    reason: Name::from(reason),
                    verdict: Some(credentials::wait()),
                };
            }
        };
        let status = match &outcome {
            Outcome::Answered { status, .. } => Some(*status),
            Outcome::Unanswered { .. } => None,
        };
        let rules = &self.destination.rules;
        let programs = &node.deliveries.programs;
        let mut delivery = rules::judge(programs, rules, &self.job, self.attempt, outcome);
        if let Some(used) = used {
            let (Delivery::Answered { verdict, .. } | Delivery::Unanswered { verdict, .. }) =
                &mut delivery;
            *verdict = node.credentials.heard(&used, status, *verdict);
        }
        delivery
    }

    /// Makes the call. It fails if what authenticates it is not to be had: then nothing has left.
    async fn make(&self, node: &Node) -> Result<(Outcome, Option<Used>), String> {
        let mut request = match self.request() {
            Ok(request) => request,
            Err(reason) => {
                let kind = "transport";
                return Ok((Outcome::Unanswered { kind, reason }, None));
            }
        };
        let Some(credential) = &self.destination.credential else {
            return Ok((self.send(&node.deliveries.client, request).await, None));
        };
        let id = self.job.id.to_string();
        let body = request.body().clone();
        let body = body
            .collect()
            .await
            .map_or_else(|never| match never {}, Collected::to_bytes);
        let now_ms = node.clock.now().0;
        let http = &node.deliveries.client;
        let used = node
            .credentials
            .authenticate(http, credential, &mut request, (&id, &body), now_ms)
            .await?;
        let outcome = self.send(http, request).await.without(&used.redactor);
        Ok((outcome, Some(used)))
    }

    async fn send(
        &self,
        client: &Client<HttpConnector, Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Outcome {
        let transport = |reason| Outcome::Unanswered {
            kind: "transport",
            reason,
        };
        let limit = Duration::from_millis(self.destination.timeout_ms);
        let exchange = async {
            let response = client
                .request(request)
                .await
                .map_err(|error| chain(&error))?;
            Ok(answered(response).await)
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(reason)) => transport(reason),
            Err(_) => Outcome::Unanswered {
                kind: "timeout",
                reason: format!("no answer within {} ms", limit.as_millis()),
            },
        }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        let job = &self.job;
        let body = envelope::of(job, self.attempt);
        Request::builder()
            .method(Method::POST)
            .uri(self.destination.url.as_str())
            .header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )
            .header(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))
            .header("idempotency-key", job.id.to_string())
            .header("trunkline-attempt", self.attempt)
            .header("trunkline-lane-sequence", job.lane_sequence)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| format!("the call cannot be made: {error}"))
    }
}

async fn answered(response: Response<Incoming>) -> Outcome {
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
        let room = ANSWER_BYTES_MAX - body.len();
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
fn excerpt(body: &[u8]) -> String {
    let beginning = &body[..body.len().min(EXCERPT_BYTES_MAX)];
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
        Some("http") => {}
        Some("https") => {
            return Err("https is not supported yet: put a proxy on this machine".into());
        }
        _ => return Err("the URL must begin with http://".into()),
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
