//! A destination that remembers what it saw, fails at random, and drops connections after it has accepted a job.

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trunkline_core::policy::scramble;

/// What it saw: by lane, the accepted deliveries in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    lanes: BTreeMap<String, Vec<(u64, String)>>,
    calls: u64,
}

/// The part of a delivery that the order is judged by.
#[derive(Debug, Deserialize)]
struct Delivered {
    job: String,
    lane: String,
    sequence: u64,
}

impl Receiver {
    /// Begins to listen, on a runtime; returns its URL.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let router = Router::new()
            .route("/", post(accept))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/")
    }

    /// How many different jobs it accepted.
    #[must_use]
    pub fn accepted(&self) -> usize {
        let seen = self.lock();
        let first = |lane: &Vec<(u64, String)>| firsts(lane).len();
        seen.lanes.values().map(first).sum()
    }

    /// What is wrong with the order: first deliveries of a lane come in the order of their numbers, without gaps, and a
    /// number belongs to one job.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let seen = self.lock();
        let mut violations = Vec::new();
        for (lane, deliveries) in &seen.lanes {
            let firsts = firsts(deliveries);
            let numbers: Vec<u64> = firsts.iter().map(|(number, _)| *number).collect();
            if numbers != (1..=numbers.len() as u64).collect::<Vec<_>>() {
                violations.push(format!("lane {lane}: first deliveries came as {numbers:?}"));
            }
            let mut jobs: Vec<&String> = firsts.iter().map(|(_, job)| job).collect();
            jobs.sort_unstable();
            jobs.dedup();
            if jobs.len() != firsts.len() {
                violations.push(format!("lane {lane}: one job under two numbers"));
            }
            for (number, job) in deliveries {
                if !firsts
                    .iter()
                    .any(|(first, owner)| first == number && owner == job)
                {
                    violations.push(format!("lane {lane}: number {number} names two jobs"));
                }
            }
        }
        violations
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first delivery of each number, in the order of arrival.
fn firsts(deliveries: &[(u64, String)]) -> Vec<(u64, String)> {
    let mut firsts: Vec<(u64, String)> = Vec::new();
    for delivery in deliveries {
        if !firsts.iter().any(|(number, _)| *number == delivery.0) {
            firsts.push(delivery.clone());
        }
    }
    firsts
}

/// One in ten calls is refused, and one in ten accepted but answered as if it had not been.
async fn accept(State(receiver): State<Receiver>, Json(delivered): Json<Delivered>) -> StatusCode {
    let mut seen = receiver.lock();
    seen.calls += 1;
    let dice = scramble(seen.calls) % 10;
    if dice == 0 {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let lane = seen.lanes.entry(delivered.lane).or_default();
    lane.push((delivered.sequence, delivered.job));
    if dice == 1 {
        StatusCode::GATEWAY_TIMEOUT
    } else {
        StatusCode::OK
    }
}
