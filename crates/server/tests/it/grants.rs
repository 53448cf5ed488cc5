//! Access tokens: fetched once, renewed once when they are refused, and costing no attempt when they cannot be had.

use crate::credentials::{create, destination, ends, put, start};
use crate::guard::{Guard, header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A token endpoint that counts, and a target that accepts the tokens from number `good` on.
pub(crate) async fn shop_with_grants(good: u32) -> (Guard, Guard, Arc<AtomicU32>) {
    let given = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&given);
    let endpoint = Guard::start(move |request| {
        let is_known = header(request, "authorization") == Some("Basic Y2xpZW50OnMlMjZ0");
        if !is_known || !request.ends_with("grant_type=client_credentials&scope=write%20all") {
            return (401, r#"{"error":"invalid_client"}"#.into());
        }
        let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
        let body = json!({"access_token": format!("grant-{number}"), "token_type": "Bearer", "expires_in": 3600});
        (200, body.to_string())
    })
    .await;
    let target = Guard::start(move |request| {
        let number = header(request, "authorization")
            .and_then(|value| value.strip_prefix("Bearer grant-")?.parse::<u32>().ok());
        match number {
            Some(number) if number >= good => (200, String::new()),
            _ => (401, "expired".into()),
        }
    })
    .await;
    (endpoint, target, given)
}

pub(crate) fn client_credentials(endpoint: &Guard, secret: &str) -> Value {
    json!({"authentication":{"client_credentials":{
        "token_url": endpoint.url(), "client_id": "client", "client_secret": secret, "scope": "write all",
    }}})
}

#[tokio::test]
async fn however_many_calls_want_a_token_it_is_fetched_once() {
    let server = start().await;
    let (endpoint, target, given) = shop_with_grants(1).await;
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    destination(&server, &target, "shop", &json!({"concurrency": 50})).await;
    for job in create(&server, 100).await {
        ends(&server, &job, "succeeded").await;
    }
    assert_eq!(given.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_the_jobs_arrive() {
    let server = start().await;
    let (endpoint, target, given) = shop_with_grants(2).await;
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    destination(&server, &target, "shop", &json!({"concurrency": 20})).await;
    for job in create(&server, 20).await {
        ends(&server, &job, "succeeded").await;
    }
    assert_eq!(
        given.load(Ordering::Relaxed),
        2,
        "all of them share the renewal"
    );
}

#[tokio::test]
async fn a_renewal_that_does_not_help_is_not_tried_for_ever() {
    let server = start().await;
    let (endpoint, target, given) = shop_with_grants(u32::MAX).await;
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    destination(&server, &target, "shop", &json!({})).await;
    let job = create(&server, 1).await.remove(0);
    let dead = ends(&server, &job, "dead").await;
    assert_eq!(dead["attempts"], 2);
    assert_eq!(given.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_rule_may_ask_for_the_renewal() {
    let server = start().await;
    let (endpoint, target, given) = shop_with_grants(1).await;
    let seen = Arc::new(AtomicU32::new(0));
    target.decide(move |request| {
        let is_second = header(request, "authorization") == Some("Bearer grant-2");
        seen.fetch_add(1, Ordering::Relaxed);
        if is_second {
            (200, String::new())
        } else {
            (400, "token_expired".into())
        }
    });
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    let rules = json!({"rules":[{"when":"status == 400 && body == 'token_expired'","then":"refresh_credential"}]});
    let answer = destination(&server, &target, "shop", &rules).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let job = create(&server, 1).await.remove(0);
    ends(&server, &job, "succeeded").await;
    assert_eq!(given.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_token_that_cannot_be_had_costs_no_attempt() {
    let server = start().await;
    let (endpoint, target, _) = shop_with_grants(1).await;
    put(&server, "shop", &client_credentials(&endpoint, "wrong")).await;
    destination(&server, &target, "shop", &json!({})).await;
    let job = create(&server, 1).await.remove(0);
    let path = format!("/v1/egress/destinations/shop/jobs/{job}");
    let waiting = server
        .get_until(&path, |job| job["last_error"].is_string())
        .await;
    assert_eq!(
        (&waiting["state"], &waiting["attempts"]),
        (&json!("pending"), &json!(0))
    );
    let why = waiting["last_error"].as_str().unwrap();
    assert!(why.contains("it answers 401 invalid_client"), "{why}");
    assert!(target.got().is_empty());
    let shown = server.get("/v1/credentials/shop").await.json();
    assert!(
        shown["failure"]
            .as_str()
            .unwrap()
            .contains("invalid_client"),
        "{shown}"
    );
    let tested = server.post("/v1/credentials/shop/test", "{}").await;
    tested.refused_with("TL0136");

    // An alert needs a figure: it says so now, and no more when the endpoint gives a token again.
    let figures = server.get("/metrics").await.text();
    assert!(
        figures.contains("\ntrunkline_credential_failing 1\n"),
        "{figures}"
    );
    let none_refused = "trunkline_credential_grants_total{end=\"refused\"} 0\n";
    assert!(!figures.contains(none_refused), "{figures}");
    put(&server, "shop", &client_credentials(&endpoint, "s&t")).await;
    ends(&server, &job, "succeeded").await;
    let figures = server.get("/metrics").await.text();
    assert!(
        figures.contains("\ntrunkline_credential_failing 0\n"),
        "{figures}"
    );
    assert!(
        figures.contains("trunkline_credential_grants_total{end=\"granted\"} 1\n"),
        "{figures}"
    );
}
