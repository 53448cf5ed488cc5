//! The same names in two tenants, and neither sees nor touches the other's.

use crate::PATIENCE;
use crate::guarded::Guarded;
use crate::worker::work_with;
use serde_json::json;
use std::time::Duration;
use trunkline_api::route::{Method, ROUTES};

/// A tenant whose runs, jobs, schedules, destinations and credentials have the same names as another's, and `mark` in them.
pub(crate) struct Populated {
    pub(crate) token: String,
    mark: &'static str,
}

pub(crate) const RUN: &str = "/v1/workflows/Wait/runs/one";
const SHOP: &str = "/v1/egress/destinations/shop";

impl Populated {
    pub(crate) async fn new(guarded: &Guarded, name: &str, mark: &'static str) -> Self {
        let token = guarded.tenant(name).await;
        let address = guarded.server.address;
        let worker = token.clone();
        tokio::spawn(async move { work_with(address, Some(&worker)).await });
        let start = json!({"id": "one", "input": mark, "tags": [mark]}).to_string();
        let begun = async {
            loop {
                let path = "/v1/workflows/Wait/runs";
                let answer = guarded.ask(Some(&token), "POST", path, &start).await;
                if answer.status == 201 {
                    return;
                }
                answer.refused_with("TL0009");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.unwrap();
        let credential = json!({
            "authentication": {"bearer": {"token": format!("{mark}-secret")}},
            "description": mark,
        });
        guarded
            .done(&token, "PUT", "/v1/credentials/key", &credential)
            .await;
        let destination = json!({
            "url": format!("http://127.0.0.1:9/{mark}"), "paused": true, "credential": "key",
        });
        guarded.done(&token, "PUT", SHOP, &destination).await;
        let job = json!({
            "destination": "shop", "lane": "a", "object_type": "stock", "action": "update",
            "object_ids": [mark], "dedupe_key": "k", "body": {"mark": mark},
        });
        guarded.done(&token, "POST", "/v1/egress/jobs", &job).await;
        let schedule = json!({
            "when": [{"cron": "0 0 1 1 *"}], "zone": "UTC",
            "run": {"workflow": "Wait", "version": 3, "input": mark},
        });
        let put = guarded
            .ask(
                Some(&token),
                "PUT",
                "/v1/schedules/nightly",
                &schedule.to_string(),
            )
            .await;
        assert!(put.status < 300, "{}", put.text());
        Self { token, mark }
    }

    /// Everything of its own is there as it was.
    pub(crate) async fn is_untouched(&self, guarded: &Guarded) {
        let get = |path: &str| {
            let path = path.to_owned();
            async move { guarded.ask(Some(&self.token), "GET", &path, "").await }
        };
        let run = get(RUN).await.json();
        assert_eq!(run["status"], "running", "{run}");
        assert_eq!(run["tags"], json!([self.mark]));
        let count = get("/v1/runs").await.json()["runs"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(count, 1);
        let shop = get(SHOP).await.json();
        assert!(shop["url"].as_str().unwrap().ends_with(self.mark), "{shop}");
        let jobs = get(&format!("{SHOP}/jobs")).await.json();
        let jobs = jobs["jobs"].as_array().unwrap().clone();
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0]["state"], "pending", "{jobs:?}");
        let key = get("/v1/credentials/key").await.json();
        assert_eq!(key["description"], self.mark);
        let nightly = get("/v1/schedules/nightly").await;
        assert_eq!(nightly.status, 200);
        assert!(nightly.text().contains(self.mark), "{}", nightly.text());
    }
}

/// With the addresses of what is really there.
fn filled(path: &str) -> String {
    path.replace("{workflow}/tags/{tag}", "Wait/tags/red")
        .replace("{workflow}", "Wait")
        .replace("{code}", "TL0010")
        .replace("/destinations/{name}", "/destinations/shop")
        .replace("/lanes/{lane}", "/lanes/a")
        .replace("/schedules/{name}", "/schedules/nightly")
        .replace("/credentials/{id}", "/credentials/key")
        .replace("/runs/{id}", "/runs/one")
        .replace("{channel}", "go")
        .replace("/tenants/{name}", "/tenants/red")
        .replace(['{', '}'], "")
}

/// Names that both have are used on every route by a third who has nothing; then by one of them.
#[tokio::test]
async fn no_route_shows_or_touches_what_another_tenant_has() {
    let guarded = Guarded::start().await;
    let red = Populated::new(&guarded, "red", "canary-red").await;
    let blue = Populated::new(&guarded, "blue", "canary-blue").await;
    let nobody = guarded.tenant("nobody").await;
    let (red_token, red_id) = guarded.token("red", &["read"]).await;

    for (token, marks) in [
        (&nobody, &["canary-red", "canary-blue"][..]),
        (&blue.token, &["canary-red"]),
    ] {
        for route in ROUTES {
            let name = route.operation.name();
            // Blue only looks: what it has is compared in the end. Its worker answers no queries, which would be waited for.
            if token == &blue.token && (route.method != Method::Get || name == "ask_query") {
                continue;
            }
            let path = filled(route.path).replace("/tokens/id", &format!("/tokens/{red_id}"));
            let body = match name {
                "start_run" => r#"{"id":"two"}"#,
                "put_destination" => r#"{"url":"http://127.0.0.1:9/x"}"#,
                "create_jobs" => {
                    r#"{"destination":"none","object_type":"a","action":"update","body":1}"#
                }
                "create_token" => r#"{"name":"x","scopes":["admin"],"tenant":"red"}"#,
                "start_bulk" => r#"{"id":"all","run":{"action":"terminate"},"filter":{}}"#,
                "act_on_tagged" => r#"{"action":"cancel"}"#,
                _ if route.method == Method::Get => "",
                _ => "{}",
            };
            let answer = guarded
                .ask(Some(token), route.method.as_str(), &path, body)
                .await;
            for mark in marks {
                assert!(!answer.text().contains(mark), "{name}: {}", answer.text());
            }
            assert!(!answer.text().contains(&red_token[20..]), "{name}");
            // Tenants and the key ring are everybody's, and so nobody's but the default tenant's.
            let is_shared = path.starts_with("/v1/tenants") || path.starts_with("/v1/key-ring");
            if is_shared {
                answer.refused_with("TL0111");
            }
            match name {
                "create_token" => drop(answer.refused_with("TL0114")),
                "revoke_token" => drop(answer.refused_with("TL0112")),
                "list_tokens" => assert!(!answer.text().contains("\"red\""), "{}", answer.text()),
                "metrics" => {
                    let text = answer.text();
                    assert!(!text.contains("trunkline_tenant_"), "{text}");
                    assert!(!text.contains("process_"), "{text}");
                    let mine = if token == &nobody { 0 } else { 1 };
                    let line = format!("trunkline_runs{{status=\"running\"}} {mine}\n");
                    assert!(text.contains(&line), "{text}");
                }
                _ => {}
            }
        }
    }
    red.is_untouched(&guarded).await;
    blue.is_untouched(&guarded).await;
    assert_eq!(
        guarded
            .ask(Some(&red_token), "GET", "/v1/runs", "")
            .await
            .status,
        200
    );

    // Each hears its own events, and the default tenant neither's.
    for (token, own, others) in [
        (&red.token, 1, "canary-blue"),
        (&blue.token, 1, "canary-red"),
        (&guarded.admin, 0, "canary"),
    ] {
        let events = guarded
            .ask(Some(token), "GET", "/v1/events?limit=1000", "")
            .await;
        let text = events.text();
        let started = events.json();
        let started = started.as_array().unwrap().iter();
        let started = started.filter(|event| event["type"].to_string().contains("run.started"));
        assert_eq!(started.count(), own, "{text}");
        assert!(!text.contains(others), "{text}");
    }
    // A bulk operation reaches one's own runs only.
    let bulk = json!({"id": "all", "run": {"action": "terminate"}, "filter": {"workflow": "Wait"}});
    let answer = guarded
        .ask(Some(&blue.token), "POST", "/v1/bulk", &bulk.to_string())
        .await;
    assert!(answer.status < 300, "{}", answer.text());
    let ended = |answer: &crate::raw::Response| answer.json()["status"] == "terminated";
    guarded.until(&blue.token, RUN, ended).await;
    red.is_untouched(&guarded).await;
}

#[tokio::test]
async fn the_figures_of_all_tenants_are_for_who_may_look_at_tenants() {
    let guarded = Guarded::start().await;
    let red = Populated::new(&guarded, "red", "canary-red").await;
    let text = guarded
        .ask(Some(&guarded.admin), "GET", "/metrics", "")
        .await
        .text();
    for line in [
        "trunkline_tenant_open_runs{tenant=\"red\"} 1\n",
        "trunkline_tenant_open_runs{tenant=\"default\"} 0\n",
        "trunkline_tenant_open_jobs{tenant=\"red\"} 1\n",
        "trunkline_tenant_peers{tenant=\"red\"} 1\n",
        "trunkline_tenant_refused_total{tenant=\"red\",limit=\"runs\"} 0\n",
        "trunkline_runs{status=\"running\"} 0\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let (reader, _) = guarded.token("default", &["read"]).await;
    let text = guarded
        .ask(Some(&reader), "GET", "/metrics", "")
        .await
        .text();
    assert!(text.contains("trunkline_runs"), "{text}");
    assert!(!text.contains("trunkline_tenant_"), "{text}");
    red.is_untouched(&guarded).await;
}
