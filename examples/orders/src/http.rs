//! A small JSON client over HTTP: how the driver talks to the server's API and to the shop.
//!
//! Every call is bounded by a time-out, and an error names the call and what came of it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// An answer may have so many bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Talks to one server.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
}

impl Http {
    /// A client of the server at `base`, such as `http://127.0.0.1:8080`, that waits for an answer as long as `timeout`.
    #[must_use]
    pub fn new(base: &str, timeout: Duration) -> Self {
        Self {
            base: base.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            timeout,
        }
    }

    /// Where the server is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `GET path`.
    ///
    /// # Errors
    /// If there is no answer in time, or not one of the 200s, or not of type `T`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// `GET path`, of which only the status matters.
    ///
    /// # Errors
    /// If there is no answer in time, or not one of the 200s.
    pub async fn probe(&self, path: &str) -> Result<(), String> {
        self.exchange(Method::GET, path, Bytes::new())
            .await
            .map(|_| ())
    }

    /// `PUT` or `POST` with a JSON body.
    ///
    /// # Errors
    /// As for [`Http::get`].
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, String> {
        let body = serde_json::to_vec(body).map_err(|error| format!("{method} {path}: {error}"))?;
        self.call(method, path, Bytes::from(body)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, String> {
        let what = format!("{method} {}{path}", self.base);
        let answer = self.exchange(method, path, body).await?;
        let answer = if answer.is_empty() {
            &b"null"[..]
        } else {
            &answer
        };
        serde_json::from_slice(answer)
            .map_err(|error| format!("{what}: the answer is not as expected: {error}"))
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, String> {
        let what = format!("{method} {}{path}", self.base);
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| format!("{what}: {error}"))?;
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| format!("{what}: {error}"))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| format!("{what}: the answer breaks off: {error}"))?
                .to_bytes();
            if !status.is_success() {
                let words = String::from_utf8_lossy(&body);
                return Err(format!("{what}: {status}: {}", words.trim()));
            }
            Ok(body)
        };
        tokio::time::timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_| {
                Err(format!(
                    "{what}: no answer within {} s",
                    self.timeout.as_secs_f32()
                ))
            })
    }
}
