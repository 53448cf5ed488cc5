//! Tasks over HTTP, with a worker that speaks the protocol: delegated, kept alive, answered, cancelled.

use crate::bad_input::until_known;
use crate::worker::{Socket, connect, hear, registration, tell};
use crate::{PATIENCE, Server};
use serde_json::json;
use trunkline_api::core::peer::{FromPeer, TaskAttempt, ToPeer};
use trunkline_api::frame::SUBPROTOCOL;

/// The next task that the worker is given; its turns are played on the way.
async fn task(socket: &mut Socket) -> TaskAttempt {
    loop {
        for message in next(socket).await {
            match message {
                ToPeer::Task(task) => return *task,
                other => {
                    let answer = crate::worker::answer(&other);
                    tell(socket, answer.as_slice()).await;
                }
            }
        }
    }
}

async fn next(socket: &mut Socket) -> Vec<ToPeer> {
    let heard = tokio::time::timeout(PATIENCE, hear(socket));
    heard.await.unwrap().unwrap()
}

/// Starts a run whose task is with the worker then.
async fn with_task(server: &Server, id: &str) -> (Socket, TaskAttempt) {
    let mut socket = connect(server.address, Some(SUBPROTOCOL)).await.unwrap();
    tell(&mut socket, &[registration(10)]).await;
    until_known(server).await;
    let start = json!({"id": id, "input": "you"}).to_string();
    let started = server.post("/v1/workflows/Greet/runs", &start).await;
    assert_eq!(started.status, 201);
    let task = task(&mut socket).await;
    (socket, task)
}

async fn delegate(socket: &mut Socket, task: &TaskAttempt) {
    let delegated = FromPeer::TaskDelegated {
        run: task.run,
        command: task.command,
        token: task.token,
    };
    tell(socket, &[delegated]).await;
}

#[tokio::test]
async fn a_delegated_task_is_seen_kept_alive_and_answered_over_http() {
    let server = Server::start().await;
    let (mut socket, task) = with_task(&server, "1").await;
    delegate(&mut socket, &task).await;
    let tasks = "/v1/workflows/Greet/runs/1/tasks";
    let is_delegated = |list: &serde_json::Value| list["tasks"][0]["state"] == "delegated";
    let list = server.get_until(tasks, is_delegated).await;
    let id = task.task_id().to_string();
    assert_eq!(list["tasks"][0]["id"], id);
    assert_eq!(list["tasks"][0]["attempt"], 1);
    let shown = server.get("/v1/workflows/Greet/runs/1").await.json();
    let wait = shown["waits"][0].as_str().unwrap().to_owned();
    assert!(
        wait.contains(&format!("delegated, waits for the answer to {id}")),
        "{wait}"
    );
    let address = |what: &str| format!("/v1/tasks/{id}/{what}");
    let beat = server
        .post(&address("heartbeat"), r#"{"details":{"page":7}}"#)
        .await;
    assert_eq!(beat.json(), json!({"cancelling": false}));
    let list = server.get(tasks).await.json();
    assert_eq!(list["tasks"][0]["heartbeat_details"], json!({"page": 7}));
    assert_eq!(
        server.post(&address("complete"), "\"well\"").await.status,
        204
    );
    let result = server.get("/v1/workflows/Greet/runs/1/result?wait_ms=30000");
    // The worker plays the last turn.
    let played = async {
        loop {
            for message in next(&mut socket).await {
                if let Some(answer) = crate::worker::answer(&message) {
                    return tell(&mut socket, &[answer]).await;
                }
            }
        }
    };
    let (result, ()) = tokio::join!(result, played);
    assert_eq!(result.json()["result"], "well");
    assert_eq!(
        server.post(&address("complete"), "\"well\"").await.status,
        204,
        "a repeat"
    );
    server
        .post(&address("complete"), "1")
        .await
        .refused_with("TL0082");
    server
        .post(&address("fail"), r#"{"message":"no"}"#)
        .await
        .refused_with("TL0082");
    server
        .post(&address("heartbeat"), "{}")
        .await
        .refused_with("TL0082");
    server
        .post(&address("cancel"), "")
        .await
        .refused_with("TL0082");
}

#[tokio::test]
async fn a_task_that_is_cancelled_over_http_is_told_to_its_worker() {
    let server = Server::start().await;
    let (mut socket, task) = with_task(&server, "1").await;
    let id = task.task_id();
    assert_eq!(
        server
            .post(&format!("/v1/tasks/{id}/cancel"), "")
            .await
            .status,
        204
    );
    let told = loop {
        let batch = next(&mut socket).await;
        if let Some(told) = batch
            .into_iter()
            .find(|it| matches!(it, ToPeer::CancelTask { .. }))
        {
            break told;
        }
    };
    let ToPeer::CancelTask {
        token,
        grace_ms,
        timed_out,
        ..
    } = told
    else {
        panic!("just seen")
    };
    assert_eq!((token, grace_ms, timed_out), (task.token, 5_000, false));
    let list = server.get("/v1/workflows/Greet/runs/1/tasks").await.json();
    assert_eq!(list["tasks"][0]["cancelling"], true);
}

#[tokio::test]
async fn what_is_no_task_is_refused_with_its_code() {
    let server = Server::start().await;
    let (_socket, task) = with_task(&server, "1").await;
    let post = async |id: &str, what: &str, body: &str| {
        server.post(&format!("/v1/tasks/{id}/{what}"), body).await
    };
    post("order-42", "complete", "1")
        .await
        .refused_with("TL0006");
    let mut id = task.task_id();
    post(&id.to_string(), "fail", "{}")
        .await
        .refused_with("TL0003");
    post(&id.to_string(), "fail", r#"{"message":"m","x":1}"#)
        .await
        .refused_with("TL0002");
    post(&id.to_string(), "complete", "{")
        .await
        .refused_with("TL0001");
    id.command.0 += 1;
    post(&id.to_string(), "complete", "1")
        .await
        .refused_with("TL0083");
    id.run.0 += 1;
    post(&id.to_string(), "cancel", "")
        .await
        .refused_with("TL0010");
}
