//! Order: what was there first, by the batches that brought it. Times do not say it once the clock was set back.

use super::{Model, Seen};
use std::collections::BTreeMap;
use trunkline_core::entry::{Command, Entry};
use trunkline_core::ids::{CommandId, RunKey, ShardId};
use trunkline_core::payload::Name;
use trunkline_core::run::Run;
use trunkline_core::time::Timestamp;

/// Which batch brought what.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The number of the newest batch.
    batch: u64,
    /// Each run, as it was started then.
    runs: BTreeMap<RunKey, (Timestamp, u64)>,
    /// Signals by tag.
    tagged: BTreeMap<(RunKey, CommandId), u64>,
    /// A shard's part of each bulk operation.
    bulks: BTreeMap<(Name, ShardId), u64>,
}

impl Order {
    /// Another batch comes.
    pub(super) fn next_batch(&mut self) {
        self.batch += 1;
    }

    /// A shard begins a bulk operation.
    pub(super) fn bulk_began(&mut self, bulk: &Name, shard: ShardId) {
        self.bulks.insert((bulk.clone(), shard), self.batch);
    }

    /// A run has changed, and has these entries. Those from `known` on came with this batch.
    pub(super) fn run_changed(&mut self, key: RunKey, run: &Run, entries: &[Entry], known: u32) {
        let came = self.runs.get(&key);
        if came.is_none_or(|(started_at, _)| *started_at != run.started_at) {
            self.runs.insert(key, (run.started_at, self.batch));
        }
        for (index, entry) in entries.iter().enumerate() {
            if let Entry::Command(Command::SignalTagged { command, .. }) = entry {
                let sent = self.tagged.entry((key, *command)).or_insert(self.batch);
                if index >= known as usize {
                    *sent = self.batch;
                }
            }
        }
    }

    /// A run is there again that a crash has brought back: it is new to what comes, and nothing is known of what it has sent.
    fn run_came_back(&mut self, key: RunKey, run: &Run, entries: &[Entry]) {
        self.runs.insert(key, (run.started_at, self.batch));
        for entry in entries {
            if let Entry::Command(Command::SignalTagged { command, .. }) = entry {
                self.tagged.insert((key, *command), 0);
            }
        }
    }

    /// True if the run was there when the signal by tag was sent.
    pub(super) fn was_there_for_signal(&self, run: RunKey, sent: (RunKey, CommandId)) -> bool {
        let came = self.runs.get(&run);
        came.is_some_and(|(_, came)| *came < self.tagged.get(&sent).copied().unwrap_or_default())
    }

    /// True if the run was there when its shard began the bulk operation.
    pub(super) fn was_there_for_bulk(&self, run: RunKey, bulk: &Name, shard: ShardId) -> bool {
        let began = self.bulks.get(&(bulk.clone(), shard));
        let came = self.runs.get(&run);
        came.zip(began)
            .is_some_and(|((_, came), began)| came < began)
    }
}

impl Model {
    /// What was seen of the runs, after a crash: of those that are left, and of those that it has brought back.
    pub(super) fn recover_seen(&mut self) {
        self.order.next_batch();
        let live: BTreeMap<RunKey, Run> = self.runs().into_iter().collect();
        self.seen.retain(|key, _| live.contains_key(key));
        for (key, run) in live {
            let entries = self.history(key);
            self.note_rewindable(key, &run, &entries);
            let seen = self.seen.entry(key).or_default();
            if seen.began_at == run.began_at() {
                seen.entries = run.entries.min(seen.entries);
            } else {
                *seen = Seen::of(&run, &entries);
                self.order.run_came_back(key, &run, &entries);
            }
        }
    }
}
