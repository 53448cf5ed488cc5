//! Starting, stopping, and being used wrongly.

use crate::program::{Folder, Server, dev, run};

#[test]
fn both_signals_end_the_server_with_0() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        let server = Server::start(&folder);
        let (code, log) = server.end_with(signal);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("stopped"), "{log}");
    }
}

#[test]
fn the_log_is_json_if_asked_for_with_a_line_for_each_request() {
    let folder = Folder::new();
    let server = Server::start_with(&folder, &["--log-format", "json", "--log-level", "debug"]);
    server.run(&["run", "show", "Greet/nobody"]);
    let (_, log) = server.end_with("TERM");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let request = lines
        .iter()
        .find(|line| line["message"] == "request")
        .unwrap_or_else(|| panic!("no line for the request: {log}"));
    assert_eq!(request["status"], 404);
    assert_eq!(request["path"], "/v1/workflows/Greet/runs/nobody");
    assert!(request["request_id"].is_string());
}

#[test]
fn an_address_that_is_taken_is_refused_before_the_folder_is_touched() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    let other = Folder::new();
    let address = server.address().to_string();
    let said = run(&["server", "--data", &other.data(), "--listen", &address]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("error[TL0046]"), "{said:?}");
    assert!(!std::path::Path::new(&other.data()).exists());
}

#[test]
fn a_server_that_is_not_there_ends_with_69() {
    // Port 9 is the discard service, which nobody runs any more.
    let said = run(&["run", "list", "--server", "http://127.0.0.1:9"]);
    assert_eq!(said.code, Some(69));
    assert!(
        said.err
            .starts_with("error[TL0048]: the server does not answer: http://127.0.0.1:9: "),
        "{said:?}"
    );
    assert!(
        said.err
            .trim_end()
            .ends_with("(run 'trunkline explain TL0048')"),
        "{said:?}"
    );
    let said = run(&["run", "list", "--server", "localhost"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("error[TL0047]"), "{said:?}");
}

#[test]
fn wrong_usage_ends_with_2() {
    for args in [
        &["run", "stat"][..],
        &["run", "show"],
        &["server"],
        &["server", "--data", "x", "--listen", "here"],
        &[
            "egress",
            "destination",
            "put",
            "x",
            "--url",
            "http://a",
            "--burst",
            "2",
        ],
    ] {
        assert_eq!(run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn codes_are_explained_without_a_server() {
    let said = run(&["explain", "tl42"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.out.starts_with("# TL0042: the journal is damaged\n"),
        "{said:?}"
    );
    assert!(said.out.contains("## What you do"), "{said:?}");
    let said = run(&["explain", "TL9999"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.starts_with("error[TL0007]"), "{said:?}");
}

#[test]
fn the_version_is_printed() {
    let said = run(&["version"]);
    assert_eq!(
        said.out,
        format!("trunkline {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn the_doctor_looks_at_a_server() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    let said = server.run(&["doctor"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("takes work"), "{said:?}");
    assert!(
        said.out.contains("workers and clients connected"),
        "{said:?}"
    );
}

#[test]
fn dev_keeps_its_data_here_and_says_what_to_try() {
    let folder = Folder::new();
    let banner = dev(&folder);
    assert!(banner.starts_with("Trunkline "), "{banner}");
    assert!(banner.contains("API   http://127.0.0.1:"), "{banner}");
    assert!(banner.contains("data  ./trunkline-data"), "{banner}");
    assert!(
        banner.contains("trunkline doctor --server http://127.0.0.1:"),
        "{banner}"
    );
    assert!(folder.path().join("trunkline-data/TRUNKLINE").is_file());
}
