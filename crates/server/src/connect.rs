//! Connections of workers and clients: a WebSocket on which batches go both ways.
//!
//! ```text
//! peer ──message──▶ hear: decode ─▶ Session::send          (one task)
//! peer ◀─message─── tell: encode ◀─ Mailbox::recv          (another, so that neither waits for the other)
//! ```
//!
//! One message is one batch, and a batch is everything that was ready: under load few messages carry much. The session ends
//! with the connection; the engine then gives the peer's work to others.
//!
//! The token is looked at when the connection is made, and ends it when it ends. No message has one: each request is held against the
//! scopes of the connection, and what only a worker says against the scope `work`. A connection without a token passes all that by.

use crate::answer::{Answer, Refusal};
use crate::app::App;
use crate::gate;
use crate::pass::Pass;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::MissedTickBehavior;
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::RequestId;
use trunkline_api::core::peer::{FromPeer, Op, Rejection, ToPeer};
use trunkline_api::frame::{BATCH_BYTES_MAX, SUBPROTOCOL, decode_batch, encode_batch};
use trunkline_api::scope::Scope;
use trunkline_engine::{Mailbox, Session};

/// Bytes that a WebSocket may hold back before it writes them to the connection.
const WRITE_BUFFER_BYTES: usize = 128 << 10;
/// Bytes of the reason in a close frame: a control frame has at most 125, two of which are the code (RFC 6455, 5.5).
const REASON_BYTES_MAX: usize = 123;

/// How long a peer may take to answer a close frame.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// `GET /v1/connect`
pub(crate) async fn connect(
    State(app): State<Arc<App>>,
    pass: Pass,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let upgrade = upgrade
        .map_err(|rejection| Refusal::new(Code::ProtocolError, rejection.body_text()))?
        .protocols([SUBPROTOCOL])
        .max_message_size(BATCH_BYTES_MAX)
        .max_frame_size(BATCH_BYTES_MAX)
        .write_buffer_size(WRITE_BUFFER_BYTES);
    if upgrade.selected_protocol().is_none() {
        let detail = format!("the connection must offer the subprotocol `{SUBPROTOCOL}`");
        return Err(Refusal::new(Code::ProtocolError, detail));
    }
    if *app.stopping.borrow() {
        return Err(Refusal::new(Code::ShuttingDown, "no new connections"));
    }
    let Ok(permit) = Arc::clone(&app.peers).try_acquire_owned() else {
        return Err(Refusal::new(
            Code::Overloaded,
            "too many workers and clients are connected",
        ));
    };
    Ok(upgrade.on_upgrade(move |socket| converse(app, pass, socket, permit)))
}

async fn converse(app: Arc<App>, pass: Pass, socket: WebSocket, _permit: OwnedSemaphorePermit) {
    let (session, mailbox) = app.engine.connect();
    let (sink, mut stream) = socket.split();
    let (close, closed) = oneshot::channel();
    let mut teller = tokio::spawn(tell(Arc::clone(&app), mailbox, sink, closed));
    let farewell = tokio::select! {
        farewell = hear(&app, &pass, &session, &mut stream) => farewell,
        () = pass.ended() => {
            let over = gate::over();
            Some(goodbye(close_code::POLICY, &format!("{}: {}", over.code, over.detail)))
        }
        _ = &mut teller => {
            // The engine or the connection has ended. The peer may answer the close frame; what else it says is too late.
            drop(session);
            let rest = async { while let Some(Ok(_)) = stream.next().await {} };
            let _ = tokio::time::timeout(CLOSING_MAX, rest).await;
            return;
        }
    };
    if let Some(frame) = &farewell {
        tracing::info!(
            reason = frame.reason.as_str(),
            "closing a peer's connection"
        );
    }
    // An error means that `tell` has ended already.
    let _ = close.send(farewell);
    // Only now: it ends the mailbox, and `tell` is to say the farewell rather than that.
    drop(session);
    let _ = teller.await;
}

/// Takes what the peer sends until it is gone. Gives back what to tell it at the end.
async fn hear(
    app: &App,
    pass: &Pass,
    session: &Session,
    stream: &mut SplitStream<WebSocket>,
) -> Option<CloseFrame> {
    loop {
        let Ok(heard) = tokio::time::timeout(app.config.silence_max, stream.next()).await else {
            return Some(goodbye(
                close_code::POLICY,
                "nothing was heard for too long",
            ));
        };
        match heard {
            Some(Ok(Message::Binary(bytes))) => match decode_batch::<FromPeer>(&bytes) {
                Ok(batch) => {
                    if let Err(farewell) = pass_on(app, pass, session, batch).await {
                        return Some(farewell);
                    }
                }
                Err(error) => {
                    let why = format!("{}: {error}", Code::ProtocolError);
                    return Some(goodbye(close_code::PROTOCOL, &why));
                }
            },
            Some(Ok(Message::Text(_))) => {
                let why = format!("{}: a batch is a binary message", Code::ProtocolError);
                return Some(goodbye(close_code::UNSUPPORTED, &why));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | None => return None,
            Some(Err(error)) => {
                let why = format!("{}: {error}", Code::ProtocolError);
                return Some(goodbye(close_code::PROTOCOL, &why));
            }
        }
    }
}

/// Hands a batch to the engine, but for what the peer may not ask. Only a worker may speak as one.
async fn pass_on(
    app: &App,
    pass: &Pass,
    session: &Session,
    mut batch: Vec<FromPeer>,
) -> Result<(), CloseFrame> {
    if pass.is_unlimited() && !app.quota.is_set() {
        session.send(batch);
        return Ok(());
    }
    let is_request = |message: &FromPeer| matches!(message, FromPeer::Request(..));
    if !batch.iter().all(is_request)
        && let Err(problem) = pass.check_scope(Scope::Work)
    {
        let why = format!("{}: {}", problem.code, problem.detail);
        return Err(goodbye(close_code::POLICY, &why));
    }
    // From here on a removal of the tenant waits for us.
    let Some(_active) = app.activity.begin() else {
        return Err(goodbye(close_code::AWAY, "the tenant is being removed"));
    };
    let mut permits = Vec::new();
    let mut refused: Vec<(RequestId, Rejection)> = Vec::new();
    let mut kept = Vec::with_capacity(batch.len());
    for message in batch.drain(..) {
        let FromPeer::Request(request, op) = &message else {
            kept.push(message);
            continue;
        };
        let let_in = match may(app, pass, op) {
            Ok(()) => app.quota.admit(&app.engine, op).await,
            Err(rejection) => Err(rejection),
        };
        match let_in {
            Ok(permit) => {
                permits.extend(permit);
                kept.push(message);
            }
            Err(rejection) => refused.push((*request, rejection)),
        }
    }
    // Once they are sent, the engine's counters have what was let in.
    session.send(kept);
    session.refuse(refused);
    Ok(())
}

fn may(app: &App, pass: &Pass, op: &Op) -> Result<(), Rejection> {
    pass.check_scope(Scope::of(op))
        .map_err(|problem| Rejection::new(problem.code, problem.detail))?;
    app.quota.take_request()
}

/// Tells the peer what the engine has for it, until `hear` has ended or the engine has.
async fn tell(
    app: Arc<App>,
    mut mailbox: Mailbox,
    mut sink: SplitSink<WebSocket, Message>,
    mut closed: oneshot::Receiver<Option<CloseFrame>>,
) {
    // Also while there is much to tell: a peer that only listens is heard through its answers to pings.
    let mut pings = tokio::time::interval(app.config.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let sent = tokio::select! {
            biased;
            farewell = &mut closed => {
                if let Ok(Some(frame)) = farewell {
                    let _ = sink.send(Message::Close(Some(frame))).await;
                }
                return;
            }
            messages = mailbox.recv() => match messages {
                // One that does not read holds up nobody but itself, and that not for ever.
                Some(messages) => {
                    let sending = send(&mut sink, &messages);
                    match tokio::time::timeout(app.config.silence_max, sending).await {
                        Ok(sent) => sent,
                        Err(_) => return,
                    }
                }
                None => {
                    let frame = goodbye(close_code::AWAY, "the server ends this connection");
                    let _ = sink.send(Message::Close(Some(frame))).await;
                    return;
                }
            },
            _ = pings.tick() => {
                sink.send(Message::Ping(Bytes::new())).await
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Sends `messages` as one batch, or as several if one would be too large.
async fn send(
    sink: &mut SplitSink<WebSocket, Message>,
    messages: &[ToPeer],
) -> Result<(), axum::Error> {
    let mut left = vec![messages];
    while let Some(part) = left.pop() {
        let bytes = encode_batch(part);
        if bytes.len() > BATCH_BYTES_MAX && part.len() > 1 {
            let (first, second) = part.split_at(part.len() / 2);
            left.extend([second, first]);
            continue;
        }
        sink.feed(Message::Binary(Bytes::from(bytes))).await?;
    }
    sink.flush().await
}

fn goodbye(code: u16, reason: &str) -> CloseFrame {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    CloseFrame {
        code,
        reason: reason[..end].into(),
    }
}
