//! Lists in pages: each item once, with filters and without.

use crate::Server;
use crate::bad_input::until_known;
use crate::worker;
use serde_json::Value;
use std::collections::BTreeSet;

/// Goes through all pages of `path`, which has a query already, and gives the `field` of each item.
async fn walk(server: &Server, path: &str, items: &str, field: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    for _ in 0..1_000 {
        let page = server.get(&format!("{path}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page: Value = page.json();
        for item in page[items].as_array().unwrap() {
            all.push(item[field].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
    panic!("the list never ends");
}

fn distinct(items: &[String]) -> BTreeSet<&str> {
    items.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn every_run_is_on_exactly_one_page() {
    let server = Server::start().await;
    tokio::spawn(worker::work(server.address));
    until_known(&server).await;
    for number in 0..60 {
        let tag = if number % 3 == 0 { "third" } else { "other" };
        let start = format!(r#"{{"id":"r{number}","tags":["{tag}"]}}"#);
        assert_eq!(
            server.post("/v1/workflows/Wait/runs", &start).await.status,
            201
        );
    }
    for limit in [1, 7, 1_000] {
        let path = format!("/v1/runs?workflow=Wait&status=running&limit={limit}");
        let ids = walk(&server, &path, "runs", "id").await;
        assert_eq!(ids.len(), 60, "limit {limit}");
        assert_eq!(distinct(&ids).len(), 60, "limit {limit}");
    }
    let ids = walk(&server, "/v1/runs?tag=third&limit=4", "runs", "id").await;
    assert_eq!((ids.len(), distinct(&ids).len()), (20, 20));
    assert_eq!(
        walk(&server, "/v1/runs?id=r7&limit=9", "runs", "id").await,
        ["r7"]
    );
    assert_eq!(
        walk(&server, "/v1/runs?workflow=Greet&limit=9", "runs", "id")
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn runs_are_counted_and_found_by_what_is_known_of_them() {
    let server = Server::start().await;
    tokio::spawn(worker::work(server.address));
    until_known(&server).await;
    for number in 0..10 {
        let tags = if number % 2 == 0 {
            r#"["even","all"]"#
        } else {
            r#"["all"]"#
        };
        let start = format!(r#"{{"id":"order-{number}","tags":{tags}}}"#);
        let answer = server.post("/v1/workflows/Wait/runs", &start).await;
        assert_eq!(answer.status, 201);
    }
    let done = r#"{"id":"hello","input":"x","wait":true,"tags":["all"]}"#;
    assert_eq!(
        server.post("/v1/workflows/Greet/runs", done).await.status,
        201
    );
    let waiting = "/v1/runs/count?property.state=waiting&tag=all";
    server
        .get_until(waiting, |answer| answer["count"] == 10)
        .await;
    for (query, count) in [
        ("tag=all", 11),
        ("tag=even", 5),
        ("tag=even&tag=all", 5),
        ("tag=even&workflow=Greet", 0),
        ("tag=never", 0),
        ("tag=all&status=running", 10),
        ("tag=all&status=suspended", 10),
        ("status=scheduled", 0),
        ("status=completed&tag=all", 1),
        ("id_prefix=order-", 10),
        ("id=order-7", 1),
        ("started_before=2020-01-01T00:00:00Z", 0),
        ("started_after=2020-01-01T00:00:00Z&tag=all", 11),
        ("tag=all&finished_after=2020-01-01T00:00:00Z", 1),
        ("finished_before=2020-01-01T00:00:00Z", 0),
        ("tag=all&property.state=%22waiting%22", 10),
        ("property.state=elsewhere", 0),
        ("property.colour=waiting", 0),
    ] {
        let answer = server.get(&format!("/v1/runs/count?{query}")).await;
        assert_eq!(answer.json()["count"], count, "{query}");
        let path = format!("/v1/runs?limit=3&{query}");
        let ids = walk(&server, &path, "runs", "id").await;
        assert_eq!((ids.len(), distinct(&ids).len()), (count, count), "{query}");
    }
    for (query, code) in [
        ("status=going", "TL0003"),
        ("colour=red", "TL0002"),
        ("limit=3", "TL0002"),
        ("id=a&id=b", "TL0003"),
        ("started_after=yesterday", "TL0003"),
        ("tag=", "TL0006"),
    ] {
        let path = format!("/v1/runs/count?{query}");
        server.get(&path).await.refused_with(code);
    }
}

#[tokio::test]
async fn every_job_is_on_exactly_one_page() {
    let server = Server::start().await;
    let put = server
        .put(
            "/v1/egress/destinations/shop",
            r#"{"url":"http://127.0.0.1:9/","paused":true}"#,
        )
        .await;
    assert_eq!(put.status, 200, "{}", put.text());
    let jobs: Vec<String> = (0..50)
        .map(|number| {
            let lane = number % 4;
            format!(r#"{{"destination":"shop","lane":"l{lane}","object_type":"stock","action":"update","body":{number}}}"#)
        })
        .collect();
    let answer = server
        .post("/v1/egress/jobs", &format!("[{}]", jobs.join(",")))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["ids"].as_array().unwrap().len(), 50);
    let path = "/v1/egress/destinations/shop/jobs";
    for limit in [3, 50] {
        let ids = walk(
            &server,
            &format!("{path}?state=pending&limit={limit}"),
            "jobs",
            "id",
        )
        .await;
        assert_eq!((ids.len(), distinct(&ids).len()), (50, 50), "limit {limit}");
    }
    let ids = walk(&server, &format!("{path}?lane=l1&limit=5"), "jobs", "id").await;
    assert_eq!((ids.len(), distinct(&ids).len()), (13, 13));
    assert_eq!(
        walk(&server, &format!("{path}?state=dead&limit=5"), "jobs", "id")
            .await
            .len(),
        0
    );
}
