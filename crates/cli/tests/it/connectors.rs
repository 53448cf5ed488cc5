//! `trunkline connector`: a good connector passes every check, and each bad one fails the check that it is bad at.

use crate::program::run;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a connector does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Defect {
    Nothing,
    NoManifest,
    BadManifest,
    ForgetsItems,
    AnswersTwice,
    OwnClasses,
    OneClass,
    NoMemory,
    TakesAnyAction,
    RefusesNewFields,
    FailsOnMalformed,
    TakesEverySize,
    LetsAnyoneIn,
    NeverAnswers,
}

const TOKEN: &str = "Bearer right";

/// A connector on a free port, in threads of this test.
fn connector(defect: Defect) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let known = Arc::new(Mutex::new(HashSet::new()));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let known = Arc::clone(&known);
            std::thread::spawn(move || while_open(stream.unwrap(), defect, &known));
        }
    });
    url
}

fn while_open(stream: TcpStream, defect: Defect, known: &Mutex<HashSet<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut head, mut length, mut token) = (String::new(), 0, String::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if lower.starts_with("authorization:") {
                token = line[14..].trim().to_owned();
            }
            if head.is_empty() {
                head = line;
            } else if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        if defect == Defect::NeverAnswers && head.starts_with("POST") {
            continue;
        }
        let (status, answer) = answer(&head, &token, &body, defect, known);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        if stream.write_all((head + &text).as_bytes()).is_err() {
            return;
        }
    }
}

fn answer(
    head: &str,
    token: &str,
    body: &[u8],
    defect: Defect,
    known: &Mutex<HashSet<String>>,
) -> (u16, Value) {
    if head.starts_with("GET /manifest ") {
        return match defect {
            Defect::NoManifest => (404, Value::Null),
            Defect::BadManifest => (200, manifest("My Shop", defect)),
            _ => (200, manifest("shop", defect)),
        };
    }
    if token != TOKEN && defect != Defect::LetsAnyoneIn {
        return (401, Value::Null);
    }
    if body.len() > 2_048 && defect != Defect::TakesEverySize {
        return (413, Value::Null);
    }
    let Ok(call) = serde_json::from_slice::<Value>(body) else {
        let status = if defect == Defect::FailsOnMalformed {
            500
        } else {
            400
        };
        return (status, Value::Null);
    };
    if defect == Defect::RefusesNewFields && call.get("of_a_later_version").is_some() {
        return (400, Value::Null);
    }
    let mut items = Vec::new();
    for item in call["items"].as_array().unwrap() {
        let id = item["id"].as_str().unwrap().to_owned();
        let object = item["object_ids"][0].as_str().unwrap();
        let is_known = call["action"] == "update" || defect == Defect::TakesAnyAction;
        let failed = |class: &str| json!({"id": id, "status": "failed", "error": {"class": class, "message": "m"}});
        items.push(
            if let Some(class) = object.strip_prefix("trunkline-check-") {
                match defect {
                    Defect::OwnClasses => failed("FATAL"),
                    Defect::OneClass => failed("retryable"),
                    _ => failed(class),
                }
            } else if !is_known {
                failed("invalid")
            } else if !known.lock().unwrap().insert(id.clone()) && defect != Defect::NoMemory {
                json!({"id": id, "status": "succeeded", "repeated": true})
            } else {
                json!({"id": id, "status": "succeeded"})
            },
        );
    }
    match defect {
        Defect::ForgetsItems => {
            items.pop();
        }
        Defect::AnswersTwice => items.push(items[0].clone()),
        _ => {}
    }
    (200, json!({ "items": items }))
}

fn manifest(name: &str, defect: Defect) -> Value {
    json!({
        "contract": 1, "name": name, "version": "2.1.0", "auth": ["bearer"],
        "settings": {"type": "object", "properties": {}},
        "operations": [{"object_type": "product", "actions": ["update"], "example": {"sku": "A"}}],
        "batch_max": 4, "body_bytes_max": 2_048, "idempotency": "keys",
        // Long for a good one on a slow machine, short for one that is silent anyway.
        "timeout_ms": if defect == Defect::NeverAnswers { 50 } else { 10_000 },
    })
}

fn check(url: &str) -> (Option<i32>, Value, String) {
    let header = format!("Authorization: {TOKEN}");
    let said = run(&["connector", "check", url, "--header", &header, "--json"]);
    let report = serde_json::from_str(&said.out).unwrap();
    (said.code, report, said.err)
}

fn results(report: &Value, result: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    let those = checks.filter(|check| check["result"] == result);
    those
        .map(|check| check["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_good_connector_passes_every_check() {
    let (code, report, errors) = check(&connector(Defect::Nothing));
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let all = [
        "manifest",
        "items",
        "idempotency",
        "error-classes",
        "unknown-action",
        "unknown-fields",
        "malformed-body",
        "oversized-body",
        "auth",
        "timing",
    ];
    assert_eq!(results(&report, "ok"), all);
    assert_eq!(report["connector"], "shop 2.1.0");
}

#[test]
fn each_bad_connector_fails_the_check_that_it_is_bad_at() {
    for (defect, failing) in [
        (Defect::NoManifest, "manifest"),
        (Defect::BadManifest, "manifest"),
        (Defect::ForgetsItems, "items"),
        (Defect::AnswersTwice, "items"),
        (Defect::OwnClasses, "error-classes"),
        (Defect::OneClass, "error-classes"),
        (Defect::NoMemory, "idempotency"),
        (Defect::TakesAnyAction, "unknown-action"),
        (Defect::RefusesNewFields, "unknown-fields"),
        (Defect::FailsOnMalformed, "malformed-body"),
        (Defect::TakesEverySize, "oversized-body"),
        (Defect::LetsAnyoneIn, "auth"),
        (Defect::NeverAnswers, "timing"),
    ] {
        let (code, report, errors) = check(&connector(defect));
        let failed = results(&report, "failed");
        assert!(
            failed.contains(&failing.to_owned()),
            "{defect:?}: {report:#}"
        );
        assert_eq!(
            (code, &report["ok"]),
            (Some(1), &json!(false)),
            "{defect:?}"
        );
        assert!(
            errors.starts_with("error[TL0121]: "),
            "{defect:?}: {errors}"
        );
        // What it is not bad at it passes, unless nothing can be asked at all.
        let deaf = [
            Defect::ForgetsItems,
            Defect::AnswersTwice,
            Defect::NeverAnswers,
        ];
        if !deaf.contains(&defect) {
            assert_eq!(failed.len(), 1, "{defect:?}: {report:#}");
        }
    }
}

#[test]
fn the_report_reads_as_a_table_and_says_what_was_seen() {
    let url = connector(Defect::NoMemory);
    let header = format!("authorization: {TOKEN}");
    let said = run(&["connector", "check", &url, "--header", &header]);
    let text = said.out;
    assert!(text.starts_with("shop 2.1.0\n"), "{text}");
    assert!(
        text.contains("idempotency     FAILED  a repeat with the same id"),
        "{text}"
    );
    assert!(text.ends_with("9 ok, 1 failed, 0 skipped\n"), "{text}");
}

#[test]
fn nobody_there_is_said_so() {
    let (code, report, _) = check("http://127.0.0.1:9/x");
    assert_eq!(
        (code, results(&report, "failed")),
        (Some(1), vec!["manifest".to_owned()])
    );
    assert_eq!(results(&report, "skipped").len(), 9);
}

#[test]
fn a_destination_takes_over_what_the_manifest_says() {
    let folder = crate::program::Folder::new();
    let server = crate::program::Server::start(&folder);
    let url = connector(Defect::Nothing);
    let put = [
        "egress",
        "destination",
        "put",
        "shop",
        "--url",
        &url,
        "--connector",
    ];
    let text = server.run(&put).out;
    assert!(
        text.contains("  connector    4 jobs a call at most\n"),
        "{text}"
    );
    assert!(text.contains("10 s at most each"), "{text}");
    let own = [
        &put[..],
        &["--batch", "2", "--resolve", "http://127.0.0.1:9/m"],
    ]
    .concat();
    let text = server.run(&own).out;
    assert!(
        text.contains("  connector    2 jobs a call at most\n"),
        "{text}"
    );
    assert!(
        text.contains("  bodies       from http://127.0.0.1:9/m, used again for 1"),
        "{text}"
    );
    let none = connector(Defect::NoManifest);
    let said = server.run(&[
        "egress",
        "destination",
        "put",
        "x",
        "--url",
        &none,
        "--connector",
    ]);
    assert!(said.err.starts_with("error[TL0122]: "), "{}", said.err);
}
