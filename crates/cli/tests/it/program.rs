//! Running the program: to its end, or as a server in the background that is killed with its test.

use crate::worker;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Long enough for anything that is to happen; a test that reaches it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that is removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trunkline-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The data folder in it.
    pub(crate) fn data(&self) -> String {
        self.0.join("data").display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a finished program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program with `args`, and nothing of this process' environment that it reads.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    command.args(args);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TRUNKLINE_")) {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Said {
    let done = command(args).stdin(Stdio::null()).output().unwrap();
    Said {
        code: done.status.code(),
        out: String::from_utf8(done.stdout).unwrap(),
        err: String::from_utf8(done.stderr).unwrap(),
    }
}

/// Runs `trunkline dev` in `folder` until it has said what it says at the beginning.
pub(crate) fn dev(folder: &Folder) -> String {
    let mut child = command(&["dev", "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut banner = String::new();
    let mut out = BufReader::new(child.stdout.as_mut().unwrap());
    while !banner.contains("Ctrl-C") && out.read_line(&mut banner).unwrap() > 0 {}
    child.kill().unwrap();
    child.wait().unwrap();
    banner
}

/// A server in the background.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    data: String,
}

impl Server {
    pub(crate) fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &[])
    }

    pub(crate) fn start_with(folder: &Folder, more: &[&str]) -> Self {
        Self::start_at(folder, "127.0.0.1:0", more)
    }

    pub(crate) fn start_at(folder: &Folder, listen: &str, more: &[&str]) -> Self {
        let data = folder.data();
        let mut args = vec!["server", "--data", &data, "--listen", listen];
        args.extend(["--segment-bytes", "1048576"]);
        args.extend(["--egress-allow", "loopback"]);
        args.extend(more);
        let mut child = command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let out = child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut first).unwrap();
        let Some(url) = first.trim().strip_prefix("listening on ") else {
            let _ = child.kill();
            let mut err = String::new();
            let _ = child.stderr.take().unwrap().read_to_string(&mut err);
            panic!("the server did not start: {first}{err}");
        };
        let url = url.to_owned();
        Self { child, url, data }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Runs the program against this server.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        let mut with_server = args.to_vec();
        with_server.extend(["--server", &self.url]);
        run(&with_server)
    }

    /// Its output, with everything that differs from time to time replaced.
    #[track_caller]
    pub(crate) fn out(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(said.err, "");
        self.timeless(&said.out)
    }

    /// Runs until it succeeds and `until` likes what it says.
    pub(crate) fn run_until(&self, args: &[&str], until: impl Fn(&str) -> bool) -> Said {
        let began = Instant::now();
        loop {
            let said = self.run(args);
            if said.code == Some(0) && until(&said.out) {
                return said;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{args:?} never came to it: {said:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A worker on this server, in a thread that ends with the server.
    pub(crate) fn attach_worker(&self) {
        let address = self.address();
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(worker::work(address));
        });
        self.run_until(&["run", "start", "Wait", "first", "--attach"], |_| true);
        self.run(&["run", "terminate", "Wait/first"]);
    }

    pub(crate) fn timeless(&self, text: &str) -> String {
        let text = text
            .replace(&self.url, "<url>")
            .replace(&self.data, "<data>");
        mask(&text)
    }

    /// Kills it: no farewell, no checkpoint.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it with a signal. Its exit code, and its log.
    pub(crate) fn end_with(mut self, signal: &str) -> (Option<i32>, String) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let mut log = String::new();
                let mut err = self.child.stderr.take().unwrap();
                err.read_to_string(&mut log).unwrap();
                return (status.code(), log);
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Replaces dates, times, spans and identities.
fn mask(text: &str) -> String {
    let shapes = [
        ("0000-00-00 00:00:00", "<date>"),
        ("00:00:00.000", "<time>"),
        (&"h".repeat(32), "<id>"),
    ];
    let mut masked = String::new();
    let mut rest = text;
    'text: while !rest.is_empty() {
        for (shape, name) in shapes {
            if fits(rest, shape) {
                masked.push_str(name);
                rest = &rest[shape.len()..];
                continue 'text;
            }
        }
        let first = rest.chars().next().unwrap();
        masked.push(first);
        rest = &rest[first.len_utf8()..];
    }
    let lines = masked
        .lines()
        .map(|line| match line.split_once("ended after ") {
            Some((before, _)) => format!("{before}ended after <span>"),
            None => line.to_owned(),
        });
    lines.map(|line| line + "\n").collect()
}

/// True if `text` begins with `shape`, in which a `0` stands for any digit and an `h` for any hex digit.
fn fits(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                b'h' => byte.is_ascii_hexdigit(),
                other => byte == other,
            })
}
