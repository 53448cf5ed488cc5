//! Answers: JSON, and refusals on their way to `frame`, which writes them down.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trunkline_api::core::code::Code;
use trunkline_api::problem::Problem;

/// What a handler gives back.
pub(crate) type Answer = Result<Response, Refusal>;

/// A refused request. Its response carries the problem as an extension: the request id is not known here.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl Refusal {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Problem::new(code, detail))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = status_of(self.0.code.status());
        let mut response = status.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

pub(crate) fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// 200 with `body`.
pub(crate) fn json(body: &impl Serialize) -> Answer {
    json_with(StatusCode::OK, body)
}

/// `status` with `body`.
pub(crate) fn json_with(status: StatusCode, body: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(body)
        .map_err(|error| Refusal::new(Code::Internal, format!("writing the answer: {error}")))?;
    Ok((status, [content_type("application/json")], bytes).into_response())
}

/// 204: done, and nothing to say.
pub(crate) fn done() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn content_type(of: &'static str) -> (HeaderName, &'static str) {
    (header::CONTENT_TYPE, of)
}
