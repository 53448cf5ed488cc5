//! The wire types of Trunkline: HTTP bodies, frames of the worker protocol, error codes.
//!
//! What this crate is not: it has no engine types and no I/O. The vocabulary of runs, histories and jobs is the core's,
//! re-exported here, because the worker protocol carries it in the same encoding as the rows.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub use trunkline_core as core;

pub mod frame;
