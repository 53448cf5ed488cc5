//! The behaviour of the SDK against the real engine: in the process, and over a WebSocket. Every behaviour is shown twice,
//! with futures kept between turns and with every turn replayed from the beginning.
#![allow(clippy::unwrap_used, reason = "tests")]

mod attempts;
mod behaviours;
mod bridge;
mod connection;
mod contract;
mod desk;
mod events;
mod house;
mod kit;
mod programs;
mod relations;
mod replay;
mod rewind;
mod runs;
mod schedules;
mod tasks;
