//! What makes a destination a connector: a program that speaks the contract of `docs/guides/connectors.md`, takes several jobs in
//! one call and answers for each.

use crate::payload::{Name, Payload};
use minicbor::{Decode, Encode};

/// How a connector is called.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Connector {
    /// Jobs that one call takes at most.
    #[n(0)]
    pub batch_max: u32,
    /// The connector's own settings, as JSON; they go along with every call.
    #[n(1)]
    pub settings: Payload,
    /// Bytes that the bodies of one call have together at most; a job alone may have more.
    #[n(2)]
    pub body_bytes_max: u64,
}

/// Where the bodies of jobs come from that carry none: a metadata API, asked when a job leaves, so that the newest state is sent.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Resolve {
    /// Its address: asked with one `POST` for all objects of a call.
    #[n(0)]
    pub url: Name,
    /// How long an answer may be used again, in milliseconds; never for a job that was accepted after it was asked for.
    #[n(1)]
    pub ttl_ms: u64,
}

/// What a connector says of a job that it did not carry out.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ItemFailure {
    /// What kind of failure it is: that decides what happens next.
    #[n(0)]
    pub class: ErrorClass,
    /// What happened, for a person.
    #[n(1)]
    pub message: Name,
    /// Not to be tried again within so many milliseconds.
    #[n(2)]
    pub retry_after_ms: Option<u64>,
}

/// The kinds of failures of the connector contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ErrorClass {
    /// It may work later: tried again.
    #[n(0)]
    Retryable,
    /// Too much at once: the whole destination waits, then it is tried again.
    #[n(1)]
    RateLimited,
    /// The target will never take it: a dead letter.
    #[n(2)]
    Invalid,
    /// What authenticates the calls is not good: the destination is paused, and no attempt is lost.
    #[n(3)]
    Auth,
    /// The object is not there: done if it was to be deleted, else a dead letter.
    #[n(4)]
    Gone,
    /// Nobody knows what came of it: tried again.
    #[n(5)]
    Unknown,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::Retryable,
        Self::RateLimited,
        Self::Invalid,
        Self::Auth,
        Self::Gone,
        Self::Unknown,
    ];

    /// As the contract writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::RateLimited => "rate_limited",
            Self::Invalid => "invalid",
            Self::Auth => "auth",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
        }
    }

    /// The class that is written so.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}
