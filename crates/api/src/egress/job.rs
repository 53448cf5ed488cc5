//! Jobs: what is delivered, in which order, and where each stands.

use crate::core::code::Code;
use crate::core::egress::{Attempt, Job, JobState, NO_LANE, NewJob, ObjectRef};
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
    /// The ordering key; absent: what the destination's `lane_by` says, or the lane `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
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
    /// True: the body comes from the destination's metadata API when the job leaves, so that the newest state is sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resolve: bool,
    /// Not to be sent before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// A key of the caller's: a second job for the destination with the same one is not accepted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<String>,
    /// Not to be sent any more from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// The batch that its stage is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// It waits for the jobs of its batch with a lower stage that were accepted before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<u32>,
    /// It waits for the jobs about these objects that were accepted before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Vec<ObjectBody>>,
}

/// An object that jobs are about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectBody {
    /// What kind of object.
    pub object_type: String,
    /// Which.
    pub object_id: String,
}

impl ObjectBody {
    fn read(&self) -> Result<ObjectRef, Problem> {
        Ok(ObjectRef {
            object_type: name("depends_on.object_type", &self.object_type)?,
            object_id: name("depends_on.object_id", &self.object_id)?,
        })
    }
}

impl From<&ObjectRef> for ObjectBody {
    fn from(object: &ObjectRef) -> Self {
        Self {
            object_type: object.object_type.to_string(),
            object_id: object.object_id.to_string(),
        }
    }
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
        if self.resolve && (self.body.is_some() || self.object_ids.is_empty()) {
            let detail = "a job with `resolve` has `object_ids` and no `body`";
            return Err(Problem::new(Code::Unresolved, detail));
        }
        let key = |key: &String| name("dedupe_key", key);
        let dedupe_key = self.dedupe_key.as_ref().map(key).transpose()?;
        let id = match &dedupe_key {
            Some(key) => JobId::of_key(&self.destination, key),
            None => fresh,
        };
        if self.batch.is_some() != self.stage.is_some() {
            let detail = "a job has both a `batch` and a `stage`, or none";
            return Err(Problem::new(Code::WrongType, detail));
        }
        let depends_on = self.depends_on.as_deref();
        let depends_on = depends_on.map(|list| list.iter().map(ObjectBody::read).collect());
        let job = NewJob {
            destination: name("destination", &self.destination)?,
            lane: name("lane", self.lane.as_deref().unwrap_or(NO_LANE))?,
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
            expires_at: self.expires_at.map(|time| time.0),
            batch: self.batch.map(|text| name("batch", &text)).transpose()?,
            stage: self.stage,
            depends_on: depends_on.transpose()?,
            dedupe_key,
            resolve: self.resolve.then_some(true),
        };
        Ok((id, job))
    }
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
    /// True: the body comes from the destination's metadata API.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resolve: bool,
    /// `pending`, `succeeded`, `dead`, `cancelled`, `superseded`, `expired` or `parked`.
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
    /// Not to be sent any more from this time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// The batch that its stage is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// It waits for the jobs of its batch with a lower stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<u32>,
    /// The objects that it depends on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Vec<ObjectBody>>,
    /// The key that its identity is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<String>,
    /// The newest failed attempts, the oldest of them first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_attempts: Vec<AttemptBody>,
    /// The job that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// The dead letter that it was first made of, with another body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<String>,
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
            resolve: job.new.resolve == Some(true),
            state: job.state.as_str().to_owned(),
            attempts: job.attempts,
            created_at: job.created_at.into(),
            ready_at: (job.state == JobState::Pending).then(|| job.ready_at.into()),
            not_before: job.new.not_before.map(Time::from),
            settled_at: job.settled_at.map(Time::from),
            last_error: job.last_error.as_ref().map(Name::to_string),
            source: job.source.as_ref().map(Name::to_string),
            expires_at: job.new.expires_at.map(Time::from),
            batch: job.new.batch.as_ref().map(Name::to_string),
            stage: job.new.stage,
            depends_on: job.new.depends_on.as_deref().map(objects_of),
            dedupe_key: job.new.dedupe_key.as_ref().map(Name::to_string),
            failed_attempts: job.failed.iter().flatten().map(AttemptBody::from).collect(),
            superseded_by: job.superseded_by.map(|id| id.to_string()),
            replay_of: job.replay_of.map(|id| id.to_string()),
            blocked_on: None,
        }
    }
}

fn objects_of(objects: &[ObjectRef]) -> Vec<ObjectBody> {
    objects.iter().map(ObjectBody::from).collect()
}

/// An attempt that has failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AttemptBody {
    /// Which one, from 1.
    pub number: u32,
    /// When it ended.
    pub at: Time,
    /// The HTTP status; absent: there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What was answered, or why there was none, shortened.
    pub error: String,
}

impl From<&Attempt> for AttemptBody {
    fn from(attempt: &Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at.into(),
            status: attempt.status,
            error: attempt.error.to_string(),
        }
    }
}

/// `POST …/lanes/{lane}/release`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseLane {
    /// True: the lane's first job becomes a dead letter; absent: it is tried again with all its attempts.
    pub give_up: bool,
}

/// The answer to `POST …/batches/{batch}/release`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Released {
    /// Jobs that wait no longer for others of the batch.
    pub count: u64,
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

/// The state called `text`.
///
/// # Errors
/// `TL0003` if there is none.
pub fn state_of(text: &str) -> Result<JobState, Problem> {
    JobState::ALL
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| {
            let known = JobState::ALL.map(JobState::as_str).join(", ");
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
