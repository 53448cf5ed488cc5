//! The pure heart of Trunkline.
//!
//! A [`Shard`](shard::Shard) owns a slice of the key space. It takes [inputs](input::Input) one at a time and answers
//! each with the rows that changed and the [effects](effect::Effect) to release once those rows are durable.
//!
//! What this crate is not: it has no clock, no randomness, no threads and no I/O. They do not compile here, because the
//! crate is `no_std`. Time comes in as an argument, rows are read through [`Rows`](row::Rows), and everything that
//! touches the world goes out as an effect.
//!
//! Invariants of the crate:
//!
//! * `handle` is total: it never fails and never blocks. A refusal is a reply among the effects.
//! * State after `open` on the rows written so far equals the state that wrote them (`Shard::digest`), leases aside.
//! * The same inputs at the same times give the same rows and the same effects.
//!
//! Read in this order: [`ids`], [`entry`] (what a run's history is made of), [`peer`] (the conversation with clients and
//! workers), [`row`], [`input`], [`effect`], [`shard`].
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod allowance;
pub mod calendar;
pub mod code;
pub mod effect;
pub mod egress;
pub mod entry;
pub mod failure;
pub mod feed;
pub mod gcra;
pub mod ids;
pub mod input;
mod io;
pub mod limits;
pub mod mutant;
pub mod output;
pub mod payload;
pub mod peer;
pub mod policy;
pub mod queue;
pub mod row;
pub mod run;
pub mod schedule;
pub mod shard;
pub mod time;
