//! Many runs: by tag, counted, in bulk; and runs that go on from an earlier point.

use super::{Client, ClientError, UntypedRun};
use crate::nonce::nonce;
use crate::payload;
use serde::Serialize;
use trunkline_api::core::ids::CommandId;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{Action, Bulk, BulkStatus, Op, Reply, RunFilter};

impl Client {
    /// How many runs match `filter`.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn count(&self, filter: RunFilter) -> Result<u64, ClientError> {
        self.counted(Op::Count(Box::new(filter))).await
    }

    /// Sends a signal to every live run of `workflow` that has `tag`, and says how many got it.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn send_tagged(
        &self,
        workflow: impl Into<Name>,
        tag: impl Into<Name>,
        channel: impl Into<Name>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<u64, ClientError> {
        let action = Action::Signal {
            channel: channel.into(),
            payload: payload::encode(value).map_err(ClientError::payload)?,
            nonce: nonce(),
        };
        self.act_on_tagged(workflow, tag, action).await
    }

    /// Does something to every run of `workflow` that has `tag` and to which it can be done, and says to how many it was.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn act_on_tagged(
        &self,
        workflow: impl Into<Name>,
        tag: impl Into<Name>,
        action: Action,
    ) -> Result<u64, ClientError> {
        self.counted(Op::Tagged {
            workflow: workflow.into(),
            tag: tag.into(),
            action,
            after: None,
        })
        .await
    }

    /// Begins a bulk operation; the same again is no other. It goes on by itself, also across restarts of the engine.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn start_bulk(&self, bulk: Bulk) -> Result<BulkStatus, ClientError> {
        self.bulk_status(Op::BulkStart {
            bulk: Box::new(bulk),
            expected: 0,
        })
        .await
    }

    /// How a bulk operation stands.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn bulk(&self, id: impl Into<Name>) -> Result<BulkStatus, ClientError> {
        self.bulk_status(Op::BulkShow { id: id.into() }).await
    }

    /// Stops a bulk operation: what is done stays done.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn cancel_bulk(&self, id: impl Into<Name>) -> Result<BulkStatus, ClientError> {
        self.bulk_status(Op::BulkCancel { id: id.into() }).await
    }

    async fn counted(&self, op: Op) -> Result<u64, ClientError> {
        match self.request(op).await? {
            Reply::Counted { count, .. } => Ok(count),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    async fn bulk_status(&self, op: Op) -> Result<BulkStatus, ClientError> {
        match self.request(op).await? {
            Reply::Bulk(status) => Ok(status),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

impl UntypedRun {
    /// Lets a failed run go on from before its last failure; a paused run goes on, and a turn that a worker sits on is given
    /// to another.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because nothing failed.
    pub async fn retry(&self) -> Result<(), ClientError> {
        let (run, at) = (self.id.clone(), None);
        self.done(Op::RetryRun { run, at }).await
    }

    /// Starts a run with the history of this one up to a command; this one is not touched.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because there is no such command.
    pub async fn fork(&self, at: CommandId, new_id: impl Into<Name>) -> Result<Self, ClientError> {
        let new_id = new_id.into();
        let op = Op::Fork {
            run: self.id.clone(),
            at,
            new_id: new_id.clone(),
            nonce: nonce(),
        };
        match self.client.request(op).await? {
            Reply::Started { .. } => Ok(self.client.untyped(self.id.workflow.clone(), new_id)),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    /// Forgets the run, if it has ended.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because it has not.
    pub async fn purge(&self) -> Result<(), ClientError> {
        let run = self.id.clone();
        self.done(Op::Purge { run }).await
    }
}
