//! Parked runs, the least recently used of which make room when there are too many or they take too much memory.

use super::runs::Held;
use std::collections::{HashMap, VecDeque};
use trunkline_api::core::ids::RunKey;

/// See the module.
pub(super) struct Parked {
    runs: HashMap<RunKey, Slot>,
    /// Runs in the order of their use, with the tick of that use; entries with an older tick than the run's are stale.
    order: VecDeque<(RunKey, u64)>,
    tick: u64,
    bytes: usize,
    runs_max: usize,
    bytes_max: usize,
}

struct Slot {
    held: Held,
    tick: u64,
    bytes: usize,
}

impl Parked {
    pub(super) fn new(runs_max: usize, bytes_max: usize) -> Self {
        Self {
            runs: HashMap::new(),
            order: VecDeque::new(),
            tick: 0,
            bytes: 0,
            runs_max,
            bytes_max,
        }
    }

    /// False if nothing is ever parked.
    pub(super) fn has_room(&self) -> bool {
        self.runs_max > 0
    }

    pub(super) fn get(&self, run: RunKey) -> Option<&Held> {
        self.runs.get(&run).map(|slot| &slot.held)
    }

    pub(super) fn take(&mut self, run: RunKey) -> Option<Held> {
        let slot = self.runs.remove(&run)?;
        self.bytes -= slot.bytes;
        Some(slot.held)
    }

    pub(super) fn forget(&mut self, run: RunKey) {
        drop(self.take(run));
    }

    pub(super) fn put(&mut self, run: RunKey, held: Held, bytes: usize) {
        self.tick += 1;
        let tick = self.tick;
        self.order.push_back((run, tick));
        self.bytes += bytes;
        if let Some(old) = self.runs.insert(run, Slot { held, tick, bytes }) {
            self.bytes -= old.bytes;
        }
        if self.order.len() > 2 * self.runs.len() + 64 {
            let runs = &self.runs;
            self.order
                .retain(|(run, tick)| runs.get(run).is_some_and(|slot| slot.tick == *tick));
        }
    }

    /// Drops the run that has not been used for the longest time, if there are too many, and says which.
    pub(super) fn evict(&mut self) -> Option<RunKey> {
        while self.runs.len() > self.runs_max || self.bytes > self.bytes_max {
            let (run, tick) = self.order.pop_front()?;
            if self.runs.get(&run).is_some_and(|slot| slot.tick == tick) {
                self.forget(run);
                return Some(run);
            }
        }
        None
    }
}
