//! A bed: an engine on an empty data folder, a worker, and a client, ready for a workload.

use crate::options::Mode;
use crate::process::Usage;
use crate::program::TwoTasks;
use crate::server::{Scratch, Server};
use crate::worker;
use crate::workload::Outcome;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use trunkline::Client;
use trunkline_engine::{Config, Engine};

/// How long worker and engine may take until the first run is through.
const READY_MS_MAX: u64 = 30_000;

/// Everything that a workload runs on.
#[derive(Debug)]
pub(crate) struct Bed {
    client: Client,
    parts: Parts,
    scratch: Scratch,
}

#[derive(Debug)]
enum Parts {
    Remote {
        worker: WorkerProcess,
        server: Server,
    },
    Embedded {
        worker: JoinHandle<()>,
        engine: Engine,
    },
}

/// What the processes have used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// The server, if it is a process of its own.
    pub(crate) server: Option<Usage>,
    /// CPU seconds of worker and client together; in embedded mode of everything.
    pub(crate) clients_cpu_s: f64,
    /// Bytes of commits written to the journals.
    pub(crate) commit_bytes: u64,
}

impl Bed {
    /// Makes a bed in `mode`, and sees one run through.
    pub(crate) async fn make(mode: Mode, name: &str) -> Outcome<Self> {
        let scratch = Scratch::new(name)?;
        let data = scratch.path().join("data");
        let (parts, client) = match mode {
            Mode::Remote => {
                let server = Server::start(&data)?;
                let worker = WorkerProcess::start(&server.url())?;
                let client = Client::connect(server.url()).await?;
                (Parts::Remote { worker, server }, client)
            }
            Mode::Embedded => {
                let engine = Engine::open(Config::new(&data), Handle::current())
                    .map_err(|error| error.to_string())?;
                let worker = worker::worker(&engine);
                let worker = tokio::spawn(async move {
                    // It only ends with the engine, and then has nothing to say.
                    let _ = worker.run().await;
                });
                let client = Client::connect(&engine).await?;
                (Parts::Embedded { worker, engine }, client)
            }
        };
        let bed = Self {
            client,
            parts,
            scratch,
        };
        bed.wait_until_ready().await?;
        Ok(bed)
    }

    /// Until the worker has registered, starts are refused.
    async fn wait_until_ready(&self) -> Outcome<()> {
        let give_up = Instant::now() + Duration::from_millis(READY_MS_MAX);
        for attempt in 0_u32.. {
            let run = self.client.workflow::<TwoTasks>(format!("ready-{attempt}"));
            match run.execute("ready".to_owned()).await {
                Ok(_) => break,
                Err(error) if Instant::now() > give_up => return Err(error.to_string().into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        Ok(())
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.parts {
            Parts::Remote { .. } => Mode::Remote,
            Parts::Embedded { .. } => Mode::Embedded,
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn disk_bytes(&self) -> Outcome<u64> {
        Ok(self.scratch.disk_bytes()?)
    }

    pub(crate) fn spent(&self) -> Outcome<Spent> {
        let own_cpu_s = Usage::of_self()?.cpu_s;
        Ok(match &self.parts {
            Parts::Remote { worker, server } => Spent {
                server: Some(server.usage()?),
                clients_cpu_s: own_cpu_s + worker.usage()?.cpu_s,
                commit_bytes: server.commit_bytes()?,
            },
            Parts::Embedded { engine, .. } => Spent {
                server: None,
                clients_cpu_s: own_cpu_s,
                commit_bytes: engine.stats().commit_bytes,
            },
        })
    }

    /// Kills the server with -9 and starts it again on the same folder. Clients and workers connect again by themselves.
    pub(crate) fn kill_and_restart_server(&mut self) -> Outcome<()> {
        match &mut self.parts {
            Parts::Remote { server, .. } => Ok(server.kill_and_restart()?),
            Parts::Embedded { .. } => Err("this process cannot kill itself".into()),
        }
    }

    /// A new client of the same engine.
    pub(crate) async fn connect(&self) -> Outcome<Client> {
        Ok(match &self.parts {
            Parts::Remote { server, .. } => Client::connect(server.url()).await?,
            Parts::Embedded { engine, .. } => Client::connect(engine).await?,
        })
    }

    /// Stops everything and removes the folder.
    pub(crate) async fn clear(self) {
        match self.parts {
            Parts::Remote { worker, server } => {
                drop(worker);
                drop(server);
            }
            Parts::Embedded { worker, engine } => {
                worker.abort();
                engine.shutdown(Duration::ZERO).await;
            }
        }
    }
}

/// The worker of the remote mode: this program once more. Killed when dropped.
#[derive(Debug)]
struct WorkerProcess {
    child: Child,
}

impl WorkerProcess {
    fn start(url: &str) -> Outcome<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["worker", "--url", url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child })
    }

    fn usage(&self) -> Outcome<Usage> {
        Ok(Usage::of(self.child.id())?)
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
