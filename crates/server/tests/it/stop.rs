//! Stopping: what runs is finished, what comes is refused, and the data folder is free again.

use crate::bad_input::until_known;
use crate::worker::{self, connect, hear, tell};
use crate::{Folder, PATIENCE, Server, small};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use trunkline_api::core::peer::ToPeer;
use trunkline_api::frame::SUBPROTOCOL;
use trunkline_server::engine::Engine;
use trunkline_server::{Config, End};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_under_way_is_finished_before_the_end() {
    let mut server = Server::start().await;
    let mut socket = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
    tell(&mut socket, &[worker::registration(10)]).await;
    let start = r#"{"id":"1","input":"you"}"#;
    while server.post("/v1/workflows/Greet/runs", start).await.status >= 400 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The turn is answered; the task is kept until the server is stopping.
    let task = loop {
        let batch = tokio::time::timeout(PATIENCE, hear(&mut socket))
            .await
            .unwrap()
            .unwrap();
        match &batch[0] {
            ToPeer::Task(task) => break task.clone(),
            turn => tell(&mut socket, &[worker::answer(turn).unwrap()]).await,
        }
    };
    server.begin_to_stop();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tell(&mut socket, &[worker::greet(&task)]).await;
    assert_eq!(server.end().await, End::Stopped);
    assert!(
        tokio::time::timeout(PATIENCE, hear(&mut socket))
            .await
            .unwrap()
            .is_none()
    );

    // The result of the task is in the folder, and the folder is free.
    let engine = Engine::open(small(&server._folder), Handle::current()).unwrap();
    let folder = Folder::new();
    let again = Server::start_on(engine, folder, Config::default()).await;
    let history = again.get("/v1/workflows/Greet/runs/1/history").await.json();
    let kinds: Vec<&str> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["type"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"task_completed"), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_waits_is_answered_when_the_server_stops() {
    let mut server = Server::start().await;
    tokio::spawn(worker::work(server.address));
    until_known(&server).await;
    assert_eq!(
        server
            .post("/v1/workflows/Wait/runs", r#"{"id":"1"}"#)
            .await
            .status,
        201
    );
    let address = server.address;
    let waiting = tokio::spawn(async move {
        let path = "/v1/workflows/Wait/runs/1/result?wait_ms=60000";
        crate::raw::request(address, "GET", path, &[], b"").await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.stop().await, End::Stopped);
    let answer = tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap()
        .unwrap();
    // Where the run stands, or that the server stops: an answer in any case.
    assert!(
        answer.status == 202 || answer.status == 503,
        "{}",
        answer.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_nothing_is_asked_on_does_not_hold_the_server() {
    let mut server = Server::start().await;
    let _idle = TcpStream::connect(server.address).await.unwrap();
    let began = std::time::Instant::now();
    assert_eq!(server.stop().await, End::Stopped);
    assert!(began.elapsed() < PATIENCE);
}
