//! Starting runs.

use super::{Client, ClientError, RunError, RunHandle};
use crate::nonce::nonce;
use crate::payload;
use crate::span::whole_ms;
use crate::workflow::Workflow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;
use trunkline_api::core::ids::{Nonce, RunId};
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{OnConflict, Op, Reply, Start};
use trunkline_api::core::time::Timestamp;

/// A run to be started. Nothing happens until [`start`](Self::start) or [`execute`](Self::execute).
#[must_use = "nothing happens until `start` or `execute`"]
pub struct StartRun<W> {
    client: Client,
    run: RunId,
    version: Option<u32>,
    tags: Vec<Name>,
    nonce: Nonce,
    on_conflict: OnConflict,
    timeout_ms: Option<u64>,
    start_at: Option<Timestamp>,
    types: PhantomData<fn() -> W>,
}

impl<W: Workflow> StartRun<W> {
    pub(super) fn new(client: Client, run: RunId) -> Self {
        Self {
            client,
            run,
            version: None,
            tags: Vec::new(),
            nonce: nonce(),
            on_conflict: OnConflict::Reject,
            timeout_ms: None,
            start_at: None,
            types: PhantomData,
        }
    }

    /// Adds a tag, `key:value` by habit.
    pub fn tag(mut self, tag: impl Into<Name>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Adds tags.
    pub fn tags<T: Into<Name>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// If there is a run with this id, answers for it; else the start is refused with `TL0011`.
    pub fn attach(mut self) -> Self {
        self.on_conflict = OnConflict::Attach;
        self
    }

    /// If there is a run with this id, it is terminated and the new one takes its place: those who wait for the old one are
    /// told so.
    pub fn replace(mut self) -> Self {
        self.on_conflict = OnConflict::Replace;
        self
    }

    /// How long the run may take. Then it is ended, without asking its code, with the status `timed_out`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout_ms = Some(whole_ms(timeout));
        self
    }

    /// Accepts the run now, and has it begin at `at`. Signals that come before are kept for it.
    pub fn start_at(mut self, at: Timestamp) -> Self {
        self.start_at = Some(at);
        self
    }

    /// Pins the run to a version; else it is the newest that a worker has registered.
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// Names the request yourself, so that a repeat from another process is recognised too.
    pub fn nonce(mut self, nonce: Nonce) -> Self {
        self.nonce = nonce;
        self
    }

    /// Starts the run. It is accepted, and durable, when this returns.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn start(self, input: W::Input) -> Result<RunHandle<W>, ClientError> {
        let (client, run) = (self.client.clone(), self.run.clone());
        let op = self.into_op(&input, false)?;
        match client.request(op).await? {
            Reply::Started { .. } => Ok(client.run(run.id)),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    /// Starts the run and waits for its result, with one message.
    ///
    /// # Errors
    /// How the run ended if not well, a refusal by the engine, or a lost connection.
    pub async fn execute(self, input: W::Input) -> Result<W::Output, RunError<W::Error>> {
        let client = self.client.clone();
        let op = self.into_op(&input, true)?;
        match client.request(op).await? {
            Reply::Outcome { status, outcome } => {
                let value = RunError::check(status, outcome)?;
                payload::decode(&value).map_err(|f| ClientError::payload(f).into())
            }
            other => Err(ClientError::unexpected(&other).into()),
        }
    }

    fn into_op(self, input: &W::Input, wait: bool) -> Result<Op, ClientError> {
        Ok(Op::Start(Start {
            run: self.run,
            version: self.version,
            input: payload::encode(input).map_err(ClientError::payload)?,
            tags: self.tags,
            nonce: self.nonce,
            on_conflict: self.on_conflict,
            wait,
            timeout_ms: self.timeout_ms,
            start_at: self.start_at,
        }))
    }
}

impl<W> fmt::Debug for StartRun<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StartRun({})", self.run)
    }
}
