//! How a child can fail, as the code of its parent sees it.

use crate::fault::{Fault, Report};
use std::error::Error as StdError;
use std::fmt;
use trunkline_api::core::code::Code;
use trunkline_api::core::failure::{Failure, FailureKind};

/// Why there is no result of a child.
///
/// `?` turns it into [`Error`](crate::Error) with everything it holds; [`chain`](Self::chain) walks through what caused it, through
/// any number of runs.
#[derive(Clone, PartialEq, Eq)]
pub enum ChildError<E> {
    /// The child ended with its own error.
    Failed(E, Report),
    /// This run was asked to cancel while its code waited. So is the child, unless it is to be abandoned.
    Cancelled(Report),
    /// The child was cancelled by somebody else.
    ChildCancelled(Report),
    /// The child was ended without asking its code.
    Terminated(Report),
    /// The child did not end within its time-out.
    TimedOut(Report),
    /// The child was not started: its id is taken, or nobody knows the workflow.
    Refused(Report),
    /// The child ended with an error that is not of its workflow's error type, or its result is not of the result's type.
    Broken(Report),
}

impl<E: Fault> ChildError<E> {
    pub(crate) fn new(failure: Failure) -> Self {
        let report = Report(failure);
        let failure = &report.0;
        let is = |code: Code| *failure.name == *code.to_string();
        let cause = failure.cause.as_deref();
        match (failure.kind, cause) {
            (FailureKind::Cancelled, _) => Self::Cancelled(report),
            (FailureKind::TimedOut, _) => Self::TimedOut(report),
            (FailureKind::Terminated, _) => Self::Terminated(report),
            (_, Some(_)) if is(Code::ChildCancelled) => Self::ChildCancelled(report),
            (_, Some(cause)) if is(Code::ChildFailed) => match E::from_failure(cause) {
                Some(error) => Self::Failed(error, report),
                None => Self::Broken(report),
            },
            _ if failure.site.is_some() => Self::Refused(report),
            _ => Self::Broken(report),
        }
    }
}

impl<E> ChildError<E> {
    /// The child's own error, if it ended with one.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        match self {
            Self::Failed(error, _) => Some(error),
            _ => None,
        }
    }

    /// The failure as it was journaled: around the child's own.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        self.report().failure()
    }

    /// The failure, what caused it, and so on to the root: runs by name and id, and at the end perhaps a task.
    pub fn chain(&self) -> impl Iterator<Item = &Failure> {
        self.failure().chain()
    }

    /// The code of Trunkline that says what happened, for instance [`Code::RunExists`] if the start was refused.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        crate::fault::code_of(self.failure())
    }

    /// True if this run was asked to cancel.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }

    fn report(&self) -> &Report {
        match self {
            Self::Failed(_, report)
            | Self::Cancelled(report)
            | Self::ChildCancelled(report)
            | Self::Terminated(report)
            | Self::TimedOut(report)
            | Self::Refused(report)
            | Self::Broken(report) => report,
        }
    }
}

impl<E> fmt::Display for ChildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.report(), f)
    }
}

impl<E> fmt::Debug for ChildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Failed(..) => "Failed",
            Self::Cancelled(_) => "Cancelled",
            Self::ChildCancelled(_) => "ChildCancelled",
            Self::Terminated(_) => "Terminated",
            Self::TimedOut(_) => "TimedOut",
            Self::Refused(_) => "Refused",
            Self::Broken(_) => "Broken",
        };
        write!(f, "{kind}({}: {self})", self.failure().name)
    }
}

impl<E> StdError for ChildError<E> {
    /// The report, so that nothing is lost when the error is passed on.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.report())
    }
}
