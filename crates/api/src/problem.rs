//! Refusals on the wire: problem details after RFC 9457, each with a `TL….` code.
//!
//! ```json
//! {"type":"urn:trunkline:error:TL0010","title":"there is no such run","status":404,"code":"TL0010",
//!  "detail":"Checkout/order-42","request_id":"7f3a…","docs":"/v1/errors/TL0010"}
//! ```

use crate::core::code::Code;
use crate::core::peer::Rejection;
use serde::{Deserialize, Serialize};

/// The media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// A refusal inside the server, before it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Which rule refused it.
    pub code: Code,
    /// What exactly, for a person.
    pub detail: String,
    /// Where in the body, if it is about the body.
    pub position: Option<Position>,
    /// How long to wait before trying again, if that can help.
    pub retry_after_s: Option<u32>,
}

/// A place in a JSON body.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1, in bytes.
    pub column: u64,
    /// The path of the field, such as `tags[3]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A problem as it is sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProblemBody {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in a few words; the same for every problem with this code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The code, such as `TL0010`.
    pub code: String,
    /// What exactly, for a person.
    pub detail: String,
    /// The request, as it is called in the server's log.
    pub request_id: String,
    /// Where this server explains the code.
    pub docs: String,
    /// Where in the body, if it is about the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

impl Problem {
    /// A refusal under `code`.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            position: None,
            retry_after_s: matches!(
                code,
                Code::Overloaded | Code::DiskFull | Code::TenantBusy | Code::TenantFull
            )
            .then_some(1),
        }
    }

    /// What is sent for it, in answer to the request `request_id`.
    #[must_use]
    pub fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:trunkline:error:{}", self.code),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            code: self.code.to_string(),
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
            docs: format!("/v1/errors/{}", self.code),
            position: self.position.clone(),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        Self::new(rejection.code, rejection.detail.as_str())
    }
}
