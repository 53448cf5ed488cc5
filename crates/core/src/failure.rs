//! Failures of tasks, runs and deliveries: data that is journaled and shown, never a Rust error that dies with the process.

use crate::ids::RunId;
use crate::payload::{Name, Payload};
use alloc::boxed::Box;
use core::fmt;
use minicbor::{Decode, Encode};

mod decoding;

/// Why a task or run did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, Encode)]
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
    /// What it is that failed, if Trunkline has noted it: with the causes this tells the way that a failure has come.
    #[n(6)]
    pub site: Option<Box<Site>>,
}

/// What has failed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Site {
    /// A task, or the attempts of it.
    #[n(0)]
    Task {
        /// The service.
        #[n(0)]
        service: Name,
        /// The task.
        #[n(1)]
        task: Name,
    },
    /// A run, or one of its methods.
    #[n(1)]
    Run {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The method; absent: the one that the run began with.
        #[n(1)]
        method: Option<Name>,
    },
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { service, task } => write!(f, "task {service}.{task}"),
            Self::Run { run, method: None } => write!(f, "run {run}"),
            Self::Run {
                run,
                method: Some(method),
            } => write!(f, "method {method} of run {run}"),
        }
    }
}

/// Links of a chain of causes: of a longer one the middle is left out, so that no depth of nesting makes a failure that
/// cannot be handled.
const CHAIN_MAX: usize = 100;

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
            site: None,
        }
    }

    /// The same failure, and this is where it came from; nothing changes if that is known.
    #[must_use]
    pub fn at(mut self, site: impl FnOnce() -> Site) -> Self {
        if self.site.is_none() {
            self.site = Some(Box::new(site()));
        }
        self
    }

    /// The same failure with what caused it.
    #[must_use]
    pub fn caused_by(mut self, mut cause: Self) -> Self {
        if cause.chain().count() >= CHAIN_MAX {
            // The beginning of a chain says where it was noticed, its end what was wrong; one link in the middle goes.
            let mut link = &mut cause.cause;
            for _ in 0..CHAIN_MAX / 2 {
                if let Some(next) = link {
                    link = &mut next.cause;
                }
            }
            *link = link.take().and_then(|left_out| left_out.cause);
        }
        self.cause = Some(Box::new(cause));
        self
    }

    /// The failure, what caused it, and so on to the root.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |failure| failure.cause.as_deref())
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

#[cfg(test)]
mod tests;
