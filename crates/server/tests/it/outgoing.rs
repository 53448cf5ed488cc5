//! What leaves besides deliveries: calls to token endpoints and metadata APIs, and answers that are about the credential.

use crate::credentials::{create, destination, ends, put, start, with_ring};
use crate::grants::{client_credentials, shop_with_grants};
use crate::guard::{Guard, header};
use crate::{Config, Folder, Server};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tokio::runtime::Handle;
use trunkline_server::engine::Engine;

/// An answer of a connector that says the same of every item of a call.
fn all_items(request: &str, answer: &Value) -> (u16, String) {
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let call: Value = serde_json::from_str(body).unwrap();
    let items: Vec<Value> = call["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let mut answer = answer.clone();
            answer["id"] = item["id"].clone();
            answer
        })
        .collect();
    (200, json!({ "items": items }).to_string())
}

fn refused() -> Value {
    json!({"status": "failed", "error": {"class": "auth", "message": "token expired"}})
}

fn connector() -> Value {
    json!({
        "connector": {"batch_max": 10}, "concurrency": 1,
        "rules": [{"when": "error == 'auth'", "then": "refresh_credential"}],
    })
}

#[tokio::test]
async fn a_rule_may_ask_for_the_renewal_because_of_an_item() {
    let server = start().await;
    let (endpoint, target, given) = shop_with_grants(1).await;
    target.decide(|request| {
        if header(request, "authorization") == Some("Bearer grant-2") {
            all_items(request, &json!({"status": "succeeded"}))
        } else {
            all_items(request, &refused())
        }
    });
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    let answer = destination(&server, &target, "shop", &connector()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for job in create(&server, 8).await {
        ends(&server, &job, "succeeded").await;
    }
    assert_eq!(given.load(Ordering::Relaxed), 2, "once for all items");
}

#[tokio::test]
async fn a_renewal_that_does_not_help_an_item_pauses_the_destination() {
    let server = start().await;
    let (endpoint, target, given) = shop_with_grants(1).await;
    target.decide(|request| all_items(request, &refused()));
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    destination(&server, &target, "shop", &connector()).await;
    let job = create(&server, 1).await.remove(0);
    let paused = server
        .get_until("/v1/egress/destinations/shop", |shop| {
            shop["paused"] == true
        })
        .await;
    assert_eq!(paused["pending"], 1, "no job is to blame: {paused}");
    let path = format!("/v1/egress/destinations/shop/jobs/{job}");
    assert_eq!(server.get(&path).await.json()["state"], "pending");
    assert_eq!(given.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_guards_deliveries_guards_token_endpoints_tests_and_metadata_apis() {
    let folder = Folder::new();
    let mut config = with_ring(&folder);
    config.egress_allow = Vec::new();
    let engine = Engine::open(config, Handle::current()).unwrap();
    let server = Server::start_on(engine, folder, Config::default()).await;
    let (endpoint, target, _) = shop_with_grants(1).await;
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;

    destination(&server, &target, "shop", &json!({})).await;
    let job = create(&server, 1).await.remove(0);
    let path = format!("/v1/egress/destinations/shop/jobs/{job}");
    let waiting = server
        .get_until(&path, |job| job["last_error"].is_string())
        .await;
    assert_eq!(waiting["attempts"], 0, "{waiting}");
    let why = waiting["last_error"].as_str().unwrap();
    assert!(
        why.contains("token endpoint") && why.contains("TL0120"),
        "{why}"
    );

    let tested = server.post("/v1/credentials/shop/test", "{}").await;
    tested.refused_with("TL0136");
    let bearer = json!({"authentication":{"bearer":{"token":"t"}}});
    put(&server, "plain", &bearer).await;
    let url = json!({"url": target.url()}).to_string();
    let tested = server.post("/v1/credentials/plain/test", &url).await.json();
    assert!(tested["status"].is_null(), "{tested}");
    assert!(
        tested["detail"].as_str().unwrap().contains("TL0120"),
        "{tested}"
    );

    let metadata = Guard::start(|_| (200, r#"{"objects":{}}"#.into())).await;
    let shop = json!({"url": "http://192.0.2.1/", "resolve": {"url": metadata.url()}}).to_string();
    let answer = server.put("/v1/egress/destinations/bare", &shop).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let job = json!({
        "destination": "bare", "lane": "a", "object_type": "stock", "action": "update",
        "object_ids": ["1"], "resolve": true,
    });
    server.post("/v1/egress/jobs", &job.to_string()).await;
    let paused = server
        .get_until("/v1/egress/destinations/bare", |bare| {
            bare["paused"] == true
        })
        .await;
    assert_eq!(paused["pending"], 1, "{paused}");

    for guarded in [endpoint, target, metadata] {
        assert!(guarded.got().is_empty(), "nobody was called");
    }
}

#[tokio::test]
async fn a_resolved_body_without_a_credential_costs_no_attempt() {
    let server = start().await;
    let (endpoint, target, _) = shop_with_grants(1).await;
    put(&server, "shop", &client_credentials(&endpoint, "wrong")).await;
    let metadata = Guard::start(|_| (200, r#"{"objects":{"1":{"stock":3}}}"#.into())).await;
    let resolve = json!({"resolve": {"url": metadata.url()}});
    for connector in [json!({}), json!({"connector": {"batch_max": 10}})] {
        let mut settings = resolve.clone();
        settings["connector"] = connector.get("connector").cloned().unwrap_or_default();
        destination(&server, &target, "shop", &settings).await;
        let job = json!({
            "destination": "shop", "lane": connector.to_string(), "object_type": "stock",
            "action": "update", "object_ids": ["1"], "resolve": true,
        });
        let answer = server.post("/v1/egress/jobs", &job.to_string()).await;
        let id = answer.json()["ids"][0].as_str().unwrap().to_owned();
        let path = format!("/v1/egress/destinations/shop/jobs/{id}");
        let waiting = server
            .get_until(&path, |job| job["last_error"].is_string())
            .await;
        assert_eq!(
            (&waiting["state"], &waiting["attempts"]),
            (&json!("pending"), &json!(0)),
            "{waiting}"
        );
    }
    assert!(!metadata.got().is_empty() && target.got().is_empty());
}
