//! Judging: what the end of a delivery means.
//!
//! A rule of the destination that holds decides; the engine has evaluated them. Else the defaults do: 2xx is accepted; so is 404
//! for a deletion, because what is to go is gone; 408, 425, 429, 5xx and no answer are worth a retry; 410 means that the
//! destination is gone, so it is paused; everything else is refused for good.

use crate::egress::{Delivery, Verdict};
use crate::payload::Name;
use alloc::format;

/// What the end of a delivery means.
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    /// Why it did not succeed, for a person.
    pub(super) reason: Name,
    /// How long the destination wants nothing at all, in milliseconds.
    pub(super) patience_ms: Option<u64>,
}

/// Judges a delivery of a job with this action.
pub(super) fn judge(delivery: &Delivery, action: &str) -> Judgement {
    match delivery {
        Delivery::Answered {
            status,
            retry_after_ms,
            excerpt,
            verdict,
        } => {
            let verdict = verdict.unwrap_or_else(|| by_status(*status, action));
            let is_retry = matches!(verdict, Verdict::Retry { .. });
            Judgement {
                verdict,
                reason: Name::from(format!("answered {status}: {excerpt}")),
                patience_ms: retry_after_ms.filter(|_| is_retry),
            }
        }
        Delivery::Unanswered { reason, verdict } => Judgement {
            verdict: verdict.unwrap_or(Verdict::Retry { after_ms: None }),
            reason: reason.clone(),
            patience_ms: match verdict {
                Some(Verdict::Wait { after_ms }) => Some(*after_ms),
                _ => None,
            },
        },
    }
}

fn by_status(status: u16, action: &str) -> Verdict {
    match status {
        200..=299 => Verdict::Succeed,
        404 if action == "delete" => Verdict::Succeed,
        408 | 425 | 429 | 500..=599 => Verdict::Retry { after_ms: None },
        410 => Verdict::Pause,
        _ => Verdict::Fail,
    }
}
