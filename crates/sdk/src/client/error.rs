//! How requests and runs fail, as clients see it.

use crate::fault::{Fault, Report};
use std::error::Error as StdError;
use std::fmt;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::failure::Failure;
use trunkline_api::core::peer::{Rejection, Reply};
use trunkline_api::core::run::RunStatus;

/// Why a request was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientError {
    /// The engine refused it, or does not answer; the code says which. Nothing has changed.
    Rejected(Rejection),
    /// A value could not be written or read as JSON, or is too large.
    Payload(Report),
}

impl ClientError {
    /// The code of the error.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Rejected(rejection) => rejection.code,
            Self::Payload(report) => {
                let name = report.failure().name.as_str();
                let is_named = |code: &&Code| code.to_string() == name;
                let code = Code::ALL.iter().find(is_named);
                code.copied().unwrap_or(Code::PayloadMismatch)
            }
        }
    }

    pub(super) fn payload(failure: Failure) -> Self {
        Self::Payload(Report(failure))
    }

    pub(super) fn closed() -> Self {
        Self::Rejected(Rejection::new(
            Code::ServerUnreachable,
            "the client is closed",
        ))
    }

    pub(super) fn unexpected(reply: &Reply) -> Self {
        Self::Rejected(Rejection::new(
            Code::ProtocolError,
            format!("the engine's answer fits another request: {reply:?}"),
        ))
    }
}

impl From<Rejection> for ClientError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => write!(
                f,
                "{}: {} ({})",
                rejection.code,
                rejection.detail,
                rejection.code.title()
            ),
            Self::Payload(report) => write!(f, "{}: {report}", self.code()),
        }
    }
}

impl StdError for ClientError {}

/// Why there is no result of a run.
#[derive(Clone, PartialEq, Eq)]
pub enum RunError<E> {
    /// The run ended with its own error.
    Failed(E, Report),
    /// The run ended after a request to cancel.
    Cancelled(Report),
    /// An operator, a parent or a run that took its id ended the run.
    Terminated(Report),
    /// The run did not end within its time-out.
    TimedOut(Report),
    /// The run ended with an error that is not of its workflow's error type.
    Broken(Report),
    /// The result could not be asked for.
    Client(ClientError),
}

impl<E: Fault> RunError<E> {
    /// The outcome of a run that ended in `status`, with the value undecoded.
    pub(super) fn check(status: RunStatus, outcome: Outcome) -> Result<crate::Payload, Self> {
        match outcome {
            Outcome::Completed(value) => Ok(value),
            Outcome::Failed(failure) => Err(match status {
                RunStatus::Cancelled => Self::Cancelled(Report(failure)),
                RunStatus::Terminated => Self::Terminated(Report(failure)),
                RunStatus::TimedOut => Self::TimedOut(Report(failure)),
                _ => match E::from_failure(&failure) {
                    Some(error) => Self::Failed(error, Report(failure)),
                    None => Self::Broken(Report(failure)),
                },
            }),
        }
    }
}

impl<E> RunError<E> {
    /// The workflow's own error, if it ended with one.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        match self {
            Self::Failed(error, _) => Some(error),
            _ => None,
        }
    }

    /// The code of what Trunkline found, if it was not the workflow's own error: a refusal, or a failure that has a code.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Client(error) => Some(error.code()),
            _ => {
                let name = self.failure()?.name.as_str();
                let mut all = Code::ALL.iter().copied();
                all.find(|code| code.to_string() == name)
            }
        }
    }

    /// The failure as it was journaled, if the run ended.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(_, report)
            | Self::Cancelled(report)
            | Self::Terminated(report)
            | Self::TimedOut(report)
            | Self::Broken(report) => Some(report.failure()),
            Self::Client(_) => None,
        }
    }
}

impl<E> RunError<E> {
    /// The failure, what caused it, and so on to the root, through children and tasks: each says what it is that failed, as
    /// far as that is known.
    pub fn chain(&self) -> impl Iterator<Item = &Failure> {
        self.failure().into_iter().flat_map(Failure::chain)
    }
}

impl<E> From<ClientError> for RunError<E> {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl<E> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(_, report) | Self::Broken(report) => write!(f, "the run failed: {report}"),
            Self::Cancelled(report) => write!(f, "the run was cancelled: {report}"),
            Self::Terminated(report) => write!(f, "the run was terminated: {report}"),
            Self::TimedOut(report) => write!(f, "the run timed out: {report}"),
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl<E> fmt::Debug for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunError({self})")
    }
}

impl<E> StdError for RunError<E> {}
