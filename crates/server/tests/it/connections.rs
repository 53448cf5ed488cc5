//! The worker protocol over a WebSocket: what it takes, and how it ends.

use crate::bad_input::until_known;
use crate::worker::{self, connect, hear, tell};
use crate::{PATIENCE, Server};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::{RequestId, RunId};
use trunkline_api::core::peer::{FromPeer, Op, ToPeer};
use trunkline_api::frame::SUBPROTOCOL;
use trunkline_server::Config;

/// How the server ends the connection.
async fn farewell(socket: &mut worker::Socket) -> CloseFrame {
    let closed = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return frame,
                Some(Ok(_)) => {}
                other => panic!("the connection ended without a word: {other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap()
}

#[tokio::test]
async fn a_connection_without_the_subprotocol_is_refused() {
    let server = Server::start().await;
    for subprotocol in [None, Some("trunkline.v0.cbor")] {
        assert!(connect(server.address, subprotocol).await.is_err());
    }
    server.get("/v1/connect").await.refused_with("TL0029");
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_is_told_why() {
    let server = Server::start().await;
    for bytes in [&b"\xff"[..], b"", b"\x81\x00", b"\x80\x80"] {
        let mut socket = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
        socket
            .send(Message::Binary(bytes.to_vec().into()))
            .await
            .unwrap();
        let frame = farewell(&mut socket).await;
        assert_eq!(u16::from(frame.code), 1002);
        assert!(frame.reason.starts_with("TL0029: "), "{}", frame.reason);
    }
    let mut socket = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(u16::from(farewell(&mut socket).await.code), 1003);
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_batch_over_the_limit_ends_the_connection() {
    let server = Server::start().await;
    let mut socket = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
    let bytes = vec![0; (16 << 20) + 1];
    // The server may hang up before it has read it all.
    let _ = socket.send(Message::Binary(bytes.into())).await;
    let ended = tokio::time::timeout(PATIENCE, hear(&mut socket))
        .await
        .unwrap();
    assert!(ended.is_none());
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn more_peers_than_there_is_room_for_are_refused() {
    let server = Server::start_with(Config {
        peers_max: 1,
        ..Config::default()
    })
    .await;
    let first = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
    assert!(connect(server.address, Some(SUBPROTOCOL)).await.is_err());
    drop(first);
    let room = async {
        while connect(server.address, Some(SUBPROTOCOL)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.unwrap();
}

#[tokio::test]
async fn every_request_on_a_connection_is_answered_once() {
    let server = Server::start().await;
    let mut socket = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
    let requests: Vec<FromPeer> = (0..200)
        .map(|number| {
            let run = RunId::new("Nothing", format!("r{number}"));
            FromPeer::Request(RequestId(number), Op::DescribeRun { run })
        })
        .collect();
    tell(&mut socket, &requests).await;
    let mut answered = Vec::new();
    while answered.len() < requests.len() {
        let batch = tokio::time::timeout(PATIENCE, hear(&mut socket))
            .await
            .unwrap();
        for message in batch.unwrap() {
            let ToPeer::Reply(RequestId(number), Err(rejection)) = message else {
                panic!("unexpected: {message:?}");
            };
            assert_eq!(rejection.code, Code::RunNotFound);
            answered.push(number);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..200).collect::<Vec<u64>>());
}

#[tokio::test]
async fn the_work_of_a_lost_worker_goes_to_another() {
    let server = Server::start().await;
    let mut first = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
    tell(&mut first, &[worker::registration(10)]).await;
    let start = r#"{"id":"1","input":"you"}"#;
    let started = async {
        while server.post("/v1/workflows/Greet/runs", start).await.status >= 400 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, started).await.unwrap();
    // It takes the turn and dies with it.
    let batch = tokio::time::timeout(PATIENCE, hear(&mut first))
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(batch[0], ToPeer::Turn(_)));
    drop(first);
    tokio::spawn(worker::work(server.address));
    let result = server
        .get("/v1/workflows/Greet/runs/1/result?wait_ms=30000")
        .await;
    assert_eq!(result.json()["result"], "hello you");
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_then_let_go() {
    let server = Server::start_with(Config {
        ping_every: Duration::from_millis(50),
        silence_max: Duration::from_millis(300),
        ..Config::default()
    })
    .await;
    // One that reads answers pings without knowing; it stays.
    tokio::spawn(worker::work(server.address));
    until_known(&server).await;
    // One that does not read is silent.
    let _silent = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
    let peers = |text: String| -> u64 {
        let line = text
            .lines()
            .find(|line| line.starts_with("trunkline_peers "))
            .unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let gone = async {
        let mut seen_both = false;
        loop {
            let count = peers(server.get("/metrics").await.text());
            seen_both |= count == 2;
            if seen_both && count == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(peers(server.get("/metrics").await.text()), 1);
}
