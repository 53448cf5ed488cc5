//! W5: deliveries. As many as possible, with and without limits; how late they are; beside a dead destination; none at all.

use super::Outcome;
use crate::measurement::Measurement;
use crate::options::{Id, Options};
use crate::percentiles::Durations;
use crate::process::Usage;
use crate::receiver::Receiver;
use crate::server::{Scratch, Server};
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use trunkline::Client;
use trunkline::core::egress::{Connector, Destination, NewJob, Rate};
use trunkline::core::ids::JobId;
use trunkline::core::payload::{Name, Payload};
use trunkline::core::peer::{Op, Reply};

/// Jobs of a measurement of throughput.
const JOBS: u64 = 100_000;
/// Lanes that they go over.
const LANES: u64 = 1_000;
/// Jobs of one request, and requests under way at once.
const REQUEST_JOBS: u64 = 500;
const CLIENTS: u64 = 8;
/// Destinations of which one is dead.
const DESTINATIONS: usize = 50;
/// Destinations that are idle.
const IDLE: usize = 1_000;
/// Jobs a second while their lag is measured.
const PACE: u64 = 1_000;
/// How long is waited for deliveries that do not come.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(2);

/// A server without a worker, and where deliveries go.
struct Bed {
    client: Client,
    server: Server,
    receiver: Receiver,
    /// Calls under way at once to one destination.
    calls: u32,
    _scratch: Scratch,
}

/// Takes the measurements of one of the workloads W5.
pub(super) async fn measure(id: Id, options: &Options) -> Outcome<Vec<Measurement>> {
    match id {
        Id::W5b => Ok(vec![saturated("W5b", options, Some(limit()), None).await?]),
        Id::W5c => {
            let connector = Connector {
                batch_max: 100,
                settings: Payload::null(),
                body_bytes_max: 1 << 20,
            };
            Ok(vec![
                saturated("W5c", options, None, Some(connector)).await?,
            ])
        }
        Id::W5d => Ok(vec![lag(options).await?]),
        Id::W5e => beside_a_dead_one(options).await,
        Id::W5f => idle(options).await,
        _ => Ok(vec![saturated("W5a", options, None, None).await?]),
    }
}

/// A limit that counts and does not hold back.
fn limit() -> Rate {
    Rate {
        per_second: 100_000,
        burst: 10_000,
    }
}

impl Bed {
    async fn make(name: &str, options: &Options, doors: usize, noting: bool) -> Outcome<Self> {
        let scratch = Scratch::new(name)?;
        let server = Server::start(&scratch.path().join("data"))?;
        let client = Client::connect(server.url()).await?;
        Ok(Self {
            client,
            server,
            receiver: Receiver::listen(doors, noting).await?,
            calls: options.calls,
            _scratch: scratch,
        })
    }

    async fn put(&self, door: usize, destination: Destination) -> Outcome<()> {
        let destination = Destination {
            name: Name::from(format!("d{door}")),
            url: Name::from(self.receiver.url(door)),
            concurrency: self.calls,
            timeout_ms: 10_000,
            ..destination
        };
        self.client
            .request(Op::PutDestination {
                destination: Box::new(destination),
            })
            .await?;
        Ok(())
    }

    /// Creates so many jobs for each of the doors, by a few clients at once, each its share of the lanes.
    fn create(&self, doors: Range<usize>, jobs: u64, lanes: u64) -> JoinSet<Outcome<()>> {
        let mut creating = JoinSet::new();
        for number in 0..CLIENTS {
            let (client, doors) = (self.client.clone(), doors.clone());
            creating.spawn(async move {
                let mine: Vec<u64> = (0..jobs)
                    .filter(|job| job % lanes % CLIENTS == number)
                    .collect();
                for chunk in mine.chunks(REQUEST_JOBS as usize) {
                    for door in doors.clone() {
                        let jobs = chunk.iter().map(|job| new_job(door, *job, lanes)).collect();
                        client.request(Op::CreateJobs { jobs }).await?;
                    }
                }
                Ok(())
            });
        }
        creating
    }

    /// Waits until so many calls came through the doors.
    async fn await_taken(&self, doors: Range<usize>, calls: u64) -> Outcome<()> {
        let began = Instant::now();
        while self.receiver.taken(doors.clone()) < calls {
            if began.elapsed() > PATIENCE {
                let taken = self.receiver.taken(doors);
                return Err(format!("only {taken} of {calls} calls came").into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

fn new_job(door: usize, number: u64, lanes: u64) -> (JobId, NewJob) {
    let id = (door as u128 + 1) << 64 | u128::from(number + 1);
    let job = NewJob {
        destination: Name::from(format!("d{door}")),
        lane: Name::from(format!("lane-{}", number % lanes)),
        object_type: Name::from("stock"),
        object_ids: vec![Name::from(format!("sku-{number}"))],
        body: Payload::from(format!("{{\"quantity\":17,\"number\":{number}}}").into_bytes()),
        ..NewJob::default()
    };
    (JobId(id), job)
}

/// From the first job that is created to the last that is delivered and settled.
async fn saturated(
    workload: &'static str,
    options: &Options,
    rate: Option<Rate>,
    connector: Option<Connector>,
) -> Outcome<Measurement> {
    let is_batched = connector.is_some();
    let bed = Bed::make(workload, options, 1, false).await?;
    let destination = Destination {
        rate,
        connector,
        ..Destination::default()
    };
    bed.put(0, destination).await?;
    let spent = (
        bed.server.usage()?,
        Usage::of_self()?,
        bed.server.commit_bytes()?,
    );
    let began = Instant::now();
    let mut creating = bed.create(0..1, JOBS, LANES);
    while let Some(created) = creating.join_next().await {
        created??;
    }
    if !is_batched {
        bed.await_taken(0..1, JOBS).await?;
    }
    await_settled(&bed, JOBS).await?;
    let seconds = began.elapsed().as_secs_f64();
    let now = (
        bed.server.usage()?,
        Usage::of_self()?,
        bed.server.commit_bytes()?,
    );
    let thousands = JOBS as f64 / 1_000.0;
    Ok(Measurement {
        workload,
        mode: "remote",
        n: JOBS,
        seconds: Some(seconds),
        per_s: Some(JOBS as f64 / seconds),
        server_cpu_s_per_1000: Some((now.0.cpu_s - spent.0.cpu_s) / thousands),
        client_cpu_s_per_1000: Some((now.1.cpu_s - spent.1.cpu_s) / thousands),
        server_rss_mib: Some(now.0.rss_bytes as f64 / f64::from(1 << 20)),
        bytes_written_per: Some((now.2 - spent.2) as f64 / JOBS as f64),
        ..Measurement::default()
    })
}

/// Waits until the server has settled so many jobs of the first destination.
async fn await_settled(bed: &Bed, jobs: u64) -> Outcome<()> {
    let began = Instant::now();
    loop {
        let name = Name::from("d0");
        let said = bed.client.request(Op::DescribeDestination { name }).await?;
        let Reply::Destination(status) = &said else {
            return Err(format!("{said:?}").into());
        };
        if status.succeeded == jobs {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("only {} of {jobs} jobs were delivered", status.succeeded).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// W5d: jobs at an even pace, one a request; how long after the request each arrives.
async fn lag(options: &Options) -> Outcome<Measurement> {
    let bed = Bed::make("W5d", options, 1, true).await?;
    bed.put(0, Destination::default()).await?;
    let jobs = PACE * options.seconds;
    let mut sent = Vec::with_capacity(jobs as usize);
    let mut creating = JoinSet::new();
    let began = Instant::now();
    let spent = (bed.server.usage()?, Usage::of_self()?);
    for job in 0..jobs {
        let due = began + Duration::from_micros(job * 1_000_000 / PACE);
        tokio::time::sleep_until(due.into()).await;
        let client = bed.client.clone();
        sent.push(Instant::now());
        creating.spawn(async move {
            let jobs = vec![new_job(0, job, LANES)];
            client.request(Op::CreateJobs { jobs }).await
        });
    }
    while let Some(created) = creating.join_next().await {
        created??;
    }
    bed.await_taken(0..1, jobs).await?;
    let seconds = began.elapsed().as_secs_f64();
    let now = (bed.server.usage()?, Usage::of_self()?);
    let mut took = Durations::default();
    for (job, at) in bed.receiver.arrivals() {
        let sent = sent
            .get(job as usize)
            .ok_or("a job arrived that was not sent")?;
        took.add(at.saturating_duration_since(*sent));
    }
    let thousands = jobs as f64 / 1_000.0;
    Ok(Measurement {
        workload: "W5d",
        mode: "remote",
        n: jobs,
        seconds: Some(seconds),
        per_s: Some(jobs as f64 / seconds),
        p50_ms: took.percentile_ms(50.0),
        p99_ms: took.percentile_ms(99.0),
        server_cpu_s_per_1000: Some((now.0.cpu_s - spent.0.cpu_s) / thousands),
        client_cpu_s_per_1000: Some((now.1.cpu_s - spent.1.cpu_s) / thousands),
        ..Measurement::default()
    })
}

/// W5e: what 49 destinations get beside one that is well, one that never answers and one that refuses connections. Each case
/// twice, in turn, because the machine is not the same from minute to minute.
async fn beside_a_dead_one(options: &Options) -> Outcome<Vec<Measurement>> {
    let cases = [
        "beside a well one",
        "beside a silent one",
        "beside a refusing one",
    ];
    let mut seconds = [0.0; 3];
    let jobs = JOBS / DESTINATIONS as u64;
    let others = (DESTINATIONS as u64 - 1) * jobs;
    for case in [0, 1, 2, 2, 1, 0] {
        let bed = Bed::make("W5e", options, DESTINATIONS, false).await?;
        let last = DESTINATIONS - 1;
        for door in 0..DESTINATIONS {
            bed.put(door, Destination::default()).await?;
        }
        match case {
            1 => bed.receiver.kill(last),
            2 => {
                let destination = Destination {
                    name: Name::from(format!("d{last}")),
                    // Nothing listens on this port of the machine: it is the one for discarding.
                    url: Name::from("http://127.0.0.1:9/"),
                    concurrency: bed.calls,
                    ..Destination::default()
                };
                bed.client
                    .request(Op::PutDestination {
                        destination: Box::new(destination),
                    })
                    .await?;
            }
            _ => {}
        }
        let began = Instant::now();
        let mut creating = bed.create(0..DESTINATIONS, jobs, 20);
        while let Some(created) = creating.join_next().await {
            created??;
        }
        bed.await_taken(0..last, others).await?;
        seconds[case] += began.elapsed().as_secs_f64();
    }
    let line = |case: usize| Measurement {
        workload: "W5e",
        mode: "remote",
        case: Some(cases[case]),
        n: 2 * others,
        seconds: Some(seconds[case]),
        per_s: Some(2.0 * others as f64 / seconds[case]),
        ..Measurement::default()
    };
    Ok((0..3).map(line).collect())
}

/// W5f: a server in which nothing happens, without destinations and with a thousand.
async fn idle(options: &Options) -> Outcome<Vec<Measurement>> {
    let bed = Bed::make("W5f", options, 1, false).await?;
    let mut lines = Vec::new();
    let mut empty = Usage::default();
    for (case, destinations) in [("no destination", 0), ("1,000 destinations", IDLE)] {
        for number in 0..destinations {
            let destination = Destination {
                name: Name::from(format!("idle-{number}")),
                url: Name::from(bed.receiver.url(0)),
                rate: Some(limit()),
                ..Destination::default()
            };
            bed.client
                .request(Op::PutDestination {
                    destination: Box::new(destination),
                })
                .await?;
        }
        // What came of putting them is over.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = (bed.server.usage()?, bed.server.commit_bytes()?);
        if destinations == 0 {
            empty = before.0;
        }
        tokio::time::sleep(options.duration()).await;
        let now = (bed.server.usage()?, bed.server.commit_bytes()?);
        let grown = now.0.rss_bytes.saturating_sub(empty.rss_bytes) as f64;
        lines.push(Measurement {
            workload: "W5f",
            mode: "remote",
            case: Some(case),
            n: destinations as u64,
            seconds: Some(options.seconds as f64),
            idle_cpu_s: Some(now.0.cpu_s - before.0.cpu_s),
            idle_bytes_written: Some(now.1 - before.1),
            server_rss_mib: Some(now.0.rss_bytes as f64 / f64::from(1 << 20)),
            bytes_memory_per: (destinations > 0).then(|| grown / destinations as f64),
            ..Measurement::default()
        });
    }
    Ok(lines)
}
