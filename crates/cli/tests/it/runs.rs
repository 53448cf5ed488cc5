//! The commands about runs, word by word.

use crate::program::{Folder, Server};
use expect_test::expect;

fn server(folder: &Folder) -> Server {
    let server = Server::start(folder);
    server.attach_worker();
    server
}

#[test]
fn a_run_is_started_and_told_as_a_story() {
    let folder = Folder::new();
    let server = server(&folder);
    let start = [
        "run",
        "start",
        "Greet",
        "order-42",
        "--input",
        "\"you\"",
        "--tag",
        "country:DE",
    ];
    expect![[r#"
        Greet/order-42 started (version 1)
    "#]]
    .assert_eq(&server.out(&start));
    let result = ["run", "result", "Greet/order-42", "--wait-ms", "20000"];
    expect![[r#"
        "hello you"
    "#]]
    .assert_eq(&server.out(&result));
    expect![[r#"
        Greet/order-42  completed
          version 1, tags: country:DE
          began <date> UTC, ended after <span>
          kept until <date> UTC
          result: "hello you"

        <time>  began with "you"
                      task #0 Hello.greet scheduled, with "you"
        <time>  task #0 Hello.greet completed: "hello you"
                      ended with "hello you"
    "#]]
    .assert_eq(&server.out(&["run", "show", "order-42"]));
    expect![[r#"
        RUN             STATUS     STARTED              ENDED                TAGS
        Greet/order-42  completed  <date>  <date>  country:DE
    "#]]
    .assert_eq(&server.out(&["run", "list", "--workflow", "Greet"]));
    expect![[r#"
        <time>  task #0 completed: "hello you"
                      ended with "hello you"
    "#]]
    .assert_eq(&server.out(&["run", "history", "Greet/order-42", "--from", "3"]));
}

#[test]
fn a_run_that_waits_says_so_and_takes_signals() {
    let folder = Folder::new();
    let server = server(&folder);
    server.out(&["run", "start", "Wait", "w"]);
    server.run_until(&["run", "property", "w", "state"], |out| {
        out == "\"waiting\"\n"
    });
    expect![[r#"
        Wait/w  running
          version 3
          began <date> UTC
          properties: state

        <time>  began
                      property state = "waiting"

        It waits for:
          a signal
    "#]]
    .assert_eq(&server.out(&["run", "show", "Wait/w"]));
    let not_ended = server.run(&["run", "result", "Wait/w"]);
    assert_eq!(not_ended.code, Some(1));
    assert_eq!(not_ended.out, "Wait/w has not ended: running\n");
    expect![[r#"
        Wait/w paused
    "#]]
    .assert_eq(&server.out(&["run", "pause", "Wait/w"]));
    expect![[r#"
        signal sent
    "#]]
    .assert_eq(&server.out(&[
        "run",
        "signal",
        "Wait/w",
        "go",
        "{\"a\":1.50}",
        "--key",
        "k",
    ]));
    expect![[r#"
        Wait/w  paused
          version 3
          began <date> UTC
          properties: state
          paused: an operator paused it

        <time>  began
                      property state = "waiting"
        <time>  signal go: {"a":1.50}

        It waits for:
          resume: an operator paused it
    "#]]
    .assert_eq(&server.out(&["run", "show", "Wait/w"]));
    expect![[r#"
        Wait/w goes on
    "#]]
    .assert_eq(&server.out(&["run", "resume", "Wait/w"]));
    let result = server.out(&["run", "result", "Wait/w", "--wait-ms", "20000"]);
    assert_eq!(result, "{\"a\":1.50}\n");
}

#[test]
fn a_failed_run_shows_the_chain_of_causes_and_ends_with_1() {
    let folder = Folder::new();
    let server = server(&folder);
    let said = server.run(&[
        "run", "start", "Greet", "rude", "--input", "\"bad\"", "--wait",
    ]);
    assert_eq!(said.code, Some(1));
    expect![[r#"
        Greet/rude failed
          failure: Greeting: no greeting
          caused by: Rude: nobody is called that (in task Hello.greet)
    "#]]
    .assert_eq(&server.timeless(&said.out));
    server.out(&["run", "start", "Wait", "w"]);
    expect![[r#"
        w asked to cancel
    "#]]
    .assert_eq(&server.out(&["run", "cancel", "w", "--reason", "sold out"]));
    let said = server.run(&["run", "result", "w", "--wait-ms", "20000"]);
    assert_eq!(said.code, Some(1));
    expect![[r#"
        w cancelled
          failure: TL0076: sold out
    "#]]
    .assert_eq(&said.out);
}

#[test]
fn refusals_are_one_line_with_a_code() {
    let folder = Folder::new();
    let server = server(&folder);
    let refused = |args: &[&str]| {
        let said = server.run(args);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        said.err
    };
    expect![[r#"
        error[TL0010]: there is no such run: there is no run `Greet/nobody` (run 'trunkline explain TL0010')
    "#]]
    .assert_eq(&refused(&["run", "show", "Greet/nobody"]));
    expect![[r#"
        error[TL0010]: there is no such run: no workflow has a run `nobody` (run 'trunkline explain TL0010')
    "#]]
    .assert_eq(&refused(&["run", "show", "nobody"]));
    expect![[r#"
        error[TL0009]: no worker has ever registered this workflow: no worker has ever registered `Grete` (run 'trunkline explain TL0009')
    "#]]
    .assert_eq(&refused(&["run", "start", "Grete", "1"]));
    expect![[r#"
        error[TL0001]: the body is not well-formed JSON: --input: expected value at line 1 column 1; a text is written with quotes, as in '"text"' (run 'trunkline explain TL0001')
    "#]].assert_eq(&refused(&["run", "start", "Greet", "1", "--input", "you"]));
    expect![[r#"
        error[TL0003]: a field is missing or has the wrong type: `status` is `going`; it is one of running, paused, completed, failed, cancelled, terminated, timed_out, scheduled, suspended (run 'trunkline explain TL0003')
    "#]].assert_eq(&refused(&["run", "list", "--status", "going"]));
    server.out(&["run", "start", "Wait", "both"]);
    server.out(&[
        "run", "start", "Greet", "both", "--input", "\"x\"", "--wait",
    ]);
    expect![[r#"
        error[TL0011]: a run with this id exists: run `Wait/both` exists and is running (run 'trunkline explain TL0011')
    "#]]
    .assert_eq(&refused(&["run", "start", "Wait", "both"]));
    expect![[r#"
        error[TL0012]: the run has ended: run `Greet/both` is completed (run 'trunkline explain TL0012')
    "#]]
    .assert_eq(&refused(&["run", "signal", "Greet/both", "go"]));
    let several = refused(&["run", "show", "both"]);
    assert!(
        several.starts_with("error[TL0006]") && several.contains("Wait/both"),
        "{several}"
    );
}

#[test]
fn json_is_for_programs() {
    let folder = Folder::new();
    let server = server(&folder);
    server.out(&["run", "start", "Greet", "1", "--input", "\"x\"", "--wait"]);
    for args in [
        &["run", "show", "Greet/1", "--json"][..],
        &["run", "list", "--json"],
        &["run", "history", "Greet/1", "--json"],
        &["run", "result", "Greet/1", "--json"],
        &["run", "start", "Greet", "1", "--attach", "--json"],
        &["egress", "destination", "list", "--json"],
        &["doctor", "--json"],
    ] {
        let said = server.run(args);
        assert_eq!(said.code, Some(0), "{said:?}");
        let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert!(value.is_object(), "{args:?}");
        assert_eq!(said.out.lines().count(), 1, "{args:?}");
    }
}
