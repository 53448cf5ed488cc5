//! Tokens: who is let in, and to what. Every route is tried without a token, with each scope, and with another tenant's token.

use crate::guarded::Guarded;
use crate::raw::request;
use crate::worker::{connect_with, hear, registration, tell, work_with};
use crate::{Config, PATIENCE};
use futures_util::StreamExt;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use trunkline_api::core::ids::RequestId;
use trunkline_api::core::peer::{FromPeer, Op, ToPeer};
use trunkline_api::frame::SUBPROTOCOL;
use trunkline_api::route::{Method, ROUTES};
use trunkline_api::scope::{Needs, Scope};
use trunkline_server::engine::vault::ApiToken;

/// What is in the addresses of the walk.
fn filled(path: &str) -> String {
    path.replace("{workflow}", "Wait")
        .replace("{code}", "TL0010")
        .replace("{destination}", "shop")
        .replace("/destinations/{name}", "/destinations/shop")
        .replace("/schedules/{name}", "/schedules/nightly")
        .replace("/credentials/{id}", "/credentials/key")
        .replace("/runs/{id}", "/runs/one")
        .replace("{channel}", "go")
        .replace(['{', '}'], "")
}

/// A body that the address takes, where an empty one would already be refused for another reason.
fn body_of(operation: &str) -> &'static str {
    match operation {
        "put_destination" => r#"{"url":"http://127.0.0.1:9/x","paused":true}"#,
        "create_token" => r#"{"name":"made","scopes":["read"]}"#,
        _ => "{}",
    }
}

#[tokio::test]
async fn every_route_is_refused_without_a_token_and_without_its_scope_and_open_with_it() {
    let guarded = Guarded::start().await;
    let mut tokens = BTreeMap::new();
    for &scope in Scope::ALL {
        let (token, _) = guarded.token("default", &[scope.as_str()]).await;
        tokens.insert(scope, token);
    }
    let (revoked, id) = guarded.token("default", &["read", "admin"]).await;
    let path = format!("/v1/tokens/{id}");
    guarded
        .done(&guarded.admin, "DELETE", &path, &json!({}))
        .await;
    let unknown = ApiToken::fresh().unwrap().reveal().to_owned();
    let forged = format!("{}{}", &revoked[..20], &unknown[20..]);

    for route in ROUTES {
        let (method, path) = (route.method.as_str(), filled(route.path));
        let name = route.operation.name();
        let what = format!("{method} {path}");
        let body = if route.method == Method::Get {
            ""
        } else {
            body_of(name)
        };
        let is_open = route.needs == Needs::Nothing;
        for token in [None, Some(&revoked), Some(&unknown), Some(&forged)] {
            let token = token.map(String::as_str);
            let answer = guarded.ask(token, method, &path, body).await;
            if is_open {
                assert_eq!(answer.status, 200, "{what}");
                continue;
            }
            assert_eq!(answer.status, 401, "{what}: {}", answer.text());
            answer.refused_with("TL0110");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer realm=\"trunkline\"")
            );
        }
        for (scope, token) in &tokens {
            let answer = guarded.ask(Some(token), method, &path, body).await;
            let may = match route.needs {
                Needs::Nothing | Needs::Token => true,
                Needs::Scope(Scope::AdminRead) => {
                    matches!(scope, Scope::AdminRead | Scope::Admin)
                }
                Needs::Scope(needed) => needed == *scope,
            };
            let code = (answer.status >= 400).then(|| answer.json()["code"].clone());
            let is_refused = code == Some(json!("TL0111"));
            assert_eq!(is_refused, !may, "{what} with {scope}: {}", answer.text());
            assert_eq!(answer.status == 403, !may, "{what} with {scope}");
            assert!(
                !matches!(&code, Some(code) if code == "TL0110" || code == "TL0007"),
                "{what} with {scope}: {code:?}"
            );
        }
    }
    // What is not there is only told to those who are let in; and the wrong method, and HEAD, are no way around.
    for (method, path, code) in [("GET", "/nope", "TL0007"), ("DELETE", "/v1/runs", "TL0008")] {
        guarded
            .ask(None, method, path, "")
            .await
            .refused_with("TL0110");
        let read = Some(tokens[&Scope::Read].as_str());
        guarded.ask(read, method, path, "").await.refused_with(code);
    }
    let work = Some(tokens[&Scope::Work].as_str());
    assert_eq!(guarded.ask(None, "HEAD", "/v1/runs", "").await.status, 401);
    assert_eq!(guarded.ask(work, "HEAD", "/v1/runs", "").await.status, 403);
    assert_eq!(guarded.ask(work, "HEAD", "/metrics", "").await.status, 403);
}

#[tokio::test]
async fn what_presents_itself_in_another_way_is_not_let_in() {
    let guarded = Guarded::start().await;
    let address = guarded.server.address;
    let admin = &guarded.admin;
    let headers: [&[(&str, &str)]; 7] = [
        &[("authorization", admin)],
        &[("authorization", &format!("Basic {admin}"))],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", &format!("Bearer {}", admin.to_uppercase()))],
        &[("x-api-key", admin)],
        &[
            ("authorization", &format!("Bearer {admin}")),
            ("authorization", "Bearer other"),
        ],
    ];
    for headers in headers {
        let answer = request(address, "GET", "/v1/runs", headers, b"").await;
        assert_eq!(answer.status, 401, "{headers:?}");
        assert!(!answer.text().contains(&admin[20..]), "{}", answer.text());
    }
    let lower = format!("bearer   {admin} ");
    let headers = [("authorization", lower.as_str())];
    let answer = request(address, "GET", "/v1/runs", &headers, b"").await;
    assert_eq!(
        answer.status, 200,
        "the scheme has no case (RFC 9110, 11.1)"
    );
    let in_query = format!("/v1/runs?token={admin}");
    assert_eq!(guarded.ask(None, "GET", &in_query, "").await.status, 401);
}

#[tokio::test]
async fn a_server_that_requires_no_tokens_serves_everybody_but_who_presents_a_wrong_one() {
    let guarded = Guarded::start_with(Config::default()).await;
    let tenant = guarded.tenant("a").await;
    assert_eq!(guarded.ask(None, "GET", "/v1/runs", "").await.status, 200);
    let who = guarded.ask(None, "GET", "/v1/access", "").await.json();
    assert_eq!(who["tenant"], "default");
    assert_eq!(who["tokens_required"], false);
    let who = guarded.done(&tenant, "GET", "/v1/access", &json!({})).await;
    assert_eq!(who["tenant"], "a");
    let unknown = ApiToken::fresh().unwrap();
    for wrong in [unknown.reveal(), "tl_nonsense"] {
        let answer = guarded.ask(Some(wrong), "GET", "/v1/runs", "").await;
        answer.refused_with("TL0110");
    }
    // What a proxy in front asks for is no token of ours.
    let answer = guarded.ask(Some("eyJhbGciOi"), "GET", "/v1/runs", "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_token_ends_when_it_expires_and_one_without_a_scope_is_not_made() {
    let guarded = Guarded::start().await;
    let admin = &guarded.admin;
    let body = json!({"name": "short", "scopes": ["read"], "expires_in_ms": 300});
    let made = guarded.done(admin, "POST", "/v1/tokens", &body).await;
    let token = made["token"].as_str().unwrap();
    let over = guarded.until(token, "/v1/runs", |answer| answer.status == 401);
    over.await.refused_with("TL0110");

    for body in [
        json!({"name": "none", "scopes": []}),
        json!({"name": "zero", "scopes": ["read"], "expires_in_ms": 0}),
    ] {
        let answer = guarded
            .ask(Some(admin), "POST", "/v1/tokens", &body.to_string())
            .await;
        answer.refused_with("TL0113");
    }
    let unknown = json!({"name": "x", "scopes": ["reed"]}).to_string();
    let answer = guarded
        .ask(Some(admin), "POST", "/v1/tokens", &unknown)
        .await;
    let problem = answer.refused_with("TL0003");
    assert!(
        problem["detail"].to_string().contains("egress:admin"),
        "{problem}"
    );
    let elsewhere = json!({"name": "x", "scopes": ["read"], "tenant": "nobody"}).to_string();
    let answer = guarded
        .ask(Some(admin), "POST", "/v1/tokens", &elsewhere)
        .await;
    answer.refused_with("TL0114");
}

#[tokio::test]
async fn a_revoked_token_ends_the_connections_streams_and_waits_that_it_opened() {
    let guarded = Guarded::start().await;
    let admin = guarded.admin.clone();
    let (token, id) = guarded.token("default", &["read", "run", "work"]).await;
    let address = guarded.server.address;

    let mut worker = connect_with(address, Some(SUBPROTOCOL), Some(&token))
        .await
        .unwrap();
    tell(&mut worker, &[registration(10)]).await;
    let start = json!({"id": "one"});
    let begun = async {
        while guarded
            .ask(
                Some(&token),
                "POST",
                "/v1/workflows/Wait/runs",
                &start.to_string(),
            )
            .await
            .status
            != 201
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();

    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: text/event-stream\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 64];
    stream.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200"), "{first:?}");

    let waiting = guarded.ask(
        Some(&token),
        "GET",
        "/v1/workflows/Wait/runs/one/result?wait_ms=60000",
        "",
    );
    let revoking = async {
        // Not before the wait has begun, as far as anybody outside can know.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let path = format!("/v1/tokens/{id}");
        guarded.done(&admin, "DELETE", &path, &json!({})).await;
    };
    let ended = async {
        let (answer, ()) = tokio::join!(waiting, revoking);
        answer.refused_with("TL0110");
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert!(
            rest.contains("event: problem") && rest.contains("TL0110"),
            "{rest}"
        );
        let farewell = loop {
            match worker.next().await.unwrap().unwrap() {
                Message::Close(frame) => break frame.unwrap(),
                _ => continue,
            }
        };
        assert!(farewell.reason.starts_with("TL0110"), "{farewell}");
    };
    // Far sooner than the wait of a minute and the pings of the connection would end them.
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    let again = connect_with(address, Some(SUBPROTOCOL), Some(&token)).await;
    assert!(matches!(again, Err(Error::Http(answer)) if answer.status() == 401));
}

/// What the engine answered to a request on a connection.
async fn asked(token: &str, guarded: &Guarded, op: Op) -> Result<(), String> {
    let address = guarded.server.address;
    let mut socket = connect_with(address, Some(SUBPROTOCOL), Some(token))
        .await
        .unwrap();
    tell(&mut socket, &[FromPeer::Request(RequestId(7), op)]).await;
    let answered = async {
        loop {
            for message in hear(&mut socket).await.expect("the connection stays") {
                if let ToPeer::Reply(RequestId(7), answer) = message {
                    return answer.map(drop).map_err(|refused| refused.code.to_string());
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.unwrap()
}

#[tokio::test]
async fn a_connection_asks_only_what_its_scopes_allow_and_only_a_worker_works() {
    let guarded = Guarded::start().await;
    let (reader, _) = guarded.token("default", &["read"]).await;
    let (worker, _) = guarded.token("default", &["work"]).await;
    let (operator, _) = guarded.token("default", &["operate"]).await;
    let purge = || Op::Purge {
        run: trunkline_api::core::ids::RunId::new("Wait", "nobody"),
    };
    assert_eq!(asked(&reader, &guarded, Op::Counters).await, Ok(()));
    let refused = Err("TL0111".to_owned());
    assert_eq!(asked(&reader, &guarded, purge()).await, refused);
    assert_eq!(asked(&worker, &guarded, Op::Counters).await, refused);
    assert_eq!(asked(&operator, &guarded, Op::Counters).await, refused);
    let no_such_run = Err("TL0010".to_owned());
    assert_eq!(asked(&operator, &guarded, purge()).await, no_such_run);

    let address = guarded.server.address;
    let mut socket = connect_with(address, Some(SUBPROTOCOL), Some(&reader))
        .await
        .unwrap();
    tell(&mut socket, &[registration(10)]).await;
    let farewell = async {
        loop {
            if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
                return frame.unwrap();
            }
        }
    };
    let farewell = tokio::time::timeout(PATIENCE, farewell).await.unwrap();
    assert!(farewell.reason.starts_with("TL0111"), "{farewell}");
    let start = r#"{"id":"one"}"#;
    let unknown = guarded
        .ask(
            Some(&guarded.admin),
            "POST",
            "/v1/workflows/Wait/runs",
            start,
        )
        .await;
    unknown.refused_with("TL0009");

    let working = tokio::spawn(async move { work_with(address, Some(&worker)).await });
    let begun = async {
        while guarded
            .ask(
                Some(&guarded.admin),
                "POST",
                "/v1/workflows/Wait/runs",
                start,
            )
            .await
            .status
            != 201
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();
    working.abort();
}

#[tokio::test]
async fn the_token_of_the_operators_file_is_the_only_one_of_its_kind() {
    let guarded = Guarded::start().await;
    let (made, _) = guarded.token("default", &["read"]).await;
    let old = guarded.admin.clone();
    let fresh = ApiToken::fresh().unwrap();
    let mut guarded = guarded;
    guarded.config.admin_token = Some(fresh.clone());
    let guarded = guarded.restart(|_| {}).await;
    assert_eq!(
        guarded.ask(Some(&old), "GET", "/v1/runs", "").await.status,
        401
    );
    assert_eq!(
        guarded.ask(Some(&made), "GET", "/v1/runs", "").await.status,
        200
    );
    let list = guarded
        .done(fresh.reveal(), "GET", "/v1/tokens", &json!({}))
        .await;
    let list = list["tokens"].as_array().unwrap();
    let from_file: Vec<_> = list.iter().filter(|one| one["from_file"] == true).collect();
    assert_eq!(from_file.len(), 1, "{list:?}");
    assert_eq!(from_file[0]["id"], fresh.id());
}

/// A token is shown when it is made. Afterwards it is nowhere: neither in an answer nor in a file.
#[tokio::test]
async fn a_token_is_seen_once_and_is_in_no_file() {
    let guarded = Guarded::start().await;
    let tenant = guarded.tenant("a").await;
    let secret = tenant[20..].to_owned();
    for path in [
        "/v1/tokens",
        "/v1/tenants",
        "/v1/tenants/a",
        "/v1/access",
        "/metrics",
    ] {
        let answer = guarded.ask(Some(&guarded.admin), "GET", path, "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text().contains(&secret), "{path}");
        assert!(!answer.text().contains(&guarded.admin[20..]), "{path}");
    }
    let admin = guarded.admin[20..].to_owned();
    let guarded = guarded
        .restart(|folder| {
            let mut files = vec![folder.to_owned()];
            let mut looked = 0;
            while let Some(path) = files.pop() {
                if path.is_dir() {
                    files.extend(
                        std::fs::read_dir(path)
                            .unwrap()
                            .map(|entry| entry.unwrap().path()),
                    );
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap();
                for secret in [&secret, &admin] {
                    let found = bytes
                        .windows(secret.len())
                        .any(|part| part == secret.as_bytes());
                    assert!(!found, "{}", path.display());
                }
                looked += 1;
            }
            assert!(looked > 4, "{looked}");
        })
        .await;
    assert_eq!(
        guarded
            .ask(Some(&tenant), "GET", "/v1/runs", "")
            .await
            .status,
        200
    );
}
