//! The program as its users see it: the real binary, its output, its exit codes, and data folders in every state.

#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod connectors;
mod credentials;
mod egress;
mod events;
mod folders;
mod jobs;
mod limiters;
mod many;
mod program;
mod replay;
mod runs;
mod schedules;
mod tasks;
mod usage;
// One scripted worker serves the tests of the server and of the program.
#[path = "../../../server/tests/it/worker.rs"]
mod worker;
