//! What an acceptance with many destinations stands on: a connector that keeps records, the program that sends to it, and a client.

use super::connector::{BadConnector, Temper};
use super::records::Expected;
use super::{LOOK, PATIENCE, job_id, lane_name};
use crate::diagnosis;
use crate::retrying::soon_for_ever;
use crate::server::Server;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;
use trunkline::Client;
use trunkline::core::egress::{Destination, NewJob};
use trunkline::core::ids::JobId;
use trunkline::core::payload::{Name, Payload};
use trunkline::core::peer::Op;

/// Calls of a destination that are under way at once.
const CONCURRENCY: u32 = 16;

/// Destinations by number, of which only the first is ever silent, and a server that nobody kills.
#[derive(Debug)]
pub(super) struct Bed {
    pub(super) connector: BadConnector,
    pub(super) server: Server,
    pub(super) client: Client,
}

impl Bed {
    /// Starts the program on an empty folder, with so many destinations.
    pub(super) async fn make(
        program: &Path,
        folder: &Path,
        temper: Temper,
        destinations: u64,
    ) -> Self {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let connector = BadConnector::new(temper);
        let url = connector.listen().await;
        let mut server = Server::new(program, &folder.join("data"));
        server.start();
        let client = Client::connect(server.url().as_str()).await;
        let client = client.expect("a server that listens takes connections");
        for number in 0..destinations {
            let destination = Box::new(destination(number, &url));
            let put = client.request(Op::PutDestination { destination }).await;
            put.expect("the destination is fine");
        }
        Self {
            connector,
            server,
            client,
        }
    }
}

/// Waits until each of these destinations has everything.
pub(super) async fn arrive(
    connector: &BadConnector,
    destinations: Range<u64>,
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
fn destination(number: u64, url: &str) -> Destination {
    Destination {
        name: Name::from(name(number)),
        url: Name::from(format!("{url}/webhook")),
        concurrency: CONCURRENCY,
        // So that the one that is to be silent is called often.
        timeout_ms: if number == 0 { 500 } else { 30_000 },
        retry: soon_for_ever(),
        ..Destination::default()
    }
}

/// The job at this place of a lane, from 1.
pub(super) fn job(number: u64, lane: u64, place: u64) -> (JobId, NewJob) {
    let new = NewJob {
        destination: Name::from(name(number)),
        lane: Name::from(lane_name(lane)),
        body: Payload::from(format!("{{\"place\":{place}}}").into_bytes()),
        ..NewJob::default()
    };
    (job_id(number, lane, place), new)
}

/// What a destination is to have seen, with so many jobs in each of its lanes.
pub(super) fn expected(number: u64, jobs: impl IntoIterator<Item = u64>) -> Expected {
    let lanes = (0..).map(lane_name);
    Expected {
        lanes: lanes.zip(jobs).collect(),
        per_second: 1_000_000,
        burst: 1_000_000,
        concurrency: CONCURRENCY,
        // An answer that takes half a second is none to the first one's calls.
        told_twice_max: if number == 0 { u64::MAX } else { 0 },
        kills: Vec::new(),
    }
}

/// What a destination is called.
pub(super) fn name(number: u64) -> String {
    format!("destination-{number}")
}
