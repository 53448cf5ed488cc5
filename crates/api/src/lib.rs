//! The wire types of Trunkline: HTTP bodies, frames of the worker protocol, error codes.
//!
//! What this crate is not: it has no engine types and no I/O. The vocabulary of runs, histories and jobs is the core's,
//! re-exported here, because the worker protocol carries it in the same encoding as the rows.
//!
//! An outside message is not an inside message. The types in [`run`], [`history`] and [`egress`] are what users of the
//! HTTP API see and may rely on: JSON with names in snake_case, times in RFC 3339 with milliseconds, identities in hex,
//! states in lower case. They are converted from and to the core's types here and nowhere else.
//!
//! Read in this order: [`route`] (which operations there are), [`run`] and [`egress`] (their bodies), [`problem`] (every
//! refusal), [`frame`] (the worker protocol).
//!
//! Invariants of the crate:
//!
//! * A request with a field that is not known is refused, so a misspelt option never does nothing.
//! * A user's JSON is carried as it came, digit for digit: it is checked, and never parsed into numbers.
//! * `openapi.json` documents exactly the operations in [`route::ROUTES`]; a test asserts it.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub use trunkline_core as core;

pub mod access;
pub mod connector;
pub mod credential;
pub mod cursor;
pub mod egress;
pub mod event;
pub mod explain;
pub mod failure;
pub mod filter;
pub mod frame;
pub mod history;
pub mod history_file;
pub mod json;
pub mod many;
pub mod method;
pub mod name;
pub mod openapi;
pub mod problem;
pub mod replay;
pub mod route;
pub mod run;
pub mod schedule;
pub mod scope;
pub mod task;
pub mod timestamp;
pub mod tree;
