//! Connectors: programs between Trunkline and a system that does not know it.
//!
//! ```text
//!   trunkline server ──POST, several jobs──▶ connector ──one call each──▶ the system
//!                    ◀──an answer for each──           ◀──its answers──
//! ```
//!
//! [`contract`] speaks the contract of `docs/guides/connectors.md` for any [`Target`](contract::Target). [`rest`] is a target: whatever has a
//! REST API or takes webhooks. [`receiver`] is such a system: it verifies the [signature](signature) of what it gets. The folder `vendure/` has a
//! connector in JavaScript, for a real shop.
#![warn(missing_docs)]

pub mod contract;
pub mod receiver;
pub mod rest;
pub mod signature;
