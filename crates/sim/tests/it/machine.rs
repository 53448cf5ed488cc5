//! The program that users run, on troubles that the operating system itself makes.

use crate::{Folder, torture_in};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use trunkline_sim::asking::ask;
use trunkline_sim::mounted::Mounted;
use trunkline_sim::server::Server;
use trunkline_sim::torture::{Torture, Trouble};

/// Says why a test does not run here, past what captures the output of tests.
fn skip(reason: &str) {
    let mut error = std::io::stderr();
    writeln!(error, "skipped: {reason}").expect("standard error is there");
}

/// Where mounting is not permitted, `a_full_disk_a_standstill_and_a_clock_that_jumps_lose_nothing` has a capped disk instead.
#[test]
fn a_file_system_that_is_really_full_refuses_new_work_and_loses_nothing() {
    let folder = Folder::new("tmpfs");
    let mounted = match Mounted::tmpfs(&folder.0, 48 << 20) {
        Ok(mounted) => mounted,
        Err(reason) => return skip(&format!("no file system can be mounted here: {reason}")),
    };
    let findings = torture_in(
        &Server::built_program(),
        mounted.folder(),
        Torture {
            runs: 64,
            kills: 0,
            seed: 15,
            evict_always: false,
            has_worker: true,
            troubles: &[
                Trouble::FillFor(800),
                Trouble::KillAfter(50),
                Trouble::SecondProcess,
                Trouble::FillFor(400),
            ],
            // One segment is soon full, and the next cannot be made.
            options: &["--segment-bytes", "131072"],
        },
    );
    assert!(findings.refused > 0, "nobody was refused: {findings:?}");
}

/// The limit on the size of files is zero from some moment on, so that the kernel refuses the next write, with EFBIG.
#[test]
fn a_write_that_the_kernel_refuses_stops_the_program_with_its_code_and_loses_nothing() {
    let folder = Folder::new("efbig");
    std::fs::create_dir_all(&folder.0).expect("the folder can be made");
    let data = folder.0.join("data");
    let mut server = Server::new(&Server::built_program(), &data);
    // The signal that comes with the error would end the process before it could say anything.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(Server::built_program())
        .args([
            "server",
            "--listen",
            &server.address().to_string(),
            "--data",
        ])
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    let put = |number: u32| {
        let path = format!("/v1/egress/destinations/d{number}");
        let body = json!({"url": "http://127.0.0.1:9/", "paused": true});
        ask(server.address(), "PUT", &path, &body).is_ok_and(|answered| answered.status == 200)
    };
    until("the first write", || put(0));
    let limited = Command::new("prlimit")
        .args(["--fsize=0:0", "--pid", &child.id().to_string()])
        .output();
    if !limited.is_ok_and(|limited| limited.status.success()) {
        child.kill().expect("the child is ours");
        child.wait().expect("the child is ours");
        return skip("there is no `prlimit` that limits a process");
    }
    // What is not durable is not acknowledged.
    assert!(!put(1), "a write that failed was acknowledged");
    until("the end", || {
        child.try_wait().expect("the child is ours").is_some()
    });
    let status = child.wait().expect("the child is ours");
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut said).expect("it is text");
    assert_eq!(status.code(), Some(70), "EX_SOFTWARE: {said}");
    assert!(said.contains("error[TL0043]"), "{said}");

    server.start();
    let get = |number: u32| {
        let path = format!("/v1/egress/destinations/d{number}");
        let answered = ask(server.address(), "GET", &path, &json!(null));
        answered.map_or(0, |answered| answered.status)
    };
    until("the next life", || get(0) == 200);
    assert_eq!(get(1), 404);
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{what} does not come"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
