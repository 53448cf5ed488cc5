//! Credentials from the command line, and a canary that must be nowhere afterwards.

use crate::program::{Folder, PATIENCE};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What must not be found anywhere.
const CANARY: &str = "canary7f3a1c";

/// A server that is killed with its test, and everything that it has logged.
struct Logging {
    child: Child,
    url: String,
}

impl Logging {
    fn start(folder: &Folder) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut child = command(&[
            "server",
            "--egress-allow",
            "loopback",
            "--data",
            &folder.data(),
            "--listen",
            "127.0.0.1:0",
            "--key-file",
            &folder.path().join("ring.key").display().to_string(),
            "--log-level",
            "trace",
        ])
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TRUNKLINE_")) {
        command.env_remove(name);
    }
    command
}

/// Runs the program with `input` to its end, and gives what it said.
fn say(args: &[&str], input: &str) -> (bool, String) {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).unwrap())
}

/// A target that refuses everything, and sends back all that it got.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/take", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut got = Vec::new();
            let mut buffer = [0; 16_384];
            // One request on one connection, in as many pieces as it likes.
            while !is_whole(&got) {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => got.extend_from_slice(&buffer[..read]),
                }
            }
            let length = got.len();
            let head = format!(
                "HTTP/1.1 422 no\r\nconnection: close\r\nx-echo: {CANARY}\r\ncontent-length: {length}\r\n\r\n"
            );
            let _ = stream.write_all(&[head.as_bytes(), &got].concat());
        }
    });
    url
}

fn is_whole(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn get(url: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Every file below `folder`.
fn files(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

#[test]
fn a_secret_that_went_in_never_comes_out() {
    let folder = Folder::new();
    let key_file = folder.path().join("ring.key").display().to_string();
    let (made, said) = say(&["keys", "create", &key_file], "");
    assert!(made, "{said}");
    let server = Logging::start(&folder);
    let target = echo();
    let at = ["--server", &server.url];
    let mut everything = String::new();
    let mut tell = |args: &[&str], input: &str, should: bool| {
        let (done, said) = say(&[&at[..], args].concat(), input);
        assert_eq!(done, should, "{args:?}: {said}");
        everything.push_str(&said);
    };
    let client = ["--token-url", &target, "--client-id", "me"];
    let kinds: [&[&str]; 5] = [
        &["--kind", "basic", "--user", "ada"],
        &["--kind", "bearer"],
        &["--kind", "api-key", "--header", "x-key"],
        &["--kind", "api-key", "--parameter", "key"],
        &[&["--kind", "client-credentials"], &client[..]].concat(),
    ];
    for (number, kind) in kinds.iter().enumerate() {
        let id = format!("c{number}");
        tell(&[&["credential", "put", &id], *kind].concat(), CANARY, true);
        tell(
            &[
                "egress",
                "destination",
                "put",
                &id,
                "--url",
                &target,
                "--credential",
                &id,
                "--rule",
                "fail: body == headers['x-echo'] || duration(body) > duration('1s')",
            ],
            "",
            true,
        );
        tell(&["credential", "show", &id], "", true);
        // The target answers 422, which is no refusal of the credential; the token endpoint gives no token.
        tell(&["credential", "test", &id], "", number < 4);
        let body = format!(
            r#"{{"destination":"{id}","lane":"l","object_type":"o","action":"update","object_ids":["1"],"body":1}}"#
        );
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
        write!(stream, "POST /v1/egress/jobs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    tell(&["keys", "rotate"], "", true);
    // A refusal of the settings must not repeat them either.
    tell(
        &["credential", "put", "c1", "--kind", "webhook"],
        &format!("whsec_{CANARY}"),
        false,
    );
    tell(
        &["credential", "put", "c1", "--kind", "bearer"],
        &format!("{CANARY} {CANARY}"),
        false,
    );
    let began = Instant::now();
    loop {
        let dead = (0..4).filter(|number| {
            get(
                &server.url,
                &format!("/v1/egress/destinations/c{number}/jobs?state=dead"),
            )
            .contains("<secret>")
        });
        if dead.count() == 4
            && get(&server.url, "/v1/egress/destinations/c4/jobs").contains("token endpoint")
        {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the deliveries did not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    for path in [
        "/v1/credentials",
        "/v1/key-ring",
        "/v1/egress/destinations",
        "/metrics",
        "/v1/events?limit=1000",
        "/v1/credentials/c0",
    ] {
        everything.push_str(&get(&server.url, path));
    }
    for number in 0..5 {
        everything.push_str(&get(
            &server.url,
            &format!("/v1/egress/destinations/c{number}/jobs"),
        ));
    }
    assert!(everything.contains("<secret>") && everything.contains("fingerprint"));
    drop(server);
    let mut found = Vec::new();
    files(folder.path(), &mut found);
    assert!(found.len() > 3, "{found:?}");
    // "ada:canary…" and "canary…" as they would stand in a header.
    for needle in [CANARY, "YWRhOmNhbmFyeTdmM2ExYw", "Y2FuYXJ5N2YzYTFj"] {
        assert!(!everything.contains(needle), "{needle} is in an answer");
        for file in &found {
            let bytes = std::fs::read(file).unwrap();
            let is_in = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
            assert!(!is_in, "{needle} is in {}", file.display());
        }
    }
}

#[test]
fn a_key_file_is_never_written_over_and_one_that_is_not_there_stops_the_server() {
    let folder = Folder::new();
    let file = folder.path().join("ring.key").display().to_string();
    let (_, said) = say(
        &[
            "server",
            "--data",
            &folder.data(),
            "--listen",
            "127.0.0.1:0",
            "--key-file",
            &file,
        ],
        "",
    );
    assert!(said.contains("TL0135"), "{said}");
    assert!(say(&["keys", "create", &file], "").0);
    let before = std::fs::read(&file).unwrap();
    let (made, said) = say(&["keys", "create", &file], "");
    assert!(!made && said.contains("TL0135"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
