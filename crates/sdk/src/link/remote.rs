//! Links over a network: one WebSocket, one frame per batch of whatever is ready.
//!
//! Senders put messages into an outbox; one writer takes all there is and makes one frame of it, so that frames grow with
//! the load and nothing waits for a timer. A ping after a silence finds out peers that are gone.

use super::{Boxed, Connect, Inbound, Link, Outbound, unreachable};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::InvalidHeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use trunkline_api::core::code::Code;
use trunkline_api::core::peer::{FromPeer, Rejection, ToPeer};
use trunkline_api::frame::{
    BATCH_BYTES_MAX, CONNECT_PATH, SUBPROTOCOL, TOLD_BYTES_MAX, decode_batch, encode_batch,
};
use trunkline_api::problem::ProblemBody;

/// A silence after which a ping is sent.
const PING_AFTER: Duration = Duration::from_secs(15);
/// A silence after which the link counts as broken.
const DEAD_AFTER: Duration = Duration::from_secs(45);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a closing link waits for what was sent to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Messages in one frame at most. A frame is decoded whole, so it does not grow without bound.
const FRAME_MESSAGES_MAX: usize = 4_096;

type Socket = WebSocketStream<TcpStream>;

/// A server by its URL.
pub(super) struct Remote {
    url: String,
    /// What stands in the header `authorization`; an error: it cannot stand there.
    authorization: Option<Result<HeaderValue, InvalidHeaderValue>>,
}

impl Remote {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            authorization: None,
        }
    }

    pub(super) fn with_token(url: &str, token: &str) -> Self {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
        let authorization = value.map(|mut value| {
            value.set_sensitive(true);
            value
        });
        Self {
            authorization: Some(authorization),
            ..Self::new(url)
        }
    }

    async fn open(&self) -> Result<Link, Rejection> {
        let Some(rest) = self
            .url
            .strip_prefix("http://")
            .or_else(|| self.url.strip_prefix("ws://"))
        else {
            return Err(Rejection::new(
                Code::ConfigInvalid,
                format!("{:?} is not a URL that begins with http://", self.url),
            ));
        };
        let authorization = match &self.authorization {
            Some(Ok(value)) => Some(value.clone()),
            Some(Err(_)) => {
                let detail = "the token has characters that no token has";
                return Err(Rejection::new(Code::ConfigInvalid, detail));
            }
            None => None,
        };
        let authority = rest.split('/').next().unwrap_or(rest);
        let address = if authority
            .rsplit(']')
            .next()
            .is_some_and(|a| a.contains(':'))
        {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let failed = |reason: &dyn std::fmt::Display| unreachable(&self.url, reason);
        let stream = TcpStream::connect(&address).await.map_err(|e| failed(&e))?;
        stream.set_nodelay(true).map_err(|e| failed(&e))?;
        let mut request = format!("ws://{rest}{CONNECT_PATH}")
            .into_client_request()
            .map_err(|e| Rejection::new(Code::ConfigInvalid, format!("{:?}: {e}", self.url)))?;
        request.headers_mut().insert(
            "Sec-WebSocket-Protocol",
            HeaderValue::from_static(SUBPROTOCOL),
        );
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value);
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(TOLD_BYTES_MAX))
            .max_frame_size(Some(TOLD_BYTES_MAX));
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(request, stream, Some(config))
                .await
                .map_err(|error| refused(&error).unwrap_or_else(|| failed(&error)))?;
        Ok(link(socket))
    }
}

impl Connect for Remote {
    fn connect(&self) -> Boxed<'_, Result<Link, Rejection>> {
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await {
                Ok(link) => link,
                Err(_) => Err(unreachable(&self.url, "no answer in time")),
            }
        })
    }
}

/// The refusal that the server answered with, if it is one that trying again does not mend.
fn refused(error: &Error) -> Option<Rejection> {
    let Error::Http(response) = error else {
        return None;
    };
    let code = match response.status().as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::ScopeMissing,
        _ => return None,
    };
    let problem = response.body().as_deref().unwrap_or_default();
    let problem = serde_json::from_slice::<ProblemBody>(problem);
    let detail = problem.map_or_else(|_| response.status().to_string(), |problem| problem.detail);
    Some(Rejection::new(code, detail))
}

fn link(socket: Socket) -> Link {
    let (sink, stream) = socket.split();
    let outbox = Arc::new(Outbox::default());
    let writer = tokio::spawn(write(sink, Arc::clone(&outbox)));
    Link {
        outbound: Arc::new(Sender {
            outbox: Arc::clone(&outbox),
            writer: Mutex::new(Some(writer)),
        }),
        inbound: Box::new(Receiver {
            stream,
            outbox,
            heard: Instant::now(),
            pinged: Instant::now(),
        }),
    }
}

/// Messages that wait for the writer.
#[derive(Default)]
struct Outbox {
    queue: Mutex<Vec<FromPeer>>,
    wake: Notify,
    ping: AtomicBool,
    closed: AtomicBool,
}

impl Outbox {
    fn take(&self) -> Vec<FromPeer> {
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

struct Sender {
    outbox: Arc<Outbox>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Outbound for Sender {
    fn send(&self, batch: Vec<FromPeer>) {
        let outbox = &self.outbox;
        let mut queue = outbox.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = queue.is_empty();
        if was_empty {
            *queue = batch;
        } else {
            queue.extend(batch);
        }
        drop(queue);
        if was_empty {
            outbox.wake.notify_one();
        }
    }

    fn close(&self) -> Boxed<'_, ()> {
        self.outbox.close();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Box::pin(async move {
            if let Some(writer) = writer {
                // A peer that reads no more loses what it would not have read anyway.
                let _ = tokio::time::timeout(CLOSE_TIMEOUT, writer).await;
            }
        })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

async fn write(mut sink: SplitSink<Socket, Message>, outbox: Arc<Outbox>) {
    loop {
        let closed = outbox.closed.load(Ordering::Acquire);
        let batch = outbox.take();
        if batch.is_empty() {
            if closed {
                break;
            }
            if outbox.ping.swap(false, Ordering::AcqRel)
                && sink.send(Message::Ping(Vec::new().into())).await.is_err()
            {
                break;
            }
            // Answers to pings are queued by the reader and leave with a flush.
            if sink.flush().await.is_err() {
                break;
            }
            outbox.wake.notified().await;
            continue;
        }
        for part in batch.chunks(FRAME_MESSAGES_MAX) {
            if write_batch(&mut sink, part).await.is_err() {
                outbox.close();
                return;
            }
        }
    }
    // The peer learns of the end from the TCP connection if it does not hear this.
    let _ = sink.close().await;
}

/// Writes a batch as one frame, or as several if it is too large for one.
async fn write_batch(
    sink: &mut SplitSink<Socket, Message>,
    batch: &[FromPeer],
) -> Result<(), Error> {
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        let bytes = encode_batch(part);
        if bytes.len() > BATCH_BYTES_MAX && part.len() > 1 {
            let (first, second) = part.split_at(part.len() / 2);
            parts.push(second);
            parts.push(first);
            continue;
        }
        sink.send(Message::Binary(bytes.into())).await?;
    }
    Ok(())
}

struct Receiver {
    stream: SplitStream<Socket>,
    outbox: Arc<Outbox>,
    /// When the peer last said anything, and when it was last asked to.
    heard: Instant,
    pinged: Instant,
}

impl Receiver {
    async fn next(&mut self) -> Option<Vec<ToPeer>> {
        loop {
            let quiet_until = self.heard.max(self.pinged) + PING_AFTER;
            let message = match tokio::time::timeout_at(quiet_until, self.stream.next()).await {
                Err(_) if self.heard.elapsed() >= DEAD_AFTER => return None,
                Err(_) => {
                    self.pinged = Instant::now();
                    self.outbox.ping.store(true, Ordering::Release);
                    self.outbox.wake.notify_one();
                    continue;
                }
                Ok(message) => message?,
            };
            self.heard = Instant::now();
            match message {
                Ok(Message::Binary(bytes)) => match decode_batch(&bytes) {
                    Ok(batch) => return Some(batch),
                    Err(error) => {
                        tracing::warn!(%error, "the server sent a frame that cannot be read");
                        return None;
                    }
                },
                Ok(Message::Close(_)) => return None,
                // Answering a ping is tungstenite's; the writer's next flush sends the answer.
                Ok(Message::Ping(_)) => self.outbox.wake.notify_one(),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "the connection broke");
                    return None;
                }
            }
        }
    }
}

impl Inbound for Receiver {
    fn recv(&mut self) -> Boxed<'_, Option<Vec<ToPeer>>> {
        Box::pin(self.next())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.outbox.close();
    }
}
