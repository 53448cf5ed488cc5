//! Faults of the machine: power failures, killed processes, disks that fail; and recovery, in the world and in copies of it.

use super::World;
use crate::dice::{Dice, chance};
use crate::model::{Checked, Heard, Rows, apply_batch, broken, compare_rows};
use crate::process::{Opened, Process, after_power_failure};
use trunkline_core::shard::Violation;
use trunkline_core::time::Timestamp;
use trunkline_journal::{CrashPolicy, ErrorKind, Fault, Position, SimDisk};

impl World {
    /// The process is started for the first time, or again.
    pub(super) fn open(&mut self) -> Checked {
        let (process, opened) = match Process::open(&self.disk, &self.setup, self.now) {
            Ok(opened) => opened,
            Err(error) => return broken("OPEN", format!("the process does not start: {error}")),
        };
        self.process = Some(process);
        self.life += 1;
        self.faulted = false;
        let positions: Vec<Position> = opened.iter().map(|opened| opened.recovered).collect();
        self.trace.note(&positions);
        self.model.recovered(&positions)?;
        for opened in &opened {
            let marks = &mut self.model.marks;
            marks.set_if(opened.cut, "an incomplete tail was cut");
            let checkpointed = opened.replayed < opened.recovered.0;
            marks.set_if(checkpointed, "recovery began from a checkpoint");
        }
        for (thread, Opened { first, .. }) in opened.into_iter().enumerate() {
            let Some(process) = &self.process else {
                return Ok(());
            };
            let driver = &process.parts[thread].driver;
            self.model.batch(
                thread,
                (self.now, driver.position()),
                Heard::default(),
                &first,
            )?;
            self.model.compare(driver)?;
            let resent = first.effects.iter().flat_map(|(_, effects)| effects);
            let resent = resent
                .filter(|effect| matches!(effect, trunkline_core::effect::Effect::Send { .. }));
            let resent = resent.count() > 0;
            self.model
                .marks
                .set_if(resent, "a message was sent again after a power failure");
            self.take(thread, first)?;
        }
        self.clients
            .check(&self.model, u64::from(self.setup.retention_ms), self.now)
    }

    /// The machine loses power, and is started again.
    pub(super) fn power_fails(
        &mut self,
        policy: CrashPolicy,
        seed: u16,
        during_recovery: u8,
        clock_back_ms: u16,
    ) -> Checked {
        self.down();
        self.disk = after_power_failure(&self.disk, policy, u64::from(seed));
        let before = self.now;
        self.now =
            Timestamp(self.now.0 - u64::from(clock_back_ms)).plus_ms(u64::from(seed % 4) * 400);
        self.model.clock_set_back(u64::from(clock_back_ms));
        self.model.marks.set_if(
            self.now < before,
            "the clock was set back between two lives",
        );
        if during_recovery > 0 {
            self.fail_in_recovery(policy, u64::from(seed), u64::from(during_recovery))?;
        }
        self.up()
    }

    /// Recovery is interrupted by another power failure, once.
    fn fail_in_recovery(&mut self, policy: CrashPolicy, seed: u64, operations: u64) -> Checked {
        self.disk.stop_at(self.disk.operations() + operations);
        let opened = Process::open(&self.disk, &self.setup, self.now);
        let first = opened.ok().map(|(_, opened)| opened);
        let stopped = first.is_none();
        self.model
            .marks
            .set_if(stopped, "a power failure during recovery");
        self.disk = after_power_failure(&self.disk, policy, seed + 1);
        let Some(first) = first else {
            return Ok(());
        };
        // It was over before the power failed, so it must find the same again.
        let again = self.disk.crash(CrashPolicy::DropAll, 0);
        match Process::open(&again, &self.setup, self.now) {
            Ok((_, second)) => {
                let positions = |opened: &[Opened]| -> Vec<Position> {
                    opened.iter().map(|opened| opened.recovered).collect()
                };
                if positions(&first) == positions(&second) {
                    return Ok(());
                }
                broken("LOG-STABLE", format!("{first:?} became {second:?}"))
            }
            Err(error) => broken("OPEN", format!("the process does not start again: {error}")),
        }
    }

    /// The process is killed, and started again. The machine goes on.
    pub(super) fn kill(&mut self) -> Checked {
        self.model.marks.set("a killed process");
        self.down();
        self.disk = self.disk.restart();
        self.up()
    }

    /// The process has stopped because storage has failed: the machine is started again, or only the process.
    pub(super) fn restart_after_failure(&mut self, dice: &mut Dice) -> Checked {
        self.down();
        self.disk = if dice.percent(50) {
            self.disk.restart()
        } else {
            let policy = *dice.pick(&CrashPolicy::ALL);
            after_power_failure(&self.disk, policy, dice.roll())
        };
        self.up()
    }

    /// Everything that is only in memory is gone.
    fn down(&mut self) {
        self.crashes += 1;
        let marks = &mut self.model.marks;
        if let Some(process) = self.process.take() {
            let behind = process
                .parts
                .iter()
                .any(|part| part.driver.position() > part.scribe.durable());
            marks.set_if(behind, "a power failure with commits that were not durable");
            let frozen = process.parts.iter().any(|part| part.frozen.is_some());
            marks.set_if(frozen, "a checkpoint was under way in a power failure");
        }
    }

    /// The process is started again; who was connected connects again, perhaps.
    fn up(&mut self) -> Checked {
        let requests = self.clients.lost();
        self.clients_at.clear();
        let connected: Vec<u8> = self
            .workers
            .iter_mut()
            .filter_map(|(number, worker)| worker.peer.take().map(|_| *number))
            .collect();
        self.recoveries += 1;
        self.model.note_outage(self.now);
        self.open()?;
        for number in connected {
            if self.healed || chance(70, &[self.setup.seed, self.life, u64::from(number)]) {
                self.worker_comes(number);
            }
        }
        for (place, request) in requests.into_iter().enumerate() {
            self.model
                .marks
                .set("a client did not learn what became of its request");
            if chance(
                self.setup.again,
                &[self.setup.seed, self.life, place as u64, 1],
            ) {
                self.ask_at(request.client, request.shard, request.op, true);
            }
        }
        Ok(())
    }

    pub(super) fn disk_fault(&mut self, after: u8, fault: u8) {
        let fault = match fault % 4 {
            0 => Fault::Fail,
            1 => Fault::LoseSync,
            2 => Fault::Short,
            _ => Fault::FailHalfway,
        };
        self.faulted = true;
        self.disk
            .fault_at(self.disk.operations() + u64::from(after), fault);
        self.model.marks.set_if(
            fault == Fault::LoseSync,
            "a sync failed and lost what it should have written",
        );
    }

    /// True if the disk may be full.
    pub(super) fn disk_is_tight(&self) -> bool {
        use trunkline_journal::Disk;
        self.disk.free_bytes().is_ok_and(|free| free < 8 << 20)
    }

    /// A copy of the world loses power now. It must recover to what was durable, twice the same.
    pub(super) fn check_copy(&mut self, policy: CrashPolicy, seed: u64) -> Checked {
        if self.process.is_none() {
            return Ok(());
        }
        let copy = after_power_failure(&self.disk, policy, seed);
        let found = self.recover_copy(&copy)?;
        let again = self.recover_copy(&copy.crash(CrashPolicy::DropAll, 0))?;
        if found != again {
            return broken(
                "LOG-STABLE",
                format!("recovery after {policy:?} changes what it finds"),
            );
        }
        self.model.marks.set("a copy recovered to the same rows");
        Ok(())
    }

    /// Opens a copy of the disk, and looks at everything in it. Returns how far its journals reach, before it was opened.
    fn recover_copy(&mut self, copy: &SimDisk) -> Result<Vec<(Position, u128)>, Violation> {
        self.recoveries += 1;
        let (process, opened) = match Process::open(copy, &self.setup, self.now) {
            Ok(opened) => opened,
            Err(error) => return broken("OPEN", format!("a copy does not open: {error}")),
        };
        let positions: Vec<Position> = opened.iter().map(|opened| opened.recovered).collect();
        let epochs = |rows: &mut Rows| {
            for opened in &opened {
                apply_batch(rows, &opened.first);
            }
        };
        // A copy that was opened before has the batch of that in its journal, which the model does not know.
        let rows = self.model.rows_at(&positions).map(|mut rows| {
            epochs(&mut rows);
            rows
        });
        let mut found = Vec::new();
        for (part, opened) in process.parts.iter().zip(&opened) {
            let mut digest = 0;
            for (id, shard) in part.driver.shards() {
                shard.check(part.driver.state())?;
                if let Ok(rows) = &rows {
                    compare_rows(id, part.driver.state(), rows)?;
                }
                digest ^= shard.digest(part.driver.state());
            }
            found.push((opened.recovered, digest));
        }
        rows?;
        self.check_digests(&process, &opened)?;
        Ok(found)
    }

    /// Where nothing is under way, a recovered shard is the shard that it was.
    fn check_digests(&self, copy: &Process, opened: &[Opened]) -> Checked {
        let Some(process) = &self.process else {
            return Ok(());
        };
        for ((live, copy), opened) in process.parts.iter().zip(&copy.parts).zip(opened) {
            // Opening may send what is ready; then there is more than there was.
            let changed = opened.first.commits.iter().any(|commit| {
                trunkline_core::output::changes_in(&commit.body).is_none_or(|changes| {
                    changes
                        .iter()
                        .any(|change| !commit.body[change.key.clone()].starts_with(b"sh"))
                })
            });
            if changed || opened.recovered != live.driver.position() {
                continue;
            }
            for ((id, before), (_, after)) in live.driver.shards().zip(copy.driver.shards()) {
                if before.digest(live.driver.state()) != after.digest(copy.driver.state()) {
                    return broken("DIGEST", format!("{id:?} is not what it was"));
                }
            }
        }
        Ok(())
    }

    /// In a copy of the disk at rest a bit of a journal flips. That is refused, or does not matter, or it hit what no later
    /// write has vouched for, and then no more than that is lost.
    pub(super) fn check_flip(&mut self, seed: u64) -> Checked {
        let copy = self.disk.restart();
        let mut dice = Dice::new(seed, 0x666c_6970);
        let contents = copy.contents();
        let segments: Vec<_> = contents
            .iter()
            .filter(|(name, _)| name.ends_with(".seg"))
            .collect();
        if segments.is_empty() || self.process.is_none() {
            return Ok(());
        }
        let (name, bytes) = *dice.pick(&segments);
        let start = dice.below(bytes.len() as u64) as usize;
        let written = |place: &usize| bytes[*place] != 0;
        let Some(place) = (start..bytes.len()).chain(0..start).find(written) else {
            return Ok(());
        };
        copy.flip_bit(name, place, dice.below(8) as u8);
        self.recoveries += 1;
        match Process::open(&copy, &self.setup, self.now) {
            Ok((_, opened)) => {
                let positions: Vec<Position> =
                    opened.iter().map(|opened| opened.recovered).collect();
                self.model.check_vouched(&positions, name, place)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Corrupt | ErrorKind::UnsupportedVersion { .. }
                ) =>
            {
                self.model.marks.set("a flipped bit was refused");
                Ok(())
            }
            Err(error) => broken("LOG-DAMAGE", format!("{name} byte {place}: {error}")),
        }
    }
}
