//! The generic connector: each item becomes one call of a REST API, or one webhook.
//!
//! | action | call |
//! | --- | --- |
//! | `create` | `POST {base_url}/{object_type}` |
//! | `update` | `PUT {base_url}/{object_type}/{object_id}` |
//! | `delete` | `DELETE {base_url}/{object_type}/{object_id}` |
//! | another word | `POST {base_url}/{object_type}/{object_id}/{action}` |
//!
//! With a secret each call is signed as Standard Webhooks has it; the item's id is the message's, so a receiver that remembers ids takes
//! nothing twice.

use crate::contract::{Target, failure};
use crate::signature::Key;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trunkline_api::connector::{CONTRACT, Call, Idempotency, Item, ItemError, Manifest, Operation};
use trunkline_api::core::egress::ErrorClass;

/// How long the API may take for one item.
const LIMIT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read, for a person.
const ANSWER_BYTES_MAX: usize = 2_000;

/// A REST API.
#[derive(Debug)]
pub struct Rest {
    base_url: String,
    key: Option<Key>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Rest {
    /// The API at `base_url`, unless the settings of a call name another; signed with `key`, if there is one.
    #[must_use]
    pub fn new(base_url: &str, key: Option<Key>) -> Self {
        Self {
            base_url: base_url.to_owned(),
            key,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    fn request(&self, call: &Call, item: &Item) -> Result<Request<Full<Bytes>>, String> {
        let base = call.settings["base_url"].as_str().unwrap_or(&self.base_url);
        let base = base.trim_end_matches('/');
        let path = |rest: &str| format!("{base}/{}{rest}", encoded(&call.object_type));
        let object = || match item.object_ids.as_slice() {
            [one] => Ok(format!("/{}", encoded(one))),
            _ => Err(format!("`{}` is about exactly one object", call.action)),
        };
        let (method, uri) = match call.action.as_str() {
            "create" => (Method::POST, path("")),
            "update" => (Method::PUT, path(&object()?)),
            "delete" => (Method::DELETE, path(&object()?)),
            other => {
                let rest = format!("{}/{}", object()?, encoded(other));
                (Method::POST, path(&rest))
            }
        };
        let body = if method == Method::DELETE {
            Vec::new()
        } else {
            item.body.to_string().into_bytes()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/json")
            .header("idempotency-key", &item.id);
        if let Some(key) = &self.key {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now_s = now.unwrap_or_default().as_secs();
            request = request
                .header("webhook-id", &item.id)
                .header("webhook-timestamp", now_s)
                .header("webhook-signature", key.sign(&item.id, now_s, &body));
        }
        request
            .body(Full::from(body))
            .map_err(|error| error.to_string())
    }
}

impl Target for Rest {
    fn manifest(&self) -> Manifest {
        Manifest {
            contract: CONTRACT,
            name: "rest".to_owned(),
            title: Some("REST APIs and webhooks".to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            auth: Vec::new(),
            settings: Some(json!({
                "type": "object",
                "properties": {
                    "base_url": {"type": "string", "format": "uri", "title": "Where the API is"},
                },
            })),
            operations: vec![Operation {
                object_type: "*".to_owned(),
                actions: vec!["*".to_owned()],
                example: Some(json!({"name": "Anything"})),
            }],
            batch_max: 20,
            body_bytes_max: 1 << 20,
            timeout_ms: 30_000,
            rate: None,
            idempotency: Idempotency::Keys,
        }
    }

    async fn carry_out(&self, call: &Call, item: &Item) -> Result<(), ItemError> {
        let request = self
            .request(call, item)
            .map_err(|reason| failure(ErrorClass::Invalid, reason))?;
        let exchange = async {
            let response = self.client.request(request).await?;
            Ok::<_, hyper_util::client::legacy::Error>(response)
        };
        let response = match tokio::time::timeout(LIMIT, exchange).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => {
                return Err(failure(ErrorClass::Retryable, "nobody answers there"));
            }
            // Whether it was done nobody knows. The item's id lets the next attempt find out.
            Ok(Err(error)) => return Err(failure(ErrorClass::Unknown, error.to_string())),
            Err(_) => return Err(failure(ErrorClass::Unknown, "no answer in time")),
        };
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        let seconds = response.headers().get("retry-after");
        let seconds: Option<u64> = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map(|body| body.to_bytes());
        let words = body.map_or_else(
            |_| String::new(),
            |body| String::from_utf8_lossy(&body).into_owned(),
        );
        let class = match status {
            401 | 403 => ErrorClass::Auth,
            404 | 410 => ErrorClass::Gone,
            429 => ErrorClass::RateLimited,
            408 | 425 | 500..=599 => ErrorClass::Retryable,
            _ => ErrorClass::Invalid,
        };
        let mut error = failure(class, format!("answered {status}: {words}"));
        error.retry_after_ms = seconds.map(|seconds| seconds.saturating_mul(1_000));
        Err(error)
    }
}

/// A part of a path.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
