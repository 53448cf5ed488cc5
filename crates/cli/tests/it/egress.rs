//! The commands about egress, word by word.

use crate::program::{Folder, Server};
use expect_test::expect;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Creates a job as a program would; the command line has no command for it.
pub(crate) fn create(to: SocketAddr, body: &str) {
    let request = format!(
        "POST /v1/egress/jobs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn destinations_jobs_and_dead_letters() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    // Nothing listens on the discard port: every delivery fails at once.
    let put = |more: &[&str]| {
        let mut args = vec![
            "egress",
            "destination",
            "put",
            "shop",
            "--url",
            "http://127.0.0.1:9/x",
        ];
        args.extend(more);
        server.out(&args)
    };
    expect![[r#"
        shop  http://127.0.0.1:9/x
          rate         500 a second, burst 10
          calls        16 at once, 30 s at most each
          retry        1 attempt, after 500 ms up to 1 min 0 s
          a failed job holds its lane
          jobs         0 pending, 0 in flight, 0 succeeded, 0 dead; 0 lanes with work
          paused
          blocked on   an operator: the destination is paused
    "#]]
    .assert_eq(&put(&[
        "--rate",
        "500",
        "--burst",
        "10",
        "--attempts",
        "1",
        "--paused",
    ]));
    for (lane, body) in [("a", "1"), ("a", "2"), ("b", "{\"n\":3}")] {
        create(
            server.address(),
            &format!(
                r#"{{"destination":"shop","lane":"{lane}","object_type":"stock","action":"update","object_ids":["7"],"body":{body}}}"#
            ),
        );
    }
    expect![[r#"
        JOB                               LANE  SEQUENCE  WHAT          STATE    ATTEMPTS  LAST ERROR
        <id>  b     1         stock update  pending  0
    "#]].assert_eq(&server.out(&["egress", "jobs", "shop", "--lane", "b"]));
    put(&["--attempts", "1"]);
    server.run_until(
        &["dead-letters", "replay-all", "shop", "--dry-run"],
        |out| out == "3 dead letters\n",
    );
    expect![[r#"
        DESTINATION  URL                   PENDING  IN FLIGHT  SUCCEEDED  DEAD  BLOCKED ON
        shop         http://127.0.0.1:9/x  0        0          0          3
    "#]]
    .assert_eq(&server.out(&["egress", "destination", "list"]));
    let dead = server.run(&["dead-letters", "list", "shop", "--lane", "b"]);
    assert!(dead.out.contains("dead"), "{dead:?}");
    let id = dead
        .out
        .lines()
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    expect![[r#"
        <id> is cancelled
    "#]]
    .assert_eq(&server.out(&["dead-letters", "cancel", "shop", &id]));
    let shown = server.out(&["egress", "job", "shop", &id]);
    assert!(shown.starts_with("<id>  cancelled\n"), "{shown}");
    put(&["--attempts", "1", "--paused"]);
    expect![[r#"
        2 dead letters will be delivered again
    "#]]
    .assert_eq(&server.out(&["dead-letters", "replay-all", "shop"]));
    expect![[r#"
        no dead letters
    "#]]
    .assert_eq(&server.out(&["dead-letters", "list", "shop"]));
    let refused = server.run(&["dead-letters", "replay", "shop", &id]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.starts_with("error[TL0022]"), "{refused:?}");
    let refused = server.run(&["egress", "jobs", "nowhere"]);
    assert!(refused.err.starts_with("error[TL0019]"), "{refused:?}");
}
