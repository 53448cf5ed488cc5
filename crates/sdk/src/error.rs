//! The error of code that has no error type of its own: a [`Failure`] with its chain of causes.
//!
//! It is not a `std::error::Error` itself (like `anyhow::Error`, and for the same reason): so `?` turns every error that is
//! one into it.

use crate::fault::{Fault, cancelled_failure, failure_of, write_failure};
use std::error::Error as StdError;
use std::fmt;
use trunkline_api::core::failure::{Failure, FailureKind};
use trunkline_api::core::payload::Name;

/// What workflows and tasks return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a name, a message and causes. `?` makes one of any `std::error::Error`, and nothing is lost when the
/// error came from a task: its kind, its typed detail and its causes go along.
///
/// ```
/// # use trunkline::Error;
/// fn parse(text: &str) -> trunkline::Result<u32> {
///     if text.is_empty() {
///         return Err(Error::new("Empty", "there is no number").non_retryable());
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
#[derive(Clone)]
pub struct Error(Box<Failure>);

impl Error {
    /// An error called `name`, the name that a retry policy's `non_retryable` list may hold.
    pub fn new(name: impl Into<Name>, message: impl Into<Name>) -> Self {
        Self::from_failure(Failure::new(FailureKind::Application, name, message))
    }

    /// An error that keeps the fields of `error`, for [`downcast`](Self::downcast). `?` keeps its message and causes.
    pub fn typed(error: impl Fault) -> Self {
        Self::from_failure(error.into_failure())
    }

    /// An error without a name of its own.
    pub fn msg(message: impl fmt::Display) -> Self {
        Self::new("Error", message.to_string())
    }

    /// The same error, and another attempt cannot help.
    #[must_use]
    pub fn non_retryable(mut self) -> Self {
        self.0.non_retryable = true;
        self
    }

    /// The same error with a message about what was being done; the old one becomes its cause.
    #[must_use]
    pub fn context(self, message: impl fmt::Display) -> Self {
        let mut outer = Failure::new(self.0.kind, self.0.name.clone(), message.to_string());
        outer.non_retryable = self.0.non_retryable;
        outer.cause = Some(self.0);
        Self(Box::new(outer))
    }

    /// What is journaled of it.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.0
    }

    /// An error made of a failure.
    #[must_use]
    pub fn from_failure(failure: Failure) -> Self {
        Self(Box::new(failure))
    }

    /// The typed error inside, looking through the causes.
    #[must_use]
    pub fn downcast<E: Fault>(&self) -> Option<E> {
        let mut failure = Some(&*self.0);
        while let Some(inner) = failure {
            if let Some(error) = E::from_failure(inner) {
                return Some(error);
            }
            failure = inner.cause.as_deref();
        }
        None
    }

    /// The failure, what caused it, and so on to the root: each says what it is that failed, as far as that is known.
    pub fn chain(&self) -> impl Iterator<Item = &Failure> {
        self.failure().chain()
    }

    /// True if it stands for a cancellation of the run. Returned from a workflow it ends the run as cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == FailureKind::Cancelled
    }
}

impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(failure_of(&error)))
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        Box::new(crate::fault::Report(*error.0))
    }
}

impl From<Error> for Box<dyn StdError> {
    fn from(error: Error) -> Self {
        Box::new(crate::fault::Report(*error.0))
    }
}

impl Fault for Error {
    fn into_failure(self) -> Failure {
        *self.0
    }

    fn from_failure(failure: &Failure) -> Option<Self> {
        Some(Self::from_failure(failure.clone()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_failure(&self.0, f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.name)
    }
}

/// Somebody asked the run to cancel while the code waited.
///
/// Every await that is pending when the request arrives ends with it, once; later awaits work, so that clean-up can.
/// Returned from the workflow, with `?` or inside another error, it ends the run as cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cancelled_failure().message)
    }
}

impl StdError for Cancelled {}
