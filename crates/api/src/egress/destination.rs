//! Destinations: where jobs are delivered, how often and how stubbornly.

use super::care::{self, BreakerBody, CoalesceBody, Switch};
use super::connector::{ConnectorBody, ResolveBody};
use super::limiter::{self, LimiterUseBody, QuotaBody};
use super::rule::RuleBody;
use crate::core::code::Code;
use crate::core::egress::{Destination, HeadOfLine, Rate, Rule};
use crate::core::payload::Name;
use crate::core::peer::DestinationStatus;
use crate::core::policy::RetryPolicy;
use crate::name::name;
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};

/// Bytes of a destination's URL.
pub const URL_BYTES_MAX: usize = 2_048;

/// `PUT /v1/egress/destinations/{name}`. What is left out has its default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutDestination {
    /// Where jobs are sent: an `http://` or `https://` URL.
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
    /// What answers mean, where the defaults do not say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleBody>,
    /// When calls stop because too many fail; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Switch<BreakerBody>>,
    /// Whether a newer job about an object takes the place of an older one; absent: no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coalesce: Option<Switch<CoalesceBody>>,
    /// Which lane a job has that names none: an expression (CEL) over `job`; absent: the lane `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane_by: Option<String>,
    /// The id of the credential that authenticates the calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// How it is called if it is a connector; absent: each job is a webhook of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<ConnectorBody>,
    /// Where bodies come from that jobs do not carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve: Option<ResolveBody>,
    /// How many calls there may be in spans of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaBody>,
    /// The limiters that it shares with others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limiters: Vec<LimiterUseBody>,
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
    /// No attempt begins later than this after the first has failed, in milliseconds; absent: without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

/// What the rest of a lane does while its first job waits for a retry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadOfLineBody {
    /// It waits.
    Block,
    /// The first failure makes the job a dead letter, and the lane goes on.
    Skip,
    /// It waits; and once the job has failed for good the lane stands still until an operator decides.
    Park,
}

impl From<HeadOfLineBody> for HeadOfLine {
    fn from(body: HeadOfLineBody) -> Self {
        match body {
            HeadOfLineBody::Block => Self::Block,
            HeadOfLineBody::Skip => Self::Skip,
            HeadOfLineBody::Park => Self::Park,
        }
    }
}

impl From<HeadOfLine> for HeadOfLineBody {
    fn from(head: HeadOfLine) -> Self {
        match head {
            HeadOfLine::Block => Self::Block,
            HeadOfLine::Skip => Self::Skip,
            HeadOfLine::Park => Self::Park,
        }
    }
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
            elapsed_ms: policy.elapsed_ms,
        }
    }
}

impl RetryBody {
    fn over(self, default: &RetryPolicy) -> Result<RetryPolicy, Problem> {
        Ok(RetryPolicy {
            elapsed_ms: self.elapsed_ms.or(default.elapsed_ms),
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
            head_of_line: self
                .head_of_line
                .map_or(default.head_of_line, HeadOfLine::from),
            paused: self.paused,
            rules: self.rules.into_iter().map(Rule::from).collect(),
            breaker: care::breaker(self.breaker),
            coalesce: care::coalesce(self.coalesce),
            lane_by: self.lane_by.map(Name::from),
            credential: self
                .credential
                .map(|id| name("credential", &id))
                .transpose()?,
            connector: self
                .connector
                .map(ConnectorBody::into_connector)
                .transpose()?,
            resolve: self.resolve.map(ResolveBody::into_resolve).transpose()?,
            quotas: limiter::quotas(self.quotas),
            limiters: limiter::uses(&self.limiters)?,
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
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
        .unwrap_or_default();
    if host
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default()
        .is_empty()
    {
        return Some(format!(
            "`url` is `{url}`; it has the form http://host:port/path or https://…"
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
    if let Some(breaker) = destination.breaker {
        let percent = u64::from(breaker.failed_percent);
        limits.push((
            "breaker.window_ms",
            breaker.window_ms.into(),
            1_000,
            3_600_000,
        ));
        limits.push(("breaker.failed_percent", percent, 1, 100));
        limits.push(("breaker.open_ms", breaker.open_ms.into(), 1, 86_400_000));
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
    /// What answers mean, where the defaults do not say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleBody>,
    /// When calls stop because too many fail; `false`: never.
    pub breaker: Switch<BreakerBody>,
    /// Whether a newer job about an object takes the place of an older one.
    pub coalesce: Switch<CoalesceBody>,
    /// Which lane a job has that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane_by: Option<String>,
    /// The id of the credential that authenticates the calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// How it is called if it is a connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<ConnectorBody>,
    /// Where bodies come from that jobs do not carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve: Option<ResolveBody>,
    /// How many calls there may be in spans of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaBody>,
    /// The limiters that it shares with others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limiters: Vec<LimiterUseBody>,
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
    /// Jobs whose place a newer one took, since the destination was made.
    pub superseded: u64,
    /// Jobs whose time was over, since the destination was made.
    pub expired: u64,
    /// Lanes whose first job waits for another job, a limiter or an operator.
    pub blocked: u64,
    /// True if its breaker is not closed.
    pub breaker_open: bool,
    /// When the oldest job was accepted that waits, to the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_since: Option<Time>,
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
            head_of_line: destination.head_of_line.into(),
            paused: destination.paused,
            rules: destination.rules.iter().map(RuleBody::from).collect(),
            breaker: care::shown(destination.breaker),
            coalesce: care::shown(destination.coalesce),
            lane_by: destination.lane_by.as_ref().map(Name::to_string),
            credential: destination.credential.as_ref().map(Name::to_string),
            connector: destination.connector.as_ref().map(ConnectorBody::from),
            resolve: destination.resolve.as_ref().map(ResolveBody::from),
            quotas: destination
                .quotas
                .iter()
                .flatten()
                .copied()
                .map(QuotaBody::from)
                .collect(),
            limiters: destination
                .limiters
                .iter()
                .flatten()
                .map(LimiterUseBody::from)
                .collect(),
            pending: status.pending,
            in_flight: status.in_flight,
            succeeded: status.succeeded,
            dead: status.dead,
            lanes: status.lanes,
            superseded: status.superseded,
            expired: status.expired,
            blocked: status.blocked,
            breaker_open: status.breaker_open,
            oldest_since: status.oldest_since.map(Time),
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
