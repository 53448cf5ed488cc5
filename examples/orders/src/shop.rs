//! The shop: the remote system that takes the deliveries, as fickle as remote systems are.
//!
//! A plain HTTP server. It takes so many requests a second and answers 429 with `Retry-After` beyond; answers some at random
//! with 503; and accepts some without saying so, because the connection breaks before the answer. It writes every request
//! down, and at the end judges what it saw.
//!
//! ```text
//! POST /deliveries   one job                             200, 429, 503, or a broken connection; 400 if it makes no sense
//! GET  /progress     {"requests":…,"delivered":…}
//! POST /judge        {"expected":{content: count, …}}    the verdict
//! ```
//!
//! What it is not: it is no part of Trunkline, and knows nothing of it but the shape of a delivery. It keeps its notes in
//! memory, because it is never killed.

mod bucket;

use crate::delivery::Envelope;
use crate::dice::Dice;
use crate::judge::{Answer, Limits, Note, Verdict, judge};
use bucket::Bucket;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::net::TcpListener;

/// A delivery may have so many bytes.
const DELIVERY_BYTES_MAX: usize = 1 << 20;
/// The expectation that the judge compares with may have so many bytes.
const EXPECTATION_BYTES_MAX: usize = 256 << 20;

/// How the shop behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manners {
    /// The rate that it takes.
    pub limits: Limits,
    /// How many of 1,000 requests are answered with 503.
    pub unavailable_per_mille: u64,
    /// How many of 1,000 requests are accepted and not answered.
    pub dropped_per_mille: u64,
    /// Seed of its moods.
    pub seed: u64,
}

/// How far the deliveries have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Requests so far.
    pub requests: u64,
    /// Distinct jobs accepted so far.
    pub delivered: u64,
}

/// What the judge is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Question {
    /// How often each content must have been accepted as a job of its own.
    pub expected: BTreeMap<String, u64>,
}

/// The shop.
#[derive(Debug)]
pub struct Shop {
    opened_at: Instant,
    limits: Limits,
    desk: Mutex<Desk>,
}

/// What changes with every request.
#[derive(Debug)]
struct Desk {
    manners: Manners,
    bucket: Bucket,
    dice: Dice,
    notes: Vec<Note>,
    done: HashSet<String>,
    misunderstood: Vec<String>,
}

/// The connection ends here, without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the shop dropped the connection")
    }
}

impl std::error::Error for Dropped {}

impl Shop {
    /// A shop that has just opened.
    #[must_use]
    pub fn new(manners: Manners) -> Arc<Self> {
        Arc::new(Self {
            opened_at: Instant::now(),
            limits: manners.limits,
            desk: Mutex::new(Desk {
                manners,
                bucket: Bucket::new(manners.limits),
                dice: Dice::new(manners.seed),
                notes: Vec::new(),
                done: HashSet::new(),
                misunderstood: Vec::new(),
            }),
        })
    }

    /// Serves connections until the process ends.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> io::Result<Infallible> {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let shop = Arc::clone(&self);
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let shop = Arc::clone(&shop);
                    async move { shop.answer(request).await }
                });
                // A broken connection is the peer's business, or the shop's own will.
                let _ = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
        let route = (request.method().clone(), request.uri().path().to_owned());
        match (route.0, route.1.as_str()) {
            (Method::POST, "/deliveries") => self.take(request).await,
            (Method::GET, "/progress") => Ok(json(StatusCode::OK, &self.progress())),
            (Method::POST, "/judge") => Ok(self.give_verdict(request).await),
            _ => Ok(text(StatusCode::NOT_FOUND, "there is nothing here")),
        }
    }

    /// Takes one delivery.
    async fn take(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
        let arrived_at = Instant::now();
        let (head, body) = request.into_parts();
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let Ok(body) = Limited::new(body, DELIVERY_BYTES_MAX).collect().await else {
            // The sender went away in the middle of it: as good as never sent.
            return Err(Dropped);
        };
        let understood = understand(
            &body.to_bytes(),
            header("idempotency-key"),
            header("trunkline-lane-sequence"),
            header("trunkline-attempt"),
        );
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        match understood {
            Ok(note) => {
                let at_us = (arrived_at - self.opened_at).as_micros() as u64;
                desk.take(Note { at_us, ..note })
            }
            Err(reason) => {
                let answer = text(StatusCode::BAD_REQUEST, &reason);
                desk.misunderstood.push(reason);
                Ok(answer)
            }
        }
    }

    fn progress(&self) -> Progress {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        Progress {
            requests: desk.notes.len() as u64,
            delivered: desk.done.len() as u64,
        }
    }

    async fn give_verdict(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Ok(body) = Limited::new(request.into_body(), EXPECTATION_BYTES_MAX)
            .collect()
            .await
        else {
            return text(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the expectation cannot be read",
            );
        };
        match serde_json::from_slice::<Question>(&body.to_bytes()) {
            Ok(question) => json(StatusCode::OK, &self.judge(&question.expected)),
            Err(error) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    fn judge(&self, expected: &BTreeMap<String, u64>) -> Verdict {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verdict = judge(&desk.notes, expected, self.limits);
        verdict.misunderstood = desk.misunderstood.len() as u64;
        verdict
            .reasons
            .extend(desk.misunderstood.iter().take(5).cloned());
        verdict
    }
}

impl Desk {
    /// Decides what to answer, and writes it down.
    fn take(&mut self, note: Note) -> Result<Response<Full<Bytes>>, Dropped> {
        let answer = if !self.bucket.takes_one(note.at_us) {
            Answer::TooMany
        } else if self.dice.happens(self.manners.unavailable_per_mille) {
            Answer::Unavailable
        } else if self.dice.happens(self.manners.dropped_per_mille) {
            Answer::Dropped
        } else {
            Answer::Accepted
        };
        let is_new = match answer {
            Answer::Accepted | Answer::Dropped => self.done.insert(note.job.clone()),
            Answer::Unavailable | Answer::TooMany => false,
        };
        self.notes.push(Note { answer, ..note });
        match answer {
            Answer::Accepted if is_new => Ok(text(StatusCode::OK, "done")),
            Answer::Accepted => Ok(text(StatusCode::OK, "done before")),
            Answer::Dropped => Err(Dropped),
            Answer::Unavailable => Ok(text(StatusCode::SERVICE_UNAVAILABLE, "not now")),
            Answer::TooMany => {
                let mut response = text(StatusCode::TOO_MANY_REQUESTS, "too many requests");
                response.headers_mut().insert(RETRY_AFTER, 1.into());
                Ok(response)
            }
        }
    }
}

/// Reads a delivery; the time and the answer are still open. What the headers say must agree with the body.
fn understand(
    body: &[u8],
    key: Option<&str>,
    sequence: Option<&str>,
    attempt: Option<&str>,
) -> Result<Note, String> {
    let envelope: Envelope = serde_json::from_slice(body)
        .map_err(|error| format!("the delivery is no envelope: {error}"))?;
    let key = key.ok_or("the header Idempotency-Key is missing")?;
    if sequence != Some(envelope.sequence.to_string().as_str()) {
        return Err(format!(
            "the header Trunkline-Lane-Sequence is {sequence:?}, the body says {}",
            envelope.sequence
        ));
    }
    if attempt != Some(envelope.attempt.to_string().as_str()) {
        return Err(format!(
            "the header Trunkline-Attempt is {attempt:?}, the body says {}",
            envelope.attempt
        ));
    }
    Ok(Note {
        at_us: 0,
        content: envelope.content()?,
        lane: envelope.lane,
        sequence: envelope.sequence,
        key: key.to_owned(),
        job: envelope.job,
        answer: Answer::TooMany,
    })
}

fn text(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(words.as_bytes())));
    *response.status_mut() = status;
    response
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(value).expect("the shop's answers have text keys only");
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests;
