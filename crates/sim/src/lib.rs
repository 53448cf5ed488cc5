//! The proof: a simulation of the engine under every fault, and torture of the real program. Not published.
//!
//! [`world`] runs the production driver, journal and store on a simulated disk, with a virtual clock and scripted clients,
//! workers, destinations and operators; a [`plan`] made from one seed decides everything. The [`model`] and the
//! [`clients`] know what must be so, after every batch and after every crash.
//!
//! [`torture`] starts the real server, runs real workers and clients against it, kills it with `kill -9` again and again,
//! and at the end holds what clients were promised against what came out.
//!
//! What this crate is not: it has no engine of its own. What it tests is what users run.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![allow(
    clippy::match_wildcard_for_single_variants,
    clippy::needless_update,
    reason = "the engine's vocabulary grows, and what is new is to be left alone here until the world uses it"
)]

pub mod acceptance;
pub mod asking;
pub mod clients;
pub mod diagnosis;
pub mod dice;
pub mod faulty;
pub mod fuzz;
pub mod kept;
pub mod listener;
pub mod marks;
pub mod model;
pub mod mounted;
pub mod plan;
pub mod process;
pub mod program;
pub mod receiver;
mod retrying;
pub mod server;
pub mod shrink;
pub mod tally;
pub mod torture;
pub mod trace;
pub mod world;
