//! Tasks as users see them: those that have not ended, and the bodies with which they are answered from outside.

use crate::core::code::Code;
use crate::core::entry::Outcome;
use crate::core::failure::{Failure, FailureKind};
use crate::core::ids::TaskId;
use crate::core::peer::TaskStatus;
use crate::failure::FailureBody;
use crate::history::meta_of;
use crate::json::{json_of, payload_of};
use crate::name::name;
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The task in an address.
///
/// # Errors
/// `TL0006` if the text is not the id of a task.
pub fn task_id(text: &str) -> Result<TaskId, Problem> {
    TaskId::parse(text).ok_or_else(|| {
        let detail = format!("`{text}` is not the id of a task");
        Problem::new(Code::NameInvalid, detail)
    })
}

/// `GET …/runs/{id}/tasks`: the tasks of a run that have not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskList {
    /// The tasks, in the order in which the run asked for them.
    pub tasks: Vec<TaskBody>,
}

/// A task that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskBody {
    /// What names the task, for those who answer it.
    pub id: String,
    /// The number of the command that scheduled it.
    pub command: u32,
    /// The service.
    pub service: String,
    /// Its name within the service.
    pub task: String,
    /// `ready`, `delayed`, `running` or `delegated`.
    pub state: String,
    /// The attempt that is under way or comes next, from 1.
    pub attempt: u32,
    /// When the run asked for it.
    pub scheduled_at: Time,
    /// When something happens to it by itself: its next attempt, or a time-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Time>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What the next attempt will know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, Box<RawValue>>,
    /// What the last heartbeat said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_details: Option<Box<RawValue>>,
    /// How the newest attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<FailureBody>,
    /// True if it was asked to end.
    pub cancelling: bool,
    /// True if its answer is here and kept until the attempt ends.
    pub answered: bool,
}

impl From<&TaskStatus> for TaskBody {
    fn from(task: &TaskStatus) -> Self {
        Self {
            id: task.id.to_string(),
            command: task.id.command.0,
            service: task.service.to_string(),
            task: task.task.to_string(),
            state: task.state.as_str().to_owned(),
            attempt: task.attempt,
            scheduled_at: task.scheduled_at.into(),
            due_at: task.due_at.map(Time::from),
            tags: task.tags.iter().map(ToString::to_string).collect(),
            meta: meta_of(&task.meta),
            heartbeat_details: task.heartbeat_details.as_ref().map(json_of),
            last_failure: task.last_failure.as_ref().map(FailureBody::from),
            cancelling: task.cancelling,
            answered: task.answered,
        }
    }
}

/// `POST /v1/tasks/{task}/fail`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailTask {
    /// The failure's name, for the retry policy; absent: `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What happened, for a person.
    pub message: String,
    /// A typed error, for the code that awaits the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<RawValue>>,
    /// True if another attempt cannot help.
    #[serde(default)]
    pub non_retryable: bool,
}

impl FailTask {
    /// How the attempt ended.
    ///
    /// # Errors
    /// If the name or the size of the detail is not allowed.
    pub fn into_outcome(self) -> Result<Outcome, Problem> {
        let called = name("name", self.name.as_deref().unwrap_or("Failed"))?;
        let mut failure = Failure::new(FailureKind::Application, called, self.message);
        failure.non_retryable = self.non_retryable;
        if let Some(detail) = &self.detail {
            failure.detail = Some(payload_of("detail", detail)?);
        }
        Ok(Outcome::Failed(failure))
    }
}

/// `POST /v1/tasks/{task}/heartbeat`; it may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatTask {
    /// How far it has come, for the next attempt; absent: as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<RawValue>>,
}

/// The answer to [`HeartbeatTask`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskAlive {
    /// True if the task was asked to end.
    pub cancelling: bool,
}
