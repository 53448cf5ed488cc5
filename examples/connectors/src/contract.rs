//! The contract, spoken for any target: manifest, calls, an answer for each item, repeats, checks.
//!
//! What a target does is its own; everything that the contract asks of every connector is here, once.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use trunkline_api::connector::{
    Answer, CHECK_HEADER, CHECK_PREFIX, Call, Item, ItemAnswer, ItemError, Manifest,
};
use trunkline_api::core::egress::ErrorClass;

/// Ids of items that are remembered. A repeat comes soon after the first, or after a long retry; this many cover both.
const REMEMBERED: usize = 100_000;

/// The system that a connector is for.
pub trait Target: Send + Sync + 'static {
    /// What the connector says of itself.
    fn manifest(&self) -> Manifest;

    /// Carries out one item of a call.
    fn carry_out(
        &self,
        call: &Call,
        item: &Item,
    ) -> impl Future<Output = Result<(), ItemError>> + Send;
}

/// A failure of an item.
#[must_use]
pub fn failure(class: ErrorClass, message: impl Into<String>) -> ItemError {
    ItemError {
        class: class.as_str().to_owned(),
        message: message.into(),
        retry_after_ms: None,
    }
}

/// A connector for a target.
#[derive(Debug)]
pub struct Connector<T> {
    target: T,
    /// What callers must know, if anything: a bearer token.
    token: Option<String>,
    done: Mutex<Done>,
}

/// The items that have been carried out, the oldest first.
#[derive(Debug, Default)]
struct Done {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl<T: Target> Connector<T> {
    /// A connector that takes calls with this bearer token only, if there is one.
    pub fn new(target: T, token: Option<String>) -> Self {
        Self {
            target,
            token,
            done: Mutex::default(),
        }
    }

    /// Serves until the process ends.
    pub async fn serve(self, listener: TcpListener) {
        let connector = Arc::new(self);
        while let Ok((stream, _)) = listener.accept().await {
            let connector = Arc::clone(&connector);
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let connector = Arc::clone(&connector);
                    async move { Ok::<_, Infallible>(connector.answer(request).await) }
                });
                // A connection that breaks off is its caller's business: it calls again.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    fn manifest(&self) -> Manifest {
        let mut manifest = self.target.manifest();
        manifest.auth = vec![
            if self.token.is_some() {
                "bearer"
            } else {
                "none"
            }
            .to_owned(),
        ];
        manifest
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if *request.method() == Method::GET && request.uri().path().ends_with("/manifest") {
            return json(StatusCode::OK, &self.manifest());
        }
        if *request.method() != Method::POST {
            return text(StatusCode::METHOD_NOT_ALLOWED, "GET /manifest, or POST");
        }
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        let expected = self.token.as_ref().map(|token| format!("Bearer {token}"));
        if expected.is_some() && expected.as_deref() != header("authorization") {
            return text(
                StatusCode::UNAUTHORIZED,
                "the bearer token is not the right one",
            );
        }
        let is_check = header(CHECK_HEADER).is_some();
        let most = self.manifest().body_bytes_max as usize;
        let Ok(body) = Limited::new(request.into_body(), most).collect().await else {
            return text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        };
        let call: Call = match serde_json::from_slice(&body.to_bytes()) {
            Ok(call) => call,
            Err(error) => return text(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let mut answer = Answer::default();
        for item in &call.items {
            answer.items.push(self.item(&call, item, is_check).await);
        }
        json(StatusCode::OK, &answer)
    }

    async fn item(&self, call: &Call, item: &Item, is_check: bool) -> ItemAnswer {
        if let Some(class) = class_to_show(item).filter(|_| is_check) {
            return ItemAnswer::failed(&item.id, class, "as the check asked");
        }
        if !self.knows(&call.object_type, &call.action) {
            let what = format!("there is no {} of {}", call.action, call.object_type);
            return ItemAnswer::failed(&item.id, ErrorClass::Invalid, what);
        }
        if self.done().ids.contains(&item.id) {
            let mut answer = ItemAnswer::succeeded(&item.id);
            answer.repeated = true;
            return answer;
        }
        let done = if is_check {
            Ok(())
        } else {
            self.target.carry_out(call, item).await
        };
        match done {
            Ok(()) => {
                self.remember(&item.id);
                ItemAnswer::succeeded(&item.id)
            }
            Err(error) => ItemAnswer {
                error: Some(error),
                ..ItemAnswer::failed(&item.id, ErrorClass::Unknown, "")
            },
        }
    }

    fn knows(&self, object_type: &str, action: &str) -> bool {
        let is = |word: &str, wanted: &str| word == "*" || word == wanted;
        self.target.manifest().operations.iter().any(|operation| {
            is(&operation.object_type, object_type)
                && operation.actions.iter().any(|known| is(known, action))
        })
    }

    fn done(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, id: &str) {
        let mut done = self.done();
        if done.ids.insert(id.to_owned()) {
            done.order.push_back(id.to_owned());
        }
        if done.order.len() > REMEMBERED
            && let Some(oldest) = done.order.pop_front()
        {
            done.ids.remove(&oldest);
        }
    }
}

/// The error class that a check wants to see.
fn class_to_show(item: &Item) -> Option<ErrorClass> {
    let object = item.object_ids.first()?;
    ErrorClass::of(object.strip_prefix(CHECK_PREFIX)?)
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(body).expect("it has string keys only");
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let value = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", value);
    response
}

fn text(status: StatusCode, what: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(what.to_owned()));
    *response.status_mut() = status;
    response
}
