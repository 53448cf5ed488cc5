//! Destinations and jobs over HTTP, delivered to a target that listens.

use crate::Server;
use crate::target::Target;
use serde_json::{Value, json};

async fn put(server: &Server, name: &str, target: &Target, more: &str) -> Value {
    let body = format!(r#"{{"url":"http://{}/take"{more}}}"#, target.address);
    let answer = server
        .put(&format!("/v1/egress/destinations/{name}"), &body)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn job(destination: &str, key: &str) -> String {
    format!(
        r#"{{"destination":"{destination}","lane":"sku-1","object_type":"stock","action":"update","object_ids":["1"],"body":{{"delta":1.50}},"dedupe_key":"{key}"}}"#
    )
}

#[tokio::test]
async fn a_job_is_delivered_with_its_body_and_key() {
    let server = Server::start().await;
    let target = Target::start(200).await;
    let shown = put(
        &server,
        "shop",
        &target,
        r#","rate":{"per_second":100},"concurrency":4"#,
    )
    .await;
    assert_eq!(shown["rate"], json!({"per_second":100,"burst":1}));
    assert_eq!(shown["concurrency"], 4);
    assert_eq!(shown["retry"]["attempts"], 20);
    let answer = server
        .post("/v1/egress/jobs", &job("shop", "k"))
        .await
        .json();
    assert_eq!(
        answer["destinations"],
        json!([{"destination":"shop","accepted":1,"known":0}])
    );
    let id = answer["ids"][0].as_str().unwrap();
    let path = format!("/v1/egress/destinations/shop/jobs/{id}");
    let delivered = server
        .get_until(&path, |job| job["state"] == "succeeded")
        .await;
    assert_eq!(delivered["lane_sequence"], 1);
    let got = target.got();
    assert_eq!(got.len(), 1);
    assert!(got[0].contains(r#"{"delta":1.50}"#), "{}", got[0]);
    assert!(
        got[0].contains(id),
        "the job's identity is its idempotency key: {}",
        got[0]
    );
    // The same key again: known, and not delivered twice.
    let again = server
        .post("/v1/egress/jobs", &job("shop", "k"))
        .await
        .json();
    assert_eq!(again["ids"][0], id);
    assert_eq!(again["destinations"][0]["known"], 1);
    let list = server.get("/v1/egress/destinations").await.json();
    assert_eq!(list["destinations"][0]["succeeded"], 1);
    server
        .post(&format!("{path}/cancel"), "")
        .await
        .refused_with("TL0023");
    server
        .post(&format!("{path}/replay"), "")
        .await
        .refused_with("TL0022");
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_replayed_or_cancelled() {
    let server = Server::start().await;
    let target = Target::start(500).await;
    put(&server, "shop", &target, r#","retry":{"attempts":1}"#).await;
    let mut paths = Vec::new();
    for key in ["a", "b"] {
        let answer = server
            .post("/v1/egress/jobs", &job("shop", key))
            .await
            .json();
        let id = answer["ids"][0].as_str().unwrap().to_owned();
        paths.push(format!("/v1/egress/destinations/shop/jobs/{id}"));
    }
    for path in &paths {
        let dead = server.get_until(path, |job| job["state"] == "dead").await;
        assert!(
            dead["last_error"].as_str().unwrap().contains("500"),
            "{dead}"
        );
    }
    let dead = server
        .get("/v1/egress/destinations/shop/jobs?state=dead")
        .await
        .json();
    assert_eq!(dead["jobs"].as_array().unwrap().len(), 2);
    target.answer_with(200);
    assert_eq!(
        server
            .post(&format!("{}/replay", paths[0]), "")
            .await
            .status,
        204
    );
    server
        .get_until(&paths[0], |job| job["state"] == "succeeded")
        .await;
    assert_eq!(
        server
            .post(&format!("{}/cancel", paths[1]), "")
            .await
            .status,
        204
    );
    assert_eq!(server.get(&paths[1]).await.json()["state"], "cancelled");
    let shown = server.get("/v1/egress/destinations/shop").await.json();
    assert_eq!(
        (&shown["dead"], &shown["succeeded"]),
        (&json!(0), &json!(1))
    );
}

#[tokio::test]
async fn a_list_with_an_unknown_destination_is_refused_as_a_whole() {
    let server = Server::start().await;
    let target = Target::start(200).await;
    put(&server, "shop", &target, "").await;
    let body = format!("[{},{}]", job("shop", "a"), job("shoq", "b"));
    let problem = server
        .post("/v1/egress/jobs", &body)
        .await
        .refused_with("TL0019");
    assert!(problem["detail"].as_str().unwrap().contains("shoq"));
    let list = server.get("/v1/egress/destinations/shop/jobs").await.json();
    assert_eq!(list["jobs"], json!([]));
}

#[tokio::test]
async fn a_bad_job_in_a_list_is_named_by_its_place() {
    let server = Server::start().await;
    let body = format!("[{},{}]", job("shop", "a"), job("", "b"));
    let problem = server
        .post("/v1/egress/jobs", &body)
        .await
        .refused_with("TL0006");
    assert!(
        problem["detail"].as_str().unwrap().starts_with("job 1: "),
        "{problem}"
    );
    let body = format!("[{},7]", job("shop", "a"));
    let problem = server
        .post("/v1/egress/jobs", &body)
        .await
        .refused_with("TL0003");
    assert_eq!(problem["position"]["path"], "[1]");
    let many = vec![
        "{\"destination\":\"d\",\"lane\":\"l\",\"object_type\":\"t\",\"action\":\"a\"}";
        10_001
    ];
    server
        .post("/v1/egress/jobs", &format!("[{}]", many.join(",")))
        .await
        .refused_with("TL0024");
}

#[tokio::test]
async fn settings_that_are_not_usable_are_refused_and_change_nothing() {
    let server = Server::start().await;
    let target = Target::start(200).await;
    put(&server, "shop", &target, "").await;
    let answer = server
        .put("/v1/egress/destinations/shop", r#"{"url":"ftp://x"}"#)
        .await;
    answer.refused_with("TL0020");
    let shown = server.get("/v1/egress/destinations/shop").await.json();
    assert_eq!(shown["url"], format!("http://{}/take", target.address));
}
