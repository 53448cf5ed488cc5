//! Limits beyond a destination's own rate: quotas of spans of time, and limiters that destinations share.

use super::destination::RateBody;
use crate::core::egress::{Limiter, LimiterUse, Quota, Rate};
use crate::core::payload::Name;
use crate::core::peer::LimiterStatus;
use crate::name::name;
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};

/// At most so many calls in any span of time of this length, wherever it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaBody {
    /// Calls, or points of cost.
    pub calls: u32,
    /// The length of a span, in milliseconds: an hour is 3,600,000.
    pub per_ms: u64,
}

impl From<QuotaBody> for Quota {
    fn from(body: QuotaBody) -> Self {
        Self {
            calls: body.calls,
            per_ms: body.per_ms,
        }
    }
}

impl From<Quota> for QuotaBody {
    fn from(quota: Quota) -> Self {
        Self {
            calls: quota.calls,
            per_ms: quota.per_ms,
        }
    }
}

/// How a destination uses a shared limiter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimiterUseBody {
    /// The limiter's name.
    pub limiter: String,
    /// Only jobs with this action; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// How much of the rate and the quotas a call takes; absent: 1.
    #[serde(default = "one")]
    pub cost: u32,
    /// Whether `Retry-After` of this destination holds everybody who shares the limiter; absent: yes.
    #[serde(default = "yes")]
    pub shares_patience: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

impl LimiterUseBody {
    fn read(&self) -> Result<LimiterUse, Problem> {
        let action = self.action.as_ref();
        Ok(LimiterUse {
            limiter: name("limiters.limiter", &self.limiter)?,
            action: action
                .map(|text| name("limiters.action", text))
                .transpose()?,
            cost: self.cost,
            shares_patience: self.shares_patience,
        })
    }
}

impl From<&LimiterUse> for LimiterUseBody {
    fn from(it: &LimiterUse) -> Self {
        Self {
            limiter: it.limiter.to_string(),
            action: it.action.as_ref().map(Name::to_string),
            cost: it.cost,
            shares_patience: it.shares_patience,
        }
    }
}

/// Nothing instead of an empty list.
pub(super) fn quotas(bodies: Vec<QuotaBody>) -> Option<Vec<Quota>> {
    (!bodies.is_empty()).then(|| bodies.into_iter().map(Quota::from).collect())
}

/// Nothing instead of an empty list.
pub(super) fn uses(bodies: &[LimiterUseBody]) -> Result<Option<Vec<LimiterUse>>, Problem> {
    let uses: Vec<LimiterUse> = bodies
        .iter()
        .map(LimiterUseBody::read)
        .collect::<Result<_, _>>()?;
    Ok((!uses.is_empty()).then_some(uses))
}

/// `PUT /v1/egress/limiters/{name}`. What is left out is without limit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PutLimiter {
    /// How often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateBody>,
    /// How many in spans of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaBody>,
    /// How many at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

impl PutLimiter {
    /// The limiter `called`.
    ///
    /// # Errors
    /// `TL0006` if the name is none.
    pub fn into_limiter(self, called: &str) -> Result<Limiter, Problem> {
        Ok(Limiter {
            name: name("name", called)?,
            rate: self.rate.map(|rate| Rate {
                per_second: rate.per_second,
                burst: rate.burst,
            }),
            quotas: quotas(self.quotas),
            concurrency: self.concurrency,
        })
    }
}

/// A shared limiter and how it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LimiterBody {
    /// Its name.
    pub name: String,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateBody>,
    /// How many in spans of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaBody>,
    /// How many at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Calls under way.
    pub in_flight: u64,
    /// Calls that wait for it.
    pub waiting: u64,
    /// Calls that have left with its permits, since it was made.
    pub calls: u64,
    /// When the next call is admitted, if not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
    /// Somebody asked for patience until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Time>,
}

impl From<&LimiterStatus> for LimiterBody {
    fn from(status: &LimiterStatus) -> Self {
        let limiter = &status.limiter;
        let quotas = limiter.quotas.iter().flatten();
        Self {
            name: limiter.name.to_string(),
            rate: limiter.rate.map(|rate| RateBody {
                per_second: rate.per_second,
                burst: rate.burst,
            }),
            quotas: quotas.copied().map(QuotaBody::from).collect(),
            concurrency: limiter.concurrency,
            in_flight: status.in_flight,
            waiting: status.waiting,
            calls: status.calls,
            next_at: status.next_at.map(Time),
            held_until: status.held_until.map(Time),
        }
    }
}

/// All shared limiters, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LimiterList {
    /// The limiters.
    pub limiters: Vec<LimiterBody>,
}
