//! A receiver of webhooks: it verifies the signature of each call, and writes down what it took.

use crate::signature::Key;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// Bytes of a call.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Takes calls until the process ends, and hands each to `took`: method, path and body.
pub async fn serve(
    listener: TcpListener,
    key: Key,
    took: impl Fn(&str, &str, &str) + Send + Sync + 'static,
) {
    let (key, took) = (Arc::new(key), Arc::new(took));
    while let Ok((stream, _)) = listener.accept().await {
        let (key, took) = (Arc::clone(&key), Arc::clone(&took));
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (key, took) = (Arc::clone(&key), Arc::clone(&took));
                async move { Ok::<_, Infallible>(take(request, &key, &*took).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn take(
    request: Request<Incoming>,
    key: &Key,
    took: &(impl Fn(&str, &str, &str) + Send + Sync),
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        let value = head.headers.get(name).map(|value| value.to_str());
        value.and_then(Result::ok).unwrap_or_default()
    };
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, "too large");
    };
    let body = body.to_bytes();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let signed = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    );
    if let Err(reason) = key.verify(signed, &body, now.unwrap_or_default().as_secs()) {
        return answer(StatusCode::UNAUTHORIZED, reason);
    }
    took(
        head.method.as_str(),
        head.uri.path(),
        &String::from_utf8_lossy(&body),
    );
    answer(StatusCode::OK, "")
}

fn answer(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
