//! For tests of workflows: a whole engine in the process with a clock that skips, and replays of histories.
//!
//! * [`TestKit`] (feature `testing`) makes a [`TestBed`]: the real engine on a disk in memory, with real workers and a
//!   client, and a virtual clock. A workflow with a timer of thirty days is tested in milliseconds.
//! * [`replay`] plays the history of a run to the code, and says what differs.

#[cfg(feature = "testing")]
mod bed;
#[cfg(feature = "testing")]
mod board;
#[cfg(feature = "testing")]
mod kit;
#[cfg(feature = "testing")]
pub(crate) mod time;

pub use crate::replay::{History, Replay, ReplayError, Replayed, replay};
#[cfg(feature = "testing")]
pub use bed::{Hold, TestBed};
#[cfg(feature = "testing")]
pub use kit::{BEGINNING, TestKit};
#[cfg(feature = "testing")]
pub use trunkline_engine::sim::{CrashPolicy, SimDisk};
