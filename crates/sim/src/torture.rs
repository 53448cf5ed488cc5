//! The torture: clients that count on every answer, a worker, a destination, and a server that dies again and again.
//!
//! What a client was told is held against what came out: every run that was accepted ends, with exactly the result that its
//! plan says; every signal that was accepted was received once, in order; every job arrived, per lane in order.

use crate::diagnosis;
use crate::receiver::Receiver;
use crate::retrying::soon_for_ever;
use crate::server::Server;
use crate::tally::{Adder, Plan, Sums, Tallied, Tally};
use std::future::{Future, IntoFuture};
use std::path::Path;
use std::time::Duration;
use trunkline::core::code::Code;
use trunkline::core::egress::{Destination, Rate};
use trunkline::core::ids::Nonce;
use trunkline::core::peer::{Op, Reply};
use trunkline::core::policy::scramble;
use trunkline::{Client, ClientError, Name, Worker};

mod trouble;

pub use trouble::Trouble;

/// How hard the torture is.
#[derive(Clone, Copy, Debug)]
pub struct Torture {
    /// Runs in all.
    pub runs: u64,
    /// How often the server is killed.
    pub kills: u32,
    /// The seed of plans and of the moments of death.
    pub seed: u64,
    /// True: the worker forgets every run after each turn, so that each turn replays its history.
    pub evict_always: bool,
    /// False: there is no worker, so that nothing can be started and everything is a finding.
    pub has_worker: bool,
    /// What happens after the kills.
    pub troubles: &'static [Trouble],
    /// More options for the server's command line.
    pub options: &'static [&'static str],
}

/// What a torture saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Runs that ended as they should.
    pub completed: u64,
    /// How often the server ended by itself, because a trouble made it.
    pub ends: u64,
    /// How often a client was refused because the disk was full, and asked again.
    pub refused: u64,
    /// Everything that is not as promised.
    pub violations: Vec<String>,
}

/// Bound of the whole torture: beyond it something is stuck, and the message says what.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often is looked whether something has come.
const LOOK: Duration = Duration::from_millis(20);
/// Runs that are under way at once.
const CLIENTS: u64 = 8;
/// Lanes of the jobs: few, so that runs share them.
const LANES: u64 = 5;

impl Torture {
    /// Runs it on an empty folder.
    ///
    /// # Panics
    /// If the server does not come back, or nothing moves any more.
    pub async fn run(self, program: &Path, folder: &Path) -> Findings {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let mut server = Server::new(program, &folder.join("data")).with(self.options);
        server.start();
        let receiver = Receiver::default();
        let destination = receiver.listen().await;
        let url = server.url();
        let worker = Worker::builder(url.as_str())
            .register(Sums.into_service())
            .workflow::<Tally>()
            .cache_runs(if self.evict_always { 0 } else { 1_000 });
        let client = connect(url.as_str()).await;
        configure(&client, &destination)
            .await
            .expect("the destination is fine");
        // Registered before anything is started: a workflow that no worker has ever had is refused.
        let worker = if self.has_worker {
            Some(worker.start().await.expect("the URL is fine"))
        } else {
            None
        };

        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| tokio::spawn(self.client(client.clone(), number)))
            .collect();
        let killer = self.kill_again_and_again(&mut server);
        let everything = async {
            let server = killer.await;
            let mut findings = self.let_happen(server).await;
            for mut client in clients {
                let found = loop {
                    tokio::select! {
                        found = &mut client => break found.expect("a client does not panic"),
                        () = tokio::time::sleep(LOOK) => server.must_run(),
                    }
                };
                findings.completed += found.completed;
                findings.refused += found.refused;
                findings.violations.extend(found.violations);
            }
            if !findings.violations.is_empty() {
                // Their jobs may never come: to wait for them would hide what was found.
                return findings;
            }
            let jobs = self.runs as usize * Plan::JOBS;
            while receiver.accepted() < jobs {
                server.must_run();
                tokio::time::sleep(LOOK).await;
            }
            findings
        };
        let Ok(mut findings) = tokio::time::timeout(PATIENCE, everything).await else {
            panic!(
                "nothing moves any more: {} jobs arrived\n{}",
                receiver.accepted(),
                diagnosis::of(&mut server)
            )
        };
        findings.violations.extend(receiver.violations());
        let accepted = receiver.accepted();
        if accepted != self.runs as usize * Plan::JOBS {
            findings.violations.push(format!("{accepted} jobs arrived"));
        }
        drop(worker);
        findings
    }

    async fn kill_again_and_again(self, server: &mut Server) -> &mut Server {
        for life in 0..self.kills {
            let ms = 100 + scramble(self.seed ^ u64::from(life)) % 700;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            server.kill();
            server.start();
        }
        server
    }

    /// One client: its share of the runs, one after the other.
    async fn client(self, client: Client, number: u64) -> Findings {
        let mut findings = Findings::default();
        for run in (number..self.runs).step_by(CLIENTS as usize) {
            match self.one_run(&client, run, &mut findings.refused).await {
                Ok(None) => findings.completed += 1,
                Ok(Some(violation)) => findings.violations.push(violation),
                Err(error) => findings.violations.push(format!("run {run}: {error}")),
            }
        }
        findings
    }

    /// Starts a run, sends its signals, and compares its result with its plan.
    async fn one_run(
        self,
        client: &Client,
        number: u64,
        refused: &mut u64,
    ) -> Result<Option<String>, ClientError> {
        let seed = scramble(self.seed.wrapping_mul(1_000_003) ^ number);
        let plan = Plan {
            amounts: (0..1 + seed % 4)
                .map(|place| scramble(seed + place) % 100)
                .collect(),
            signals: (seed >> 8) as usize % 4,
            lane: format!("lane-{}", (seed >> 16) % LANES),
        };
        let sent: Vec<u64> = (0..plan.signals as u64)
            .map(|place| number * 10 + place)
            .collect();
        let expected = Tallied {
            sum: 2 * plan.amounts.iter().sum::<u64>(),
            signals: sent.clone(),
            drawn: 17,
        };
        // The same nonce each time: a refusal may come after a start whose answer was lost in a crash.
        let start = || {
            client
                .workflow::<Tally>(format!("run-{number}"))
                .nonce(Nonce(u128::from(number) + 1))
                .start(plan.clone())
        };
        let run = patiently(refused, start).await?;
        for signal in sent {
            let send = || {
                run.send(|tally| &tally.numbers, signal)
                    .id(&signal.to_string())
            };
            patiently(refused, || send().into_future()).await?;
        }
        Ok(match run.result().await {
            Ok(tallied) if tallied == expected => None,
            Ok(tallied) => Some(format!("run {number}: {tallied:?} instead of {expected:?}")),
            Err(error) => Some(format!("run {number}: {error}")),
        })
    }
}

/// Asks again for as long as the server refuses because its disk is full.
async fn patiently<T, F: Future<Output = Result<T, ClientError>>>(
    refused: &mut u64,
    ask: impl Fn() -> F,
) -> Result<T, ClientError> {
    loop {
        match ask().await {
            Err(error) if error.code() == Code::DiskFull => {
                *refused += 1;
                tokio::time::sleep(LOOK).await;
            }
            other => return other,
        }
    }
}

/// Connects as soon as the server answers: it listens before it has opened its data.
async fn connect(url: &str) -> Client {
    let begun = std::time::Instant::now();
    loop {
        match Client::connect(url).await {
            Ok(client) => return client,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
    }
}

async fn configure(client: &Client, url: &str) -> Result<Reply, ClientError> {
    let destination = Destination {
        name: Name::from("receiver"),
        url: Name::from(url),
        rate: Some(Rate {
            per_second: 2_000,
            burst: 50,
        }),
        retry: soon_for_ever(),
        ..Destination::default()
    };
    client
        .request(Op::PutDestination {
            destination: Box::new(destination),
        })
        .await
}
