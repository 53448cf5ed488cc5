//! Runs as users see them: bodies of the requests that start, list and steer them, and of their answers.

use crate::core::code::Code;
use crate::core::entry::Outcome;
use crate::core::ids::Nonce;
use crate::core::payload::Payload;
use crate::core::peer::{OnConflict, Start};
use crate::core::run::{Run, RunStatus};
use crate::failure::FailureBody;
use crate::json::{json_of, payload_of};
use crate::name;
use crate::problem::Problem;
use crate::timestamp::Time;
use crate::tree::StartedBy;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `POST /v1/workflows/{workflow}/runs`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRun {
    /// The run's id, unique within the workflow.
    pub id: String,
    /// The workflow's argument; absent: `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Box<RawValue>>,
    /// The version to pin it to; absent: the newest that a worker registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What to do if the id is taken.
    #[serde(default)]
    pub on_conflict: OnConflictBody,
    /// True: answer when the run has ended, or after `timeout_ms`.
    #[serde(default)]
    pub wait: bool,
    /// How long to wait, in milliseconds; absent: 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long the run may take, in milliseconds, until it is ended with the status `timed_out`; absent: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout_ms: Option<u64>,
    /// When it begins; absent, or past: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Time>,
}

/// What to do if the id of a new run is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflictBody {
    /// Refuse with `TL0011`.
    #[default]
    Reject,
    /// Answer for the run that has it.
    Attach,
    /// Terminate the run that has it, and start the new one in its place.
    Replace,
}

impl StartRun {
    /// The engine's request to start this run of `workflow`.
    ///
    /// # Errors
    /// If a name, the number of tags or the size of the input is not allowed.
    pub fn into_start(self, workflow: &str, nonce: Nonce) -> Result<Start, Problem> {
        Ok(Start {
            run: name::run(workflow, &self.id)?,
            version: self.version,
            input: match &self.input {
                Some(input) => payload_of("input", input)?,
                None => Payload::null(),
            },
            tags: name::tags(&self.tags)?,
            nonce,
            on_conflict: match self.on_conflict {
                OnConflictBody::Reject => OnConflict::Reject,
                OnConflictBody::Attach => OnConflict::Attach,
                OnConflictBody::Replace => OnConflict::Replace,
            },
            wait: false,
            timeout_ms: self.run_timeout_ms,
            start_at: self.start_at.map(|at| at.0),
        })
    }
}

/// The answer to [`StartRun`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunStarted {
    /// The workflow.
    pub workflow: String,
    /// The run's id.
    pub id: String,
    /// The version it is pinned to.
    pub version: u32,
    /// False if the run was there before.
    pub created: bool,
    /// Where it stands, if the request waited; if that is not final, there is neither a result nor a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Why it did not return a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureBody>,
}

/// `GET /v1/workflows/{workflow}/runs/{id}/result`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunResult {
    /// Where the run stands; if it is not final, there is neither a result nor a failure.
    pub status: String,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Why it did not return a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureBody>,
}

impl RunResult {
    /// A run that has not ended.
    #[must_use]
    pub fn running() -> Self {
        Self {
            status: RunStatus::Running.as_str().to_owned(),
            result: None,
            failure: None,
        }
    }

    /// A run that has ended.
    #[must_use]
    pub fn ended(status: RunStatus, outcome: &Outcome) -> Self {
        let (result, failure) = sides(Some(outcome));
        Self {
            status: status.as_str().to_owned(),
            result,
            failure,
        }
    }
}

fn sides(outcome: Option<&Outcome>) -> (Option<Box<RawValue>>, Option<FailureBody>) {
    match outcome {
        Some(Outcome::Completed(value)) => (Some(json_of(value)), None),
        Some(Outcome::Failed(failure)) => (None, Some(FailureBody::from(failure))),
        None => (None, None),
    }
}

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunBody {
    /// The workflow.
    pub workflow: String,
    /// The run's id.
    pub id: String,
    /// The version it is pinned to.
    pub version: u32,
    /// `running`, `paused`, `scheduled`, `completed`, `failed`, `cancelled`, `terminated` or `timed_out`.
    pub status: String,
    /// `scheduled` or `suspended`, if it is `running` and not at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Who started it; absent: a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<StartedBy>,
    /// When it was accepted.
    pub started_at: Time,
    /// When it reached its final status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// From when on it may be forgotten, with its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Why it did not return a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureBody>,
    /// Entries in its history.
    pub history_entries: u32,
    /// Tasks that have not ended.
    pub open_tasks: u32,
    /// Timers that are set.
    pub open_timers: u32,
    /// Inline steps that have not ended.
    pub open_steps: u32,
    /// Names of its properties, sorted.
    pub properties: Vec<String>,
    /// Why it is paused, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_because: Option<String>,
    /// True once a cancellation has been asked for.
    pub cancelling: bool,
    /// What it waits for, in words; only when one run is asked for, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Vec<String>>,
    /// How often it has continued as new, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
}

impl From<&Run> for RunBody {
    fn from(run: &Run) -> Self {
        let (result, failure) = sides(run.outcome.as_ref());
        let texts = |names: &[crate::core::payload::Name]| {
            names.iter().map(|name| name.as_str().to_owned()).collect()
        };
        Self {
            workflow: run.id.workflow.as_str().to_owned(),
            id: run.id.id.as_str().to_owned(),
            version: run.version,
            status: run.status_shown().to_owned(),
            phase: run.phase().map(|phase| phase.as_str().to_owned()),
            tags: texts(&run.tags),
            started_by: run.origin.as_ref().map(StartedBy::from),
            started_at: run.started_at.into(),
            finished_at: run.finished_at.map(Time::from),
            expires_at: None,
            result,
            failure,
            history_entries: run.entries,
            open_tasks: run.open_tasks,
            open_timers: run.open_timers,
            open_steps: run.open_steps.len() as u32,
            properties: texts(&run.properties),
            paused_because: run
                .paused_because
                .as_ref()
                .map(|why| why.as_str().to_owned()),
            cancelling: run.cancelling,
            waits: None,
            generation: run.generation.as_ref().map(|now| now.number),
        }
    }
}

impl RunBody {
    /// The same, with the time from which on it may be forgotten: so long after its end.
    #[must_use]
    pub fn kept_for(mut self, retention_ms: u64) -> Self {
        self.expires_at = self.finished_at.map(|at| Time(at.0.plus_ms(retention_ms)));
        self
    }
}

/// A page of runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunBody>,
    /// Where to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Rows on a page if the request does not say.
pub const PAGE_DEFAULT: u32 = 100;

/// A page's limit.
///
/// # Errors
/// `TL0003` if it is zero or above `PAGE_MAX`.
pub fn limit_of(limit: Option<u32>) -> Result<u32, Problem> {
    use crate::core::limits::PAGE_MAX;
    match limit {
        None => Ok(PAGE_DEFAULT),
        Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::new(
            Code::WrongType,
            format!("`limit` is {limit}; it goes from 1 to {PAGE_MAX}"),
        )),
    }
}

/// The body of `POST …/cancel` and `POST …/terminate`; it may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRun {
    /// Why, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The query of `GET …/result`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultQuery {
    /// How long to wait for the end, in milliseconds; absent: not at all.
    pub wait_ms: Option<u64>,
}

/// The query of `GET …/history`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// The first entry wanted; absent: 0.
    pub from: Option<u32>,
}
