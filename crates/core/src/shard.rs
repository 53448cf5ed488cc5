//! A shard: the one writer of its slice of the key space.

use crate::ids::{PeerId, ShardId};
use crate::input::Input;
use crate::output::Output;
use crate::peer::{Counters, Registration};
use crate::row::Rows;
use crate::time::Timestamp;
use alloc::string::String;
use alloc::sync::Arc;

/// What a shard needs to know about the node it is on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many shards the node has.
    pub shards: u16,
    /// How long finished runs and settled jobs are kept, in milliseconds.
    pub retention_ms: u64,
    /// Runs that may stay in memory as typed values when nothing is going on in them.
    pub idle_runs_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shards: 16,
            retention_ms: 24 * 3_600_000,
            idle_runs_max: 50_000,
        }
    }
}

/// A worker with room for more work.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The worker.
    pub peer: PeerId,
    /// What it can do.
    pub abilities: Arc<Registration>,
    /// Turns it can take now. `dispatch` counts it down.
    pub turns: u32,
    /// Tasks it can take now. `dispatch` counts it down.
    pub tasks: u32,
}

/// A broken invariant: a bug in Trunkline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What was found.
    pub detail: String,
}

/// A shard's state.
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
}

impl Shard {
    /// Opens the shard on its rows: takes a new epoch, so that every older lease is void, and rebuilds what is kept in
    /// memory only. Messages that other shards have not acknowledged go out again.
    pub fn open(
        id: ShardId,
        settings: Settings,
        now: Timestamp,
        rows: &dyn Rows,
        out: &mut Output,
    ) -> Self {
        let _ = (settings, now, rows, out);
        Self { id }
    }

    /// Takes one input. Total: it never fails and never blocks; a refusal is a reply among the effects.
    ///
    /// `rows` are the rows as of the last [`Shard::seal`]; what `out` holds since then is read on top of them.
    pub fn handle(&mut self, now: Timestamp, input: Input, rows: &dyn Rows, out: &mut Output) {
        let _ = (now, input, rows, out);
    }

    /// Gives ready turns and tasks to workers, runs first to the worker that still holds their future.
    pub fn dispatch(
        &mut self,
        now: Timestamp,
        offers: &mut [Offer],
        rows: &dyn Rows,
        out: &mut Output,
    ) {
        let _ = (now, offers, rows, out);
    }

    /// True if there is a turn or task that waits for a worker.
    #[must_use]
    pub fn has_ready_work(&self) -> bool {
        false
    }

    /// Ends a batch: writes the rows of what changed since the last seal. To be called before the output becomes a commit.
    pub fn seal(&mut self, out: &mut Output) {
        let _ = out;
    }

    /// When the shard next wants `Input::Tick`, if nothing else happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Counters, kept as things happen and not counted when asked for.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::default()
    }

    /// The newest registered version of each workflow that the shard knows: filled by `Input::WorkflowKnown`.
    #[must_use]
    pub fn workflows(&self) -> alloc::vec::Vec<(crate::payload::Name, u32)> {
        alloc::vec::Vec::new()
    }

    /// Every invariant. For tests and the simulator: it looks at all of the state.
    ///
    /// # Errors
    /// The first invariant found broken.
    pub fn check(&self, rows: &dyn Rows) -> Result<(), Violation> {
        let _ = rows;
        Ok(())
    }

    /// A digest of everything that must survive a crash, and of what `open` rebuilds from it; leases aside.
    #[must_use]
    pub fn digest(&self, rows: &dyn Rows) -> u128 {
        let _ = rows;
        u128::from(self.id.0)
    }
}
