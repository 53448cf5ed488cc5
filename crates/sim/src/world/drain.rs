//! The end of a world: faults stop, time passes, and all work has to end.

use super::World;
use super::asking::signal;
use crate::clients::destination;
use crate::model::{Checked, Reading, broken};
use crate::plan::WORKERS;
use crate::program::DESTINATIONS;
use std::collections::BTreeSet;
use trunkline_core::ids::{CommandId, JobId, RunKey, ShardId};
use trunkline_core::peer::Op;
use trunkline_core::row::{Keys, Kind};
use trunkline_core::run::{Run, RunStatus};
use trunkline_journal::CrashPolicy;

/// How often everybody may try, with a second of time each: four times what the slowest thing takes.
const ROUNDS_MAX: u16 = 300;
/// Nonces of the signals that bring runs to their end.
const LAST_NONCES: u16 = 40_000;

impl World {
    /// Faults stop. Everybody is there again, and nobody holds anything back.
    pub(super) fn heal(&mut self) -> Checked {
        self.disk.set_capacity(None);
        self.stalled_ms = 0;
        if self.faulted {
            self.kill()?;
        }
        self.healed = true;
        for worker in 0..WORKERS {
            self.worker_goes(worker);
            self.worker_comes(worker);
        }
        for name in DESTINATIONS {
            let destination = destination(name, 50, 4, 4, 5, false);
            self.ask(
                0,
                Op::PutDestination {
                    destination: Box::new(destination),
                },
                false,
            );
        }
        self.end_schedules();
        self.settle()
    }

    /// Time passes until all work has ended.
    pub(super) fn drain(&mut self) -> Checked {
        for round in 0..ROUNDS_MAX {
            self.settle()?;
            if self.is_done() {
                return Ok(());
            }
            self.help(round)?;
            self.pass(1_000)?;
        }
        let runs: Vec<_> = self
            .model
            .runs()
            .into_iter()
            .filter(|(_, run)| !run.status.is_final())
            .collect();
        let jobs: Vec<_> = self
            .model
            .jobs()
            .into_iter()
            .filter(|job| job.state.is_waiting())
            .collect();
        let open = self.clients.unanswered();
        broken(
            "LIVE",
            format!("work that does not end: runs {runs:#?}, jobs {jobs:#?}, requests {open:#?}"),
        )
    }

    /// Gives the runs what only others can give them.
    fn help(&mut self, round: u16) -> Checked {
        self.let_go(round);
        for (key, run) in self.model.runs() {
            if run.status == RunStatus::Paused {
                self.ask(0, Op::Resume { run: run.id }, false);
            } else if run.status == RunStatus::Running && self.waits_for_signal(key, &run)? {
                let nonce = LAST_NONCES + round;
                self.ask(0, signal(run.id, nonce), false);
            }
        }
        Ok(())
    }

    fn waits_for_signal(
        &self,
        key: RunKey,
        run: &Run,
    ) -> Result<bool, trunkline_core::shard::Violation> {
        let reading = Reading::of(run, &self.model.history(key), &self.model.book)?;
        Ok(reading.machine.wants_signal())
    }

    fn is_done(&self) -> bool {
        let messages = (0..self.setup.shards).any(|shard| {
            let (from, to) = Keys::new(ShardId(shard)).all(Kind::Outbox);
            let mut rows = self.model.live.range(from..to);
            rows.any(|(key, _)| key[6..] != [0; 8])
        });
        !messages
            && !self.model.has_permits_out()
            && self.model.bulks_under_way().is_empty()
            && self
                .model
                .runs()
                .iter()
                .all(|(_, run)| run.status.is_final())
            && self.model.jobs().iter().all(|job| !job.state.is_waiting())
            && self.clients.unanswered().is_empty()
    }

    /// Everything that was said is so, also after one more power failure.
    pub(super) fn finish(&mut self) -> Checked {
        self.check_shards()?;
        self.check_shipped()?;
        self.check_copy(CrashPolicy::DropAll, 0)?;
        self.power_fails(CrashPolicy::DropAll, 0, 0, 0)?;
        self.settle()?;
        self.listen_to_the_end()?;
        self.clients
            .check(&self.model, u64::from(self.setup.retention_ms), self.now)
    }

    /// The listener reads what it has not heard yet, and then knows everything.
    fn listen_to_the_end(&mut self) -> Checked {
        for shard in (0..self.setup.shards).map(ShardId) {
            loop {
                let before = self.model.listener.place(shard);
                let op = Op::ReadEvents(self.model.listener.request(shard));
                self.ask(0, op, false);
                self.settle()?;
                if self.model.listener.place(shard) == before {
                    break;
                }
            }
        }
        self.model.listener.check(&self.model)
    }

    /// Every job that a run has asked for has arrived, once, and every job of a run was asked for.
    fn check_shipped(&self) -> Checked {
        let jobs = self.model.jobs();
        let known: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
        let mut asked = BTreeSet::new();
        for (key, run) in self.model.runs() {
            let reading = Reading::of(&run, &self.model.history(key), &self.model.book)?;
            // A fork that was retried from before its fork does not say any more where its source's history ends.
            let is_of_source = |command: CommandId| {
                reading.own_from.is_none() && self.model.book.has_source_shipped(&run.id, command)
            };
            for (command, destination, _) in &reading.jobs {
                let id = JobId::of_command(key, run.began_at().0, *command);
                asked.insert(id);
                let is_missing = !known.contains(&id) && !is_of_source(*command);
                if is_missing && self.setup.retention_ms > 3_600_000 {
                    let detail = format!("{} shipped {command:?} to {destination}", run.id);
                    return broken("MAIL-ONCE", detail);
                }
            }
        }
        let stray = jobs
            .iter()
            // What was corrected is another job than the run has asked for.
            .filter(|job| job.replay_of.is_none() && !asked.contains(&job.id))
            .find(|job| {
                let source = job.source.as_ref();
                source.is_some_and(|source| !self.model.may_have_asked(job.id, source))
            });
        match stray.filter(|_| self.setup.retention_ms > 3_600_000) {
            Some(job) => broken("MAIL-ONCE", format!("nobody has shipped {job:?}")),
            None => Ok(()),
        }
    }
}
