//! Schedules over HTTP: put, look at, steer, delete; and what is refused.

use crate::Server;
use crate::raw::request;
use serde_json::{Value, json};

const NIGHTLY: &str = "/v1/schedules/nightly";

/// A schedule that names its version, since no worker is there.
fn body(more: &str) -> String {
    format!(
        r#"{{"when":[{{"cron":"30 2 * * *"}}],"zone":"Europe/Berlin","run":{{"workflow":"Report","version":1,"input":{{"a":1.50}}}}{more}}}"#
    )
}

async fn put(server: &Server, more: &str) -> Value {
    let answer = server.put(NIGHTLY, &body(more)).await;
    assert!(answer.status < 300, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_schedule_is_put_shown_steered_and_deleted() {
    let server = Server::start().await;
    let created = server.put(NIGHTLY, &body("")).await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert!(created.text().contains(r#""input":{"a":1.50}"#));
    let shown = server.get("/v1/schedules/nightly?fires=3").await.json();
    assert_eq!(shown["when"], json!([{"cron":"30 2 * * *"}]));
    assert_eq!(shown["run"]["id"], "{schedule}-{time}");
    assert_eq!(
        (&shown["overlap"], &shown["paused"]),
        (&json!("skip"), &json!(false))
    );
    assert_eq!(shown["next"].as_array().map(Vec::len), Some(3));

    // The same again changes nothing; something else does, and keeps the identity.
    assert_eq!(put(&server, "").await["revision"], 1);
    let updated = put(&server, r#","overlap":"buffer_all","jitter_ms":1000"#).await;
    assert_eq!(
        (&updated["revision"], &updated["created_at"]),
        (&json!(2), &shown["created_at"])
    );

    let note = r#"{"note":"the database moves"}"#;
    let paused = server.post(&format!("{NIGHTLY}/pause"), note).await;
    assert_eq!(paused.status, 204);
    let shown = server.get(NIGHTLY).await.json();
    assert_eq!(
        (&shown["note"], &shown["next"]),
        (&json!("the database moves"), &json!([]))
    );

    let fired = server
        .post(&format!("{NIGHTLY}/trigger"), "{}")
        .await
        .json();
    assert_eq!(fired["state"], "starting");
    let run = fired["run"].as_str().expect("a run").to_owned();
    let path = format!("/v1/workflows/Report/runs/{run}");
    let run = server
        .get_until(&path, |run| run["status"].is_string())
        .await;
    assert_eq!(run["version"], 1);
    server
        .get_until(NIGHTLY, |it| it["recent"][0]["state"] == "running")
        .await;
    // Its end is noticed.
    server.post(&format!("{path}/terminate"), "{}").await;
    let shown = server
        .get_until(NIGHTLY, |it| it["recent"][0]["state"] == "terminated")
        .await;
    assert_eq!(shown["recent"][0]["cause"], "trigger");
    assert_eq!(shown["running"], json!([]));

    let range = r#"{"from":"2026-03-28T00:00:00Z","to":"2026-03-30T00:00:00Z"}"#;
    assert_eq!(
        server
            .post(&format!("{NIGHTLY}/backfill"), range)
            .await
            .status,
        204
    );
    let shown = server
        .get_until(NIGHTLY, |it| {
            it["running"][0]["at"] == "2026-03-28T01:30:00.000Z"
        })
        .await;
    assert_eq!(shown["running"][0]["id"], "nightly-2026-03-28T01:30:00Z");

    assert_eq!(
        server.post(&format!("{NIGHTLY}/resume"), "").await.status,
        204
    );
    let listed = server.get("/v1/schedules").await.json();
    assert_eq!(listed["schedules"][0]["name"], "nightly");
    assert_eq!(listed["schedules"][0]["counts"]["started"], 2);
    let metrics = server.get("/metrics").await.text();
    for line in [
        "trunkline_schedules{state=\"active\"} 1",
        "trunkline_schedules{state=\"paused\"} 0",
        "trunkline_schedule_fires_total{end=\"started\"} 2",
        "trunkline_schedule_fires_total{end=\"missed\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }

    let gone = request(server.address, "DELETE", NIGHTLY, &[], b"").await;
    assert_eq!(gone.status, 204);
    let gone = server.get(NIGHTLY).await;
    assert_eq!((gone.status, &gone.json()["code"]), (404, &json!("TL0085")));
}

#[tokio::test]
async fn a_trigger_with_the_same_key_fires_once() {
    let server = Server::start().await;
    put(&server, r#","overlap":"allow_all""#).await;
    let path = format!("{NIGHTLY}/trigger");
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let first = request(server.address, "POST", &path, &headers, b"{}")
        .await
        .json();
    let again = request(server.address, "POST", &path, &headers, b"{}")
        .await
        .json();
    assert_eq!(first["run"], again["run"]);
    let shown = server.get(NIGHTLY).await.json();
    assert_eq!(shown["counts"]["started"], 1);
}

#[tokio::test]
async fn a_bad_schedule_is_refused_with_its_code_and_its_place() {
    let server = Server::start().await;
    let run = r#""run":{"workflow":"Report","version":1}"#;
    for (body, code, says) in [
        (
            format!(r#"{{"when":[{{"cron":"0 25 * * *"}}],{run}}}"#),
            "TL0086",
            "`when[0].cron`, character 3: `25` is no hour",
        ),
        (
            format!(r#"{{"when":[{{"calendar":{{"weekday":"MOO"}}}}],{run}}}"#),
            "TL0086",
            "`when[0].calendar.weekday`, character 1",
        ),
        (
            format!(r#"{{"when":[{{}}],{run}}}"#),
            "TL0086",
            "`when[0]` has exactly one of",
        ),
        (
            format!(r#"{{"when":[{{"every_ms":5}}],{run}}}"#),
            "TL0086",
            "`when[0].every_ms`",
        ),
        (
            format!(r#"{{"when":[{{"cron":"@daily"}}],"zone":"CEST",{run}}}"#),
            "TL0087",
            "`CEST`",
        ),
        (
            format!(r#"{{"when":[],{run}}}"#),
            "TL0088",
            "1 to 100 rules",
        ),
        (
            format!(r#"{{"when":[{{"cron":"@daily"}}],"ends_at":"2020-01-01T00:00:00Z",{run}}}"#),
            "TL0088",
            "it never fires",
        ),
        (
            r#"{"when":[{"cron":"@daily"}],"run":{"workflow":"Report","version":1,"id":"fixed"}}"#
                .to_owned(),
            "TL0088",
            "{time}",
        ),
        (
            r#"{"when":[{"cron":"@daily"}],"run":{"workflow":"Report"}}"#.to_owned(),
            "TL0009",
            "no worker has ever registered `Report`",
        ),
        (
            format!(r#"{{"when":[{{"cron":"@daily","tz":"x"}}],{run}}}"#),
            "TL0002",
            "tz",
        ),
        (
            format!(r#"{{"when":[{{"cron":"@daily"}}],"overlap":"sometimes",{run}}}"#),
            "TL0003",
            "sometimes",
        ),
    ] {
        let answer = server.put(NIGHTLY, &body).await;
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{body}: {}", answer.text());
        assert!(
            problem["detail"].as_str().expect("text").contains(says),
            "{}",
            answer.text()
        );
        assert_eq!(server.get(NIGHTLY).await.status, 404, "nothing has changed");
    }
    for (path, body) in [
        ("trigger", "{}"),
        ("pause", "{}"),
        ("resume", ""),
        (
            "backfill",
            r#"{"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"}"#,
        ),
    ] {
        let answer = server.post(&format!("{NIGHTLY}/{path}"), body).await;
        assert_eq!(answer.json()["code"], "TL0085", "{path}");
    }
    put(&server, "").await;
    let future = r#"{"from":"2026-01-01T00:00:00Z","to":"2999-01-02T00:00:00Z"}"#;
    let answer = server.post(&format!("{NIGHTLY}/backfill"), future).await;
    assert_eq!(answer.json()["code"], "TL0088");
}
