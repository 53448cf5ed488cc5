//! Requests to the server, and their answers or refusals.

use crate::failure::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::runtime::Runtime;
use trunkline_api::core::code::Code;
use trunkline_api::explain::code_of;
use trunkline_api::problem::ProblemBody;
use trunkline_server::engine::vault::ApiToken;

/// Longer than the server holds any request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(70);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Client {
    base: String,
    /// What stands in the header `authorization`.
    authorization: Option<HeaderValue>,
    runtime: Runtime,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// Where the events go on, if the answer is a page of them.
    pub(crate) cursor: Option<String>,
}

impl Answer {
    /// The answer, read.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::new(
                Code::Internal,
                format!("the server's answer cannot be read: {error}"),
            )
        })
    }

    /// The answer as it came.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// A client of the server at `base`. It connects when it is used.
    pub(crate) fn new(base: &str, token: Option<ApiToken>) -> Result<Self, Failure> {
        let base = base.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") {
            return Err(Failure::new(
                Code::ConfigInvalid,
                format!("the server's address is `{base}`; it has the form http://host:port"),
            ));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                Failure::new(Code::Internal, format!("cannot start a runtime: {error}"))
            })?;
        let authorization = token.map(|token| {
            let value = format!("Bearer {}", token.reveal());
            let mut value = HeaderValue::from_str(&value).expect("a token is of plain letters");
            value.set_sensitive(true);
            value
        });
        Ok(Self {
            base,
            authorization,
            runtime,
            http: legacy::Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// `GET`.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, None, None)
    }

    /// `POST` without a body.
    pub(crate) fn post_nothing(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::POST, path, None, None)
    }

    /// `POST` with a JSON body.
    pub(crate) fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, Failure> {
        self.send(Method::POST, path, Some(json(body)?), None)
    }

    /// `POST` with a JSON body as it is, and a key that makes a repeat recognisable.
    pub(crate) fn post_keyed(
        &self,
        path: &str,
        body: Vec<u8>,
        key: Option<&str>,
    ) -> Result<Answer, Failure> {
        self.send(Method::POST, path, Some(body), key)
    }

    /// `PUT` with a JSON body.
    pub(crate) fn put(&self, path: &str, body: &impl Serialize) -> Result<Answer, Failure> {
        self.send(Method::PUT, path, Some(json(body)?), None)
    }

    /// `DELETE`.
    pub(crate) fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::DELETE, path, None, None)
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        key: Option<&str>,
    ) -> Result<Answer, Failure> {
        let wrong = |error: hyper::http::Error| {
            Failure::new(
                Code::ConfigInvalid,
                format!(
                    "the server's address `{}` is not usable: {error}",
                    self.base
                ),
            )
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(key) = key {
            request = request.header(HeaderName::from_static("idempotency-key"), key);
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        let request = request.body(body).map_err(wrong)?;
        self.runtime.block_on(async {
            tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(request))
                .await
                .unwrap_or_else(|_| Err(self.unreachable("no answer came in time")))
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let response = self.http.request(request).await.map_err(|error| {
            // The innermost cause says it best: "Connection refused".
            let mut cause: &dyn std::error::Error = &error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            self.unreachable(&cause.to_string())
        })?;
        let status = response.status();
        let cursor = response
            .headers()
            .get(trunkline_api::event::CURSOR_HEADER)
            .and_then(|cursor| cursor.to_str().ok())
            .map(str::to_owned);
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| self.unreachable(&format!("the answer broke off: {error}")))?
            .to_bytes();
        let answer = Answer {
            status,
            body,
            cursor,
        };
        if status.is_success() {
            Ok(answer)
        } else {
            Err(self.refusal(&answer))
        }
    }

    fn unreachable(&self, why: &str) -> Failure {
        Failure::new(Code::ServerUnreachable, format!("{}: {why}", self.base))
    }

    fn refusal(&self, answer: &Answer) -> Failure {
        match serde_json::from_slice::<ProblemBody>(&answer.body) {
            Ok(problem) => Failure::new(
                code_of(&problem.code).unwrap_or(Code::Internal),
                problem.detail,
            ),
            // Something else than Trunkline answers there.
            Err(_) => self.unreachable(&format!("it answers with {}", answer.status)),
        }
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body)
        .map_err(|error| Failure::new(Code::Internal, format!("writing the request: {error}")))
}

/// `text` as one segment of a path, or as a value of a query: all but the unreserved characters in percent form (RFC 3986).
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    encoded
}

/// A query of those parameters that are there, with its `?`.
pub(crate) fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let given: Vec<String> = parameters
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?))))
        .collect();
    if given.is_empty() {
        String::new()
    } else {
        format!("?{}", given.join("&"))
    }
}
