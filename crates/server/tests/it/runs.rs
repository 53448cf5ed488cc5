//! Runs over HTTP, moved by a worker that is connected over a WebSocket.

use crate::bad_input::until_known;
use crate::raw::request;
use crate::{Server, worker};
use serde_json::{Value, json};

async fn server_with_worker() -> Server {
    let server = Server::start().await;
    tokio::spawn(worker::work(server.address));
    until_known(&server).await;
    server
}

#[tokio::test]
async fn a_run_goes_from_its_start_to_its_result() {
    let server = server_with_worker().await;
    let start = r#"{"id":"order-1","input":"you","tags":["country:DE"]}"#;
    let answer = server.post("/v1/workflows/Greet/runs", start).await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.json(),
        json!({"workflow":"Greet","id":"order-1","version":1,"created":true})
    );
    let path = "/v1/workflows/Greet/runs/order-1";
    let result = server.get(&format!("{path}/result?wait_ms=30000")).await;
    assert_eq!(result.status, 200);
    assert_eq!(
        result.json(),
        json!({"status":"completed","result":"hello you"})
    );
    let run = server.get(path).await.json();
    assert_eq!(run["status"], "completed");
    assert_eq!(run["tags"], json!(["country:DE"]));
    assert_eq!(run["waits"], json!([]));
    assert!(run["started_at"].as_str().unwrap() <= run["finished_at"].as_str().unwrap());
    let history = server.get(&format!("{path}/history")).await.json();
    let kinds: Vec<&str> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "started",
            "turn",
            "task_scheduled",
            "task_completed",
            "turn",
            "finished"
        ]
    );
    let rest = server.get(&format!("{path}/history?from=3")).await.json();
    assert_eq!(rest["entries"][0]["index"], 3);
    assert_eq!(rest["entries"][0]["result"], "hello you");
    assert_eq!(rest["entries"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_failure_arrives_with_its_whole_chain_of_causes() {
    let server = server_with_worker().await;
    let start = r#"{"id":"1","input":"bad","wait":true}"#;
    let answer = server.post("/v1/workflows/Greet/runs", start).await.json();
    assert_eq!(answer["status"], "failed");
    assert_eq!(answer["failure"]["name"], "Greeting");
    assert_eq!(answer["failure"]["cause"]["name"], "Rude");
    assert_eq!(answer["failure"]["cause"]["kind"], "application");
    assert!(answer.get("result").is_none());
}

#[tokio::test]
async fn a_wait_that_is_over_says_where_the_run_stands() {
    let server = server_with_worker().await;
    let start = r#"{"id":"1","wait":true,"timeout_ms":50}"#;
    let answer = server.post("/v1/workflows/Wait/runs", start).await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (201, &"running".into())
    );
    let answer = server
        .get("/v1/workflows/Wait/runs/1/result?wait_ms=50")
        .await;
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"status":"running"}))
    );
    let answer = server.get("/v1/workflows/Wait/runs/1/result").await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn signals_reach_the_run_and_repeats_do_not() {
    let server = server_with_worker().await;
    assert_eq!(
        server
            .post("/v1/workflows/Wait/runs", r#"{"id":"1"}"#)
            .await
            .status,
        201
    );
    let path = "/v1/workflows/Wait/runs/1";
    let property = server
        .get_until(&format!("{path}/properties/state"), |_| true)
        .await;
    assert_eq!(property, "waiting");
    server
        .get(&format!("{path}/properties/nothing"))
        .await
        .refused_with("TL0014");
    // Another channel than the one that ends the run: these stay in the history.
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    for _ in 0..2 {
        let answer = request(
            server.address,
            "POST",
            &format!("{path}/signals/note"),
            &headers,
            b"{\"n\":1.10}",
        )
        .await;
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
    let go = server
        .post(&format!("{path}/signals/go"), "{\"a\": 1e2}")
        .await;
    assert_eq!((go.status, go.body.len()), (204, 0));
    let result = server.get(&format!("{path}/result?wait_ms=30000")).await;
    assert!(
        result.text().contains(r#""result":{"a": 1e2}"#),
        "{}",
        result.text()
    );
    let history = server.get(&format!("{path}/history")).await.json();
    let notes = |entry: &&Value| entry["type"] == "signal" && entry["channel"] == "note";
    assert_eq!(
        history["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(notes)
            .count(),
        1
    );
}

#[tokio::test]
async fn runs_are_paused_resumed_cancelled_and_terminated() {
    let server = server_with_worker().await;
    for id in ["a", "b"] {
        let start = format!(r#"{{"id":"{id}"}}"#);
        assert_eq!(
            server.post("/v1/workflows/Wait/runs", &start).await.status,
            201
        );
    }
    let (a, b) = ("/v1/workflows/Wait/runs/a", "/v1/workflows/Wait/runs/b");
    server
        .post(&format!("{a}/resume"), "")
        .await
        .refused_with("TL0013");
    assert_eq!(server.post(&format!("{a}/pause"), "").await.status, 204);
    assert_eq!(server.get(a).await.json()["status"], "paused");
    // What arrives meanwhile is kept.
    assert_eq!(
        server.post(&format!("{a}/signals/go"), "5").await.status,
        204
    );
    assert_eq!(
        server.get(&format!("{a}/result?wait_ms=50")).await.status,
        202
    );
    assert_eq!(server.post(&format!("{a}/resume"), "").await.status, 204);
    let result = server
        .get(&format!("{a}/result?wait_ms=30000"))
        .await
        .json();
    assert_eq!(result["result"], 5);

    let cancel = server
        .post(&format!("{b}/cancel"), r#"{"reason":"sold out"}"#)
        .await;
    assert_eq!(cancel.status, 204);
    let result = server
        .get(&format!("{b}/result?wait_ms=30000"))
        .await
        .json();
    assert_eq!(result["status"], "cancelled", "{result}");
    assert_eq!(result["failure"]["message"], "sold out");

    assert_eq!(
        server
            .post("/v1/workflows/Wait/runs", r#"{"id":"c"}"#)
            .await
            .status,
        201
    );
    let terminated = server.post("/v1/workflows/Wait/runs/c/terminate", "").await;
    assert_eq!(terminated.status, 204);
    let result = server.get("/v1/workflows/Wait/runs/c/result").await.json();
    assert_eq!(result["status"], "terminated");
}

#[tokio::test]
async fn a_repeated_start_with_the_same_key_gets_the_same_answer() {
    let server = server_with_worker().await;
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "once"),
    ];
    for _ in 0..2 {
        let answer = request(
            server.address,
            "POST",
            "/v1/workflows/Wait/runs",
            &headers,
            br#"{"id":"1"}"#,
        )
        .await;
        assert!(answer.status < 300, "{}", answer.text());
    }
}

#[tokio::test]
async fn ids_with_slashes_spaces_and_umlauts_work() {
    let server = server_with_worker().await;
    let start = r#"{"id":"a/b ü","wait":true,"input":"you"}"#;
    assert_eq!(
        server.post("/v1/workflows/Greet/runs", start).await.status,
        201
    );
    let run = server
        .get("/v1/workflows/Greet/runs/a%2Fb%20%C3%BC")
        .await
        .json();
    assert_eq!(run["id"], "a/b ü");
}

#[tokio::test]
async fn a_tree_shows_what_a_run_and_its_children_wait_for() {
    let server = server_with_worker().await;
    let start = r#"{"id":"a","input":null}"#;
    server.post("/v1/workflows/Team/runs", start).await;
    let path = "/v1/workflows/Team/runs/a/tree";
    let waiting = |id: &str| {
        json!({
            "workflow": "Wait", "id": id, "status": "running", "phase": "suspended",
            "waits": ["a signal"], "more": false,
        })
    };
    let tree = loop {
        let tree = server.get(path).await.json();
        let is_settled = |of: &Value| of["phase"] == "suspended";
        let children = tree["children"].as_array().map_or(&[][..], Vec::as_slice);
        if children.len() == 2 && is_settled(&tree) && children.iter().all(is_settled) {
            break tree;
        }
    };
    assert_eq!(
        tree,
        json!({
            "workflow": "Team", "id": "a", "status": "running", "phase": "suspended",
            "waits": ["run Wait/a-0", "run Wait/a-1"],
            "children": [waiting("a-0"), waiting("a-1")], "more": false,
        })
    );
    // A child says whose it is; one that has ended is in the tree no more.
    let child = server.get("/v1/workflows/Wait/runs/a-1").await.json();
    assert_eq!(
        child["started_by"],
        json!({"run": {"workflow": "Team", "id": "a"}})
    );
    let go = "/v1/workflows/Wait/runs/a-0";
    server.post(&format!("{go}/signals/go"), "1").await;
    server.get(&format!("{go}/result?wait_ms=30000")).await;
    loop {
        let tree = server.get(path).await.json();
        if tree["children"]
            .as_array()
            .is_some_and(|left| left.len() == 1)
        {
            assert_eq!(tree["children"][0]["id"], "a-1");
            break;
        }
    }
    let unknown = server.get("/v1/workflows/Team/runs/b/tree").await;
    assert_eq!(unknown.json()["code"], "TL0010");
}
