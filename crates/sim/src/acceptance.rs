//! The acceptance of egress: many jobs over many lanes to a bad connector, the server killed again and again on the way, and
//! the connector's own records as the judge.
//!
//! Half of the lanes go to a webhook, one job a call, and half to a connector with several jobs a call.

use crate::diagnosis;
use crate::retrying::soon_for_ever;
use crate::server::Server;
use connector::{BadConnector, Temper};
use records::{Expected, Records, Tally};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use trunkline::core::egress::{Connector, Destination, NewJob, Rate};
use trunkline::core::ids::JobId;
use trunkline::core::payload::{Name, Payload};
use trunkline::core::peer::{Op, Reply};
use trunkline::{Client, ClientError};

mod bed;
pub mod beside;
pub mod connector;
pub mod outage;
pub mod records;

/// How large the acceptance is.
#[derive(Clone, Copy, Debug)]
pub struct Acceptance {
    /// Jobs in all.
    pub jobs: u64,
    /// Lanes in all.
    pub lanes: u64,
    /// How often the server is killed.
    pub kills: u32,
    /// The seed of what is random.
    pub seed: u64,
    /// Calls a second of the webhook; the connector gets a tenth.
    pub per_second: u32,
    /// The numbers of the calls that are answered with 429: see [`Temper::patience_at`].
    pub patience_at: &'static [u64],
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The records of each destination in numbers.
    pub tallies: BTreeMap<String, Tally>,
    /// Jobs that were sent to the server again, because a kill took the answer along, and that it knew.
    pub known: u64,
    /// From the first job to the last.
    pub took: Duration,
    /// Everything that is not as promised.
    pub violations: Vec<String>,
}

/// The two destinations.
const WEBHOOK: &str = "webhook";
const BATCHES: &str = "batches";
/// Calls under way at once.
const CONCURRENCY: u32 = 48;
/// Jobs of a call to the connector.
const BATCH_MAX: u32 = 10;
/// Jobs of one request.
const REQUEST_JOBS: u64 = 200;
/// Clients that create jobs.
const CLIENTS: u64 = 4;
/// Without a new job at the connector for so long, something is stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

impl Acceptance {
    /// Runs it on an empty folder.
    ///
    /// # Panics
    /// If the server does not come back, refuses what it should take, or nothing moves any more.
    pub async fn run(self, program: &Path, folder: &Path) -> Findings {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let connector = BadConnector::new(Temper {
            seed: self.seed,
            failing_percent: 10,
            dropping_percent: 4,
            patience_at: self.patience_at,
        });
        let url = connector.listen().await;
        let mut server = Server::new(program, &folder.join("data"));
        server.start();
        let client = Client::connect(server.url().as_str()).await;
        let client = client.expect("a server that listens takes connections");
        for destination in self.destinations(&url) {
            let put = client
                .request(Op::PutDestination {
                    destination: Box::new(destination),
                })
                .await;
            put.expect("the destination is fine");
        }

        let began = Instant::now();
        let progress = Arc::new(Progress::default());
        let creating: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (client, progress) = (client.clone(), Arc::clone(&progress));
                tokio::spawn(self.create(client, number, progress))
            })
            .collect();
        let mut findings = Findings::default();
        let mut kills = Vec::new();
        let mut moved = (0, Instant::now());
        loop {
            let accepted = progress.note(&connector.records());
            if accepted != moved.0 {
                moved = (accepted, Instant::now());
            }
            if accepted >= self.jobs {
                break;
            }
            assert!(
                moved.1.elapsed() < PATIENCE,
                "nothing moves any more: {accepted} of {} jobs arrived, {} were created\n{}",
                self.jobs,
                progress.created(),
                diagnosis::of(&mut server)
            );
            let next = (kills.len() as u64 + 1) * self.jobs / (u64::from(self.kills) + 1);
            if kills.len() < self.kills as usize && accepted >= next {
                server.kill();
                kills.push(connector.records().now());
                server.start();
            } else {
                server.must_run();
                tokio::time::sleep(LOOK).await;
            }
        }
        findings.took = began.elapsed();
        for creating in creating {
            match creating.await.expect("a client does not panic") {
                Ok(known) => findings.known += known,
                Err(error) => findings.violations.push(format!("a client hears: {error}")),
            }
        }
        if kills.len() != self.kills as usize {
            findings
                .violations
                .push(format!("the server was killed {} times", kills.len()));
        }
        // First until nothing waits any more: the answers of the last acceptances may have been dropped.
        self.compare(&client, &mut server, &mut findings).await;
        self.judge(&connector, &kills, &mut findings);
        findings
    }

    /// Creates every fourth lane's jobs, in order, again and again the same until they are accepted. Returns how many were
    /// known already.
    async fn create(
        self,
        client: Client,
        number: u64,
        progress: Arc<Progress>,
    ) -> Result<u64, ClientError> {
        let mut known = 0;
        let lanes = (number..self.lanes).step_by(CLIENTS as usize);
        let mut all = Vec::new();
        for place in 1..=self.jobs.div_ceil(self.lanes) {
            let of_lane = |lane: &u64| place <= self.jobs_of(*lane);
            all.extend(lanes.clone().filter(of_lane).map(|lane| (lane, place)));
        }
        // The number of clients is even, so that the lanes of one are of one destination.
        let progress = progress.of(number);
        for chunk in all.chunks(REQUEST_JOBS as usize) {
            // So that some are still being created when the last kill comes near.
            while progress.is_ahead(self.jobs / 10) {
                tokio::time::sleep(LOOK).await;
            }
            let jobs = chunk.iter().map(|(lane, place)| self.job(*lane, *place));
            let jobs: Vec<_> = jobs.collect();
            let sent = jobs.len() as u64;
            let reply = client.request(Op::CreateJobs { jobs }).await?;
            if let Reply::Jobs { known: again, .. } = reply {
                known += u64::from(again);
            }
            progress.created.fetch_add(sent, Ordering::SeqCst);
        }
        Ok(known)
    }

    fn job(self, lane: u64, place: u64) -> (JobId, NewJob) {
        let id = job_id(self.seed, lane, place);
        let job = NewJob {
            destination: Name::from(destination_of(lane)),
            lane: Name::from(lane_name(lane)),
            object_type: Name::from("stock"),
            body: Payload::from(format!("{{\"place\":{place}}}").into_bytes()),
            ..NewJob::default()
        };
        (id, job)
    }

    /// How many jobs a lane has: the first ones have one more if they do not divide.
    fn jobs_of(self, lane: u64) -> u64 {
        self.jobs / self.lanes + u64::from(lane < self.jobs % self.lanes)
    }

    fn rate(self, name: &str) -> Rate {
        let per_second = match name {
            WEBHOOK => self.per_second,
            _ => self.per_second / 10,
        };
        // Half a second's worth: a limiter that begins anew after a kill gives that much away.
        let burst = per_second / 2;
        Rate { per_second, burst }
    }

    fn destinations(self, url: &str) -> [Destination; 2] {
        [WEBHOOK, BATCHES].map(|name| Destination {
            name: Name::from(name),
            url: Name::from(match name {
                WEBHOOK => format!("{url}/webhook"),
                _ => format!("{url}/connector"),
            }),
            rate: Some(self.rate(name)),
            concurrency: CONCURRENCY,
            timeout_ms: 30_000,
            retry: soon_for_ever(),
            connector: (name == BATCHES).then(|| Connector {
                batch_max: BATCH_MAX,
                settings: Payload::null(),
                body_bytes_max: 1 << 20,
            }),
            ..Destination::default()
        })
    }

    fn judge(self, connector: &BadConnector, kills: &[Duration], findings: &mut Findings) {
        let records = connector.records();
        for name in [WEBHOOK, BATCHES] {
            let lanes = (0..self.lanes).filter(|lane| destination_of(*lane) == name);
            let rate = self.rate(name);
            let expected = Expected {
                lanes: lanes
                    .map(|lane| (lane_name(lane), self.jobs_of(lane)))
                    .collect(),
                per_second: rate.per_second,
                burst: rate.burst,
                concurrency: CONCURRENCY,
                // Only what was under way in a kill.
                told_twice_max: u64::from(CONCURRENCY)
                    * u64::from(if name == BATCHES { BATCH_MAX } else { 1 })
                    * kills.len() as u64,
                kills: kills.to_vec(),
            };
            let (tally, wrong) = records.judge(name, &expected);
            findings.violations.extend(wrong);
            findings.tallies.insert(name.to_owned(), tally);
        }
    }

    /// What the server says of the jobs is what was created, and nothing of it waits or is dead.
    async fn compare(self, client: &Client, server: &mut Server, findings: &mut Findings) {
        for name in [WEBHOOK, BATCHES] {
            let jobs: u64 = (0..self.lanes)
                .filter(|lane| destination_of(*lane) == name)
                .map(|lane| self.jobs_of(lane))
                .sum();
            let began = Instant::now();
            loop {
                server.must_run();
                let op = Op::DescribeDestination {
                    name: Name::from(name),
                };
                let said = client.request(op).await;
                let Ok(Reply::Destination(status)) = &said else {
                    findings.violations.push(format!("{name}: {said:?}"));
                    break;
                };
                if (status.pending, status.in_flight) == (0, 0) {
                    if (status.succeeded, status.dead) != (jobs, 0) {
                        findings.violations.push(format!(
                            "{name}: the server counts {} of {jobs} delivered, {} dead",
                            status.succeeded, status.dead
                        ));
                    }
                    break;
                }
                assert!(
                    began.elapsed() < PATIENCE,
                    "nothing moves any more\n{}",
                    diagnosis::of(server)
                );
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// How far it has come, by destination.
#[derive(Debug, Default)]
struct Progress {
    webhook: Steps,
    batches: Steps,
}

#[derive(Debug, Default)]
struct Steps {
    created: AtomicU64,
    accepted: AtomicU64,
}

impl Progress {
    /// Of the destination of a lane.
    fn of(&self, lane: u64) -> &Steps {
        match destination_of(lane) {
            WEBHOOK => &self.webhook,
            _ => &self.batches,
        }
    }

    /// Notes what the connector has accepted; returns the sum.
    fn note(&self, records: &Records) -> u64 {
        let webhook = records.accepted(WEBHOOK);
        let batches = records.accepted(BATCHES);
        self.webhook.accepted.store(webhook, Ordering::SeqCst);
        self.batches.accepted.store(batches, Ordering::SeqCst);
        webhook + batches
    }

    fn created(&self) -> u64 {
        let steps = [&self.webhook, &self.batches];
        steps
            .map(|steps| steps.created.load(Ordering::SeqCst))
            .iter()
            .sum()
    }
}

impl Steps {
    /// True if there is enough to deliver for now.
    fn is_ahead(&self, enough: u64) -> bool {
        let created = self.created.load(Ordering::SeqCst);
        created > self.accepted.load(Ordering::SeqCst) + enough
    }
}

fn destination_of(lane: u64) -> &'static str {
    if lane.is_multiple_of(2) {
        WEBHOOK
    } else {
        BATCHES
    }
}

/// The id of the job at this place of a lane.
fn job_id(group: u64, lane: u64, place: u64) -> JobId {
    JobId(u128::from(group) << 96 | u128::from(lane) << 48 | u128::from(place))
}

fn lane_name(lane: u64) -> String {
    format!("lane-{lane}")
}
