//! The world: one process, its disk, a clock, and everybody around it, driven by a plan.
//!
//! ```text
//! warm ──▶ chaos ──▶ heal ──▶ drain ──▶ final
//! steps    steps     faults   time      all work has ended, everything that was said is so
//!          and       stop     passes
//!          faults
//! ```
//!
//! Nothing here runs at the same time as anything else: each move of a thread, a worker or a destination is one call, and
//! the plan and its setup say which comes next. So the same plan always makes the same world, which its trace proves.

use crate::clients::{Clients, Request};
use crate::dice::{Dice, chance, mix};
use crate::marks::Marks;
use crate::model::{Checked, Model, Rows};
use crate::plan::{CLIENTS, Plan, Setup, Step};
use crate::process::Process;
use crate::trace::Trace;
use std::collections::BTreeMap;
use trunkline_core::ids::{JobId, PeerId, ShardId};
use trunkline_core::input::Input;
use trunkline_core::peer::{FromPeer, Op};
use trunkline_core::shard::Violation;
use trunkline_core::time::Timestamp;
use trunkline_journal::SimDisk;

mod asking;
mod delegating;
mod drain;
mod faults;
mod operating;
mod scheduling;
mod sending;
mod shipping;
mod steering;
mod talking;
mod threads;
mod working;

use working::Worker;

/// What a world came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The digest of everything that happened, in order.
    pub trace: u128,
    /// All of it in words, if that was wanted.
    pub lines: Vec<String>,
    /// Inputs that shards took.
    pub inputs: u64,
    /// Batches that were made.
    pub batches: u64,
    /// Power failures and kills.
    pub crashes: u64,
    /// Recoveries, those of copies included.
    pub recoveries: u64,
    /// Requests answered, and refused.
    pub requests: (u64, u64),
    /// What was seen.
    pub marks: Marks,
    /// The broken invariant, if one was.
    pub violation: Option<Violation>,
}

/// One process, its disk, a clock, and everybody around it.
#[derive(Debug)]
pub struct World {
    setup: Setup,
    now: Timestamp,
    /// Real time for which the clock stands still.
    stalled_ms: u64,
    disk: SimDisk,
    /// Nothing while the process is down.
    process: Option<Process>,
    /// Counts the lives of the process: what a call of an earlier life brings back goes nowhere.
    life: u64,
    events: BTreeMap<(Timestamp, u64), Event>,
    event_count: u64,
    dice: Dice,
    workers: BTreeMap<u8, Worker>,
    /// The connections of the clients.
    clients_at: BTreeMap<u8, PeerId>,
    clients: Clients,
    /// Each attempt of a job: how often it was made, in which life last, and how often it did not count.
    calls: BTreeMap<(JobId, u64, u32), Calls>,
    model: Model,
    trace: Trace,
    /// True once faults have stopped.
    healed: bool,
    faulted: bool,
    inputs: u64,
    batches: u64,
    crashes: u64,
    recoveries: u64,
}

/// The calls of one attempt of a job.
#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    made: u32,
    life: u64,
    /// Answers after which it does not count as one.
    uncounted: u64,
}

/// Something that will happen outside.
#[derive(Clone, Debug)]
enum Event {
    /// A worker says something through the connection that it had when it began to.
    Say {
        worker: u8,
        peer: PeerId,
        report: FromPeer,
    },
    /// Somebody asks for something.
    Ask { op: Op },
    /// A delivery of this life of the process has ended.
    Delivered {
        life: u64,
        shard: ShardId,
        input: Input,
    },
}

/// When every world begins.
const DAWN: Timestamp = Timestamp(1_000_000_000);

impl World {
    /// Runs a plan to its end, or to the first broken invariant. What the engine itself asserts counts as one, too.
    #[must_use]
    pub fn run(plan: &Plan) -> Report {
        Self::new(plan.setup.clone()).run_to_end(plan)
    }

    /// The same, with everything that happened, in words, in the report.
    #[must_use]
    pub fn run_and_tell(plan: &Plan) -> Report {
        let mut world = Self::new(plan.setup.clone());
        world.trace.keep_lines();
        world.run_to_end(plan)
    }

    /// The rows that a plan leaves.
    #[must_use]
    pub fn rows_after(plan: &Plan) -> Rows {
        let mut world = Self::new(plan.setup.clone());
        // What is broken is not the question here.
        let _ = world.live(plan);
        world.model.live
    }

    fn run_to_end(mut self, plan: &Plan) -> Report {
        let world = &mut self;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.live(plan)));
        let violation = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(violation)) => Some(violation),
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Some(Violation {
                    invariant: "NO-PANIC",
                    detail: text.unwrap_or_default(),
                })
            }
        };
        Report {
            trace: world.trace.digest(),
            lines: world.trace.lines().to_vec(),
            inputs: world.inputs,
            batches: world.batches,
            crashes: world.crashes,
            recoveries: world.recoveries,
            requests: world.clients.counts,
            marks: world.model.marks.clone(),
            violation,
        }
    }

    fn new(setup: Setup) -> Self {
        let model = Model::new(setup.shards, setup.threads, u64::from(setup.retention_ms));
        Self {
            now: DAWN,
            stalled_ms: 0,
            disk: SimDisk::new(),
            process: None,
            life: 0,
            events: BTreeMap::new(),
            event_count: 0,
            dice: Dice::new(setup.seed, 0x776f_726c),
            workers: BTreeMap::new(),
            clients_at: BTreeMap::new(),
            clients: Clients::default(),
            calls: BTreeMap::new(),
            model,
            trace: Trace::default(),
            healed: false,
            faulted: false,
            inputs: 0,
            batches: 0,
            crashes: 0,
            recoveries: 0,
            setup,
        }
    }

    fn live(&mut self, plan: &Plan) -> Checked {
        self.open()?;
        for step in plan.warm.iter().chain(&plan.chaos) {
            self.trace.note(&(self.now, step));
            self.step(*step)?;
            self.stir()?;
        }
        self.heal()?;
        self.drain()?;
        self.finish()
    }

    fn step(&mut self, step: Step) -> Checked {
        if matches!(
            step,
            Step::Purge { .. } | Step::Bulk { .. } | Step::BulkJobs { .. }
        ) {
            // A run is told from its namesakes by the millisecond in which it was started.
            self.now = self.now.plus_ms(1);
        }
        match step {
            Step::WorkerComes { worker } => self.worker_comes(worker),
            Step::WorkerGoes { worker } => self.worker_goes(worker),
            Step::ClientGoes { client } => self.client_goes(client),
            Step::Pass { ms } => self.pass(u64::from(ms))?,
            Step::Jump { ms } => {
                self.model.marks.set("the clock jumped");
                self.now = self.now.plus_ms(u64::from(ms));
            }
            Step::Stall { ms } => self.stalled_ms += u64::from(ms),
            Step::Settle => self.settle()?,
            Step::Checkpoint { thread } => self.freeze(thread)?,
            Step::Crash {
                policy,
                seed,
                during_recovery,
                clock_back_ms,
            } => self.power_fails(policy, seed, during_recovery, clock_back_ms)?,
            Step::Kill => self.kill()?,
            Step::DiskFault { after, fault } => self.disk_fault(after, fault),
            Step::DiskFull { kib } => {
                let bytes = self.disk.used_bytes() + (u64::from(kib) << 10);
                self.disk.set_capacity(Some(bytes));
            }
            Step::DiskSpace => self.disk.set_capacity(None),
            Step::Clone { policy, seed } => self.check_copy(policy, u64::from(seed))?,
            Step::Flip { seed } => self.check_flip(u64::from(seed))?,
            _ => self.ask_step(step),
        }
        Ok(())
    }

    /// A client asks; the request is on its way to its shard.
    fn ask(&mut self, client: u8, op: Op, again: bool) {
        if let Some(shard) = asking::shard_of(&op, self.setup.shards) {
            self.ask_at(client, shard, op, again);
        }
    }

    /// A client asks a shard.
    fn ask_at(&mut self, client: u8, shard: ShardId, op: Op, again: bool) {
        let Some(process) = &mut self.process else {
            return;
        };
        let peer = *self
            .clients_at
            .entry(client)
            .or_insert_with(|| process.connect());
        let request = Request {
            client,
            shard,
            op: op.clone(),
            again,
        };
        asking::write_down(&op, &mut self.model.book);
        let request = self.clients.ask(peer, request);
        process.submit(shard, Input::Request { peer, request, op });
    }

    fn client_goes(&mut self, client: u8) {
        let Some(peer) = self.clients_at.remove(&(client % CLIENTS)) else {
            return;
        };
        self.clients.gone(peer);
        if let Some(process) = &mut self.process {
            process.disconnect(peer, self.setup.shards);
        }
    }

    /// Something will happen in `ms` milliseconds.
    fn expect(&mut self, ms: u64, event: Event) {
        self.event_count += 1;
        let at = self.now.plus_ms(ms);
        // Ties are broken by the seed, so that nobody always comes first.
        let tie = mix(&[self.setup.seed, self.event_count]) >> 24 << 20 | self.event_count;
        self.events.insert((at, tie), event);
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Say {
                worker,
                peer,
                report,
            } => self.said(worker, peer, report),
            Event::Ask { op } => {
                self.ask(0, op, false);
                Ok(())
            }
            Event::Delivered { life, shard, input } => {
                if let Some(process) = self.process.as_mut().filter(|_| life == self.life) {
                    process.submit(shard, input);
                }
                Ok(())
            }
        }
    }

    /// Time passes, with everything that happens in it.
    fn pass(&mut self, ms: u64) -> Checked {
        let still = self.stalled_ms.min(ms);
        self.stalled_ms -= still;
        let end = self.now.plus_ms(ms - still);
        loop {
            let deadline = self.deadline();
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = [deadline, event].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            let mut moved = false;
            while let Some(((at, tie), event)) = self.events.pop_first() {
                if at > self.now {
                    self.events.insert((at, tie), event);
                    break;
                }
                self.happen(event)?;
                moved = true;
            }
            self.stir()?;
            if !moved && deadline.is_some_and(|deadline| deadline <= self.now) {
                // A deadline that no thread has cared about yet must not hold the time back.
                self.work_all()?;
                let after = self.deadline();
                if after.is_some_and(|after| after <= self.now) && after == deadline {
                    self.now = self.now.plus_ms(1);
                }
            }
        }
        self.now = self.now.max(end);
        Ok(())
    }

    fn deadline(&self) -> Option<Timestamp> {
        let parts = self.process.iter().flat_map(|process| &process.parts);
        parts.filter_map(|part| part.driver.next_deadline()).min()
    }

    /// True in `percent` of the cases with this name; never once the world has healed.
    fn fate(&self, percent: u8, name: &[u64]) -> bool {
        !self.healed && chance(percent, &[&[self.setup.seed], name].concat())
    }
}
