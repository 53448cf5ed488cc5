//! The commands about limiters that destinations share, word by word.

use crate::program::{Folder, Server};
use expect_test::expect;
use std::io::{Read, Write};
use std::net::TcpStream;

/// What an HTTP request answers.
fn http(server: &Server, head: &str, body: &str) -> String {
    let request = format!(
        "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn limiters_are_set_shown_used_and_removed() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    expect![[r"
        no limiters
    "]]
    .assert_eq(&server.out(&["egress", "limiter", "list"]));
    let set = [
        "egress",
        "limiter",
        "set",
        "market",
        "--rate",
        "10",
        "--burst",
        "5",
        "--quota",
        "20000/86400",
    ];
    expect![[r"
        market
          limits       10 a second, burst 5; 20,000 in 24 h 0 min
          calls        0 in flight, 0 waiting, 0 so far
    "]]
    .assert_eq(&server.out(&set));
    server.out(&["egress", "limiter", "set", "creations", "--quota", "4/3600"]);
    // Each creation costs 5 points, and there are 4: it waits for ever, and says so.
    let put = [
        "egress",
        "destination",
        "put",
        "shop",
        "--url",
        "http://127.0.0.1:9/x",
        "--quota",
        "100/60",
        "--limiter",
        "market",
        "--limiter",
        "creations:create=5",
    ];
    expect![[r"
        shop  http://127.0.0.1:9/x
          rate         not limited
          calls        16 at once, 30 s at most each
          quota        100 in 1 min 0 s
          limiter      market
          limiter      creations for `create`, 5 points a call
          retry        20 attempts, after 500 ms up to 1 min 0 s
          a failed job holds its lane
          jobs         0 pending, 0 in flight, 0 succeeded, 0 dead; 0 lanes with work
    "]]
    .assert_eq(&server.out(&put));
    let job = r#"{"destination":"shop","lane":"a","action":"create","object_type":"stock","object_ids":["1"],"body":1,"dedupe_key":"one"}"#;
    let accepted = http(&server, "POST /v1/egress/jobs", job);
    assert!(accepted.starts_with("HTTP/1.1 200 "), "{accepted}");
    let id = accepted.split("\"ids\":[\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    server.run_until(&["egress", "job", "shop", id], |out| {
        out.contains("the shared limiter `creations`: its quota of 4 in 3600000 ms")
    });
    expect![[r#"
        LIMITER    LIMITS                                      IN FLIGHT  WAITING  CALLS
        creations  4 in 1 h 0 min                              0          1        0
        market     10 a second, burst 5; 20,000 in 24 h 0 min  0          1        0
    "#]]
    .assert_eq(&server.out(&["egress", "limiter", "list"]));
    let metrics = http(&server, "GET /metrics", "");
    for line in [
        "trunkline_permits_waiting 1\n",
        "trunkline_permits_used_total 0\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    let said = server.run(&["egress", "limiter", "rm", "creations"]);
    assert!(said.err.starts_with("error[TL0105]"), "{said:?}");
    let said = server.run(&["egress", "limiter", "show", "nobody"]);
    assert!(said.err.starts_with("error[TL0103]"), "{said:?}");
    let said = server.run(&["egress", "limiter", "set", "market", "--concurrency", "0"]);
    assert!(said.err.starts_with("error[TL0104]"), "{said:?}");
    server.out(&["egress", "limiter", "set", "spare"]);
    expect![[r"
        limiter spare is removed
    "]]
    .assert_eq(&server.out(&["egress", "limiter", "rm", "spare"]));
}
