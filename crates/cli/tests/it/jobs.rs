//! What an operator does with many jobs, word by word.

use crate::egress::create;
use crate::program::{Folder, Server};
use expect_test::expect;

const PUT: [&str; 6] = [
    "egress",
    "destination",
    "put",
    "shop",
    "--url",
    "http://127.0.0.1:9/x",
];

/// A server with a destination at the discard port, where every delivery fails, and jobs about three objects.
fn server(folder: &Folder, more: &[&str]) -> Server {
    let server = Server::start(folder);
    put(&server, more);
    for (lane, object) in [("a", "1"), ("a", "2"), ("b", "1")] {
        let job = format!(
            r#"{{"destination":"shop","lane":"{lane}","object_type":"stock","action":"update","object_ids":["{object}"],"body":{object}}}"#
        );
        create(server.address(), &job);
    }
    server
}

fn put(server: &Server, more: &[&str]) {
    server.out(&[&PUT[..], more].concat());
}

fn dead(server: &Server, count: &str) {
    server.run_until(
        &["dead-letters", "replay-all", "shop", "--dry-run"],
        |out| out.starts_with(count),
    );
}

#[test]
fn jobs_are_replayed_and_cancelled_by_filter() {
    let folder = Folder::new();
    let server = server(&folder, &["--attempts", "1"]);
    dead(&server, "3 ");
    put(&server, &["--attempts", "1", "--paused"]);
    let jobs = |action: &str, more: &[&str]| {
        server.out(&[&["egress", "jobs", action, "--destination", "shop"], more].concat())
    };
    expect![[r#"
        replay_jobs: 2 jobs match, and nothing was done
    "#]]
    .assert_eq(&jobs("replay", &["--object-id", "1", "--dry-run"]));
    expect![[r#"
        again: replay_jobs, done: 2 of 2 jobs done, 0 refused
    "#]]
    .assert_eq(&jobs(
        "replay",
        &["--object-id", "1", "--name", "again", "--wait"],
    ));
    expect![[r#"
        LANE  JOBS  FIRST                             SINCE                ATTEMPTS  WAITS FOR
        a     1     <id>  <date>  0         an operator: the destination is paused
        b     1     <id>  <date>  0         an operator: the destination is paused
    "#]]
    .assert_eq(&server.out(&["egress", "lanes", "shop"]));
    expect![[r#"
        gone: cancel_jobs, done: 1 of 1 jobs done, 0 refused
    "#]]
    .assert_eq(&jobs(
        "cancel",
        &["--lane", "b", "--name", "gone", "--wait"],
    ));
    let history = server.out(&["egress", "object", "stock", "1"]);
    for wanted in [
        "cancelled",
        "attempt 1 failed: no answer",
        "of lane a to shop",
    ] {
        assert!(history.contains(wanted), "{wanted}: {history}");
    }
    let refused = server.run(&["egress", "jobs", "cancel", "--name", "all"]);
    assert!(
        refused.err.contains("--destination"),
        "not by an oversight: {refused:?}"
    );
    expect![[r#"
        all: cancel_jobs, done: 1 of 1 jobs done, 0 refused
    "#]]
    .assert_eq(&server.out(&[
        "egress",
        "jobs",
        "cancel",
        "--everywhere",
        "--name",
        "all",
        "--wait",
    ]));
    expect![[r#"
        shop is enabled
    "#]]
    .assert_eq(&server.out(&["egress", "destination", "enable", "shop"]));
    let refused = server.run(&["egress", "destination", "enable", "shop"]);
    assert!(refused.err.starts_with("error[TL0127]"), "{refused:?}");
}

#[test]
fn a_bulk_operation_on_jobs_goes_on_after_the_server_was_killed() {
    let folder = Folder::new();
    let server = server(&folder, &["--paused"]);
    server.out(&[
        "egress",
        "jobs",
        "cancel",
        "--destination",
        "shop",
        "--name",
        "slow",
        "--per-second",
        "2",
    ]);
    server.kill();
    let server = Server::start(&folder);
    let said = server.run(&["bulk", "show", "slow", "--wait"]);
    assert_eq!(
        said.out, "slow: cancel_jobs, done: 3 of 3 jobs done, 0 refused\n",
        "{said:?}"
    );
    let shown = server.out(&["egress", "jobs", "shop", "--state", "cancelled"]);
    assert_eq!(shown.lines().count(), 4, "{shown}");
}

#[test]
fn a_dead_letter_is_replayed_with_another_payload() {
    let folder = Folder::new();
    let server = server(&folder, &["--attempts", "1"]);
    dead(&server, "3 ");
    put(&server, &["--attempts", "1", "--paused"]);
    let list = server.run(&["dead-letters", "list", "shop", "--lane", "b"]);
    let id = list.out.lines().nth(1).unwrap().split(' ').next().unwrap();
    let file = folder.path().join("body.json");
    std::fs::write(&file, "{\"right\":true}").unwrap();
    let payload = format!("@{}", file.display());
    let said = server.out(&["egress", "job", "replay", "shop", id, "--payload", &payload]);
    assert_eq!(
        said,
        "<id> takes the place of <id>, at the end of its lane\n"
    );
    let pending = server.run(&[
        "egress", "jobs", "shop", "--lane", "b", "--state", "pending",
    ]);
    let new = pending
        .out
        .lines()
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let shown = server.run(&["egress", "job", "shop", new]).out;
    assert!(shown.contains(&format!("instead of   {id}")), "{shown}");
    assert!(shown.contains("body         {\"right\":true}"), "{shown}");
    let refused = server.run(&["egress", "job", "replay", "shop", id]);
    assert!(refused.err.starts_with("error[TL0022]"), "{refused:?}");
    let refused = server.run(&[
        "egress",
        "job",
        "replay",
        "shop",
        id,
        "--payload",
        "@nowhere",
    ]);
    assert!(refused.err.contains("nowhere"), "{refused:?}");
}
