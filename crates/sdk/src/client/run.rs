//! Handles to runs, typed and untyped.

use super::{Client, ClientError, RunError, SendSignal};
use crate::channel::Channel;
use crate::error::Error;
use crate::payload;
use crate::prop::Prop;
use crate::workflow::{Workflow, names};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::core::run::{Run, RunStatus};

/// A handle to a run of the workflow `W`. It holds nothing of the run but its name.
pub struct RunHandle<W> {
    run: UntypedRun,
    types: PhantomData<fn() -> W>,
}

impl<W: Workflow> RunHandle<W> {
    pub(super) fn new(run: UntypedRun, types: PhantomData<fn() -> W>) -> Self {
        Self { run, types }
    }

    /// Waits until the run has ended, and gives its result. Also long after.
    ///
    /// # Errors
    /// How the run ended if not well, or why it could not be asked.
    pub async fn result(&self) -> Result<W::Output, RunError<W::Error>> {
        let (status, outcome) = self.run.outcome().await?;
        let value = RunError::check(status, outcome)?;
        payload::decode(&value).map_err(|f| ClientError::payload(f).into())
    }

    /// Sends a signal to one of the run's channels: `run.send(|w| &w.approvals, approval).await`. With
    /// [`id`](SendSignal::id), a repeat from wherever counts once.
    ///
    /// # Errors
    /// Awaited: a refusal by the engine, for instance because the run has ended.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a sender is done with its value"
    )]
    pub fn send<T: Serialize + DeserializeOwned>(
        &self,
        channel: impl FnOnce(&W) -> &Channel<T>,
        value: T,
    ) -> SendSignal {
        let name = channel(&names::<W>()).name();
        self.run.send(name, &value)
    }

    /// The value of one of the run's properties, if it was ever set: `run.prop(|w| &w.status)`. No worker is involved.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because there is no such run.
    pub async fn prop<T: DeserializeOwned>(
        &self,
        property: impl FnOnce(&W) -> &Prop<T>,
    ) -> Result<Option<T>, ClientError> {
        let name = property(&names::<W>()).name();
        self.run.prop(name).await
    }
}

impl<W> RunHandle<W> {
    /// The same run without types.
    #[must_use]
    pub fn untyped(&self) -> &UntypedRun {
        &self.run
    }

    /// The workflow and the id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.run.id
    }

    /// Asks the run to cancel: what it waits for ends with an error, and its clean-up runs.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn cancel(&self, reason: impl Into<Name>) -> Result<(), ClientError> {
        self.run.cancel(reason).await
    }

    /// Ends the run without asking its code.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn terminate(&self, reason: impl Into<Name>) -> Result<(), ClientError> {
        self.run.terminate(reason).await
    }

    /// Everything about the run except its history.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn describe(&self) -> Result<Run, ClientError> {
        self.run.describe().await
    }
}

impl<W> Clone for RunHandle<W> {
    fn clone(&self) -> Self {
        Self {
            run: self.run.clone(),
            types: PhantomData,
        }
    }
}

impl<W> fmt::Debug for RunHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunHandle({})", self.run.id)
    }
}

/// A handle to a run whose workflow has no type here: names are strings, values whatever serde reads.
#[derive(Clone, Debug)]
pub struct UntypedRun {
    pub(super) client: Client,
    pub(super) id: RunId,
}

impl UntypedRun {
    pub(super) fn new(client: Client, id: RunId) -> Self {
        Self { client, id }
    }

    /// The workflow and the id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Waits until the run has ended, and says how.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn outcome(&self) -> Result<(RunStatus, Outcome), ClientError> {
        let run = self.id.clone();
        match self.client.request(Op::AwaitOutcome { run }).await? {
            Reply::Outcome { status, outcome } => Ok((status, outcome)),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    /// Waits until the run has ended, and gives its result.
    ///
    /// # Errors
    /// How the run ended if not well, or why it could not be asked.
    pub async fn result<T: DeserializeOwned>(&self) -> Result<T, RunError<Error>> {
        let (status, outcome) = self.outcome().await?;
        let value = RunError::check(status, outcome)?;
        payload::decode(&value).map_err(|f| ClientError::payload(f).into())
    }

    /// Sends a signal to a channel, when awaited.
    ///
    /// # Errors
    /// Awaited: a refusal by the engine.
    pub fn send(&self, channel: impl Into<Name>, value: &(impl Serialize + ?Sized)) -> SendSignal {
        SendSignal::new(self, channel.into(), payload::encode(value))
    }

    /// The value of a property, if it was ever set.
    ///
    /// # Errors
    /// A refusal by the engine, or the value is not a `T`.
    pub async fn prop<T: DeserializeOwned>(
        &self,
        name: impl Into<Name>,
    ) -> Result<Option<T>, ClientError> {
        let op = Op::Property {
            run: self.id.clone(),
            name: name.into(),
        };
        match self.client.request(op).await {
            Ok(Reply::Property(value)) => decoded(&value).map(Some),
            Ok(other) => Err(ClientError::unexpected(&other)),
            Err(error) if error.code() == Code::PropertyNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks the run to cancel.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn cancel(&self, reason: impl Into<Name>) -> Result<(), ClientError> {
        let (run, reason) = (self.id.clone(), reason.into());
        self.done(Op::Cancel { run, reason }).await
    }

    /// Ends the run without asking its code.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn terminate(&self, reason: impl Into<Name>) -> Result<(), ClientError> {
        let (run, reason) = (self.id.clone(), reason.into());
        self.done(Op::Terminate { run, reason }).await
    }

    /// Holds the run back.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn pause(&self) -> Result<(), ClientError> {
        let run = self.id.clone();
        self.done(Op::Pause { run }).await
    }

    /// Lets a paused run go on.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn resume(&self) -> Result<(), ClientError> {
        let run = self.id.clone();
        self.done(Op::Resume { run }).await
    }

    /// Everything about the run except its history.
    ///
    /// # Errors
    /// A refusal by the engine.
    pub async fn describe(&self) -> Result<Run, ClientError> {
        let run = self.id.clone();
        match self.client.request(Op::DescribeRun { run }).await? {
            Reply::Run(run) => Ok(*run),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    /// The run's history as the engine keeps it, a CBOR array a chunk.
    pub(crate) async fn chunks(&self) -> Result<Vec<Payload>, ClientError> {
        let mut all = Vec::new();
        let mut next = Some(0);
        while let Some(from) = next {
            let run = self.id.clone();
            match self.client.request(Op::History { run, from }).await? {
                Reply::History {
                    chunks, next: more, ..
                } => {
                    all.extend(chunks);
                    next = more;
                }
                other => return Err(ClientError::unexpected(&other)),
            }
        }
        Ok(all)
    }

    pub(super) async fn done(&self, op: Op) -> Result<(), ClientError> {
        match self.client.request(op).await? {
            Reply::Done => Ok(()),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

fn decoded<T: DeserializeOwned>(value: &Payload) -> Result<T, ClientError> {
    payload::decode(value).map_err(ClientError::payload)
}
