//! The HTTP server: the API, the connections of workers, the metrics.
//!
//! What this crate is not: it decides nothing about runs, tasks or jobs, and keeps nothing. A request is read, checked and
//! handed to the engine; what the engine answers is written down as JSON. The wire types are in `trunkline_api`.
//!
//! # The way of a request
//!
//! ```text
//! listener ─ accept ─▶ frame ──▶ router ─▶ handler ─▶ Engine::request ─▶ answer
//!            (limits)  (request id,        (runs, jobs, …: one function
//!                       metrics, log)       for each operation)
//! ```
//!
//! [`serve`] accepts connections until it is told to stop. `frame` surrounds every request: it gives it an id, checks the
//! size of its headers, and writes problems. `router` finds the handler by the route table of the API crate.
//! Workers come in through `connect`.
//!
//! **Architecture Invariants**
//!
//! * Every answer has an `x-request-id`; every refusal is a problem with a code. Nothing else leaves the server.
//! * Nothing is answered before the engine says that it is durable.
//! * Whatever a client sends has a limit: connections, headers, addresses, bodies, waits, batches.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod accept;
mod answer;
mod app;
mod belts;
mod config;
mod connect;
mod credentials;
mod destinations;
mod events;
mod explain;
mod frame;
mod health;
mod input;
mod jobs;
mod many;
mod methods;
mod metrics;
mod nonce;
mod process;
mod router;
mod runs;
mod schedules;
mod steering;
mod tasks;
mod tree;
mod waiting;

pub use trunkline_engine as engine;

pub use accept::{BindError, End, bind, serve};
pub use config::Config;
