//! A real HTTP server that writes down what it saw and answers as it is told.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: tokio::time::Instant,
    pub(crate) key: String,
    pub(crate) attempt: String,
    pub(crate) sequence: String,
    pub(crate) content_type: String,
    pub(crate) body: serde_json::Value,
    /// The port that the caller's connection came from.
    pub(crate) port: u16,
}

/// What to do with the calls, from the first on; those beyond are answered with 200.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    Answer(u16, Option<&'static str>, String),
    /// Say that it is somewhere else.
    Redirect(String),
    /// Take it, and never answer.
    Silence,
    /// Take it, and drop the connection.
    Drop,
}

pub(crate) struct Acceptor {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Acceptor {
    pub(crate) async fn new(manners: Vec<Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jobs", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let server = tokio::spawn(serve(listener, Arc::clone(&seen), manners));
        Self { url, seen, server }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>, manners: Vec<Manner>) {
    let manners = Arc::new(manners);
    while let Ok((stream, peer)) = listener.accept().await {
        let (seen, manners) = (Arc::clone(&seen), Arc::clone(&manners));
        let service = service_fn(move |request: Request<Incoming>| {
            let (seen, manners) = (Arc::clone(&seen), Arc::clone(&manners));
            async move { answer(request, peer.port(), &seen, &manners).await }
        });
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    port: u16,
    seen: &Mutex<Vec<Seen>>,
    manners: &[Manner],
) -> std::io::Result<Response<Full<Bytes>>> {
    let header = |name: &str| {
        let value = request.headers().get(name).map(|value| value.to_str());
        value.unwrap_or(Ok("")).unwrap().to_owned()
    };
    let (key, attempt) = (header("idempotency-key"), header("trunkline-attempt"));
    let (sequence, content_type) = (header("trunkline-lane-sequence"), header("content-type"));
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(Seen {
            at: tokio::time::Instant::now(),
            key,
            attempt,
            sequence,
            content_type,
            body: serde_json::from_slice(&body).unwrap(),
            port,
        });
        seen.len() - 1
    };
    match manners.get(number) {
        None => Ok(Response::new(Full::default())),
        Some(Manner::Silence) => {
            let never: Infallible = std::future::pending().await;
            match never {}
        }
        Some(Manner::Drop) => Err(std::io::Error::other("dropped")),
        Some(Manner::Redirect(to)) => Ok(Response::builder()
            .status(307)
            .header("location", to.as_str())
            .body(Full::default())
            .unwrap()),
        Some(Manner::Answer(status, retry_after, text)) => {
            let mut response = Response::builder().status(*status);
            if let Some(retry_after) = retry_after {
                response = response.header("retry-after", *retry_after);
            }
            Ok(response.body(Full::from(text.clone())).unwrap())
        }
    }
}
