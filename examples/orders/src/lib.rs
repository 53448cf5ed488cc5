//! The main job of Trunkline: the order lines of a real shop become durable workflows and ordered deliveries.
//!
//! Separate processes, all of them this one program under different sub-commands, but for the server:
//!
//! ```text
//!  orders feeder ──starts a run per invoice──▶ trunkline server ◀──turns, tasks──▶ orders worker
//!      CSV file    approves large orders              │
//!                                                     └──one job per line, one per order──▶ orders shop
//! ```
//!
//! `orders demo` starts and stops all of them, kills the server if asked to, and compares what came out with the
//! independent computation of `orders expect`.
//!
//! Read in this order: [`line`], [`rules`], [`invoice`] (what comes in), [`workflow`] (what happens), [`delivery`],
//! [`shop`], [`judge`] (what goes out), [`expect`] (what must come out), [`demo`].
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod delivery;
pub mod demo;
pub mod dice;
pub mod expect;
pub mod feeder;
pub mod generator;
pub mod http;
pub mod invoice;
pub mod judge;
pub mod line;
pub mod money;
pub mod payments;
pub mod report;
pub mod rows;
pub mod rules;
pub mod shop;
pub mod tether;
pub mod totals;
pub mod warehouse;
pub mod worker;
pub mod workflow;
