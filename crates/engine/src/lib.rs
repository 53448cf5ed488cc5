//! The shell around the core: shard threads, group commit, timers, dispatch to workers and HTTP delivery.
//!
//! The core is pure: it says which rows change and what is to happen once they are durable. This crate makes it so. It
//! owns the threads, the clock, the journal and the network, and decides nothing about runs, tasks or jobs.
//!
//! # The way of an input
//!
//! ```text
//! Session::send ─ door ─▶ inbox ─▶ shard thread: handle, dispatch, seal ─▶ journal writer: append, one sync ─▶ release
//!                                   (the batch's rows are in memory at once)                    Mailbox::recv ◀──┘
//! ```
//!
//! [`session`] takes what a peer sends; `door` refuses what is not well-formed and finds the shard. The shard thread
//! (`thread`) takes everything that waits, lets the [`driver`] turn it into one batch of commits, hands that to
//! the journal writer (`writer`) and goes on with the next batch at once. The writer makes all batches that are ready durable
//! with one sync, and only then releases their effects (`release`). In the background the keeper (`checkpoint`) prepares
//! space for the journal and writes checkpoints.
//!
//! **Architecture Invariants**
//!
//! * No effect leaves before every commit of its journal up to its own batch is durable.
//! * The first error of a journal or store stops everything: nothing is released or acknowledged after it.
//! * Nothing polls. A thread without work is parked until an input, a deadline or a freed slot wakes it.
//! * [`driver`], [`state`], [`scribe`], [`upkeep`] and [`dispatch`] know neither threads nor clocks nor tokio: the simulator
//!   drives them as they are.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod access;
mod checkpoint;
mod clock;
mod config;
mod credentials;
mod delivery;
pub mod dispatch;
mod door;
pub mod driver;
mod engine;
mod error;
mod feed;
pub mod filter;
mod health;
mod inbox;
mod jobs;
mod lanes;
mod list;
mod mailbox;
mod many;
mod memtable;
mod node;
mod open;
mod peers;
mod programs;
mod release;
mod requests;
mod rest;
pub mod scribe;
pub mod session;
pub mod state;
mod stats;
mod thread;
pub mod upkeep;
mod versions;
mod virtual_clock;
mod weight;
mod workflows;
mod writer;

/// The simulated disk, for tests with an engine in memory.
#[cfg(feature = "sim")]
pub mod sim {
    pub use trunkline_journal::{CrashPolicy, SimDisk};
}

pub use access::{TenantRecord, TenantStage, TokenRecord};
pub use config::Config;
pub use credentials::{CredentialStatus, GrantFigures, NewCredential, TestCall, TestResult};
pub use delivery::client::{HttpClient, any_address as http_client};
pub use delivery::guard::Network;
pub use engine::Engine;
pub use error::OpenError;
pub use health::Health;
pub use list::Cursor;
pub use mailbox::Mailbox;
pub use session::Session;
pub use stats::Stats;
pub use trunkline_vault as vault;
pub use virtual_clock::VirtualClock;
