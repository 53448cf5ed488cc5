//! For tests of workflows: a whole engine in the process with a clock that skips, and replays of histories.

pub use crate::replay::{History, Replay, ReplayError, Replayed, replay};
