//! The server under load: the real program `trunkline`, in a process of its own, on a scratch folder of a real disk.

use crate::process::{Usage, disk_bytes};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it listens.
const START_MS_MAX: u64 = 120_000;

/// A folder that is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new folder beside the program: build output is on a real disk, a temporary folder may be in memory.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let beside = program
            .parent()
            .ok_or_else(|| io::Error::other("the program lies in no folder"))?;
        let path = beside.join(format!("bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn disk_bytes(&self) -> io::Result<u64> {
        disk_bytes(&self.path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A running server. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    data: PathBuf,
}

impl Server {
    /// Starts a server on the folder `data` and waits until it listens.
    pub(crate) fn start(data: &Path) -> io::Result<Self> {
        let address = free_address()?;
        Self::start_at(data, address)
    }

    fn start_at(data: &Path, address: SocketAddr) -> io::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("trunkline");
        let log = fs::File::create(data.with_extension("log"))?;
        let child = Command::new(&program)
            .arg("server")
            .arg("--data")
            .arg(data)
            .arg("--listen")
            .arg(address.to_string())
            .args(["--egress-allow", "loopback"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| {
                io::Error::other(format!("cannot start {}: {error}", program.display()))
            })?;
        let mut server = Self {
            child,
            address,
            data: data.to_path_buf(),
        };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let give_up = Instant::now() + Duration::from_millis(START_MS_MAX);
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
                return Err(io::Error::other(format!(
                    "the server ended with {status}:\n{log}"
                )));
            }
            if Instant::now() > give_up {
                return Err(io::Error::other("the server does not listen"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Kills it with -9 and starts another on the same folder and address.
    pub(crate) fn kill_and_restart(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        *self = Self::start_at(&self.data, self.address)?;
        Ok(())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn usage(&self) -> io::Result<Usage> {
        Usage::of(self.child.id())
    }

    /// Bytes of commits that it has written, from its metrics.
    pub(crate) fn commit_bytes(&self) -> io::Result<u64> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        answer
            .lines()
            .find_map(|line| line.strip_prefix("trunkline_commit_bytes_total "))
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| io::Error::other("the metrics do not say how much was written"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine that nothing listens on, below the ports that the system gives to outgoing connections: while
/// the server is down, a client that tries to reach it there could connect to itself, and keep the port.
fn free_address() -> io::Result<SocketAddr> {
    let first = 15_000 + (std::process::id() % 10_000) as u16;
    (first..32_000)
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .ok_or_else(|| io::Error::other("there is no free port"))?
        .local_addr()
}
