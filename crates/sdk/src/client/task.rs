//! Tasks as clients answer them: by their id, from any process.

use super::{Client, ClientError};
use crate::fault::Fault;
use crate::nonce::nonce;
use crate::payload;
use serde::Serialize;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::ids::TaskId;
use trunkline_api::core::payload::Payload;
use trunkline_api::core::peer::{Op, Rejection, Reply};

/// A handle to a task, [delegated](crate::TaskCx::delegate) or not. It holds nothing of the task but its id.
///
/// Any task that has not ended can be answered. An answer that comes while an attempt is under way is kept, and counts when
/// that ends, however it ends.
#[derive(Clone, Debug)]
pub struct ClientTask {
    client: Client,
    id: TaskId,
}

impl ClientTask {
    pub(super) fn new(client: Client, id: TaskId) -> Self {
        Self { client, id }
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Answers the task with a value.
    ///
    /// # Errors
    /// `TL0082` if it has ended or has another answer; the same answer again is fine. `TL0083` if there is no such task.
    pub async fn complete(&self, value: &(impl Serialize + ?Sized)) -> Result<(), ClientError> {
        let value = payload::encode(value).map_err(ClientError::payload)?;
        self.answer(Outcome::Completed(value)).await
    }

    /// Says that the present attempt has failed. It is repeated as the task's retry policy says, like any other.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub async fn fail(&self, error: impl Fault) -> Result<(), ClientError> {
        self.answer(Outcome::Failed(error.into_failure())).await
    }

    /// Says that somebody works on the task, and how far that has come. True if the task was asked to end: then it is given up
    /// when its grace is over.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub async fn heartbeat(
        &self,
        details: &(impl Serialize + ?Sized),
    ) -> Result<bool, ClientError> {
        let details = payload::encode(details).map_err(ClientError::payload)?;
        self.alive(Some(details)).await
    }

    /// Asks the task to end.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub async fn cancel(&self) -> Result<(), ClientError> {
        self.done(Op::CancelTask { task: self.id }).await
    }

    async fn alive(&self, details: Option<Payload>) -> Result<bool, ClientError> {
        let task = self.id;
        let op = Op::HeartbeatTask { task, details };
        match self.client.request(op).await? {
            Reply::TaskAlive { cancelling } => Ok(cancelling),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    async fn answer(&self, outcome: Outcome) -> Result<(), ClientError> {
        let task = self.id;
        let nonce = nonce();
        self.done(Op::CompleteTask {
            task,
            outcome,
            nonce,
        })
        .await
    }

    async fn done(&self, op: Op) -> Result<(), ClientError> {
        match self.client.request(op).await? {
            Reply::Done => Ok(()),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

/// Something that names a task: a [`TaskId`], or its text.
pub trait TaskName {
    /// The id, or the text that is none.
    ///
    /// # Errors
    /// The text.
    fn task_id(self) -> Result<TaskId, String>;
}

impl TaskName for TaskId {
    fn task_id(self) -> Result<TaskId, String> {
        Ok(self)
    }
}

impl TaskName for &str {
    fn task_id(self) -> Result<TaskId, String> {
        TaskId::parse(self).ok_or_else(|| self.to_owned())
    }
}

impl TaskName for &String {
    fn task_id(self) -> Result<TaskId, String> {
        self.as_str().task_id()
    }
}

impl Client {
    /// A handle to a task, by the id that its attempts have from [`TaskCx::id`](crate::TaskCx::id).
    ///
    /// # Errors
    /// `TL0006` if the text is not the id of a task.
    pub fn task(&self, id: impl TaskName) -> Result<ClientTask, ClientError> {
        match id.task_id() {
            Ok(id) => Ok(ClientTask::new(self.clone(), id)),
            Err(text) => {
                let detail = format!("`{text}` is not the id of a task");
                Err(Rejection::new(Code::NameInvalid, detail).into())
            }
        }
    }
}
