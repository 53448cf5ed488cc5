//! Events over HTTP: pages, streams, filters, refusals, and streams that end when the server does.

use crate::{PATIENCE, Server};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trunkline_server::Config;

async fn create_jobs(server: &Server, keys: impl IntoIterator<Item = &str>) {
    let put = r#"{"url":"http://127.0.0.1:9/x","paused":true}"#;
    server.put("/v1/egress/destinations/shop", put).await;
    for key in keys {
        let body = format!(
            r#"{{"destination":"shop","lane":"a","object_type":"stock","action":"update","dedupe_key":"{key}","body":{{}}}}"#
        );
        let created = server.post("/v1/egress/jobs", &body).await;
        assert_eq!(created.status, 200, "{}", created.text());
    }
}

/// Opens a stream and reads until `until` likes what came, or it ends.
async fn stream(server: &Server, more: &str, until: impl Fn(&str) -> bool) -> String {
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let request =
        format!("GET /v1/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n{more}\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while !until(&text) {
            let count = connection.read(&mut buffer).await.unwrap();
            if count == 0 {
                break;
            }
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    text
}

fn ids(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .map(str::trim)
        .collect()
}

#[tokio::test]
async fn pages_of_events_follow_each_other() {
    let server = Server::start().await;
    create_jobs(&server, ["1", "2", "3"]).await;
    let mut seen = Vec::new();
    let mut path = "/v1/events?limit=1".to_owned();
    while seen.len() < 3 {
        let page = server.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text());
        assert_eq!(
            page.header("content-type"),
            Some("application/cloudevents-batch+json")
        );
        let events = page.json().as_array().unwrap().clone();
        seen.extend(events);
        let cursor = page.header("trunkline-cursor").unwrap();
        path = format!("/v1/events?limit=1&wait_ms=20000&cursor={cursor}");
    }
    let kinds: Vec<&Value> = seen.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["io.trunkline.job.accepted"; 3]);
    let sequences: Vec<&Value> = seen
        .iter()
        .map(|event| &event["data"]["sequence"])
        .collect();
    assert_eq!(sequences, [1, 2, 3]);
    let none = server.get("/v1/events?type=run.*").await;
    assert_eq!(none.json(), Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_page_that_waits_is_answered_by_the_next_event() {
    let server = Server::start().await;
    let waiting = server.get("/v1/events?wait_ms=30000&since=newest");
    let create = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        create_jobs(&server, ["1"]).await;
    };
    let (page, ()) = tokio::join!(waiting, create);
    assert_eq!(page.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stream_goes_on_behind_the_last_event_that_its_client_saw() {
    let server = Server::start().await;
    create_jobs(&server, ["1", "2", "3"]).await;
    let text = stream(&server, "", |text| text.matches("data: ").count() == 3).await;
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert!(text.contains("\nretry: "), "{text}");
    let second = ids(&text)[1].to_owned();
    let more = format!("last-event-id: {second}\r\n");
    let rest = stream(&server, &more, |text| text.contains("data: ")).await;
    assert_eq!(ids(&rest), ids(&text)[2..]);
}

#[tokio::test]
async fn a_quiet_stream_has_heartbeats_with_a_cursor_and_ends_with_the_server() {
    let config = Config {
        heartbeat: Duration::from_millis(20),
        ..Config::default()
    };
    let mut server = Server::start_with(config).await;
    let text = stream(&server, "", |text| text.matches("heartbeat").count() >= 3).await;
    assert!(!ids(&text).is_empty());
    // One that is open when the server is told to stop does not hold it.
    let address = server.address;
    let open = tokio::spawn(async move {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = "GET /v1/events HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n";
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).await.unwrap();
        text
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop().await;
    let text = tokio::time::timeout(PATIENCE, open).await.unwrap().unwrap();
    assert!(text.contains("heartbeat"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_code() {
    let server = Server::start().await;
    let refusals = [
        ("/v1/events?type=run.startet", "TL0093"),
        ("/v1/events?cursor=nonsense", "TL0030"),
        ("/v1/events?since=yesterday", "TL0003"),
        ("/v1/events?limit=0", "TL0003"),
        ("/v1/events?wait_ms=600000", "TL0003"),
        ("/v1/events?tpye=run.started", "TL0002"),
    ];
    for (path, code) in refusals {
        server.get(path).await.refused_with(code);
    }
    let text = stream(&server, "last-event-id: x\r\nconnection: close\r\n", |_| {
        false
    })
    .await;
    assert!(
        text.starts_with("HTTP/1.1 400 ") && text.contains("TL0030"),
        "{text}"
    );
}
