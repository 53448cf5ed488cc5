//! Egress as users see it: destinations and jobs.

use crate::core::code::Code;
use crate::core::egress::{Destination, HeadOfLine, Job, JobState, NewJob, Rate};
use crate::core::ids::JobId;
use crate::core::limits::NAME_BYTES_MAX;
use crate::core::payload::{Name, Payload};
use crate::core::peer::DestinationStatus;
use crate::core::policy::RetryPolicy;
use crate::json::{json_of, payload_of};
use crate::name::name;
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes of a destination's URL.
pub const URL_BYTES_MAX: usize = 2_048;
/// Objects that one job may be about.
pub const OBJECT_IDS_MAX: usize = 1_000;

/// `PUT /v1/egress/destinations/{name}`. What is left out has its default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutDestination {
    /// Where jobs are sent: an `http://` URL.
    pub url: String,
    /// How often; absent: as fast as it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateBody>,
    /// How many calls are under way at once; absent: 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How long a call may take, in milliseconds; absent: 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How failed deliveries are repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryBody>,
    /// What the rest of a lane does while its first job is being retried; absent: `block`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_of_line: Option<HeadOfLineBody>,
    /// True while it is to be held back.
    #[serde(default)]
    pub paused: bool,
}

/// A rate limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateBody {
    /// Calls a second.
    pub per_second: u32,
    /// Calls that may leave at once after a pause; absent: 1.
    #[serde(default = "one")]
    pub burst: u32,
}

fn one() -> u32 {
    1
}

/// How failed attempts are repeated. In a request, what is left out has the destination's default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBody {
    /// Delay before the second attempt, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_ms: Option<u64>,
    /// Growth of the delay from attempt to attempt, in percent: 200 doubles it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor_percent: Option<u32>,
    /// Upper bound of the delay, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<u64>,
    /// How many attempts there are in all; 0 is without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How much of the delay is random, in percent (0 to 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_percent: Option<u8>,
    /// Names of failures that are final at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub non_retryable: Vec<String>,
}

/// What the rest of a lane does while its first job waits for a retry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadOfLineBody {
    /// It waits.
    Block,
    /// The first failure makes the job a dead letter, and the lane goes on.
    Skip,
}

impl From<&RetryPolicy> for RetryBody {
    fn from(policy: &RetryPolicy) -> Self {
        Self {
            initial_ms: Some(policy.initial_ms),
            factor_percent: Some(policy.factor_percent),
            max_ms: Some(policy.max_ms),
            attempts: Some(policy.attempts),
            jitter_percent: Some(policy.jitter_percent),
            non_retryable: policy.non_retryable.iter().map(Name::to_string).collect(),
        }
    }
}

impl RetryBody {
    fn over(self, default: &RetryPolicy) -> Result<RetryPolicy, Problem> {
        Ok(RetryPolicy {
            initial_ms: self.initial_ms.unwrap_or(default.initial_ms),
            factor_percent: self.factor_percent.unwrap_or(default.factor_percent),
            max_ms: self.max_ms.unwrap_or(default.max_ms),
            attempts: self.attempts.unwrap_or(default.attempts),
            jitter_percent: self.jitter_percent.unwrap_or(default.jitter_percent),
            non_retryable: self
                .non_retryable
                .iter()
                .map(|text| name("retry.non_retryable", text))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl PutDestination {
    /// The destination `called`.
    ///
    /// # Errors
    /// `TL0006` if the name is none, `TL0020` if a setting is not usable.
    pub fn into_destination(self, called: &str) -> Result<Destination, Problem> {
        let default = Destination::default();
        let destination = Destination {
            name: name("name", called)?,
            url: Name::from(self.url),
            rate: self.rate.map(|rate| Rate {
                per_second: rate.per_second,
                burst: rate.burst,
            }),
            concurrency: self.concurrency.unwrap_or(default.concurrency),
            timeout_ms: self.timeout_ms.unwrap_or(default.timeout_ms),
            retry: self.retry.unwrap_or_default().over(&default.retry)?,
            head_of_line: match self.head_of_line {
                None | Some(HeadOfLineBody::Block) => HeadOfLine::Block,
                Some(HeadOfLineBody::Skip) => HeadOfLine::Skip,
            },
            paused: self.paused,
        };
        match unusable(&destination) {
            Some(why) => Err(Problem::new(Code::DestinationInvalid, why)),
            None => Ok(destination),
        }
    }
}

/// What is wrong with the settings of a destination.
fn unusable(destination: &Destination) -> Option<String> {
    let url = destination.url.as_str();
    let host = url.strip_prefix("http://").unwrap_or_default();
    if host
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .is_empty()
    {
        return Some(format!(
            "`url` is `{url}`; it has the form http://host:port/path"
        ));
    }
    if url.len() > URL_BYTES_MAX || url.chars().any(|char| char.is_control() || char == ' ') {
        return Some(format!(
            "`url` has more than {URL_BYTES_MAX} bytes, a space or a control character"
        ));
    }
    let mut limits = vec![
        ("concurrency", u64::from(destination.concurrency), 1, 10_000),
        ("timeout_ms", destination.timeout_ms, 1, 3_600_000),
        ("retry.max_ms", destination.retry.max_ms, 0, 86_400_000),
        (
            "retry.initial_ms",
            destination.retry.initial_ms,
            0,
            86_400_000,
        ),
        (
            "retry.factor_percent",
            u64::from(destination.retry.factor_percent),
            100,
            100_000,
        ),
        (
            "retry.jitter_percent",
            u64::from(destination.retry.jitter_percent),
            0,
            100,
        ),
    ];
    if let Some(rate) = destination.rate {
        limits.push(("rate.per_second", u64::from(rate.per_second), 1, 1_000_000));
        limits.push(("rate.burst", u64::from(rate.burst), 1, 1_000_000));
    }
    limits
        .into_iter()
        .find(|&(_, value, from, to)| value < from || value > to)
        .map(|(field, value, from, to)| {
            format!("`{field}` is {value}; it goes from {from} to {to}")
        })
}

/// A destination and how its work stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestinationBody {
    /// Its name.
    pub name: String,
    /// Where jobs are sent.
    pub url: String,
    /// How often; absent: as fast as it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateBody>,
    /// How many calls are under way at once.
    pub concurrency: u32,
    /// How long a call may take, in milliseconds.
    pub timeout_ms: u64,
    /// How failed deliveries are repeated.
    pub retry: RetryBody,
    /// What the rest of a lane does while its first job is being retried.
    pub head_of_line: HeadOfLineBody,
    /// True while it is held back.
    pub paused: bool,
    /// Jobs waiting.
    pub pending: u64,
    /// Jobs being delivered.
    pub in_flight: u64,
    /// Jobs delivered, since the destination was made.
    pub succeeded: u64,
    /// Dead letters.
    pub dead: u64,
    /// Lanes with work.
    pub lanes: u64,
    /// What holds all of it back, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_on: Option<String>,
}

impl From<&DestinationStatus> for DestinationBody {
    fn from(status: &DestinationStatus) -> Self {
        let destination = &status.destination;
        Self {
            name: destination.name.to_string(),
            url: destination.url.to_string(),
            rate: destination.rate.map(|rate| RateBody {
                per_second: rate.per_second,
                burst: rate.burst,
            }),
            concurrency: destination.concurrency,
            timeout_ms: destination.timeout_ms,
            retry: RetryBody::from(&destination.retry),
            head_of_line: match destination.head_of_line {
                HeadOfLine::Block => HeadOfLineBody::Block,
                HeadOfLine::Skip => HeadOfLineBody::Skip,
            },
            paused: destination.paused,
            pending: status.pending,
            in_flight: status.in_flight,
            succeeded: status.succeeded,
            dead: status.dead,
            lanes: status.lanes,
            blocked_on: status.blocked_on.as_ref().map(Name::to_string),
        }
    }
}

/// All destinations, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestinationList {
    /// The destinations.
    pub destinations: Vec<DestinationBody>,
}

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
