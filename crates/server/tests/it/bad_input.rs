//! Bad input gets a clear error with a code, at the door, and loses nothing.

use crate::raw::{request, send};
use crate::{PATIENCE, Server, worker};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const RUNS: &str = "/v1/workflows/Greet/runs";

async fn server_with_worker() -> Server {
    let server = Server::start().await;
    tokio::spawn(worker::work(server.address));
    until_known(&server).await;
    server
}

/// Waits until the worker's registration has been taken: starts of its workflows are no longer refused.
pub(crate) async fn until_known(server: &Server) {
    let known = async {
        while server
            .post(
                "/v1/workflows/Wait/runs",
                r#"{"id":"first","on_conflict":"attach"}"#,
            )
            .await
            .status
            >= 400
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, known).await.unwrap();
    assert_eq!(
        server
            .post("/v1/workflows/Wait/runs/first/terminate", "{}")
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn malformed_json_is_refused_with_its_place() {
    let server = Server::start().await;
    let problem = server
        .post(RUNS, "{\"id\":\"1\",\n \"input\": nil}")
        .await
        .refused_with("TL0001");
    assert_eq!(problem["status"], 400);
    assert_eq!(problem["position"]["line"], 2);
    for body in ["", "{", "{\"id\":\"1\"}}", "\u{0}", "{\"id\":\"1\",}"] {
        let answer = request(
            server.address,
            "POST",
            RUNS,
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
        .await;
        answer.refused_with("TL0001");
    }
}

#[tokio::test]
async fn unknown_fields_are_refused_in_bodies_and_queries() {
    let server = Server::start().await;
    let problem = server
        .post(RUNS, r#"{"id":"1","inputt":2}"#)
        .await
        .refused_with("TL0002");
    assert_eq!(problem["position"]["path"], "inputt");
    server
        .get("/v1/runs?state=running")
        .await
        .refused_with("TL0002");
    server
        .put(
            "/v1/egress/destinations/shop",
            r#"{"url":"http://a","retry":{"atempts":1}}"#,
        )
        .await
        .refused_with("TL0002");
    server
        .post("/v1/workflows/W/runs/1/cancel", r#"{"why":"x"}"#)
        .await
        .refused_with("TL0002");
}

#[tokio::test]
async fn wrong_types_and_ranges_are_refused() {
    let server = Server::start().await;
    let problem = server
        .post(RUNS, r#"{"id":"1","tags":["a",7]}"#)
        .await
        .refused_with("TL0003");
    assert_eq!(problem["position"]["path"], "tags[1]");
    for body in [
        r#"{"id":7}"#,
        "{}",
        "[]",
        "7",
        r#"{"id":"1","on_conflict":"explode"}"#,
        r#"{"id":"1","wait":true,"timeout_ms":60001}"#,
    ] {
        server.post(RUNS, body).await.refused_with("TL0003");
    }
    for path in [
        "/v1/runs?limit=0",
        "/v1/runs?limit=1001",
        "/v1/runs?limit=many",
        "/v1/runs?status=going",
        "/v1/workflows/W/runs/1/result?wait_ms=60001",
    ] {
        server.get(path).await.refused_with("TL0003");
    }
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let server = Server::start().await;
    server
        .post(RUNS, r#"{"id":""}"#)
        .await
        .refused_with("TL0006");
    server
        .post(RUNS, r#"{"id":"a\u0000b"}"#)
        .await
        .refused_with("TL0006");
    server
        .post(RUNS, &format!(r#"{{"id":"{}"}}"#, "x".repeat(257)))
        .await
        .refused_with("TL0006");
    server
        .post("/v1/workflows/a%2Fb/runs", r#"{"id":"1"}"#)
        .await
        .refused_with("TL0006");
    // Percent encodings that are no UTF-8.
    server
        .get("/v1/workflows/W/runs/%ff")
        .await
        .refused_with("TL0006");
    let tags = vec!["\"t\""; 1_001].join(",");
    server
        .post(RUNS, &format!(r#"{{"id":"1","tags":[{tags}]}}"#))
        .await
        .refused_with("TL0018");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let server = Server::start().await;
    let payload = format!(r#"{{"id":"1","input":"{}"}}"#, "x".repeat(4 << 20));
    let answer = server.post(RUNS, &payload).await;
    assert_eq!(answer.status, 413);
    answer.refused_with("TL0004");
    // Announced as too large: refused before it is sent.
    let head = format!(
        "POST {RUNS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n"
    );
    send(server.address, head.as_bytes())
        .await
        .refused_with("TL0004");
    let headers = [("x-much", &*"x".repeat(17 << 10))];
    let answer = request(server.address, "GET", "/v1/runs", &headers, b"").await;
    assert_eq!(answer.status, 431);
    answer.refused_with("TL0005");
    let path = format!("/v1/runs?tag={}", "x".repeat(9 << 10));
    server.get(&path).await.refused_with("TL0005");
}

#[tokio::test]
async fn a_body_without_an_announced_length_is_bounded_too() {
    let config = trunkline_server::Config {
        body_bytes_max: 1_000,
        ..trunkline_server::Config::default()
    };
    let server = Server::start_with(config).await;
    let chunk = format!("200\r\n{}\r\n", " ".repeat(0x200));
    let bytes = format!(
        "POST {RUNS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    send(server.address, bytes.as_bytes())
        .await
        .refused_with("TL0004");
}

#[tokio::test]
async fn a_body_that_is_not_declared_as_json_is_refused() {
    let server = Server::start().await;
    for headers in [&[][..], &[("content-type", "text/plain")]] {
        let answer = request(server.address, "POST", RUNS, headers, br#"{"id":"1"}"#).await;
        assert_eq!(answer.status, 415);
        answer.refused_with("TL0031");
    }
    let headers = [("content-type", "application/json; charset=utf-8")];
    let answer = request(server.address, "POST", RUNS, &headers, br#"{"id":"1"}"#).await;
    answer.refused_with("TL0009");
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_not_there() {
    let server = server_with_worker().await;
    server
        .post("/v1/workflows/Grete/runs", r#"{"id":"1"}"#)
        .await
        .refused_with("TL0009");
    for path in [
        "/v1/workflows/Greet/runs/nobody",
        "/v1/workflows/Greet/runs/nobody/history",
        "/v1/workflows/Greet/runs/nobody/result",
        "/v1/workflows/Greet/runs/nobody/properties/p",
    ] {
        server.get(path).await.refused_with("TL0010");
    }
    for command in ["signals/go", "cancel", "terminate", "pause", "resume"] {
        let path = format!("/v1/workflows/Greet/runs/nobody/{command}");
        server.post(&path, "{}").await.refused_with("TL0010");
    }
    server
        .get("/v1/egress/destinations/nowhere")
        .await
        .refused_with("TL0019");
    let job = r#"{"destination":"nowhere","lane":"a","object_type":"stock","action":"update"}"#;
    server
        .post("/v1/egress/jobs", job)
        .await
        .refused_with("TL0019");
    server
        .get("/v1/egress/destinations/nowhere/jobs/7")
        .await
        .refused_with("TL0021");
}

#[tokio::test]
async fn a_duplicate_id_is_refused_and_leaves_the_first_run_alone() {
    let server = server_with_worker().await;
    let start = r#"{"id":"1","input":"you"}"#;
    assert_eq!(
        server.post("/v1/workflows/Wait/runs", start).await.status,
        201
    );
    let answer = server.post("/v1/workflows/Wait/runs", start).await;
    assert_eq!(answer.status, 409);
    answer.refused_with("TL0011");
    let attach = r#"{"id":"1","on_conflict":"attach"}"#;
    let answer = server.post("/v1/workflows/Wait/runs", attach).await;
    assert_eq!(
        (answer.status, &answer.json()["created"]),
        (200, &false.into())
    );
    assert_eq!(
        server.get("/v1/workflows/Wait/runs/1").await.json()["status"],
        "running"
    );
}

#[tokio::test]
async fn a_signal_to_a_finished_run_is_refused() {
    let server = server_with_worker().await;
    let start = r#"{"id":"1","input":"you","wait":true}"#;
    assert_eq!(server.post(RUNS, start).await.json()["status"], "completed");
    let answer = server.post(&format!("{RUNS}/1/signals/go"), "1").await;
    assert_eq!(answer.status, 409);
    answer.refused_with("TL0012");
    server
        .post(&format!("{RUNS}/1/cancel"), "")
        .await
        .refused_with("TL0012");
    server
        .post(&format!("{RUNS}/1/resume"), "")
        .await
        .refused_with("TL0012");
}

#[tokio::test]
async fn cursors_that_are_none_are_refused() {
    let server = Server::start().await;
    server.get("/v1/runs?cursor=7").await.refused_with("TL0030");
    let of_another_list = trunkline_api::cursor::write(7, &[Some("Greet"), None, None, None]);
    server
        .get(&format!("/v1/runs?cursor={of_another_list}"))
        .await
        .refused_with("TL0030");
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_server_lives() {
    let server = Server::start().await;
    let answer = send(server.address, b"\x16\x03\x01\x02\x00 hello\r\n\r\n").await;
    assert_eq!(answer.status, 400);
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_is_let_go() {
    let server = Server::start_with(trunkline_server::Config {
        header_timeout: Duration::from_millis(100),
        ..trunkline_server::Config::default()
    })
    .await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"GET /v1/runs HTTP/1.1\r\nhost:")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    // Whether it is told so or just hung up on, the connection ends.
    let _ = ended.await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}
