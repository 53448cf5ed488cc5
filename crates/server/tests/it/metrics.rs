//! Metrics parse as Prometheus text, and say what is going on.

use crate::bad_input::until_known;
use crate::{Server, worker};
use std::collections::{BTreeMap, BTreeSet};

/// Reads the text format: every sample has a type declared before it, a finite value, and is there once.
pub(crate) fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut declared = BTreeSet::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kind == "gauge" || kind == "counter", "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(declared.insert(name), "{name} is declared twice");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(declared.contains(name), "{name} is not declared");
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
            if let Some(labels) = series.strip_prefix(name).filter(|rest| !rest.is_empty()) {
                let labels = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
                for label in labels.split(',') {
                    let (_, value) = label.split_once('=').unwrap();
                    assert!(value.starts_with('"') && value.ends_with('"'), "{line}");
                }
            }
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{line}");
            assert!(
                samples.insert(series.to_owned(), value).is_none(),
                "{series} twice"
            );
        }
    }
    samples
}

#[tokio::test]
async fn metrics_parse_and_count_what_happened() {
    let server = Server::start().await;
    tokio::spawn(worker::work(server.address));
    until_known(&server).await;
    let start = r#"{"id":"1","input":"you","wait":true}"#;
    assert_eq!(
        server.post("/v1/workflows/Greet/runs", start).await.status,
        201
    );
    server.get("/made/up/by/a/client").await;
    let answer = server.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let samples = parse(&answer.text());
    assert_eq!(samples["trunkline_runs{status=\"completed\"}"], 1.0);
    assert_eq!(samples["trunkline_peers"], 1.0);
    for above_zero in [
        "trunkline_commits_total",
        "trunkline_syncs_total",
        "trunkline_sync_seconds_total",
        "trunkline_commit_bytes_total",
        "trunkline_http_requests_total{operation=\"start_run\",status=\"201\"}",
        "trunkline_http_requests_total{operation=\"unknown\",status=\"404\"}",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(samples[above_zero] > 0.0, "{above_zero}");
    }
    assert!(!answer.text().contains("made/up"));
}
