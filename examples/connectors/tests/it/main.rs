//! The REST connector in front of a receiver that verifies signatures, over real HTTP.
#![expect(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use trunkline_connectors::contract::Connector;
use trunkline_connectors::receiver;
use trunkline_connectors::rest::Rest;
use trunkline_connectors::signature::Key;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Taken = Arc<Mutex<Vec<String>>>;

/// A receiver with `SECRET`, a connector that signs with `secret`, and what the receiver took.
async fn pair(secret: &str, token: Option<&str>) -> (String, Taken) {
    let taken = Taken::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let noted = Arc::clone(&taken);
    tokio::spawn(receiver::serve(
        listener,
        Key::read(SECRET).unwrap(),
        move |method, path, body| {
            noted
                .lock()
                .unwrap()
                .push(format!("{method} {path} {body}"));
        },
    ));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let rest = Rest::new(&base, Some(Key::read(secret).unwrap()));
    tokio::spawn(Connector::new(rest, token.map(str::to_owned)).serve(listener));
    (url, taken)
}

async fn post(url: &str, token: Option<&str>, body: String) -> (u16, Value) {
    let mut request = Request::post(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Full::<Bytes>::from(body)).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

fn call(action: &str, items: &[(&str, &str)]) -> String {
    let items: Vec<Value> = items
        .iter()
        .map(|(id, object)| json!({"id": id, "object_ids": [object], "body": {"sku": object}}))
        .collect();
    json!({"contract": 1, "destination": "d", "action": action, "object_type": "product", "items": items})
        .to_string()
}

#[tokio::test]
async fn items_become_signed_calls_that_the_receiver_verifies() {
    let (url, taken) = pair(SECRET, None).await;
    let (status, answer) = post(&url, None, call("update", &[("1", "a b"), ("2", "c")])).await;
    assert_eq!(status, 200);
    assert_eq!(
        answer["items"][0],
        json!({"id": "1", "status": "succeeded"})
    );
    post(&url, None, call("delete", &[("3", "c")])).await;
    post(&url, None, call("publish", &[("4", "c")])).await;
    let taken = taken.lock().unwrap();
    let expected = [
        r#"PUT /product/a%20b {"sku":"a b"}"#,
        r#"PUT /product/c {"sku":"c"}"#,
        "DELETE /product/c ",
        r#"POST /product/c/publish {"sku":"c"}"#,
    ];
    assert_eq!(*taken, expected);
}

#[tokio::test]
async fn a_repeated_item_is_not_sent_again() {
    let (url, taken) = pair(SECRET, None).await;
    post(&url, None, call("update", &[("1", "a")])).await;
    let (_, again) = post(&url, None, call("update", &[("1", "a"), ("2", "b")])).await;
    assert_eq!(
        again["items"][0],
        json!({"id": "1", "status": "succeeded", "repeated": true})
    );
    assert_eq!(again["items"][1], json!({"id": "2", "status": "succeeded"}));
    assert_eq!(taken.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_receiver_with_another_key_takes_nothing_and_the_item_fails_as_auth() {
    let (url, taken) = pair(OTHER, None).await;
    let (_, answer) = post(&url, None, call("update", &[("1", "a")])).await;
    assert_eq!(answer["items"][0]["error"]["class"], "auth");
    assert_eq!(
        answer["items"][0]["error"]["message"],
        "answered 401: no signature fits"
    );
    assert!(taken.lock().unwrap().is_empty());
    // It was not done, so it is no repeat the next time.
    let (_, again) = post(&url, None, call("update", &[("1", "a")])).await;
    assert_eq!(again["items"][0]["status"], "failed");
}

#[tokio::test]
async fn a_caller_without_the_token_is_refused() {
    let (url, taken) = pair(SECRET, Some("t")).await;
    assert_eq!(post(&url, None, call("update", &[("1", "a")])).await.0, 401);
    assert_eq!(
        post(&url, Some("x"), call("update", &[("1", "a")])).await.0,
        401
    );
    assert!(taken.lock().unwrap().is_empty());
    assert_eq!(
        post(&url, Some("t"), call("update", &[("1", "a")])).await.0,
        200
    );
}

#[tokio::test]
async fn what_is_no_call_or_too_large_is_refused_as_a_whole() {
    let (url, _) = pair(SECRET, None).await;
    assert_eq!(post(&url, None, "{".to_owned()).await.0, 400);
    assert_eq!(post(&url, None, "x".repeat((1 << 20) + 1)).await.0, 413);
}
