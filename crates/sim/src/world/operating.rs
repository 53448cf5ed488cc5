//! What operators ask for beyond holding single runs back: retry, fork, forget, and all of that of many runs at once.

use super::World;
use super::asking::run_id;
use crate::dice::mix;
use crate::plan::Step;
use crate::program::WORKFLOWS;
use trunkline_core::ids::{CommandId, Nonce, RunId, ShardId, destination_shard};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{Action, Bulk, OnConflict, Op, RunFilter, Start, Work};
use trunkline_core::run::RunStatus;

impl World {
    /// Asks for what an operator wants; false if that is not what the step is about.
    pub(super) fn operate(&mut self, client: u8, step: Step) -> bool {
        match step {
            Step::Retry { run, at } => {
                let run = self.failed_run(run).unwrap_or_else(|| run_id(run));
                let at = at.checked_sub(1).map(|at| CommandId(u32::from(at)));
                self.ask(client, Op::RetryRun { run, at }, false);
            }
            Step::Purge { run } => {
                let run = run_id(run);
                self.ask(client, Op::Purge { run }, false);
            }
            Step::Fork { run, at, new } => self.fork(client, &run_id(run), at, new),
            Step::Bulk {
                id,
                action,
                which,
                rate,
            } => {
                self.begin_bulk(client, &bulk(id, action, which, rate));
            }
            Step::StopBulk { id } => self.stop_bulk(client, &bulk_id(id)),
            _ => return false,
        }
        true
    }

    /// Begins a bulk operation, as the engine does: it asks all shards, or the one of the destination if there is only one.
    pub(super) fn begin_bulk(&mut self, client: u8, bulk: &Bulk) {
        let shards = self.setup.shards;
        let only = match &bulk.work {
            Work::Jobs(work) => work.filter.destination.as_ref(),
            Work::Runs { .. } => None,
        };
        let only = only.map(|name| destination_shard(name, shards));
        for shard in (0..shards).map(ShardId) {
            if only.is_none_or(|only| only == shard) {
                let start = Op::BulkStart {
                    expected: self.model.count_fitting(shard, bulk),
                    bulk: Box::new(bulk.clone()),
                };
                self.ask_at(client, shard, start, false);
            }
        }
    }

    /// Stops a bulk operation in all shards.
    pub(super) fn stop_bulk(&mut self, client: u8, id: &Name) {
        for shard in (0..self.setup.shards).map(ShardId) {
            let id = id.clone();
            self.ask_at(client, shard, Op::BulkCancel { id }, false);
        }
    }

    /// The run with this place among those that have failed.
    fn failed_run(&self, place: u8) -> Option<RunId> {
        let runs = self.model.runs().into_iter();
        let failed: Vec<RunId> = runs
            .filter(|(_, run)| run.status == RunStatus::Failed)
            .map(|(_, run)| run.id)
            .collect();
        failed
            .get(usize::from(place) % failed.len().max(1))
            .cloned()
    }

    /// The engine reads the history from one shard, as far as it is durable, and brings it to another.
    fn fork(&mut self, client: u8, source: &RunId, at: u8, new: u8) {
        let Some((run, chunks)) = self.model.durable_history(source) else {
            return;
        };
        let start = Start {
            run: RunId::new(source.workflow.clone(), format!("fork-{new}")),
            version: Some(run.version),
            input: Payload::null(),
            tags: run.tags,
            nonce: Nonce(0),
            on_conflict: OnConflict::Reject,
            wait: false,
            timeout_ms: None,
            start_at: None,
        };
        let op = Op::StartForked {
            start: Box::new(start),
            source: source.clone(),
            at: CommandId(u32::from(at)),
            chunks,
        };
        self.ask(client, op, false);
    }
}

fn bulk_id(id: u8) -> Name {
    Name::from(format!("bulk-{id}"))
}

/// The bulk operation with these numbers.
fn bulk(id: u8, action: u8, which: u8, rate: u8) -> Bulk {
    let reason = Name::from(format!("all of bulk {id}"));
    let mut filter = RunFilter::default();
    match which {
        0 => {}
        1 | 2 => filter.workflow = Some(Name::from(WORKFLOWS[usize::from(which - 1)])),
        3 => filter.id_prefix = Some(Name::from("1")),
        4 => filter.id_prefix = Some(Name::from("fork-")),
        other => filter.tag = Some(Name::from(format!("group:{}", other % 3))),
    }
    let parts = [id, action, which, rate].map(u64::from);
    let action = match action {
        0 => Action::Cancel { reason },
        1 => Action::Terminate { reason },
        2 => Action::Pause,
        3 => Action::Resume,
        4 => Action::Retry,
        5 => Action::Purge,
        _ => Action::Signal {
            channel: Name::from("news"),
            payload: Payload::from(&b"9"[..]),
            nonce: Nonce(1 << 64 | u128::from(mix(&parts))),
        },
    };
    Bulk {
        id: bulk_id(id),
        work: Work::Runs { filter, action },
        per_second: (rate > 0).then(|| u32::from(rate)),
    }
}
