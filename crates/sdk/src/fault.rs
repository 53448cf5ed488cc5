//! How errors travel: from Rust values to [`Failure`]s, which are journaled, and back.
//!
//! A [`Fault`] is an error that a task or workflow may return. Every `std::error::Error` that serde can write and read is
//! one, so user errors stay typed across processes; and [`Error`](crate::Error) is one, for code that has no type of its
//! own to give.

use crate::error::Cancelled;
use crate::payload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error as StdError;
use std::fmt;
use trunkline_api::core::code::Code;
use trunkline_api::core::failure::{Failure, FailureKind};

/// An error that a task, a step or a workflow may end with.
///
/// You do not implement it. Derive `Debug`, `Serialize` and `Deserialize` for your error, and implement `Display` and
/// `std::error::Error` (by hand or with `thiserror`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a task or workflow",
    note = "derive Debug, serde::Serialize and serde::Deserialize for it and implement std::error::Error, or return trunkline::Error"
)]
pub trait Fault: Sized + 'static {
    /// What is journaled of the error.
    fn into_failure(self) -> Failure;
    /// The error again, if the failure holds one of this type.
    fn from_failure(failure: &Failure) -> Option<Self>;
}

impl<E> Fault for E
where
    E: StdError + Serialize + DeserializeOwned + 'static,
{
    fn into_failure(self) -> Failure {
        let mut failure = failure_of(&self);
        if failure.detail.is_none() {
            failure.detail = payload::encode(&self).ok();
        }
        failure
    }

    fn from_failure(failure: &Failure) -> Option<Self> {
        payload::decode(failure.detail.as_ref()?).ok()
    }
}

/// A journaled failure as a Rust error.
///
/// It is the `source` of every error with which the SDK hands a failure to the user's code, so that nothing of it is lost
/// when that error is returned further up.
#[derive(Clone, PartialEq, Eq)]
pub struct Report(pub(crate) Failure);

impl Report {
    /// The failure.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_failure(&self.0, f)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_failure(&self.0, f)
    }
}

impl StdError for Report {}

/// The code of Trunkline that a failure is called by.
pub(crate) fn code_of(failure: &Failure) -> Option<Code> {
    let codes = Code::ALL.iter().copied();
    codes
        .into_iter()
        .find(|code| *failure.name == *code.to_string())
}

/// The failure in one line: its message, and what caused it.
pub(crate) fn write_failure(failure: &Failure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if failure.message.is_empty() {
        f.write_str(&failure.name)?;
    } else {
        f.write_str(&failure.message)?;
    }
    let mut cause = failure.cause.as_deref();
    while let Some(inner) = cause {
        write!(f, ": {}", inner.message.as_str())?;
        cause = inner.cause.as_deref();
    }
    Ok(())
}

/// What is journaled of any error, with the whole chain of its sources.
pub(crate) fn failure_of(error: &(dyn StdError + 'static)) -> Failure {
    if let Some(report) = error.downcast_ref::<Report>() {
        return report.0.clone();
    }
    if error.is::<Cancelled>() {
        return cancelled_failure();
    }
    let source = error.source();
    if let Some(report) = source.and_then(|source| source.downcast_ref::<Report>()) {
        return report.0.clone();
    }
    if source.is_some_and(|source| source.is::<Cancelled>()) {
        return cancelled_failure();
    }
    let cause = source.map(failure_of);
    // An error that wraps a cancellation is one: the run ends as cancelled, whatever the code calls it.
    let kind = match &cause {
        Some(cause) if cause.kind == FailureKind::Cancelled => FailureKind::Cancelled,
        _ => FailureKind::Application,
    };
    let mut failure = Failure::new(kind, name_of(error), error.to_string());
    failure.cause = cause.map(Box::new);
    failure
}

pub(crate) fn cancelled_failure() -> Failure {
    payload::coded(
        FailureKind::Cancelled,
        Code::RunCancelled,
        String::from("the run was cancelled"),
    )
}

/// The leading identifier of the error's `Debug` form: the variant of an enum, the name of a struct.
fn name_of(error: &dyn StdError) -> String {
    let debug = format!("{error:?}");
    let name: String = debug
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .take(128)
        .collect();
    if name.is_empty() {
        "Error".into()
    } else {
        name
    }
}
