//! What all requests of a tenant share.

use crate::config::Config;
use crate::house::{Activity, House};
use crate::metrics::Requests;
use crate::quota::Quota;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use tokio::sync::{Semaphore, watch};
use trunkline_api::access::HOME;
use trunkline_api::core::code::Code;
use trunkline_api::core::peer::{Op, Rejection, Reply};
use trunkline_api::problem::Problem;
use trunkline_engine::Engine;

/// What all requests of a tenant share.
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
    /// Whose requests they are.
    pub(crate) tenant: String,
    /// How much there may be.
    pub(crate) quota: Quota,
    /// What goes on.
    pub(crate) activity: Activity,
    /// What all tenants share. A handler has it in hand only for what concerns tokens and tenants.
    pub(crate) house: Weak<House>,
}

impl App {
    /// Asks the engine.
    pub(crate) async fn ask(&self, op: Op) -> Result<Reply, Problem> {
        self.ask_within_limits(op).await.map_err(Problem::from)
    }

    async fn ask_within_limits(&self, op: Op) -> Result<Reply, Rejection> {
        let Some(permit) = self.quota.admit(&self.engine, &op).await? else {
            return self.engine.request(op).await;
        };
        // Once the engine has it, its counters have it too. The answer may come much later.
        let mut asked = pin!(self.engine.request(op));
        let at_once = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context)));
        match at_once.await {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                drop(permit);
                asked.await
            }
        }
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

    /// True for the default tenant, who looks after the others.
    pub(crate) fn is_home(&self) -> bool {
        self.tenant == HOME
    }

    /// What all tenants share.
    pub(crate) fn house(&self) -> Result<Arc<House>, Problem> {
        let ending = || Problem::new(Code::ShuttingDown, "the server has ended");
        self.house.upgrade().ok_or_else(ending)
    }
}

/// The engine answered something that does not fit the request: a bug.
pub(crate) fn unexpected(reply: &Reply) -> Problem {
    let text = format!("{reply:?}");
    let kind = text.split([' ', '(', '{']).next().unwrap_or_default();
    tracing::error!(reply = kind, "the engine's reply does not fit the request");
    Problem::new(Code::Internal, format!("the engine answered with `{kind}`"))
}
