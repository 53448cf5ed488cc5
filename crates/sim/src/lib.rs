//! Torture of the real program, and the checkers of its guarantees. Not published.
//!
//! [`torture`] starts the real server, runs real workers and clients against it, kills it with `kill -9` again and again,
//! and at the end holds what clients were promised against what came out.
//!
//! What this crate is not: it has no engine of its own. What it tests is the program that users start.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod receiver;
pub mod server;
pub mod tally;
pub mod torture;
