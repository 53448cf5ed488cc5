//! Failures as users see them: the whole chain of causes.

use crate::core::failure::{Failure, FailureKind};
use crate::json::json_of;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Why a task or run did not succeed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailureBody {
    /// `application`, `timed_out`, `cancelled`, `panicked` or `terminated`.
    pub kind: FailureKindBody,
    /// Its name: an error type of the user, or a `TL….` code.
    pub name: String,
    /// What happened, for a person.
    pub message: String,
    /// The user's typed error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<RawValue>>,
    /// True if another attempt cannot help.
    pub non_retryable: bool,
    /// What caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<Self>>,
}

/// The class of a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKindBody {
    /// The user's code said so.
    Application,
    /// It took too long.
    TimedOut,
    /// Somebody asked for it to be cancelled.
    Cancelled,
    /// The user's code panicked.
    Panicked,
    /// Somebody ended it without asking its code.
    Terminated,
}

impl From<&Failure> for FailureBody {
    fn from(failure: &Failure) -> Self {
        Self {
            kind: match failure.kind {
                FailureKind::Application => FailureKindBody::Application,
                FailureKind::TimedOut => FailureKindBody::TimedOut,
                FailureKind::Cancelled => FailureKindBody::Cancelled,
                FailureKind::Panicked => FailureKindBody::Panicked,
                FailureKind::Terminated => FailureKindBody::Terminated,
            },
            name: failure.name.as_str().to_owned(),
            message: failure.message.as_str().to_owned(),
            detail: failure.detail.as_ref().map(json_of),
            non_retryable: failure.non_retryable,
            cause: failure
                .cause
                .as_deref()
                .map(|cause| Box::new(Self::from(cause))),
        }
    }
}
