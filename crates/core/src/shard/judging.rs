//! Judging: what the end of a delivery means.
//!
//! A rule of the destination that holds decides; the engine has evaluated them. Else the defaults do: 2xx is accepted; so is 404
//! for a deletion, because what is to go is gone; 408, 425, 429, 5xx and no answer are worth a retry; 410 means that the
//! destination is gone, so it is paused; everything else is refused for good. What a connector says of a job is judged by its
//! error class.

use crate::egress::{Delivery, ErrorClass, ItemFailure, Verdict};
use crate::payload::Name;
use alloc::format;

/// Bytes of an answer that a job's row keeps. More may come with the report of a delivery.
const EXCERPT_BYTES_MAX: usize = 2_000;

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
                reason: Name::from(format!(
                    "answered {status}: {}",
                    &excerpt[..excerpt.floor_char_boundary(EXCERPT_BYTES_MAX)]
                )),
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
        Delivery::Item { failure, verdict } => {
            let by_class = by_class(failure.as_ref(), action);
            let verdict = verdict.unwrap_or(by_class.0);
            let is_retry = matches!(verdict, Verdict::Retry { .. });
            Judgement {
                verdict,
                reason: failure
                    .as_ref()
                    .map_or_else(|| Name::from("carried out"), reason_of),
                patience_ms: by_class.1.filter(|_| is_retry),
            }
        }
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

/// How long a connector that is too busy wants nothing, if it does not say.
const PATIENCE_MS: u64 = 1_000;

/// The verdict, and how long the destination wants nothing at all, in milliseconds.
fn by_class(failure: Option<&ItemFailure>, action: &str) -> (Verdict, Option<u64>) {
    let Some(failure) = failure else {
        return (Verdict::Succeed, None);
    };
    let after_ms = failure.retry_after_ms;
    match failure.class {
        ErrorClass::Gone if action == "delete" => (Verdict::Succeed, None),
        ErrorClass::Invalid | ErrorClass::Gone => (Verdict::Fail, None),
        ErrorClass::Auth => (Verdict::Pause, None),
        ErrorClass::RateLimited => {
            let patience_ms = after_ms.unwrap_or(PATIENCE_MS);
            (Verdict::Retry { after_ms: None }, Some(patience_ms))
        }
        ErrorClass::Retryable | ErrorClass::Unknown => (Verdict::Retry { after_ms }, None),
    }
}

fn reason_of(failure: &ItemFailure) -> Name {
    let message = &failure.message;
    Name::from(format!(
        "{}: {}",
        failure.class.as_str(),
        &message[..message.floor_char_boundary(EXCERPT_BYTES_MAX)]
    ))
}
