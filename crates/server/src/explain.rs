//! The page of an error code, for those who have the code and no documentation at hand.

use crate::answer::{Answer, Refusal, content_type};
use crate::input::Names;
use axum::response::IntoResponse;
use trunkline_api::core::code::Code;
use trunkline_api::explain::{code_of, page};

/// `GET /v1/errors/{code}`
pub(crate) async fn explain(Names(text): Names<String>) -> Answer {
    let code = code_of(&text)
        .ok_or_else(|| Refusal::new(Code::NotFound, format!("there is no code `{text}`")))?;
    Ok(([content_type("text/markdown; charset=utf-8")], page(code)).into_response())
}
