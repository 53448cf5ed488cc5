//! What an operator does with many jobs, and sees of lanes, objects and destinations, over HTTP.

use crate::metrics::parse;
use crate::target::Target;
use crate::{Config, Server};
use serde_json::{Value, json};

async fn put(server: &Server, name: &str, target: &Target, more: Value) {
    let mut body = json!({
        "url": format!("http://{}/take", target.address),
        "retry": {"initial_ms": 5, "max_ms": 5, "attempts": 1},
    });
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    let path = format!("/v1/egress/destinations/{name}");
    let answer = server.put(&path, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn job(destination: &str, lane: &str, object: &str) -> Value {
    json!({
        "destination": destination, "lane": lane, "object_type": "stock", "action": "update",
        "object_ids": [object], "body": {"of": object},
    })
}

async fn create(server: &Server, jobs: &[Value]) -> Vec<String> {
    let answer = server
        .post("/v1/egress/jobs", &json!(jobs).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_value(answer.json()["ids"].clone()).unwrap()
}

async fn bulk(server: &Server, request: Value) -> Value {
    let id = request["id"].as_str().unwrap().to_owned();
    let answer = server
        .post("/v1/egress/jobs/bulk", &request.to_string())
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let path = format!("/v1/bulk/{id}");
    server
        .get_until(&path, |bulk| bulk["state"] != "running")
        .await
}

async fn until(server: &Server, name: &str, field: &str, value: Value) -> Value {
    let path = format!("/v1/egress/destinations/{name}");
    server
        .get_until(&path, |destination| destination[field] == value)
        .await
}

#[tokio::test]
async fn jobs_are_counted_replayed_and_cancelled_by_filter() {
    let server = Server::start().await;
    let target = Target::start(422).await;
    put(&server, "shop", &target, json!({})).await;
    put(&server, "other", &target, json!({"paused": true})).await;
    let jobs: Vec<Value> = (0..30)
        .map(|number| job("shop", &format!("lane-{}", number % 3), &number.to_string()))
        .collect();
    create(&server, &jobs).await;
    create(&server, &[job("other", "lane-0", "x")]).await;
    until(&server, "shop", "dead", json!(30)).await;

    let mut request = json!({
        "id": "again", "action": "replay", "dry_run": true,
        "filter": {"destination": "shop", "lane": "lane-1", "error": "422"},
    });
    let answer = server
        .post("/v1/egress/jobs/bulk", &request.to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let dry = answer.json();
    assert_eq!(
        (&dry["state"], &dry["expected"]),
        (&json!("dry_run"), &json!(10))
    );

    target.answer_with(200);
    request["dry_run"] = json!(false);
    let done = bulk(&server, request).await;
    assert_eq!(
        (
            &done["action"],
            &done["expected"],
            &done["done"],
            &done["refused"]
        ),
        (&json!("replay_jobs"), &json!(10), &json!(10), &json!(0))
    );
    let shop = until(&server, "shop", "succeeded", json!(10)).await;
    assert_eq!(shop["dead"], 20);

    let everywhere =
        json!({"id": "no-more", "action": "cancel", "filter": {"object_type": "stock"}});
    let done = bulk(&server, everywhere).await;
    assert_eq!(
        done["done"], 1,
        "what waits, of whatever destination: {done}"
    );
    until(&server, "other", "pending", json!(0)).await;

    let unknown = json!({"id": "x", "action": "cancel", "filter": {"lanes": "a"}});
    let refused = server
        .post("/v1/egress/jobs/bulk", &unknown.to_string())
        .await;
    refused.refused_with("TL0002");
    let unknown = json!({"id": "x", "action": "burn"});
    let refused = server
        .post("/v1/egress/jobs/bulk", &unknown.to_string())
        .await;
    refused.refused_with("TL0003");
}

#[tokio::test]
async fn a_dead_letter_is_delivered_with_another_body() {
    let server = Server::start().await;
    let target = Target::start(422).await;
    put(&server, "shop", &target, json!({})).await;
    let id = create(&server, &[job("shop", "a", "1")]).await.remove(0);
    until(&server, "shop", "dead", json!(1)).await;
    target.answer_with(200);
    let path = format!("/v1/egress/destinations/shop/jobs/{id}");
    let answer = server
        .post(&format!("{path}/replay"), r#"{"body":{"of":"me"}}"#)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let new = answer.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(new, id);
    let new_path = format!("/v1/egress/destinations/shop/jobs/{new}");
    let delivered = server
        .get_until(&new_path, |job| job["state"] == "succeeded")
        .await;
    assert_eq!(delivered["replay_of"], json!(id));
    let got = target.got().pop().unwrap();
    assert!(
        got.contains(r#"{"of":"me"}"#) && got.contains(&new),
        "{got}"
    );
    let old = server.get(&path).await.json();
    assert_eq!(
        (&old["state"], &old["superseded_by"]),
        (&json!("superseded"), &json!(new))
    );
    let again = server
        .post(&format!("{path}/replay"), r#"{"body":null}"#)
        .await;
    again.refused_with("TL0022");

    let history = server.get("/v1/egress/objects/stock/1").await.json();
    let states: Vec<&str> = history["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["superseded", "succeeded"]);
    assert_eq!(history["jobs"][0]["failed_attempts"][0]["status"], 422);
}

#[tokio::test]
async fn nothing_is_a_body_too() {
    let server = Server::start().await;
    let target = Target::start(422).await;
    put(&server, "shop", &target, json!({})).await;
    let id = create(&server, &[job("shop", "a", "1")]).await.remove(0);
    until(&server, "shop", "dead", json!(1)).await;
    target.answer_with(200);
    let path = format!("/v1/egress/destinations/shop/jobs/{id}/replay");
    let answer = server.post(&path, r#"{"body":null}"#).await;
    assert_ne!(answer.json()["id"], json!(id), "another body, another job");
    until(&server, "shop", "succeeded", json!(1)).await;
    let got = target.got().pop().unwrap();
    assert!(got.contains(r#""body":null"#), "{got}");
}

#[tokio::test]
async fn what_happened_to_an_object_is_paged_in_the_order_of_time() {
    let server = Server::start().await;
    let target = Target::start(200).await;
    for name in ["a", "b", "c"] {
        put(&server, name, &target, json!({})).await;
    }
    let mut wanted = Vec::new();
    for number in 0..25 {
        let name = ["a", "b", "c"][number % 3];
        let ids = create(&server, &[job(name, "x", "7"), job(name, "y", "8")]).await;
        wanted.push((name, ids[0].clone()));
        // The order is that of acceptance, to the millisecond.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let mut found = Vec::new();
    let mut path = "/v1/egress/objects/stock/7?limit=10".to_owned();
    loop {
        let page = server.get(&path).await.json();
        let jobs = page["jobs"].as_array().unwrap();
        assert!(jobs.len() <= 10);
        found.extend(
            jobs.iter()
                .map(|job| job["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/egress/objects/stock/7?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    let ids: Vec<String> = wanted.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(found, ids);
    let of_b = server.get("/v1/egress/objects/stock/7?destination=b").await;
    let of_b = of_b.json()["jobs"].as_array().unwrap().len();
    assert_eq!(of_b, wanted.iter().filter(|(name, _)| *name == "b").count());
    let nothing = server.get("/v1/egress/objects/price/7").await.json();
    assert_eq!(nothing["jobs"], json!([]));
    let cursor = "0".repeat(72);
    let path = format!("/v1/egress/objects/stock/7?cursor={cursor}");
    server.get(&path).await.refused_with("TL0030");
}

#[tokio::test]
async fn a_disabled_destination_is_enabled_and_what_waits_is_dropped_or_delivered() {
    let server = Server::start().await;
    let target = Target::start(410).await;
    put(&server, "shop", &target, json!({})).await;
    let path = "/v1/egress/destinations/shop/enable";
    for (backlog, succeeded) in [("drop", 0), ("replay", 3), ("resume", 6)] {
        target.answer_with(410);
        let three = ["a", "b", "c"].map(|lane| job("shop", lane, lane));
        create(&server, &three).await;
        until(&server, "shop", "paused", json!(true)).await;
        until(&server, "shop", "in_flight", json!(0)).await;
        target.answer_with(200);
        let answer = server
            .post(path, &json!({"backlog": backlog}).to_string())
            .await;
        let wanted = if backlog == "resume" { 204 } else { 202 };
        assert_eq!(answer.status, wanted, "{backlog}: {}", answer.text());
        until(&server, "shop", "paused", json!(false)).await;
        until(&server, "shop", "pending", json!(0)).await;
        until(&server, "shop", "succeeded", json!(succeeded)).await;
    }
    server.post(path, "").await.refused_with("TL0127");
    server
        .post(path, r#"{"backlog":"burn"}"#)
        .await
        .refused_with("TL0003");
}

#[tokio::test]
async fn lanes_are_decided_by_expression_and_listed() {
    let server = Server::start().await;
    let target = Target::start(200).await;
    let by = |expression: &str| json!({"paused": true, "lane_by": expression});
    put(
        &server,
        "shop",
        &target,
        by("job.object_type + '/' + job.body.of"),
    )
    .await;
    let named = job("shop", "mine", "1");
    let mut unnamed = job("shop", "", "1");
    unnamed.as_object_mut().unwrap().remove("lane");
    let mut odd = unnamed.clone();
    odd["body"] = json!({});
    let answer = server
        .post("/v1/egress/jobs", &json!([named, unnamed, odd]).to_string())
        .await
        .json();
    let refused = &answer["others"][0];
    assert_eq!(
        (&refused["outcome"], &refused["refused"]),
        (&json!("refused"), &json!("TL0126")),
        "{answer}"
    );
    assert_eq!(answer["destinations"][0]["accepted"], 2);
    let lanes = server
        .get("/v1/egress/destinations/shop/lanes")
        .await
        .json();
    let names: Vec<&str> = lanes["lanes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lane| lane["lane"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["mine", "stock/1"]);
    let why = lanes["lanes"][0]["blocked_on"].as_str().unwrap();
    assert!(why.contains("paused"), "{why}");

    let body = json!({"url": "http://127.0.0.1:9/", "lane_by": "job.object_ids[\n 0"}).to_string();
    let refused = server.put("/v1/egress/destinations/shop", &body).await;
    let problem = refused.refused_with("TL0125");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("2:"), "{detail}");
}

#[tokio::test]
async fn destinations_have_metrics_those_with_the_most_work_first() {
    let config = Config {
        metrics_destinations: 2,
        ..Config::default()
    };
    let server = Server::start_with(config).await;
    let target = Target::start(422).await;
    put(&server, r"sh%22op", &target, json!({})).await;
    put(&server, "waits", &target, json!({"paused": true})).await;
    put(&server, "idle", &target, json!({})).await;
    create(&server, &[job("sh\"op", "a", "1")]).await;
    create(&server, &[job("waits", "a", "1"), job("waits", "b", "1")]).await;
    until(&server, r"sh%22op", "dead", json!(1)).await;
    let text = server.get("/metrics").await.text();
    let samples = parse(&text);
    assert_eq!(samples["trunkline_destinations"], 3.0);
    assert_eq!(samples["trunkline_destinations_shown"], 2.0);
    for (series, value) in [
        (
            r#"trunkline_destination_jobs{destination="waits",state="pending"}"#,
            2.0,
        ),
        (
            r#"trunkline_destination_lanes{destination="waits",state="all"}"#,
            2.0,
        ),
        (r#"trunkline_destination_paused{destination="waits"}"#, 1.0),
        (
            r#"trunkline_destination_jobs{destination="sh\"op",state="dead"}"#,
            1.0,
        ),
        (
            r#"trunkline_destination_failed_total{destination="sh\"op"}"#,
            1.0,
        ),
        (
            r#"trunkline_destination_retried_total{destination="sh\"op"}"#,
            0.0,
        ),
        (
            r#"trunkline_destination_breaker{destination="sh\"op",state="open"}"#,
            0.0,
        ),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}\n{text}");
    }
    assert!(!text.contains("idle"), "{text}");
}

#[tokio::test]
async fn the_series_of_destinations_have_a_bound() {
    let server = Server::start().await;
    let target = Target::start(200).await;
    for number in 0..60 {
        put(&server, &format!("d{number}"), &target, json!({})).await;
    }
    let samples = parse(&server.get("/metrics").await.text());
    let of_destinations = samples
        .keys()
        .filter(|series| series.contains("destination=\""));
    assert_eq!(of_destinations.count(), 50 * 12);
    assert_eq!(samples["trunkline_destinations"], 60.0);
}
