//! The program that users run, on troubles that the operating system itself makes.

use crate::{Folder, torture_in};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
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
    stops_and_loses_nothing("efbig", &[404], |child| {
        let limited = Command::new("prlimit")
            .args(["--fsize=0:0", "--pid", &child.id().to_string()])
            .output();
        if limited.is_ok_and(|limited| limited.status.success()) {
            Ok(None)
        } else {
            Err("there is no `prlimit` that limits a process")
        }
    });
}

/// From some moment on every sync fails with EIO: `strace` has the kernel not do it, and say so.
#[test]
fn a_sync_that_fails_stops_the_program_with_its_code_and_loses_nothing() {
    // What was written and not synced may be there in the next life, or not; nobody was told that it is.
    stops_and_loses_nothing("eio", &[200, 404], |child| {
        let tracer = Command::new("strace")
            .args(["-f", "-e", "trace=fdatasync,fsync"])
            .args(["-e", "inject=fdatasync,fsync:error=EIO"])
            .args(["-p", &child.id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut tracer = tracer.map_err(|_| "there is no `strace`")?;
        let said = tracer.stderr.take().expect("it is piped");
        let mut lines = BufReader::new(said).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        if !first.contains("attached") {
            tracer.wait().expect("it is ours");
            return Err("`strace` may not look at another process");
        }
        // What it goes on to say has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Some(tracer))
    });
}

/// Starts the program, has something acknowledged, and then breaks its disk: it must stop with its message and exit code, without
/// having acknowledged anything more; and the next life must have what was acknowledged, and answer one of `left` for what was not.
/// `broken` may return a process that has to end with it, or why it cannot be done here.
fn stops_and_loses_nothing(
    name: &str,
    left: &[u16],
    broken: impl FnOnce(&Child) -> Result<Option<Child>, &'static str>,
) {
    let folder = Folder::new(name);
    std::fs::create_dir_all(&folder.0).expect("the folder can be made");
    let data = folder.0.join("data");
    let mut server = Server::new(&Server::built_program(), &data);
    // The signal that comes with EFBIG would end the process before it could say anything.
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
    let beside = match broken(&child) {
        Ok(beside) => beside,
        Err(reason) => {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
            return skip(reason);
        }
    };
    // What is not durable is not acknowledged.
    assert!(!put(1), "what the disk did not take was acknowledged");
    until("the end", || {
        child.try_wait().expect("the child is ours").is_some()
    });
    let status = child.wait().expect("the child is ours");
    if let Some(mut beside) = beside {
        beside.wait().expect("it is ours");
    }
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
    assert!(left.contains(&get(1)), "{left:?}");
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
