//! Connections: over a WebSocket, broken ones, and workers that stop.

use crate::bridge::Bridge;
use crate::contract::{slow_one, two_tasks};
use crate::house::{House, MODES};
use std::sync::atomic::Ordering;
use std::time::Duration;
use trunkline::core::code::Code;
use trunkline::{Client, Endpoint};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_go_through_over_a_web_socket() {
    for mode in MODES {
        let mut house = House::without_worker().await;
        let bridge = Bridge::open(&house.engine).await;
        house.work(bridge.url(), mode).await;
        let client = Client::connect(bridge.url()).await.unwrap();
        let runs = (0..200).map(|n| {
            let start = client.workflow::<two_tasks>(n.to_string());
            async move { start.execute(n.to_string()).await }
        });
        for (n, result) in futures_util::future::join_all(runs)
            .await
            .into_iter()
            .enumerate()
        {
            assert_eq!(result.unwrap(), format!("{n}!!"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_loses_nothing() {
    for mode in MODES {
        let mut house = House::without_worker().await;
        let bridge = Bridge::open(&house.engine).await;
        house.work(bridge.url(), mode).await;
        let client = Client::connect(bridge.url()).await.unwrap();
        let probe = client.workflow::<two_tasks>("0").execute("x".into()).await;
        assert_eq!(probe.unwrap(), "x!!");
        let slow = client
            .workflow::<slow_one>("slow")
            .start(300)
            .await
            .unwrap();
        let result = tokio::spawn({
            let slow = slow.clone();
            async move { slow.result().await }
        });
        while house.counter.slow_begun.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bridge.cut();
        // The attempt of the broken connection is abandoned, and another one does the work, once.
        assert_eq!(result.await.unwrap().unwrap(), 2);
        assert_eq!(house.counter.notes(), ["slow"]);
        assert!(bridge.connections.load(Ordering::SeqCst) >= 4);
        let again = client.workflow::<two_tasks>("1").execute("y".into()).await;
        assert_eq!(again.unwrap(), "y!!");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_in_a_storm_of_broken_connections_happen_once() {
    let mut house = House::without_worker().await;
    let bridge = Bridge::open(&house.engine).await;
    house.work(bridge.url(), 10_000).await;
    let client = Client::connect(bridge.url()).await.unwrap();
    let probe = client
        .workflow::<two_tasks>("probe")
        .execute("x".into())
        .await;
    assert_eq!(probe.unwrap(), "x!!");
    // Starts are refused if the id is taken; a repeat with the same nonce is not.
    let runs = (0..300).map(|n| {
        let start = client.workflow::<two_tasks>(n.to_string());
        async move {
            tokio::time::sleep(Duration::from_millis(n)).await;
            start.execute(n.to_string()).await
        }
    });
    let storm = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            bridge.cut();
        }
    };
    let (results, ()) = tokio::join!(futures_util::future::join_all(runs), storm);
    for (n, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap(), format!("{n}!!"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_worker_finishes_its_task() {
    for mode in MODES {
        let mut house = House::without_worker().await;
        let bridge = Bridge::open(&house.engine).await;
        house.work(bridge.url(), mode).await;
        let run = loop {
            match house.client.workflow::<slow_one>("1").start(150).await {
                Ok(run) => break run,
                Err(error) => assert_eq!(error.code(), Code::UnknownWorkflow),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        while house.counter.slow_begun.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        house.dismiss().await;
        assert_eq!(house.counter.notes(), ["slow"]);
        house.work(bridge.url(), mode).await;
        assert_eq!(run.result().await.unwrap(), 1, "the first attempt did it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_named() {
    let error = Client::connect("http://127.0.0.1:1").await.unwrap_err();
    assert_eq!(error.code(), Code::ServerUnreachable);
    assert!(error.to_string().contains("http://127.0.0.1:1"), "{error}");
    let error = Client::connect("https://example.org").await.unwrap_err();
    assert_eq!(error.code(), Code::ConfigInvalid);
}

/// A server that lets nobody in, and what was asked of it.
async fn closed_door() -> (String, tokio::task::JoinHandle<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let body = r#"{"type":"urn:trunkline:error:TL0110","title":"t","status":401,"code":"TL0110","detail":"who are you?","request_id":"1","docs":"d"}"#;
        let answer = format!(
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    });
    (url, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_presented_once_is_not_printed_and_its_refusal_is_told_at_once() {
    let (url, asked) = closed_door().await;
    let endpoint = Endpoint::with_token(&url, "tl_canary\n");
    assert!(!format!("{endpoint:?}").contains("canary"));
    let error = Client::connect(endpoint).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    let head = asked.await.unwrap().to_lowercase();
    assert!(
        head.contains("\r\nauthorization: bearer tl_canary\r\n"),
        "{head}"
    );

    let (url, asked) = closed_door().await;
    let error = Client::connect(url).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert!(
        !asked
            .await
            .unwrap()
            .to_lowercase()
            .contains("authorization")
    );

    let unusable = Endpoint::with_token("http://127.0.0.1:1", "a\nb");
    let error = Client::connect(unusable).await.unwrap_err();
    assert_eq!(error.code(), Code::ConfigInvalid);
    assert!(!error.to_string().contains("a\nb"));
}
