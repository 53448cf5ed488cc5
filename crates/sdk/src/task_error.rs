//! How a task can fail, as workflow code sees it.

use crate::fault::{Fault, Report};
use std::error::Error as StdError;
use std::fmt;
use trunkline_api::core::failure::{Failure, FailureKind};

/// Why a task did not succeed, after its last attempt.
///
/// `?` turns it into [`Error`](crate::Error) with everything it holds.
#[derive(Clone, PartialEq, Eq)]
pub enum TaskError<E> {
    /// The task returned its own error.
    Failed(E, Report),
    /// The run was asked to cancel while the code waited for the task. The task itself may go on.
    Cancelled(Report),
    /// An attempt, or all of them together, took too long.
    TimedOut(Report),
    /// Anything else: it panicked, the worker does not know it, a payload has another type.
    Broken(Report),
}

impl<E: Fault> TaskError<E> {
    pub(crate) fn new(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Cancelled => Self::Cancelled(Report(failure)),
            FailureKind::TimedOut => Self::TimedOut(Report(failure)),
            FailureKind::Panicked | FailureKind::Terminated => Self::Broken(Report(failure)),
            FailureKind::Application if is_code(&failure.name) => Self::Broken(Report(failure)),
            FailureKind::Application => match E::from_failure(&failure) {
                Some(error) => Self::Failed(error, Report(failure)),
                None => Self::Broken(Report(failure)),
            },
        }
    }
}

/// True for `TL0042`: a failure that Trunkline found, not the task.
fn is_code(name: &str) -> bool {
    name.strip_prefix("TL")
        .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
}

impl<E> TaskError<E> {
    /// The task's own error, if it returned one.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        match self {
            Self::Failed(error, _) => Some(error),
            _ => None,
        }
    }

    /// The failure as it was journaled.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.report().0
    }

    /// The failure, what caused it, and so on to the root: each says what it is that failed, as far as that is known.
    pub fn chain(&self) -> impl Iterator<Item = &Failure> {
        self.failure().chain()
    }

    /// True if the run was asked to cancel.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    fn report(&self) -> &Report {
        match self {
            Self::Failed(_, report)
            | Self::Cancelled(report)
            | Self::TimedOut(report)
            | Self::Broken(report) => report,
        }
    }
}

impl<E> fmt::Display for TaskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.report(), f)
    }
}

impl<E> fmt::Debug for TaskError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Failed(..) => "Failed",
            Self::Cancelled(_) => "Cancelled",
            Self::TimedOut(_) => "TimedOut",
            Self::Broken(_) => "Broken",
        };
        write!(f, "{kind}({}: {self})", self.failure().name)
    }
}

impl<E> StdError for TaskError<E> {
    /// The report, so that nothing is lost when the error is passed on.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.report())
    }
}
