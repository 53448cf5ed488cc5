//! Judging rules: what the answers of a destination mean.

use crate::core::egress::{Rule, Verdict};
use crate::core::payload::Name;
use serde::{Deserialize, Serialize};

/// A rule. The first that holds decides; if none does, the defaults do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// When it holds: an expression over `status`, `headers`, `body`, `error`, `attempt` and `job`, or a list of statuses such as
    /// `>=500, 408, !501`.
    pub when: String,
    /// What follows.
    pub then: VerdictBody,
    /// With `retry`: after so many milliseconds; absent: as the retry policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
}

/// What a delivery means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictBody {
    /// The destination has it.
    Succeed,
    /// It is tried again.
    Retry,
    /// The destination refused it for good: a dead letter.
    Fail,
    /// The destination is not to be called any more until an operator says so.
    Pause,
    /// What authenticates the calls is renewed once, and it is tried again; if that does not help, it has failed.
    RefreshCredential,
}

impl From<RuleBody> for Rule {
    fn from(rule: RuleBody) -> Self {
        let then = match rule.then {
            VerdictBody::Succeed => Verdict::Succeed,
            VerdictBody::Retry => Verdict::Retry {
                after_ms: rule.after_ms,
            },
            VerdictBody::Fail => Verdict::Fail,
            VerdictBody::Pause => Verdict::Pause,
            VerdictBody::RefreshCredential => Verdict::RefreshCredential,
        };
        Self {
            when: Name::from(rule.when),
            then,
        }
    }
}

impl From<&Rule> for RuleBody {
    fn from(rule: &Rule) -> Self {
        let (then, after_ms) = match rule.then {
            Verdict::Succeed => (VerdictBody::Succeed, None),
            Verdict::Retry { after_ms } => (VerdictBody::Retry, after_ms),
            Verdict::Fail => (VerdictBody::Fail, None),
            Verdict::Pause => (VerdictBody::Pause, None),
            Verdict::Wait { after_ms } => (VerdictBody::Retry, Some(after_ms)),
            Verdict::RefreshCredential => (VerdictBody::RefreshCredential, None),
        };
        Self {
            when: rule.when.to_string(),
            then,
            after_ms,
        }
    }
}
