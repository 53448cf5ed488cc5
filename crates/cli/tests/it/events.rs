//! Events of the real program: as a stream that goes on over kill -9, and on the command line.

use crate::program::{Folder, PATIENCE, Server};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Events of a stream, and the cursor behind the last.
#[derive(Default)]
struct Heard {
    events: Vec<Value>,
    cursor: Option<String>,
}

/// Listens until the connection breaks; goes on behind what was heard before.
fn listen(to: SocketAddr, heard: &Mutex<Heard>) {
    let Ok(mut stream) = TcpStream::connect(to) else {
        return;
    };
    let last = heard.lock().unwrap().cursor.clone();
    let last = last.map_or(String::new(), |last| format!("last-event-id: {last}\r\n"));
    let request = format!(
        "GET /v1/events?type=job.* HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n{last}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut id = None;
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        if let Some(cursor) = line.strip_prefix("id: ") {
            id = Some(cursor.to_owned());
        } else if let Some(data) = line.strip_prefix("data: ") {
            let event: Value = serde_json::from_str(data).unwrap();
            let mut heard = heard.lock().unwrap();
            heard.events.push(event);
            heard.cursor = id.take();
        }
    }
}

/// Creates a job; true if it was acknowledged.
fn create(to: SocketAddr, key: &str) -> bool {
    let body = format!(
        r#"{{"destination":"shop","lane":"{}","object_type":"stock","action":"update","dedupe_key":"{key}","body":{{}}}}"#,
        key.len() % 5
    );
    let request = format!(
        "POST /v1/egress/jobs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let Ok(mut stream) = TcpStream::connect(to) else {
        return false;
    };
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200 ")
}

fn put_shop(server: &Server) {
    let args = ["egress", "destination", "put", "shop", "--paused"];
    let said = server.run(&[&args[..], &["--url", "http://127.0.0.1:9/x"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
}

fn identity(event: &Value) -> String {
    format!("{}#{}", event["source"], event["id"])
}

#[test]
fn a_stream_of_events_goes_on_over_kill_9_without_a_gap_or_a_repeat() {
    let folder = Folder::new();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let mut created = 0;
    for life in 0..4 {
        let server = Server::start(&folder);
        if life == 0 {
            put_shop(&server);
        }
        let listener = std::thread::spawn({
            let (to, heard) = (server.address(), Arc::clone(&heard));
            move || listen(to, &heard)
        });
        for number in 0..25 {
            created += usize::from(create(server.address(), &format!("{life}-{number}")));
        }
        // Killed while the stream may be anywhere.
        std::thread::sleep(Duration::from_millis(life * 15));
        server.kill();
        listener.join().unwrap();
    }
    assert_eq!(created, 100, "every job was acknowledged");
    let server = Server::start(&folder);
    std::thread::spawn({
        let (to, heard) = (server.address(), Arc::clone(&heard));
        move || listen(to, &heard)
    });
    let began = Instant::now();
    while heard.lock().unwrap().events.len() < created {
        assert!(began.elapsed() < PATIENCE, "not everything was heard");
        std::thread::sleep(Duration::from_millis(10));
    }
    let streamed: Vec<Value> = heard.lock().unwrap().events.clone();
    let once: BTreeSet<String> = streamed.iter().map(identity).collect();
    assert_eq!(once.len(), streamed.len(), "nothing was heard twice");
    let jobs: BTreeSet<&str> = streamed
        .iter()
        .map(|event| event["data"]["job"].as_str().unwrap())
        .collect();
    assert_eq!(jobs.len(), created, "every job was heard of");
    // And the command line, which begins at the beginning, says the very same.
    let said = server.run(&["events", "--type", "job.*", "--json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let printed: BTreeSet<String> = said
        .out
        .lines()
        .map(|line| identity(&serde_json::from_str(line).unwrap()))
        .collect();
    assert_eq!(printed, once);
}

#[test]
fn the_command_line_prints_events_and_goes_on_behind_them() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    server.attach_worker();
    let said = server.run(&["events", "--workflow", "Wait", "--type", "run.*"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines[0].contains("run.started") && lines[0].contains("Wait/first"),
        "{said:?}"
    );
    assert!(lines[1].contains("run.terminated"), "{said:?}");
    let cursor = lines[2].strip_prefix("go on with --cursor ").unwrap();
    server.run(&["run", "start", "Wait", "second"]);
    let said = server.run(&[
        "events",
        "--cursor",
        cursor,
        "--type",
        "run.started",
        "--json",
    ]);
    let event: Value = serde_json::from_str(said.out.trim()).unwrap();
    assert_eq!(event["subject"], "Wait/second");
    assert_eq!(event["specversion"], "1.0");
    let refused = server.run(&["events", "--type", "run.startet"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("TL0093"), "{refused:?}");
    let refused = server.run(&["events", "--cursor", "nonsense"]);
    assert!(refused.err.contains("TL0030"), "{refused:?}");
}

#[test]
fn a_server_without_a_feed_says_so() {
    let folder = Folder::new();
    let server = Server::start_with(&folder, &["--events-retention-ms", "0"]);
    let said = server.run(&["events"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("TL0092"), "{said:?}");
}
