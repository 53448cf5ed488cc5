//! Outages of access tokens: the feed tells the first failure and the first success, across restarts, and no secret.

use crate::credentials::{create, destination, ends, put, start, with_ring};
use crate::grants::{client_credentials, shop_with_grants};
use crate::guard::Guard;
use crate::{Config, Folder, Server};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use trunkline_server::engine::Engine;

const EVENTS: &str = "/v1/events?type=credential.*";

/// All that the feed tells of credentials, once there are so many events.
async fn told(server: &Server, count: usize) -> Vec<Value> {
    let is_there = |events: &Value| events.as_array().is_some_and(|all| all.len() >= count);
    let events = server.get_until(EVENTS, is_there).await;
    events.as_array().unwrap().clone()
}

/// Asks the token endpoint until it has given none for so many times since the start.
async fn refused(server: &Server, count: u64) {
    loop {
        let answer = server.post("/v1/credentials/shop/test", "{}").await;
        answer.refused_with("TL0136");
        let figures = server.get("/metrics").await.text();
        let name = "trunkline_credential_grants_total{end=\"refused\"} ";
        let figure = figures.lines().find_map(|line| line.strip_prefix(name));
        if figure.unwrap().parse::<u64>().unwrap() >= count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn again(server: &Server) -> Server {
    let engine = Engine::open(with_ring(&server._folder), Handle::current()).unwrap();
    Server::start_on(engine, Folder::new(), Config::default()).await
}

#[tokio::test]
async fn an_outage_is_told_once_and_so_is_its_end_also_across_a_restart() {
    let mut before = start().await;
    let (endpoint, target, _) = shop_with_grants(1).await;
    // Its word for what is wrong is the secret itself.
    endpoint.decide(|_| (503, r#"{"error":"open_sesame"}"#.into()));
    put(
        &before,
        "shop",
        &client_credentials(&endpoint, "open_sesame"),
    )
    .await;
    destination(&before, &target, "shop", &json!({"concurrency": 50})).await;
    let jobs = create(&before, 50).await;
    let first = told(&before, 1).await.remove(0);
    assert_eq!(first["type"], "io.trunkline.credential.refresh_failed");
    assert_eq!(first["subject"], "shop");
    let reason = "the token endpoint: it answers 503 <secret>";
    assert_eq!(
        first["data"],
        json!({"credential": "shop", "credential_version": 1, "reason": reason})
    );
    refused(&before, 3).await;

    before.stop().await;
    let server = again(&before).await;
    let shown = server.get("/v1/credentials/shop").await.json();
    assert_eq!(shown["failure"], reason, "it is known from the start on");
    refused(&server, 2).await;
    endpoint.decide(|_| (200, r#"{"access_token":"grant-1"}"#.into()));
    for job in &jobs {
        ends(&server, job, "succeeded").await;
    }
    let all = told(&server, 2).await;
    let kinds: Vec<&Value> = all.iter().map(|event| &event["type"]).collect();
    assert_eq!(
        kinds,
        [
            "io.trunkline.credential.refresh_failed",
            "io.trunkline.credential.refresh_recovered"
        ]
    );
    assert_eq!(all[0], first, "it is the same after the restart");
    assert_eq!(
        all[1]["data"],
        json!({"credential": "shop", "credential_version": 1})
    );
    let text = server.get("/v1/events").await.text();
    for secret in ["open_sesame", "grant-1"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn an_end_that_comes_while_the_server_is_down_is_told_by_the_next_start() {
    let mut before = start().await;
    let (endpoint, target, _) = shop_with_grants(1).await;
    put(&before, "shop", &client_credentials(&endpoint, "wrong")).await;
    destination(&before, &target, "shop", &json!({})).await;
    refused(&before, 1).await;
    told(&before, 1).await;
    before.stop().await;
    endpoint.decide(|_| (200, r#"{"access_token":"grant-1"}"#.into()));
    let server = again(&before).await;
    let job = create(&server, 1).await.remove(0);
    ends(&server, &job, "succeeded").await;
    let all = told(&server, 2).await;
    assert_eq!(
        all[1]["type"], "io.trunkline.credential.refresh_recovered",
        "{all:?}"
    );
}

#[tokio::test]
async fn tokens_that_are_refused_after_a_renewal_are_an_outage_until_one_is_accepted() {
    let server = start().await;
    let (endpoint, target, _) = shop_with_grants(u32::MAX).await;
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    destination(&server, &target, "shop", &json!({})).await;
    for job in create(&server, 3).await {
        ends(&server, &job, "dead").await;
    }
    let reason = "a destination refused a renewed access token";
    assert_eq!(told(&server, 1).await[0]["data"]["reason"], reason);
    target.decide(|_| (200, String::new()));
    for job in create(&server, 3).await {
        ends(&server, &job, "succeeded").await;
    }
    let all = told(&server, 2).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[1]["type"], "io.trunkline.credential.refresh_recovered");
}

#[tokio::test]
async fn an_outage_goes_without_a_word_with_what_needs_no_tokens() {
    let server = start().await;
    let endpoint = Guard::start(|_| (500, String::new())).await;
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    destination(&server, &endpoint, "shop", &json!({"paused": true})).await;
    refused(&server, 1).await;
    told(&server, 1).await;
    // Another version that fails as well is told.
    put(&server, "shop", &client_credentials(&endpoint, "other")).await;
    refused(&server, 2).await;
    let all = told(&server, 2).await;
    assert_eq!(all[1]["data"]["credential_version"], 2, "{all:?}");
    let bearer = json!({"authentication":{"bearer":{"token":"t0ken"}}});
    put(&server, "shop", &bearer).await;
    assert_eq!(told(&server, 2).await.len(), 2);
}
