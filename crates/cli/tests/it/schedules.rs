//! The commands about schedules, word by word, with a worker that is another program to the server.

use crate::program::{Folder, PATIENCE, Server};
use expect_test::expect;
use std::time::{Duration, Instant};

#[test]
fn a_schedule_is_put_triggered_shown_and_deleted() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    server.attach_worker();
    // The worker has registered once a run of it has ended.
    server.out(&[
        "run", "start", "Greet", "first", "--input", "\"x\"", "--wait",
    ]);
    let put = [
        "schedule",
        "put",
        "nightly",
        "--workflow",
        "Greet",
        "--input",
        "\"you\"",
        "--cron",
        "0 0 0 1 1 * 2099",
        "--zone",
        "Europe/Berlin",
        "--id",
        "night-{number}",
        "--jitter-ms",
        "60000",
        "--overlap",
        "buffer_all",
    ];
    expect![[r#"
        nightly  0 0 0 1 1 * 2099 (Europe/Berlin)
          starts       Greet/night-{number}
          overlap      buffer_all, catches up within 365 d
          jitter       up to 1 min 0 s
          next         <date> UTC
          fires        0 started, 0 refused, 0 skipped, 0 missed; 0 running, 0 waiting
    "#]]
    .assert_eq(&server.out(&put));
    expect![[r#"
        nightly has fired: run night-1 is starting
    "#]]
    .assert_eq(&server.out(&["schedule", "trigger", "nightly"]));
    let result = ["run", "result", "Greet/night-1", "--wait-ms", "20000"];
    expect![[r#"
        "hello you"
    "#]]
    .assert_eq(&server.out(&result));
    // That it has ended is told to the schedule a moment later.
    let end = Instant::now() + PATIENCE;
    while !server
        .out(&["schedule", "show", "nightly"])
        .contains("completed")
    {
        assert!(Instant::now() < end, "the schedule never heard of the end");
        std::thread::sleep(Duration::from_millis(20));
    }
    expect![[r#"
        nightly is paused
    "#]]
    .assert_eq(&server.out(&[
        "schedule",
        "pause",
        "nightly",
        "--note",
        "the database moves",
    ]));
    expect![[r#"
        SCHEDULE  WHEN              ZONE           WORKFLOW  NEXT    LAST       RUNNING  STARTED
        nightly   0 0 0 1 1 * 2099  Europe/Berlin  Greet     paused  completed  0        1
    "#]]
    .assert_eq(&server.out(&["schedule", "list"]));
    expect![[r#"
        nightly goes on
    "#]]
    .assert_eq(&server.out(&["schedule", "resume", "nightly"]));
    let backfill = [
        "schedule",
        "backfill",
        "nightly",
        "--from",
        "2020-01-01T00:00:00Z",
        "--to",
        "2020-01-02T00:00:00Z",
    ];
    expect![[r#"
        nightly fires for 2020-01-01T00:00:00Z to 2020-01-02T00:00:00Z
    "#]]
    .assert_eq(&server.out(&backfill));
    expect![[r#"
        nightly is deleted; its runs go on
    "#]]
    .assert_eq(&server.out(&["schedule", "delete", "nightly"]));
    expect![[r#"
        no schedules
    "#]]
    .assert_eq(&server.out(&["schedule", "list"]));
}
