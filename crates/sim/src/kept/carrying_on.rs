//! What a later build finds in a kept folder, and does with it.

use super::{
    CURSOR, DATA, Doubles, KEYS, Kept, Later, PATIENCE, SECRET, Taker, archive, status, tell, until,
};
use crate::asking::ask;
use crate::faulty::Control;
use crate::server::Server;
use crate::tally::{Adder, Sums, Tally};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use trunkline::prelude::*;

/// Longer than anybody keeps this code: what was kept is not to go because it is old.
const FOR_EVER_MS: &str = "3000000000000";

/// Opens a copy of a kept folder with `program`, in the empty `folder`; looks at what is in it, carries it on to its end, and
/// opens it once more after a kill. A `program` whose clock can be moved begins `ahead_ms` later than it is.
///
/// # Errors
/// If the file cannot be read or the copy not be written.
///
/// # Panics
/// If anything is not as it was, or does not come to its end.
pub async fn carry_on(
    program: &Path,
    folder: &Path,
    kept: &Path,
    has_credentials: bool,
    ahead_ms: i64,
) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    archive::unpack(&std::fs::read(kept)?, folder)?;
    let control = Control {
        ahead_ms,
        ..Control::default()
    };
    control.write(&folder.join(DATA))?;
    let mut server = Server::new(program, &folder.join(DATA)).with(&[
        "--retention-ms",
        FOR_EVER_MS,
        "--events-retention-ms",
        FOR_EVER_MS,
    ]);
    if has_credentials {
        server = server.with(&["--key-file", &folder.join(KEYS).to_string_lossy()]);
    }
    server.start();
    until("the server", || {
        server.must_run();
        ask(server.address(), "GET", "/readyz", &Value::Null).is_ok_and(|ready| ready.status == 200)
    })
    .await;
    look(&server, has_credentials);
    let cursor = std::fs::read_to_string(folder.join(CURSOR))?;
    let events = follow(&server, &cursor);
    let about = |subject: &str, kind: &str| {
        let is = |event: &Value| event["subject"] == subject && event["type"] == kind;
        events.iter().any(is)
    };
    assert!(
        about("Tally/done", "io.trunkline.run.completed"),
        "{events:#?}"
    );
    assert!(
        about("Kept/failed", "io.trunkline.run.failed"),
        "{events:#?}"
    );

    let taker = Taker::default();
    let url = taker.listen().await;
    finish_jobs(&server, &taker, &url, has_credentials).await;
    finish_runs(&server, &taker).await;

    server.kill();
    server.start();
    until("the server", || {
        ask(server.address(), "GET", "/readyz", &Value::Null).is_ok_and(|ready| ready.status == 200)
    })
    .await;
    assert_eq!(status(&server, "Kept", "waiting"), "completed");
    assert_eq!(status(&server, "Kept", "failed"), "failed");
    let after = follow(&server, &cursor);
    let ids: BTreeSet<_> = after.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), after.len(), "an event came twice");
    // Those of two shards may come in another order.
    let missing: Vec<_> = events
        .iter()
        .filter(|event| !after.contains(event))
        .collect();
    assert!(
        missing.is_empty(),
        "these events were told, and are no more: {missing:#?}"
    );
    assert!(
        after.len() > events.len(),
        "what happened since is in the feed"
    );
    Ok(())
}

/// What is in the folder.
fn look(server: &Server, has_credentials: bool) {
    let get = |path: &str| tell(server, "GET", path, &Value::Null).body;
    for (workflow, run, expected) in [
        ("Tally", "done", "completed"),
        ("Kept", "waiting", "running"),
        ("Kept", "paused", "paused"),
        ("Kept", "cancelled", "cancelled"),
        ("Kept", "terminated", "terminated"),
        ("Kept", "unplayed", "running"),
        ("Kept", "failed", "failed"),
        ("Kept", "sleeping", "running"),
    ] {
        assert_eq!(status(server, workflow, run), expected, "{workflow}/{run}");
    }
    let listed = get("/v1/runs?tag=waiting");
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1), "{listed}");
    let result = get("/v1/workflows/Tally/runs/done/result");
    assert_eq!(
        result["result"],
        json!({"sum": 14, "signals": [], "drawn": 17})
    );
    let failure = get("/v1/workflows/Kept/runs/failed/result");
    assert!(
        failure["failure"].to_string().contains("it was to fail"),
        "{failure}"
    );
    let history = get("/v1/workflows/Kept/runs/waiting/history");
    assert!(
        history["entries"]
            .as_array()
            .is_some_and(|entries| entries.len() > 4),
        "{history}"
    );

    let count = |name: &str| {
        let body = get(&format!("/v1/egress/destinations/{name}"));
        let number = |field: &str| body[field].as_u64().unwrap_or_default();
        (number("pending"), number("succeeded"), number("dead"))
    };
    assert_eq!(count("open"), (0, 3, 0));
    assert_eq!(count("shut"), (6, 0, 0));
    assert_eq!(count("refusing"), (0, 0, 1));
    let schedule = get("/v1/schedules/nightly");
    assert!(schedule.to_string().contains("0 3 29 2 *"), "{schedule}");
    if has_credentials {
        let credential = get("/v1/credentials/api");
        assert!(!credential.to_string().contains(SECRET), "{credential}");
    }
}

/// All events from a cursor on.
fn follow(server: &Server, cursor: &str) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), cursor.to_owned());
    loop {
        let page = tell(
            server,
            "GET",
            &format!("/v1/events?limit=100&cursor={cursor}"),
            &Value::Null,
        );
        let Some(more) = page.body.as_array().filter(|more| !more.is_empty()) else {
            return events;
        };
        events.extend(more.iter().cloned());
        page.header("trunkline-cursor")
            .expect("a page has a cursor")
            .clone_into(&mut cursor);
    }
}

/// What was held back leaves, in order and under its numbers; what comes now goes on after them.
async fn finish_jobs(server: &Server, taker: &Taker, url: &str, has_credentials: bool) {
    for number in [3, 4] {
        let body = json!({
            "destination": "shut", "lane": "a", "object_type": "stock", "action": "update",
            "dedupe_key": format!("a-{number}"), "body": {"number": number},
        });
        tell(server, "POST", "/v1/egress/jobs", &body);
    }
    tell(
        server,
        "PUT",
        "/v1/egress/destinations/shut",
        &json!({"url": url}),
    );
    until("what was held back", || taker.taken("shut").len() == 7).await;
    let taken = taker.taken("shut");
    for (lane, last) in [("a", 4), ("b", 3)] {
        let of_lane = taken.iter().filter(|job| job.0 == lane);
        let numbers: Vec<_> = of_lane.map(|job| (job.1, job.2.clone())).collect();
        // The third was known by its key, so the fourth is the next.
        let expected: Vec<_> = (1..=last)
            .map(|number| (number, json!({"number": number})))
            .collect();
        assert_eq!(numbers, expected, "lane {lane}");
    }
    let dead = "/v1/egress/destinations/refusing";
    tell(server, "PUT", dead, &json!({"url": url}));
    let jobs = tell(
        server,
        "GET",
        &format!("{dead}/jobs?state=dead"),
        &Value::Null,
    );
    let id = jobs.body["jobs"][0]["id"]
        .as_str()
        .expect("it has an id")
        .to_owned();
    tell(
        server,
        "POST",
        &format!("{dead}/jobs/{id}/replay"),
        &Value::Null,
    );
    until("the dead letter", || taker.taken("refusing").len() == 1).await;
    if has_credentials {
        tell(
            server,
            "PUT",
            "/v1/egress/destinations/sealed",
            &json!({"url": url, "credential": "api"}),
        );
        until("the sealed one", || taker.taken("sealed").len() == 1).await;
        let authorization = taker.taken("sealed")[0].3.clone();
        assert_eq!(authorization, Some(format!("Bearer {SECRET}")));
    }
}

/// What was under way comes to its end.
async fn finish_runs(server: &Server, taker: &Taker) {
    let worker = Worker::builder(server.url().as_str())
        .register(Sums.into_service())
        .register(Doubles.into_service())
        .workflow::<Tally>()
        .workflow::<Kept>();
    let worker = worker.start().await.expect("the URL is fine");
    tell(
        server,
        "POST",
        "/v1/workflows/Kept/runs/paused/resume",
        &Value::Null,
    );
    for run in ["waiting", "paused", "unplayed"] {
        let path = format!("/v1/workflows/Kept/runs/{run}/signals/numbers");
        tell(server, "POST", &path, &json!(8));
    }
    let path = "/v1/workflows/Kept/runs/unplayed/signals/numbers";
    tell(server, "POST", path, &json!(9));
    tell(server, "POST", "/v1/schedules/nightly/trigger", &json!({}));
    let result = |workflow: &str, run: &str| {
        let wait = PATIENCE.as_millis() / 2;
        let path = format!("/v1/workflows/{workflow}/runs/{run}/result?wait_ms={wait}");
        tell(server, "GET", &path, &Value::Null).body["result"].clone()
    };
    for run in ["waiting", "paused"] {
        assert_eq!(result("Kept", run), json!(78), "{run}");
    }
    assert_eq!(result("Kept", "unplayed"), json!(89));
    assert_eq!(result("Kept", "sleeping"), json!(42));
    until("the scheduled run", || {
        let path = "/v1/runs?workflow=Tally&status=completed";
        let listed = tell(server, "GET", path, &Value::Null).body.to_string();
        listed.contains("nightly-")
    })
    .await;
    // Two jobs of each of done, waiting, paused, unplayed and the scheduled one, and one of each that was stopped between them.
    let url = tell(server, "GET", "/v1/egress/destinations/shut", &Value::Null).body["url"].clone();
    tell(
        server,
        "PUT",
        "/v1/egress/destinations/receiver",
        &json!({"url": url}),
    );
    until("the jobs of the runs", || {
        taker.taken("receiver").len() == 12
    })
    .await;
    let numbers: Vec<u64> = taker.taken("receiver").iter().map(|job| job.1).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    drop(worker);
}
