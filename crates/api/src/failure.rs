//! Failures as users see them: the whole chain of causes.

use crate::core::failure::{Failure, FailureKind, Site};
use crate::json::json_of;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;

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
    /// What it is that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteBody>,
    /// What caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<Self>>,
}

/// What has failed: a task has a service and a name, a run a workflow and an id.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SiteBody {
    /// The task's service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The run's workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The run's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The run's method; absent: the one that it began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

impl From<&Site> for SiteBody {
    fn from(site: &Site) -> Self {
        match site {
            Site::Task { service, task } => Self {
                service: Some(service.to_string()),
                task: Some(task.to_string()),
                ..Self::default()
            },
            Site::Run { run, method } => Self {
                workflow: Some(run.workflow.to_string()),
                id: Some(run.id.to_string()),
                method: method.as_ref().map(ToString::to_string),
                ..Self::default()
            },
        }
    }
}

impl fmt::Display for SiteBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        if self.task.is_some() {
            return write!(f, "task {}.{}", text(&self.service), text(&self.task));
        }
        if let Some(method) = &self.method {
            write!(f, "method {method} of ")?;
        }
        write!(f, "run {}/{}", text(&self.workflow), text(&self.id))
    }
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
            site: failure.site.as_deref().map(SiteBody::from),
            cause: failure
                .cause
                .as_deref()
                .map(|cause| Box::new(Self::from(cause))),
        }
    }
}
