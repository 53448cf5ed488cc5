//! Commands about many runs, word by word.

use crate::program::{Folder, Server};
use expect_test::expect;

fn server(folder: &Folder) -> Server {
    let server = Server::start(folder);
    server.attach_worker();
    for (id, tag) in [("w1", "red"), ("w2", "red"), ("w3", "blue")] {
        server.out(&["run", "start", "Wait", id, "--tag", tag]);
        server.run_until(&["run", "property", id, "state"], |_| true);
    }
    server
}

#[test]
fn runs_are_listed_and_counted_by_tag_status_time_and_property() {
    let folder = Folder::new();
    let server = server(&folder);
    expect![[r#"
        RUN      STATUS   STARTED              ENDED  TAGS
        Wait/w3  running  <date>         blue
    "#]]
    .assert_eq(&server.out(&["run", "list", "--tag", "blue"]));
    let count = |args: &[&str]| {
        let mut all = vec!["run", "count"];
        all.extend(args);
        server.out(&all)
    };
    assert_eq!(count(&["--tag", "red"]), "2\n");
    assert_eq!(count(&["--tag", "red", "--status", "completed"]), "0\n");
    assert_eq!(count(&["--tag", "red", "--status", "suspended"]), "2\n");
    assert_eq!(count(&["--started-after", "2020-01-01T00:00:00Z"]), "4\n");
    assert_eq!(count(&["--started-before", "2020-01-01T00:00:00Z"]), "0\n");
    assert_eq!(
        count(&["--id-prefix", "w", "--property", "state=waiting"]),
        "3\n"
    );
    assert_eq!(count(&["--id-prefix", "w", "--json"]), "{\"count\":3}\n");
    let said = server.run(&["run", "count", "--property", "state"]);
    assert_eq!(said.code, Some(1));
    expect![[r#"
        error[TL0003]: a field is missing or has the wrong type: --property state: it has the form NAME=VALUE (run 'trunkline explain TL0003')
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn something_is_done_to_all_runs_with_a_tag() {
    let folder = Folder::new();
    let server = server(&folder);
    let tagged = |args: &[&str]| {
        let mut all = vec!["run", "tagged", "Wait", "red"];
        all.extend(args);
        server.out(&all)
    };
    assert_eq!(tagged(&["pause"]), "pause: 2 runs\n");
    assert_eq!(tagged(&["resume"]), "resume: 2 runs\n");
    let go = tagged(&["signal", "--channel", "go", "--value", "7"]);
    assert_eq!(go, "signal: 2 runs\n");
    for id in ["w1", "w2"] {
        assert_eq!(
            server.out(&["run", "result", id, "--wait-ms", "20000"]),
            "7\n"
        );
    }
    assert_eq!(tagged(&["cancel", "--reason", "late"]), "cancel: 0 runs\n");
    assert_eq!(tagged(&["purge"]), "purge: 2 runs\n");
    let said = server.run(&["run", "tagged", "Wait", "red", "retire"]);
    expect![[r#"
        error[TL0003]: a field is missing or has the wrong type: `action` is `retire`; it is one of signal, cancel, terminate, pause, resume, retry, purge, complete_timers (run 'trunkline explain TL0003')
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn a_bulk_operation_is_counted_first_then_done_and_shown() {
    let folder = Folder::new();
    let server = server(&folder);
    let start = |args: &[&str]| {
        let mut all = vec![
            "bulk",
            "start",
            "terminate",
            "--name",
            "cleanup",
            "--tag",
            "red",
        ];
        all.extend(args);
        server.out(&all)
    };
    expect![[r#"
        terminate: 2 runs match, and nothing was done
    "#]]
    .assert_eq(&start(&["--dry-run"]));
    expect![[r#"
        no bulk operations
    "#]]
    .assert_eq(&server.out(&["bulk", "list"]));
    expect![[r#"
        cleanup: terminate, done: 2 of 2 runs done, 0 refused
    "#]]
    .assert_eq(&start(&["--reason", "closed", "--wait"]));
    expect![[r#"
        BULK     ACTION     STATE  DONE  OF  REFUSED  STARTED
        cleanup  terminate  done   2     2   0        <date>
    "#]]
    .assert_eq(&server.out(&["bulk", "list"]));
    assert_eq!(
        server.out(&["run", "count", "--status", "terminated", "--tag", "red"]),
        "2\n"
    );
    assert_eq!(
        server.out(&["bulk", "cancel", "cleanup"]),
        "cleanup: terminate, done: 2 of 2 runs done, 0 refused\n"
    );
    let said = server.run(&["bulk", "show", "other"]);
    expect![[r#"
        error[TL0062]: there is no such bulk operation: there is no bulk operation `other` (run 'trunkline explain TL0062')
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn a_bulk_operation_goes_on_after_the_server_was_killed() {
    let folder = Folder::new();
    let server = server(&folder);
    server.out(&[
        "bulk",
        "start",
        "terminate",
        "--name",
        "slow",
        "--workflow",
        "Wait",
        "--id-prefix",
        "w",
        "--per-second",
        "1",
    ]);
    server.kill();
    let server = Server::start(&folder);
    let said = server.run(&["bulk", "show", "slow", "--wait"]);
    assert_eq!(
        said.out, "slow: terminate, done: 3 of 3 runs done, 0 refused\n",
        "{said:?}"
    );
    let count = ["run", "count", "--status", "terminated", "--id-prefix", "w"];
    assert_eq!(server.out(&count), "3\n");
}

#[test]
fn a_failed_run_is_retried_forked_exported_and_purged() {
    let folder = Folder::new();
    let server = server(&folder);
    server.run(&[
        "run", "start", "Greet", "rude", "--input", "\"bad\"", "--wait",
    ]);
    expect![[r#"
        Greet/rude is retried
    "#]]
    .assert_eq(&server.out(&["run", "retry", "Greet/rude"]));
    // The name has not got better, so the same task fails again.
    let said = server.run(&["run", "result", "rude", "--wait-ms", "20000"]);
    assert!(said.out.contains("nobody is called that"), "{said:?}");
    let story = server.out(&["run", "show", "rude"]);
    assert!(story.contains("retried from here"), "{story}");
    expect![[r#"
        Greet/second goes on from before command 0 of Greet/rude
    "#]]
    .assert_eq(&server.out(&[
        "run",
        "fork",
        "Greet/rude",
        "--at",
        "0",
        "--new-id",
        "second",
    ]));
    server.run(&["run", "result", "Greet/second", "--wait-ms", "20000"]);
    let story = server.out(&["run", "show", "Greet/second"]);
    assert!(story.contains("forked from Greet/rude here"), "{story}");
    let said = server.run(&["run", "fork", "rude", "--at", "9", "--new-id", "third"]);
    expect![[r#"
        error[TL0066]: the run's history has no such command: the history of run `Greet/rude` has no command 9 (run 'trunkline explain TL0066')
    "#]]
    .assert_eq(&said.err);
    let file = server.run(&["run", "export", "rude"]).out;
    let file = trunkline_api::history_file::HistoryFile::parse(file.as_bytes()).unwrap();
    assert_eq!(file.run().to_string(), "Greet/rude");
    assert_eq!(file.decode().unwrap().len(), file.entries.len());
    expect![[r#"
        rude is forgotten
    "#]]
    .assert_eq(&server.out(&["run", "purge", "rude"]));
    let said = server.run(&["run", "purge", "w1"]);
    expect![[r#"
        error[TL0064]: the run has not ended: run `Wait/w1` is running (run 'trunkline explain TL0064')
    "#]]
    .assert_eq(&said.err);
    let said = server.run(&["run", "retry", "w1"]);
    expect![[r#"
        error[TL0065]: the run has nothing to retry: run `Wait/w1` is running, and nothing failed (run 'trunkline explain TL0065')
    "#]]
    .assert_eq(&said.err);
}
