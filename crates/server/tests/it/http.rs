//! What every answer has, and what the API says about itself.

use crate::Server;
use crate::raw::request;
use std::collections::BTreeSet;
use trunkline_api::route::ROUTES;

#[tokio::test]
async fn every_answer_has_a_request_id_taken_over_or_made() {
    let server = Server::start().await;
    let mut made = BTreeSet::new();
    for path in ["/", "/healthz", "/v1/runs", "/nope", "/v1/runs?limit=0"] {
        let answer = server.get(path).await;
        made.insert(answer.header("x-request-id").unwrap().to_owned());
        let headers = [("x-request-id", "mine-42")];
        let answer = request(server.address, "GET", path, &headers, b"").await;
        assert_eq!(answer.header("x-request-id"), Some("mine-42"));
    }
    assert_eq!(made.len(), 5, "made ids differ");
    let long = "x".repeat(129);
    let headers = [("x-request-id", long.as_str())];
    let answer = request(server.address, "GET", "/healthz", &headers, b"").await;
    assert_ne!(answer.header("x-request-id"), Some(long.as_str()));
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let server = Server::start().await;
    for path in ["/nope", "/v1", "/v1/runs/", "/v1/workflows/W/runs/1/2/3"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404);
        answer.refused_with("TL0007");
    }
    let answer = server
        .send("DELETE", "/v1/egress/destinations/shop", "")
        .await;
    assert_eq!(answer.status, 405);
    answer.refused_with("TL0008");
    let allowed = answer.header("allow").unwrap();
    assert!(
        allowed.contains("GET") && allowed.contains("PUT"),
        "{allowed}"
    );
}

#[tokio::test]
async fn every_documented_route_is_served() {
    let server = Server::start().await;
    let document = server.get("/v1/openapi.json").await.json();
    let mut checked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let address = path.replace("{code}", "TL0010").replace(['{', '}'], "");
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters")
        {
            let answer = server.send(&method.to_uppercase(), &address, "").await;
            if answer.status >= 400 {
                let code = answer.json()["code"].clone();
                assert!(
                    code != "TL0007" && code != "TL0008",
                    "{method} {path}: {code}"
                );
            }
            checked += 1;
        }
    }
    assert_eq!(checked, ROUTES.len());
}

#[tokio::test]
async fn the_server_explains_itself_and_its_codes() {
    let server = Server::start().await;
    assert!(server.get("/").await.text().starts_with("Trunkline "));
    let page = server.get("/v1/errors/TL0010").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/markdown; charset=utf-8")
    );
    assert!(page.text().starts_with("# TL0010: there is no such run\n"));
    server.get("/v1/errors/TL9999").await.refused_with("TL0007");
    assert_eq!(server.get("/healthz").await.text(), "ok\n");
    assert_eq!(server.get("/readyz").await.status, 200);
}
