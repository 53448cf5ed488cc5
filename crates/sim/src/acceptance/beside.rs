//! One dead destination among many: the others get everything while it is dead, and it gets everything when it lives again.

use super::connector::{BadConnector, Temper};
use super::records::Expected;
use super::{LOOK, PATIENCE, lane_name};
use crate::diagnosis;
use crate::server::Server;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use trunkline::Client;
use trunkline::core::egress::{Destination, NewJob};
use trunkline::core::ids::JobId;
use trunkline::core::payload::{Name, Payload};
use trunkline::core::peer::Op;
use trunkline::core::policy::RetryPolicy;

/// How many destinations, lanes of each, and jobs of a lane.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// Destinations. The first is dead.
    pub destinations: u64,
    /// Lanes of each.
    pub lanes: u64,
    /// Jobs of a lane.
    pub jobs: u64,
}

impl Beside {
    /// Runs it on an empty folder; returns everything that is not as promised.
    ///
    /// # Panics
    /// If nothing moves any more.
    pub async fn run(self, program: &Path, folder: &Path) -> Vec<String> {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let connector = BadConnector::new(Temper {
            seed: 1,
            failing_percent: 5,
            dropping_percent: 2,
            patience_at: &[],
        });
        let url = connector.listen().await;
        connector.silence(Some(&name(0)));
        let mut server = Server::new(program, &folder.join("data"));
        server.start();
        let client = Client::connect(server.url().as_str()).await;
        let client = client.expect("a server that listens takes connections");
        for number in 0..self.destinations {
            let destination = Box::new(destination(number, &url));
            let put = client.request(Op::PutDestination { destination }).await;
            put.expect("the destination is fine");
        }
        // The dead one first: nobody can get past it by being earlier.
        for number in 0..self.destinations {
            let jobs = (0..self.lanes).flat_map(|lane| {
                (1..=self.jobs).map(move |place| {
                    let id = u128::from(number) << 96 | u128::from(lane) << 48 | u128::from(place);
                    (JobId(id), job(number, lane, place))
                })
            });
            let jobs = jobs.collect();
            let created = client.request(Op::CreateJobs { jobs }).await;
            created.expect("the jobs are fine");
        }
        let each = self.lanes * self.jobs;
        arrive(&connector, 1..self.destinations, each, &mut server).await;
        let mut wrong = Vec::new();
        let dead = connector.records().accepted(&name(0));
        if dead > 0 {
            wrong.push(format!("the dead one took {dead} jobs"));
        }
        connector.silence(None);
        arrive(&connector, 0..1, each, &mut server).await;
        let expected = |name: &str| Expected {
            lanes: (0..self.lanes)
                .map(|lane| (lane_name(lane), self.jobs))
                .collect::<BTreeMap<_, _>>(),
            per_second: 1_000_000,
            burst: 1_000_000,
            concurrency: 16,
            // An answer that takes half a second is none to the dead one's calls.
            told_twice_max: if *name == *self::name(0) { u64::MAX } else { 0 },
            kills: Vec::new(),
        };
        let records = connector.records();
        for (name, seen) in &records.seen {
            let (_, found) = seen.judge(&expected(name));
            wrong.extend(found.into_iter().map(|found| format!("{name}: {found}")));
        }
        wrong
    }
}

/// Waits until each of these destinations has everything.
pub(super) async fn arrive(
    connector: &BadConnector,
    destinations: std::ops::Range<u64>,
    each: u64,
    server: &mut Server,
) {
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let accepted: u64 = {
            let records = connector.records();
            let of = |number| records.accepted(&name(number));
            destinations.clone().map(of).sum()
        };
        if accepted >= (destinations.end - destinations.start) * each {
            return;
        }
        if accepted != last {
            (last, moved) = (accepted, Instant::now());
        }
        assert!(
            moved.elapsed() < PATIENCE,
            "nothing moves any more: {accepted} jobs arrived\n{}",
            diagnosis::of(server)
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// A destination: a webhook of the connector, that is called again and again until it answers.
pub(super) fn destination(number: u64, url: &str) -> Destination {
    Destination {
        name: Name::from(name(number)),
        url: Name::from(format!("{url}/webhook")),
        concurrency: 16,
        // So that the one that is to be dead is called often.
        timeout_ms: if number == 0 { 500 } else { 30_000 },
        retry: RetryPolicy {
            initial_ms: 20,
            max_ms: 200,
            attempts: 0,
            ..RetryPolicy::default()
        },
        ..Destination::default()
    }
}

/// A job, and where it stands in its lane.
pub(super) fn job(number: u64, lane: u64, place: u64) -> NewJob {
    NewJob {
        destination: Name::from(name(number)),
        lane: Name::from(lane_name(lane)),
        body: Payload::from(format!("{{\"place\":{place}}}").into_bytes()),
        ..NewJob::default()
    }
}

/// What a destination is called.
pub(super) fn name(number: u64) -> String {
    format!("destination-{number}")
}
