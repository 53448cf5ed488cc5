//! What surrounds every request: its id, the limits of its head, what its token may do, its line in the log, its place in the metrics; and
//! the writing of problems, which need the id.

use crate::answer::{Refusal, content_type};
use crate::app::App;
use crate::gate::Refused;
use crate::nonce;
use crate::pass::{Pass, unauthenticated};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Instant;
use trunkline_api::core::code::Code;
use trunkline_api::problem::{self, Problem};
use trunkline_api::route::{ROUTES, Route};
use trunkline_api::scope::Needs;

/// The header with the request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Characters of a request id that a client may give.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Surrounds a request.
pub(crate) async fn surround(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .and_then(|matched| route_of(method.as_str(), matched.as_str()));
    let checked = check_head(&app, &request).and_then(|()| check_pass(&app, route, &request));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = write(&problem, &id, &response);
    }
    let status = response.status().as_u16();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = began.elapsed();
    // A label of metrics must not be made of what clients send.
    let operation = route.map_or("unknown", |route| route.operation.name());
    app.requests.count(operation, status, took);
    tracing::debug!(
        request_id = %id, tenant = app.tenant, %method, path, status, took_us = took.as_micros() as u64, "request"
    );
    response
}

/// The route that answers: one for GET answers HEAD, too.
fn route_of(method: &str, path: &str) -> Option<&'static Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROUTES
        .iter()
        .find(|route| route.path == path && route.method.as_str() == method)
}

/// Refuses a request whose token is none, or has not the scope. Whoever has no token does not learn what is there and what is not.
fn check_pass(app: &App, route: Option<&Route>, request: &Request) -> Result<(), Refusal> {
    let needs = route.map_or(Needs::Token, |route| route.needs);
    if needs == Needs::Nothing {
        return Ok(());
    }
    let extensions = request.extensions();
    if let Some(Refused(problem)) = extensions.get() {
        return Err(Refusal(problem.clone()));
    }
    match extensions.get::<Pass>() {
        Some(pass) => Ok(pass.check(needs)?),
        None if app.config.tokens_required => {
            Err(unauthenticated("no token came with the request").into())
        }
        None => Ok(()),
    }
}

/// The client's id if it gave a usable one, else a fresh one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX)
        .map_or_else(|| format!("{:016x}", nonce::fresh() as u64), str::to_owned)
}

fn check_head(app: &App, request: &Request) -> Result<(), Refusal> {
    let uri_bytes = request
        .uri()
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    if uri_bytes > app.config.uri_bytes_max {
        let detail = format!(
            "the address has {uri_bytes} bytes; the limit is {}",
            app.config.uri_bytes_max
        );
        return Err(Refusal::new(Code::HeaderTooLarge, detail));
    }
    let header_bytes: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if header_bytes > app.config.header_bytes_max {
        let detail = format!(
            "the headers have {header_bytes} bytes; the limit is {}",
            app.config.header_bytes_max
        );
        return Err(Refusal::new(Code::HeaderTooLarge, detail));
    }
    Ok(())
}

fn write(problem: &Problem, id: &str, refused: &Response) -> Response {
    if problem.code == Code::Internal {
        tracing::error!(request_id = id, detail = problem.detail, "internal error");
    }
    let body = serde_json::to_vec(&problem.body(id)).expect("a problem has nothing but texts");
    let mut response = (
        refused.status(),
        [content_type(problem::CONTENT_TYPE)],
        body,
    )
        .into_response();
    if let Some(allow) = refused.headers().get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    if problem.code == Code::Unauthenticated {
        // RFC 9110, 11.6.1: a 401 says how to do better.
        let challenge = HeaderValue::from_static("Bearer realm=\"trunkline\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = problem.retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
