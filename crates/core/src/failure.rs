//! Failures of tasks, runs and deliveries: data that is journaled and shown, never a Rust error that dies with the process.

use crate::payload::{Name, Payload};
use alloc::boxed::Box;
use minicbor::{Decode, Encode};

/// Why a task or run did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Failure {
    /// What class of failure this is.
    #[n(0)]
    pub kind: FailureKind,
    /// The failure's name, for policies and filters: an error type of the user, or a `TL…` code.
    #[n(1)]
    pub name: Name,
    /// What happened, for a person.
    #[n(2)]
    pub message: Name,
    /// The user's typed error, if there is one.
    #[n(3)]
    pub detail: Option<Payload>,
    /// What caused it.
    #[n(4)]
    pub cause: Option<Box<Self>>,
    /// True if another attempt cannot help.
    #[n(5)]
    pub non_retryable: bool,
}

impl Failure {
    /// A failure of `kind`, called `name`.
    pub fn new(kind: FailureKind, name: impl Into<Name>, message: impl Into<Name>) -> Self {
        Self {
            kind,
            name: name.into(),
            message: message.into(),
            detail: None,
            cause: None,
            non_retryable: false,
        }
    }
}

/// The class of a [`Failure`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum FailureKind {
    /// The user's code said so.
    #[n(0)]
    Application,
    /// An attempt, or all of them together, took too long.
    #[n(1)]
    TimedOut,
    /// Somebody asked for it to be cancelled.
    #[n(2)]
    Cancelled,
    /// The user's code panicked.
    #[n(3)]
    Panicked,
    /// Somebody ended it without asking its code.
    #[n(4)]
    Terminated,
}
