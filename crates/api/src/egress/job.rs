//! Jobs: what is delivered, in which order, and where each stands.

use crate::core::code::Code;
use crate::core::egress::{Job, JobState, NewJob};
use crate::core::ids::JobId;
use crate::core::limits::NAME_BYTES_MAX;
use crate::core::payload::{Name, Payload};
use crate::json::{json_of, payload_of};
use crate::name::name;
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Objects that one job may be about.
pub const OBJECT_IDS_MAX: usize = 1_000;

/// One job in `POST /v1/egress/jobs`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewJobBody {
    /// The destination's name.
    pub destination: String,
    /// The ordering key.
    pub lane: String,
    /// What kind of object it is about.
    pub object_type: String,
    /// What happened to it.
    pub action: String,
    /// Which objects.
    #[serde(default)]
    pub object_ids: Vec<String>,
    /// The body to deliver; absent: `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Box<RawValue>>,
    /// Not to be sent before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// A key of the caller's: a second job for the destination with the same one is not accepted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<String>,
}

impl NewJobBody {
    /// The job and its identity: made of the key if there is one, else `fresh`.
    ///
    /// # Errors
    /// If a name or the size of the body is not allowed.
    pub fn into_job(self, fresh: JobId) -> Result<(JobId, NewJob), Problem> {
        if self.object_ids.len() > OBJECT_IDS_MAX {
            let detail = format!(
                "{} `object_ids`; the limit is {OBJECT_IDS_MAX}",
                self.object_ids.len()
            );
            return Err(Problem::new(Code::TooManyItems, detail));
        }
        let id = match &self.dedupe_key {
            Some(key) => JobId::of_key(&self.destination, &name("dedupe_key", key)?),
            None => fresh,
        };
        let job = NewJob {
            destination: name("destination", &self.destination)?,
            lane: name("lane", &self.lane)?,
            object_type: name("object_type", &self.object_type)?,
            action: name("action", &self.action)?,
            object_ids: self
                .object_ids
                .iter()
                .map(|text| name("object_ids", text))
                .collect::<Result<_, _>>()?,
            body: match &self.body {
                Some(body) => payload_of("body", body)?,
                None => Payload::null(),
            },
            not_before: self.not_before.map(|time| time.0),
        };
        Ok((id, job))
    }
}

/// The answer to `POST /v1/egress/jobs`: one identity for each job, in the order of the request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobsAccepted {
    /// The jobs' identities.
    pub ids: Vec<String>,
    /// How each destination took its jobs.
    pub destinations: Vec<JobsOfDestination>,
}

/// How one destination took its jobs: all, or none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobsOfDestination {
    /// The destination.
    pub destination: String,
    /// Jobs accepted now.
    pub accepted: u32,
    /// Jobs that were known before.
    pub known: u32,
    /// The code, if its jobs were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Why they were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobBody {
    /// Its identity, and the `Idempotency-Key` of its delivery.
    pub id: String,
    /// The destination.
    pub destination: String,
    /// The ordering key.
    pub lane: String,
    /// Its place in its lane, from 1.
    pub lane_sequence: u64,
    /// What kind of object it is about.
    pub object_type: String,
    /// What happened to it.
    pub action: String,
    /// Which objects.
    pub object_ids: Vec<String>,
    /// The body to deliver.
    pub body: Box<RawValue>,
    /// `pending`, `succeeded`, `dead` or `cancelled`.
    pub state: String,
    /// Attempts so far that cost one.
    pub attempts: u32,
    /// When it was accepted.
    pub created_at: Time,
    /// The earliest time of the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Time>,
    /// Not to be sent before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// When it reached its final state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Time>,
    /// How the newest attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The run that created it, as `workflow/id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it waits for, in words; only when one job is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_on: Option<String>,
}

impl From<&Job> for JobBody {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id.to_string(),
            destination: job.new.destination.to_string(),
            lane: job.new.lane.to_string(),
            lane_sequence: job.lane_sequence,
            object_type: job.new.object_type.to_string(),
            action: job.new.action.to_string(),
            object_ids: job.new.object_ids.iter().map(Name::to_string).collect(),
            body: json_of(&job.new.body),
            state: state_text(job.state).to_owned(),
            attempts: job.attempts,
            created_at: job.created_at.into(),
            ready_at: (job.state == JobState::Pending).then(|| job.ready_at.into()),
            not_before: job.new.not_before.map(Time::from),
            settled_at: job.settled_at.map(Time::from),
            last_error: job.last_error.as_ref().map(Name::to_string),
            source: job.source.as_ref().map(Name::to_string),
            blocked_on: None,
        }
    }
}

/// A page of jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<JobBody>,
    /// Where to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The query of `GET /v1/egress/destinations/{name}/jobs`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobQuery {
    /// Only in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only of this lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// At most so many; absent: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

const STATES: [JobState; 4] = [
    JobState::Pending,
    JobState::Succeeded,
    JobState::Dead,
    JobState::Cancelled,
];

/// The state in lower case.
#[must_use]
pub fn state_text(state: JobState) -> &'static str {
    match state {
        JobState::Pending => "pending",
        JobState::Succeeded => "succeeded",
        JobState::Dead => "dead",
        JobState::Cancelled => "cancelled",
    }
}

/// The state called `text`.
///
/// # Errors
/// `TL0003` if there is none.
pub fn state_of(text: &str) -> Result<JobState, Problem> {
    STATES
        .into_iter()
        .find(|&state| state_text(state) == text)
        .ok_or_else(|| {
            let known = STATES.map(state_text).join(", ");
            let detail = format!("`state` is `{text}`; it is one of {known}");
            Problem::new(Code::WrongType, detail)
        })
}

/// The job's identity, of 32 hex digits.
///
/// # Errors
/// `TL0021` if `text` is no identity: there can be no such job.
pub fn job_id_of(text: &str) -> Result<JobId, Problem> {
    let well_formed = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(text, 16)
        .ok()
        .filter(|_| well_formed)
        .map(JobId)
        .ok_or_else(|| {
            let shown: String = text.chars().take(NAME_BYTES_MAX).collect();
            let detail = format!("`{shown}` is not an identity of 32 hex digits");
            Problem::new(Code::JobNotFound, detail)
        })
}
