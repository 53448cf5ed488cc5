//! A worker that speaks the protocol over a WebSocket by itself, without the SDK: what the server owes any client.
//!
//! It has three workflows. `Greet` does the task `Hello.greet` with its input and returns the result. `Wait` sets the property
//! `state`, receives one signal from the channel `go` and returns it, or fails when it is asked to cancel.
//! `Team` starts two runs of `Wait` as its children, and otherwise does what `Wait` does. It holds no
//! futures: every turn comes with the whole history.

use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{ChildOptions, Command, Entry, Notification, Outcome};
use trunkline_api::core::failure::{Failure, FailureKind};
use trunkline_api::core::ids::{CommandId, RunId};
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{FromPeer, Registration, TaskAttempt, ToPeer, Turn, TurnDone};
use trunkline_api::frame::{CONNECT_PATH, SUBPROTOCOL, decode_batch, encode_batch};

/// A connection to the server.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects with the subprotocol, or with another one.
pub(crate) async fn connect(to: SocketAddr, subprotocol: Option<&str>) -> Result<Socket, Error> {
    connect_with(to, subprotocol, None).await
}

/// The same, with a token.
pub(crate) async fn connect_with(
    to: SocketAddr,
    subprotocol: Option<&str>,
    token: Option<&str>,
) -> Result<Socket, Error> {
    let mut request = format!("ws://{to}{CONNECT_PATH}").into_client_request()?;
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers_mut().insert("authorization", value);
    }
    if let Some(subprotocol) = subprotocol {
        request.headers_mut().insert(
            "sec-websocket-protocol",
            HeaderValue::from_str(subprotocol).unwrap(),
        );
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

pub(crate) async fn tell(socket: &mut Socket, batch: &[FromPeer]) {
    let bytes = encode_batch(batch);
    socket.send(Message::Binary(bytes.into())).await.unwrap();
}

/// The next batch; nothing when the connection ends.
pub(crate) async fn hear(socket: &mut Socket) -> Option<Vec<ToPeer>> {
    loop {
        match socket.next().await? {
            Ok(Message::Binary(bytes)) => return Some(decode_batch(&bytes).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// What the worker offers.
pub(crate) fn registration(slots: u32) -> FromPeer {
    FromPeer::Register(Registration {
        name: Some("scripted".into()),
        workflows: vec![("Greet".into(), 1), ("Wait".into(), 3), ("Team".into(), 1)],
        services: vec!["Hello".into()],
        turn_slots: slots,
        task_slots: slots,
        ..Registration::default()
    })
}

/// Works until the server ends the connection. `ready` tells when its registration has been sent.
pub(crate) async fn work(to: SocketAddr) {
    work_with(to, None).await;
}

/// The same, with a token.
pub(crate) async fn work_with(to: SocketAddr, token: Option<&str>) {
    let mut socket = connect_with(to, Some(SUBPROTOCOL), token).await.unwrap();
    tell(&mut socket, &[registration(100)]).await;
    while let Some(batch) = hear(&mut socket).await {
        let answers: Vec<FromPeer> = batch.iter().filter_map(answer).collect();
        if !answers.is_empty() {
            tell(&mut socket, &answers).await;
        }
    }
}

/// What the worker says to a message.
pub(crate) fn answer(message: &ToPeer) -> Option<FromPeer> {
    match message {
        ToPeer::Turn(turn) => Some(FromPeer::TurnDone(play(turn))),
        ToPeer::Task(task) => Some(greet(task)),
        _ => None,
    }
}

/// The task `Hello.greet`: `"x"` becomes `"hello x"`; `"bad"` fails for good.
pub(crate) fn greet(task: &TaskAttempt) -> FromPeer {
    let whom: String = serde_json::from_slice(&task.input).unwrap();
    let outcome = if whom == "bad" {
        let mut failure = Failure::new(FailureKind::Application, "Rude", "nobody is called that");
        failure.non_retryable = true;
        Outcome::Failed(failure)
    } else {
        Outcome::Completed(json(&format!("hello {whom}")))
    };
    FromPeer::TaskDone {
        run: task.run,
        command: task.command,
        token: task.token,
        outcome,
        then: None,
    }
}

fn json(text: &str) -> Payload {
    Payload::from(serde_json::to_vec(text).unwrap())
}

fn play(turn: &Turn) -> TurnDone {
    assert_eq!(turn.from, 0, "this worker holds no futures");
    let entries: Vec<Entry> = turn
        .chunks
        .iter()
        .flat_map(|chunk| trunkline_api::history::decode_chunk(chunk).unwrap())
        .collect();
    let notifications = || {
        entries.iter().filter_map(|entry| match entry {
            Entry::Notification(_, notification) => Some(notification),
            _ => None,
        })
    };
    let begun = entries
        .iter()
        .any(|entry| matches!(entry, Entry::Command(_)));
    let input = notifications()
        .find_map(|notification| match notification {
            Notification::Started { input, .. } => Some(input.clone()),
            _ => None,
        })
        .unwrap();
    let finish = |outcome: Outcome| vec![Command::Finish { outcome }];
    let mut commands = Vec::new();
    for notification in notifications() {
        commands = match notification {
            Notification::TaskCompleted { result, .. } => {
                finish(Outcome::Completed(result.clone()))
            }
            Notification::TaskFailed { failure, .. } => {
                let mut outer = Failure::new(FailureKind::Application, "Greeting", "no greeting");
                outer.cause = Some(Box::new(failure.clone()));
                finish(Outcome::Failed(outer))
            }
            Notification::Signal {
                channel, payload, ..
            } if channel.as_str() == "go" => finish(Outcome::Completed(payload.clone())),
            Notification::CancelRequested { reason } => finish(Outcome::Failed(Failure::new(
                FailureKind::Cancelled,
                Code::RunCancelled.to_string(),
                reason.clone(),
            ))),
            _ => continue,
        };
        break;
    }
    if !begun {
        let member = |number: u32| Command::StartChild {
            command: CommandId(number),
            run: RunId::new("Wait", format!("{}-{number}", turn.id.id)),
            version: None,
            input: input.clone(),
            options: ChildOptions::default(),
        };
        let first = match turn.id.workflow.as_str() {
            "Team" => vec![member(0), member(1)],
            "Greet" => vec![Command::ScheduleTask {
                command: CommandId(0),
                service: "Hello".into(),
                task: "greet".into(),
                input,
                options: Box::default(),
            }],
            _ => vec![Command::SetProperty {
                name: Name::from("state"),
                value: json("waiting"),
            }],
        };
        commands.splice(0..0, first);
    }
    TurnDone {
        run: turn.run,
        token: turn.token,
        from: turn.consumed,
        upto: entries
            .iter()
            .rposition(|entry| matches!(entry, Entry::Notification(..)))
            .map_or(0, |last| last as u32 + 1),
        commands,
        held: false,
    }
}
