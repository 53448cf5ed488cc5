//! What all requests share.

use crate::config::Config;
use crate::metrics::Requests;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use trunkline_api::core::code::Code;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::problem::Problem;
use trunkline_engine::Engine;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    /// The engine that does the work.
    pub(crate) engine: Engine,
    /// The settings.
    pub(crate) config: Config,
    /// Requests counted.
    pub(crate) requests: Requests,
    /// Room for workers and clients on `/v1/connect`.
    pub(crate) peers: Arc<Semaphore>,
    /// Room for streams of events.
    pub(crate) streams: Arc<Semaphore>,
    /// True once the server has been told to stop.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl App {
    /// Asks the engine.
    pub(crate) async fn ask(&self, op: Op) -> Result<Reply, Problem> {
        self.engine.request(op).await.map_err(Problem::from)
    }

    /// Asks the engine for something that has no answer but that it is done.
    pub(crate) async fn tell(&self, op: Op) -> Result<(), Problem> {
        match self.ask(op).await? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns once the server has been told to stop.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // An error means that the sender is gone, and with it the server.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}

/// The engine answered something that does not fit the request: a bug.
pub(crate) fn unexpected(reply: &Reply) -> Problem {
    let text = format!("{reply:?}");
    let kind = text.split([' ', '(', '{']).next().unwrap_or_default();
    tracing::error!(reply = kind, "the engine's reply does not fit the request");
    Problem::new(Code::Internal, format!("the engine answered with `{kind}`"))
}
