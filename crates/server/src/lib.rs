//! The HTTP server: the API, the connections of workers, the metrics.
//!
//! What this crate is not: it decides nothing about runs, tasks or jobs, and keeps nothing. A request is read, checked and
//! handed to the engine; what the engine answers is written down as JSON. The wire types are in `trunkline_api`.
//!
//! # The way of a request
//!
//! ```text
//! listener ─ accept ─▶ gate ────▶ router ─▶ frame ──▶ handler ─▶ Engine::request ─▶ answer
//!            (limits)  (whose is   (of the  (request   (runs, jobs, …: one
//!                       the token)  tenant)  id, scope,  function for each
//!                                            metrics)    operation)
//! ```
//!
//! [`serve`] accepts connections until it is told to stop. The `gate` finds the tenant by the token, and with it a router whose handlers
//! know the engine of that tenant and no other (`house`). `frame` surrounds every request: it gives it an id, checks the
//! size of its headers and the scopes of its token, and writes problems. `router` finds the handler by the route table of the API crate.
//! Workers come in through `connect`.
//!
//! **Architecture Invariants**
//!
//! * Every answer has an `x-request-id`; every refusal is a problem with a code. Nothing else leaves the server.
//! * Nothing but `gate` and what looks after tokens and tenants (`access`, `tenants`, `register`) knows of more than one tenant.
//! * Nothing is answered before the engine says that it is durable.
//! * Whatever a client sends has a limit: connections, headers, addresses, bodies, waits, batches.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod accept;
mod access;
mod answer;
mod app;
mod belts;
mod config;
mod connect;
mod credentials;
mod destinations;
mod disk;
mod events;
mod explain;
mod frame;
mod gate;
mod health;
mod house;
mod input;
mod jobs;
mod limiters;
mod many;
mod many_jobs;
mod methods;
mod metrics;
mod nonce;
mod pass;
mod process;
mod quota;
mod register;
mod router;
mod runs;
mod schedules;
mod steering;
mod tasks;
mod tenants;
mod tree;
mod waiting;

pub use trunkline_engine as engine;

pub use accept::{BindError, End, bind, serve};
pub use config::Config;
