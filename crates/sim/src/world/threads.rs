//! The threads of the process, one move at a time: shard threads, writers, keepers.

use super::World;
use crate::dice::Dice;
use crate::model::{Checked, Heard, broken};
use std::collections::VecDeque;
use trunkline_core::effect::Effect;
use trunkline_core::ids::ShardId;
use trunkline_core::input::Input;
use trunkline_core::row::Rows;
use trunkline_core::shard::{Violation, check_kinship};
use trunkline_engine::driver::Batch;
use trunkline_journal::{Error, Space};

/// What came of a move.
pub(super) enum Moved {
    /// Something has changed.
    Yes,
    /// There was nothing to do.
    No,
}

impl World {
    /// Threads do what they like, as the setup says how eager they are.
    pub(super) fn stir(&mut self) -> Checked {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let threads = process.parts.len();
        for _ in 0..threads * 2 {
            let thread = self.dice.below(threads as u64) as usize;
            let (step, sync, keep) = if self.healed {
                (100, 100, 100)
            } else {
                (self.setup.step, self.setup.sync, self.setup.keep)
            };
            if self.dice.percent(step) {
                let most = self.dice.between(1, 40) as usize;
                self.work(thread, most)?;
            }
            if self.dice.percent(sync) {
                self.sync(thread)?;
            }
            if self.dice.percent(keep) {
                self.keep(thread)?;
            }
        }
        Ok(())
    }

    /// Every shard thread works off its inbox.
    pub(super) fn work_all(&mut self) -> Checked {
        for thread in 0..usize::from(self.setup.threads) {
            self.work(thread, usize::MAX)?;
        }
        Ok(())
    }

    /// All threads do all that they can, without any time passing.
    pub(super) fn settle(&mut self) -> Checked {
        for _ in 0..1_000 {
            let mut quiet = true;
            for thread in 0..usize::from(self.setup.threads) {
                quiet &= matches!(self.work(thread, usize::MAX)?, Moved::No);
                quiet &= matches!(self.sync(thread)?, Moved::No);
                quiet &= matches!(self.keep(thread)?, Moved::No);
            }
            if quiet {
                self.check_shards()?;
                self.model.check_at_rest(self.now)?;
                return self.model.check_left_children();
            }
        }
        broken("LIVE", "the threads do not come to rest")
    }

    /// A shard thread makes a batch of at most `most` inputs.
    pub(super) fn work(&mut self, thread: usize, most: usize) -> Result<Moved, Violation> {
        let now = self.now;
        let Some(process) = &mut self.process else {
            return Ok(Moved::No);
        };
        let part = &mut process.parts[thread];
        let count = most.min(part.inbox.len());
        let inputs: VecDeque<(ShardId, Input)> = part.inbox.drain(..count).collect();
        let due = part.driver.next_deadline().is_some_and(|at| at <= now);
        if inputs.is_empty() && !due && !part.driver.has_ready_work() {
            return Ok(Moved::No);
        }
        self.inputs += inputs.len() as u64;
        for (shard, input) in &inputs {
            self.trace.note(&(now, shard, input));
        }
        let heard = Heard::of(&inputs);
        let idle = inputs.is_empty() && !due;
        part.driver.take(now, inputs.into_iter());
        if part.driver.has_ready_work() {
            let driver = &mut part.driver;
            process
                .workers
                .dispatch(|offers| driver.dispatch(now, offers));
        }
        let part = &mut process.parts[thread];
        let batch = match part.driver.seal(now) {
            Ok(batch) => batch,
            Err(error) => return self.fails(&error).map(|()| Moved::Yes),
        };
        self.batches += 1;
        self.trace.note(&("batch", thread, &batch.effects));
        self.model
            .batch(thread, (now, part.driver.position()), heard, &batch)?;
        let empty = batch.is_empty();
        self.take(thread, batch)?;
        Ok(if idle && empty { Moved::No } else { Moved::Yes })
    }

    /// The writer of a thread takes a batch; what has changed is looked at.
    pub(super) fn take(&mut self, thread: usize, batch: Batch) -> Checked {
        for commit in &batch.commits {
            self.trace.bytes(&commit.body);
        }
        let now = self.now;
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let part = &mut process.parts[thread];
        let changed: Vec<ShardId> = batch.commits.iter().map(|commit| commit.shard).collect();
        for (id, shard) in part.driver.shards() {
            if changed.contains(&id) {
                shard.check(part.driver.state())?;
                self.model.check_counters(id, shard)?;
            }
        }
        if let Err(error) = part.write(now, batch) {
            return self.fails(&error);
        }
        // A writer that is asked too early lets nothing go.
        self.release(thread)
    }

    /// The writer of a thread syncs, and lets go what is durable.
    pub(super) fn sync(&mut self, thread: usize) -> Result<Moved, Violation> {
        let Some(process) = &mut self.process else {
            return Ok(Moved::No);
        };
        let part = &mut process.parts[thread];
        let before = (part.scribe.durable(), part.held.len());
        match part.sync() {
            Ok(true) => {
                let durable = part.scribe.durable();
                self.model.synced(thread, durable);
                self.release(thread)?;
                Ok(if before == (durable, 0) {
                    Moved::No
                } else {
                    Moved::Yes
                })
            }
            Ok(false) => {
                let durable = part.scribe.durable();
                self.model.synced(thread, durable);
                Ok(Moved::No)
            }
            Err(error) => self.fails(&error).map(|()| Moved::Yes),
        }
    }

    fn release(&mut self, thread: usize) -> Checked {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let released = process.parts[thread].release();
        let mut told = std::collections::BTreeMap::<_, Vec<_>>::new();
        for (batch, shard, effects) in released {
            for effect in effects {
                self.trace.note(&effect);
                self.model
                    .released(thread, shard, (batch.now, batch.last), &effect)?;
                match effect {
                    Effect::Tell { peer, message } => told.entry(peer).or_default().push(message),
                    other => self.send_out(shard, other),
                }
            }
        }
        if let Some(process) = &mut self.process {
            process.parts[thread].held.retain(|held| held.groups > 0);
        }
        for (peer, messages) in told {
            self.tell(peer, messages)?;
        }
        Ok(())
    }

    /// The keeper of a thread does its chores.
    pub(super) fn keep(&mut self, thread: usize) -> Result<Moved, Violation> {
        let checkpoint_bytes = usize::from(self.setup.checkpoint_kib) << 10;
        let Some(process) = &mut self.process else {
            return Ok(Moved::No);
        };
        let part = &mut process.parts[thread];
        if part.driver.state().table_bytes() >= checkpoint_bytes && !part.driver.state().is_frozen()
        {
            part.frozen = part.driver.freeze();
        }
        match part.keep() {
            Ok((written, space)) => {
                let low = space == Space::Low;
                let was_low = std::mem::replace(&mut part.starved, low);
                let marks = &mut self.model.marks;
                marks.set_if(low, "a keeper met a full disk");
                marks.set_if(was_low && !low, "a full disk healed");
                self.model
                    .marks
                    .set_if(written.is_some(), "a checkpoint was written");
                Ok(if written.is_some() {
                    Moved::Yes
                } else {
                    Moved::No
                })
            }
            Err(error) => self.fails(&error).map(|()| Moved::Yes),
        }
    }

    /// A checkpoint is due, however little there is to write.
    pub(super) fn freeze(&mut self, thread: u8) -> Checked {
        let thread = usize::from(thread) % usize::from(self.setup.threads);
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let part = &mut process.parts[thread];
        if !part.driver.state().is_frozen() {
            part.frozen = part.driver.freeze();
        }
        Ok(())
    }

    /// Every invariant of every shard, and every row.
    pub(super) fn check_shards(&mut self) -> Checked {
        let Some(process) = &self.process else {
            return Ok(());
        };
        for part in &process.parts {
            for (id, shard) in part.driver.shards() {
                shard.check(part.driver.state())?;
                self.model.check_counters(id, shard)?;
            }
            self.model.compare(&part.driver)?;
        }
        let states: Vec<&dyn Rows> = (0..self.setup.shards)
            .map(|shard| {
                let owner = process.owner(ShardId(shard));
                process.parts[owner].driver.state() as &dyn Rows
            })
            .collect();
        check_kinship(&states)
    }

    /// Storage has failed: nothing leaves any more, the process exits, and somebody starts it again.
    pub(super) fn fails(&mut self, error: &Error) -> Checked {
        if !self.faulted && !self.disk_is_tight() {
            return broken("NO-ERROR", format!("without a fault: {error}"));
        }
        self.trace.note(&error.to_string());
        self.model
            .marks
            .set("a write or sync failed, and the process stopped");
        let mut dice = Dice::new(self.setup.seed, self.crashes);
        self.restart_after_failure(&mut dice)
    }
}
