//! What a run waits for: its rows are there, and something will move it on. And what a run that is gone leaves: nothing.

use super::{Checked, Model, Reading, broken, decode};
use std::collections::{BTreeMap, BTreeSet};
use trunkline_core::ids::{CommandId, RunKey, ShardId};
use trunkline_core::row::{Keys, Kind, command_of_key};
use trunkline_core::run::Run;
use trunkline_core::time::Timestamp;

impl Model {
    /// The tasks, timers and steps that a run waits for are there, and something will move it on.
    pub(super) fn check_open(
        &mut self,
        shard: ShardId,
        key: RunKey,
        run: &Run,
        reading: &Reading,
    ) -> Checked {
        let keys = Keys::new(shard);
        let rows = |kind: Kind| {
            let (from, to) = keys.under(kind, &[&key.0.to_be_bytes()]);
            self.live.range(from..to)
        };
        let tasks: BTreeSet<CommandId> = rows(Kind::Task)
            .map(|(key, _)| command_of_key(key).expect("a task's key"))
            .collect();
        if tasks != reading.tasks || run.open_tasks as usize != tasks.len() {
            let detail = format!(
                "{} waits for tasks {:?}, the rows are {tasks:?}",
                run.id, reading.tasks
            );
            return broken("TASK-KEPT", detail);
        }
        let timers: BTreeMap<CommandId, Timestamp> = rows(Kind::Timer)
            .map(|(key, at)| (command_of_key(key).expect("a timer's key"), decode(at)))
            .collect();
        if timers != reading.timers || run.open_timers as usize != timers.len() {
            let detail = format!(
                "{} waits for timers {:?}, the rows are {timers:?}",
                run.id, reading.timers
            );
            return broken("TIMER-KEPT", detail);
        }
        let steps: BTreeSet<CommandId> = run.open_steps.iter().copied().collect();
        if steps != reading.steps {
            return broken("STEP-KEPT", format!("{}: {steps:?}", run.id));
        }
        self.check_children(shard, key, run, &reading.children)?;
        let waits = run.unconsumed > 0
            || !tasks.is_empty()
            || !timers.is_empty()
            || !steps.is_empty()
            || !reading.children.is_empty()
            || !reading.asks.is_empty();
        if !waits && !reading.machine.wants_signal() {
            return broken(
                "RUN-WAKE",
                format!("{} waits for nothing: {reading:?}", run.id),
            );
        }
        self.marks.set_if(!waits, "a run waited for a signal");
        Ok(())
    }

    /// A run that is gone leaves nothing behind.
    pub(super) fn check_purged(&mut self, shard: ShardId, key: RunKey) -> Checked {
        let keys = Keys::new(shard);
        for kind in [
            Kind::History,
            Kind::Property,
            Kind::Task,
            Kind::Timer,
            Kind::Child,
        ] {
            let (from, to) = keys.under(kind, &[&key.0.to_be_bytes()]);
            if let Some((row, _)) = self.live.range(from..to).next() {
                return broken("RUN-PURGED", format!("{key} leaves {row:02x?}"));
            }
        }
        Ok(())
    }
}
