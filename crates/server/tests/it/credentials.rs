//! Credentials over HTTP, and what destinations get to see of them.

use crate::guard::{Guard, header};
use crate::raw::Response;
use crate::{Config, Folder, Server, small};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::Handle;
use trunkline_server::engine::vault::{Secret, Vault, WebhookKey, signatures};
use trunkline_server::engine::{Config as EngineConfig, Engine};

/// A signing secret.
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The settings of an engine with a key ring, which lies in its folder.
pub(crate) fn with_ring(folder: &Folder) -> EngineConfig {
    std::fs::create_dir_all(&folder.0).unwrap();
    let mut config = small(folder);
    let vault = Vault::load_or_create(&folder.0.join("ring.key")).unwrap();
    config.vault = Some(Arc::new(vault));
    config
}

pub(crate) async fn start() -> Server {
    let folder = Folder::new();
    let engine = Engine::open(with_ring(&folder), Handle::current()).unwrap();
    Server::start_on(engine, folder, Config::default()).await
}

pub(crate) async fn put(server: &Server, id: &str, body: &Value) -> Value {
    let path = format!("/v1/credentials/{id}");
    let answer = server.put(&path, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn bearer(server: &Server, id: &str, token: &str) -> Value {
    put(
        server,
        id,
        &json!({"authentication":{"bearer":{"token":token}}}),
    )
    .await
}

pub(crate) async fn destination(
    server: &Server,
    guard: &Guard,
    credential: &str,
    more: &Value,
) -> Response {
    let mut body = json!({
        "url": guard.url(), "credential": credential,
        "retry": {"initial_ms": 5, "max_ms": 5, "attempts": 3},
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    server
        .put("/v1/egress/destinations/shop", &body.to_string())
        .await
}

/// Creates `count` jobs in lanes of their own, and gives their ids.
pub(crate) async fn create(server: &Server, count: usize) -> Vec<String> {
    let jobs: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "destination": "shop", "lane": format!("lane-{number}"), "object_type": "stock",
                "action": "update", "object_ids": ["1"], "body": {"number": number},
            })
        })
        .collect();
    let answer = server
        .post("/v1/egress/jobs", &json!(jobs).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let ids = answer.json()["ids"].clone();
    serde_json::from_value(ids).unwrap()
}

pub(crate) async fn ends(server: &Server, id: &str, state: &str) -> Value {
    let path = format!("/v1/egress/destinations/shop/jobs/{id}");
    let job = server
        .get_until(&path, |job| job["state"] != "pending")
        .await;
    assert_eq!(job["state"], state, "{job}");
    job
}

fn accepts(secret: &'static str) -> impl Fn(&str) -> (u16, String) + Send + Sync {
    move |request| match header(request, "authorization") {
        Some(value) if value == format!("Bearer {secret}") => (200, String::new()),
        _ => (401, "who are you?".into()),
    }
}

#[tokio::test]
async fn each_kind_of_credential_authenticates_in_its_way() {
    let server = start().await;
    let guard = Guard::start(|_| (200, String::new())).await;
    let kinds = [
        json!({"basic":{"user":"ada","password":"pass wörd"}}),
        json!({"bearer":{"token":"t0ken"}}),
        json!({"api_key":{"name":"x-key","key":"k 1"}}),
        json!({"api_key":{"in":"query","name":"the key","key":"k&1"}}),
        json!({"webhook":{"secret":SIGNING}}),
    ];
    for authentication in &kinds {
        put(&server, "shop", &json!({"authentication":authentication})).await;
        assert_eq!(
            destination(&server, &guard, "shop", &json!({}))
                .await
                .status,
            200
        );
        let job = create(&server, 1).await.remove(0);
        ends(&server, &job, "succeeded").await;
    }
    let got = guard.got();
    assert_eq!(
        header(&got[0], "authorization"),
        Some("Basic YWRhOnBhc3Mgd8O2cmQ=")
    );
    assert_eq!(header(&got[1], "authorization"), Some("Bearer t0ken"));
    assert_eq!(header(&got[2], "x-key"), Some("k 1"));
    assert!(
        got[3].starts_with("POST /take?the%20key=k%261 HTTP/1.1"),
        "{}",
        got[3]
    );
    let signed = &got[4];
    let id = header(signed, "webhook-id").unwrap();
    assert_eq!(Some(id), header(signed, "idempotency-key"));
    let at = header(signed, "webhook-timestamp")
        .unwrap()
        .parse()
        .unwrap();
    let body = signed.split_once("\r\n\r\n").unwrap().1;
    let key = WebhookKey::parse(&Secret::from(SIGNING)).unwrap();
    assert_eq!(
        header(signed, "webhook-signature"),
        Some(&*signatures(&[key], id, at, body.as_bytes()))
    );
}

#[tokio::test]
async fn while_signing_secrets_overlap_a_message_has_both_signatures() {
    let server = start().await;
    let guard = Guard::start(|_| (200, String::new())).await;
    let put_one = async |secret: &str, overlap_ms: u64| {
        let body = json!({"authentication":{"webhook":{"secret":secret}}, "overlap_ms":overlap_ms});
        put(&server, "shop", &body).await;
    };
    put_one(SIGNING, 3_600_000).await;
    put_one("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 3_600_000).await;
    destination(&server, &guard, "shop", &json!({})).await;
    let job = create(&server, 1).await.remove(0);
    ends(&server, &job, "succeeded").await;
    assert_eq!(
        server
            .post("/v1/credentials/shop/retire", "{}")
            .await
            .status,
        200
    );
    let job = create(&server, 1).await.remove(0);
    ends(&server, &job, "succeeded").await;
    let got = guard.got();
    let count = |request: &str| {
        header(request, "webhook-signature")
            .unwrap()
            .split(' ')
            .count()
    };
    assert_eq!((count(&got[0]), count(&got[1])), (2, 1));
    let refused = server.post("/v1/credentials/shop/retire", "{}").await;
    refused.refused_with("TL0137");
}

#[tokio::test]
async fn a_version_is_tested_while_it_is_pending_and_used_once_it_is_promoted() {
    let server = start().await;
    let guard = Guard::start(accepts("old")).await;
    bearer(&server, "shop", "old").await;
    destination(&server, &guard, "shop", &json!({})).await;
    let body = json!({"authentication":{"bearer":{"token":"new"}}, "pending":true});
    let shown = put(&server, "shop", &body).await;
    let stages: Vec<_> = shown["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["stage"])
        .collect();
    assert_eq!(stages, ["current", "pending"]);
    let test = async |body: Value| {
        server
            .post("/v1/credentials/shop/test", &body.to_string())
            .await
            .json()
    };
    assert_eq!(test(json!({})).await["accepted"], true);
    let tested = test(json!({"pending":true})).await;
    assert_eq!(
        (&tested["accepted"], &tested["status"]),
        (&json!(false), &json!(401))
    );
    guard.decide(accepts("new"));
    assert_eq!(test(json!({"pending":true})).await["accepted"], true);
    assert_eq!(
        server
            .post("/v1/credentials/shop/promote", "{}")
            .await
            .status,
        200
    );
    let job = create(&server, 1).await.remove(0);
    ends(&server, &job, "succeeded").await;
    server
        .post("/v1/credentials/shop/promote", "{}")
        .await
        .refused_with("TL0137");
    let elsewhere = test(json!({"url":"http://127.0.0.1:1/"})).await;
    assert_eq!(elsewhere["accepted"], false);
    assert!(elsewhere.get("status").is_none(), "{elsewhere}");
}

#[tokio::test]
async fn a_credential_rotated_under_load_loses_no_job() {
    let server = start().await;
    let guard = Guard::start(accepts("old")).await;
    bearer(&server, "shop", "old").await;
    destination(&server, &guard, "shop", &json!({"concurrency": 4})).await;
    let jobs = create(&server, 300).await;
    // In the middle of it the target takes both, then Trunkline has the new one, then the target forgets the old one at once.
    while guard.got().len() < 50 {
        tokio::task::yield_now().await;
    }
    let (old, new) = (accepts("old"), accepts("new"));
    guard.decide(move |request| match old(request) {
        (401, _) => new(request),
        accepted => accepted,
    });
    bearer(&server, "shop", "new").await;
    let held = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&held);
    let new = accepts("new");
    guard.decide(move |request| {
        let answer = new(request);
        if answer.0 == 401 {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        answer
    });
    for job in &jobs {
        ends(&server, job, "succeeded").await;
    }
    // Calls that were on their way with the old token may have been refused: at most as many as are under way at once.
    assert!(held.load(Ordering::Relaxed) <= 4, "{held:?}");
}

#[tokio::test]
async fn what_is_used_is_there_and_stays() {
    let server = start().await;
    let guard = Guard::start(|_| (200, String::new())).await;
    let refused = destination(&server, &guard, "shop", &json!({})).await;
    refused.refused_with("TL0130");
    bearer(&server, "shop", "t0ken").await;
    destination(&server, &guard, "shop", &json!({})).await;
    let shown = server.get("/v1/credentials/shop").await.json();
    assert_eq!(shown["used_by"], json!(["shop"]));
    let refused = server.send("DELETE", "/v1/credentials/shop", "").await;
    let problem = refused.refused_with("TL0132");
    assert!(problem["detail"].as_str().unwrap().contains("shop"));
    let body = json!({"url": guard.url()}).to_string();
    server.put("/v1/egress/destinations/shop", &body).await;
    let deleted = server.send("DELETE", "/v1/credentials/shop", "").await;
    assert_eq!(deleted.status, 204);
    server
        .get("/v1/credentials/shop")
        .await
        .refused_with("TL0130");
    assert_eq!(
        server.get("/v1/credentials").await.json(),
        json!({"credentials":[]})
    );
}

#[tokio::test]
async fn what_is_no_credential_is_refused_without_repeating_its_secret() {
    let server = start().await;
    for authentication in [
        json!({"basic":{"user":"a:b","password":"canary"}}),
        json!({"bearer":{"token":"canary in words"}}),
        json!({"api_key":{"name":"no header","key":"canary"}}),
        json!({"webhook":{"secret":"whsec_canary"}}),
        json!({"client_credentials":{"token_url":"ftp://x","client_id":"i","client_secret":"canary"}}),
    ] {
        let body = json!({"authentication":authentication}).to_string();
        let refused = server.put("/v1/credentials/shop", &body).await;
        refused.refused_with("TL0131");
        assert!(!refused.text().contains("canary"), "{}", refused.text());
    }
    let plain = Server::start().await;
    let body = json!({"authentication":{"bearer":{"token":"canary"}}}).to_string();
    let refused = plain.put("/v1/credentials/shop", &body).await;
    refused.refused_with("TL0133");
}

#[tokio::test]
async fn keys_rotate_while_deliveries_go_on_and_the_old_key_is_not_needed_any_more() {
    let folder = Folder::new();
    let config = with_ring(&folder);
    let key_file = folder.0.join("ring.key");
    let engine = Engine::open(config, Handle::current()).unwrap();
    let mut server = Server::start_on(engine, folder, Config::default()).await;
    let guard = Guard::start(accepts("t0ken")).await;
    bearer(&server, "shop", "t0ken").await;
    destination(&server, &guard, "shop", &json!({"concurrency": 4})).await;
    let jobs = create(&server, 200).await;
    for _ in 0..3 {
        let rotated = server.post("/v1/key-ring/rotate", "{}").await.json();
        assert_eq!(rotated["resealed"], 1, "{rotated}");
    }
    for job in &jobs {
        ends(&server, job, "succeeded").await;
    }
    let ring = server.get("/v1/key-ring").await.json();
    assert_eq!(ring, json!({"versions":[1,2,3,4],"newest":4}));
    let shown = server.get("/v1/credentials/shop").await.json();
    assert_eq!(shown["versions"][0]["sealed_under"], 4);
    server.stop().await;
    // Only the newest key is left, and everything opens.
    let text = std::fs::read_to_string(&key_file).unwrap();
    let newest: String = text.lines().filter(|line| line.starts_with("4:")).collect();
    std::fs::write(&key_file, newest).unwrap();
    let folder = std::mem::replace(&mut server._folder, Folder::new());
    let engine = Engine::open(with_ring(&folder), Handle::current()).unwrap();
    let server = Server::start_on(engine, folder, Config::default()).await;
    let job = create(&server, 1).await.remove(0);
    ends(&server, &job, "succeeded").await;
}

#[tokio::test]
async fn a_wrong_key_ring_is_refused_at_the_start() {
    let folder = Folder::new();
    let engine = Engine::open(with_ring(&folder), Handle::current()).unwrap();
    let mut server = Server::start_on(engine, folder, Config::default()).await;
    bearer(&server, "shop", "t0ken").await;
    server.stop().await;
    let folder = std::mem::replace(&mut server._folder, Folder::new());
    let mut config = with_ring(&folder);
    let other = Vault::create(&folder.0.join("other.key")).unwrap();
    for (vault, why) in [
        (
            Some(Arc::new(other)),
            "version 1 of the key ring does not open it",
        ),
        (None, "no key file is given"),
    ] {
        config.vault = vault;
        let Err(error) = Engine::open(config.clone(), Handle::current()) else {
            panic!("it opened with a wrong ring");
        };
        assert_eq!(error.code.to_string(), "TL0134");
        assert!(error.message.contains(why), "{}", error.message);
    }
    Engine::open(with_ring(&folder), Handle::current()).unwrap();
}
