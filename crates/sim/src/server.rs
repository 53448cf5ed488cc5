//! The server under torture: the real program in a process of its own, on one data folder and one port for all its lives.

use crate::faulty::Script;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// A server that can be killed and started again. Killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    data: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    options: Vec<String>,
    child: Option<Child>,
}

/// The environment variable with the script of troubles of a `faulty-server`.
pub const TROUBLES: &str = "TRUNKLINE_SIM_TROUBLES";
/// How long a server may take until it listens.
const START_MAX: Duration = Duration::from_secs(30);

impl Server {
    /// A server of `program` on the folder `data`, and on a port that is free now. It is not started yet.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn new(program: &Path, data: &Path) -> Self {
        Self {
            program: program.to_path_buf(),
            data: data.to_path_buf(),
            log: data.with_extension("log"),
            address: free_address(),
            options: Vec::new(),
            child: None,
        }
    }

    /// The same with more options on its command line.
    #[must_use]
    pub fn with(mut self, options: &[&str]) -> Self {
        self.options
            .extend(options.iter().map(|&option| option.to_owned()));
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it wrote to standard error in all of its lives.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether the process runs, in words.
    pub fn state(&mut self) -> String {
        match self.child.as_mut().map(Child::try_wait) {
            None => "it is not started".into(),
            Some(Ok(None)) => "it runs".into(),
            Some(Ok(Some(status))) => format!("it has ended by itself: {status}"),
            Some(Err(error)) => format!("nobody knows: {error}"),
        }
    }

    /// Notices that a server has ended by itself, also after it had begun to listen.
    ///
    /// # Panics
    /// If it has.
    pub fn must_run(&mut self) {
        let ended = self.child.as_mut().map(Child::try_wait);
        if let Some(Ok(Some(status))) = ended {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("the server ended by itself: {status}\n{log}");
        }
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Panics
    /// If it ends by itself or does not listen in time: a server that does not come back has lost everything.
    pub fn start(&mut self) {
        self.launch(Script::default());
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            self.must_run();
            assert!(begun.elapsed() < START_MAX, "the server does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts it with a script of troubles, which only a `faulty-server` reads, and does not wait for it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn launch(&mut self, script: Script) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log);
        let log = log.expect("the log can be written");
        let child = Command::new(&self.program)
            .env(TROUBLES, script.as_words())
            .arg("server")
            .arg("--data")
            .arg(&self.data)
            .arg("--listen")
            .arg(self.address.to_string())
            .args(["--egress-allow", "loopback"])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("the program starts"));
    }

    /// Waits until it has ended by itself, and says how, with the end of its log; nothing if it has not in time.
    ///
    /// # Panics
    /// If it is not started.
    pub async fn await_end(&mut self, limit: Duration) -> Option<(ExitStatus, String)> {
        let begun = Instant::now();
        let child = self.child.as_mut().expect("the server is started");
        while begun.elapsed() < limit {
            if let Some(status) = child.try_wait().expect("the child is ours") {
                self.child = None;
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let end: Vec<&str> = log.lines().rev().take(5).collect();
                return Some((status, end.join("\n")));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    /// Sends it a signal by its name, such as `STOP`.
    ///
    /// # Panics
    /// If it is not started.
    pub fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("the server is started");
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(child.id().to_string())
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "kill -{name}");
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Kills it as `kill -9` does: it gets no chance to say or write anything.
    ///
    /// # Panics
    /// If it is not started, or has ended by itself before: nobody has told it to.
    pub fn kill(&mut self) {
        self.must_run();
        let mut child = self.child.take().expect("the server is started");
        child.kill().expect("the child is ours");
        child.wait().expect("the child is ours");
    }

    /// The program `trunkline` that was built with the running test.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn built_program() -> PathBuf {
        let test = std::env::current_exe().expect("a running program has a path");
        let target = test
            .parent()
            .and_then(Path::parent)
            .expect("tests lie in target/…/deps");
        let program = target.join("trunkline");
        assert!(
            program.exists(),
            "build the program first: cargo build -p trunkline-cli"
        );
        program
    }
}

/// An address of this machine that nothing listens on, below the ports that the system gives to outgoing connections: while
/// the server is down, a client that tries to reach it there could connect to itself, and keep the port.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 16_000 + (std::process::id() * 41 % 12_000) as u16;
    let free = || {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst) % 4_000;
        let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        probe.local_addr().ok()
    };
    (0..4_000).find_map(|_| free()).expect("a free port")
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing more can be done about a child that cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
