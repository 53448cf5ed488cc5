//! Calls a connector as deliveries are made: the same client, no redirects, TLS verified.

use crate::failure::Failure;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;
use trunkline_api::connector::CHECK_HEADER;
use trunkline_api::core::code::Code;
use trunkline_server::engine::{HttpClient, http_client};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A header that goes along with every call.
pub(crate) type Header = (HeaderName, HeaderValue);

/// Reads a header from the command line.
pub(crate) fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text
        .split_once(':')
        .ok_or("a header has the form NAME: VALUE")?;
    let name = name
        .trim()
        .parse()
        .map_err(|_| "that is no name of a header")?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| "that is no value")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Calls one connector.
pub(crate) struct Caller {
    endpoint: String,
    headers: Vec<Header>,
    runtime: Runtime,
    client: HttpClient,
}

/// What was answered.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// A call to make.
pub(crate) struct Post<'a> {
    pub(crate) body: Vec<u8>,
    pub(crate) key: &'a str,
    /// Whether the headers that authenticate go along.
    pub(crate) authenticated: bool,
    pub(crate) limit: Duration,
}

impl Caller {
    pub(crate) fn new(
        endpoint: &str,
        headers: Vec<Header>,
        ca_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let invalid = |detail: String| Failure::new(Code::ConfigInvalid, detail);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| invalid(format!("cannot start a runtime: {error}")))?;
        let client = {
            let _context = runtime.enter();
            http_client(ca_file).map_err(invalid)?
        };
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            headers,
            runtime,
            client,
        })
    }

    /// `GET {endpoint}{path}`.
    pub(crate) fn get(&self, path: &str, limit: Duration) -> Result<Answered, String> {
        let request = Request::get(format!("{}{path}", self.endpoint));
        self.send(request, Vec::new(), true, limit)
    }

    /// `POST {endpoint}`, as a check.
    pub(crate) fn post(&self, post: Post<'_>) -> Result<Answered, String> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(CHECK_HEADER, "true")
            .header("idempotency-key", post.key)
            .header("trunkline-attempt", 1);
        self.send(request, post.body, post.authenticated, post.limit)
    }

    fn send(
        &self,
        mut request: hyper::http::request::Builder,
        body: Vec<u8>,
        authenticated: bool,
        limit: Duration,
    ) -> Result<Answered, String> {
        for (name, value) in self.headers.iter().filter(|_| authenticated) {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| chain(&error))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| format!("the answer breaks off: {error}"))?
                .to_bytes();
            Ok(Answered { status, body })
        };
        self.runtime.block_on(async {
            tokio::time::timeout(limit, exchange)
                .await
                .unwrap_or_else(|_| Err(format!("no answer within {} ms", limit.as_millis())))
        })
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
