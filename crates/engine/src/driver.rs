//! The heart of a shard thread, without the thread: inputs in, commits and effects out.
//!
//! A driver owns the shards of one thread and their rows. It has no clock, no threads and no tokio, so the simulator drives
//! it as it is, and the same inputs at the same times give the same batches.
//!
//! Invariants:
//!
//! * Positions: the commits of a driver, in the order in which it gives them out, are the frames of its journal. So the
//!   driver knows the position of each before it is written.
//! * The rows of a batch are in the state when the batch is given out ("early apply"); its effects must wait until its
//!   commits are durable ("late release"). That is up to whoever drives.

pub use crate::memtable::Frozen;
use crate::state::State;
use bytes::Bytes;
use std::sync::Arc;
use trunkline_core::effect::Effect;
use trunkline_core::ids::ShardId;
use trunkline_core::input::Input;
use trunkline_core::output::Output;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{Counters, Kept};
use trunkline_core::row::{Keys, Rows};
use trunkline_core::shard::{Offer, Settings, Shard};
use trunkline_core::time::Timestamp;
use trunkline_journal::{Disk, Error, Journal, Options, Position, Store};

/// The kind of the journal's frames that are commits: the changed rows of one shard.
pub const FRAME_COMMIT: u8 = 1;

/// Which shards a driver owns, and how they are set up.
#[derive(Clone, Debug)]
pub struct Share {
    /// The number of the driver among `threads`.
    pub thread: u16,
    /// How many drivers share the shards: shard `s` belongs to driver `s % threads`.
    pub threads: u16,
    /// What the shards need to know.
    pub settings: Settings,
}

impl Share {
    /// The driver that owns `shard`.
    #[must_use]
    pub fn owner(&self, shard: ShardId) -> usize {
        usize::from(shard.0 % self.threads)
    }
}

/// The rows that one shard changed, as they go into the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// The shard.
    pub shard: ShardId,
    /// The changed rows.
    pub body: Bytes,
}

/// What a driver gives out at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// The commits, in the order in which they go into the journal.
    pub commits: Vec<Commit>,
    /// The effects to release once the commits are durable, by the shard that wants them.
    pub effects: Vec<(ShardId, Vec<Effect>)>,
}

impl Batch {
    /// True if there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.effects.is_empty()
    }
}

/// The shards of one thread, and their rows.
#[derive(Debug)]
pub struct Driver {
    share: Share,
    shards: Vec<Owned>,
    state: State,
    /// The position of the last commit given out.
    position: Position,
    /// Where the next dispatch begins, so that no shard is always last.
    first: usize,
}

#[derive(Debug)]
struct Owned {
    id: ShardId,
    shard: Shard,
    out: Output,
    touched: bool,
    deadline: Option<Timestamp>,
}

impl Driver {
    /// Recovers the rows from `store` and the journal in the folder `dir`, and opens the shards on them. The batch is to be
    /// committed like any other.
    ///
    /// # Errors
    /// What the journal or the store says; nothing has been changed then that another opening would not find.
    pub fn open(
        share: Share,
        store: Arc<dyn Store>,
        disk: Arc<dyn Disk>,
        dir: &str,
        options: Options,
        now: Timestamp,
    ) -> Result<(Self, Journal, Batch), Error> {
        let from = store.position()?;
        let mut state = State::new(store);
        let journal = Journal::open(disk, dir, options, from, &mut |frame| {
            if frame.kind == FRAME_COMMIT {
                state.apply(&Bytes::copy_from_slice(frame.body))?;
            }
            Ok(())
        })?;
        let shards = (share.thread..share.settings.shards)
            .step_by(usize::from(share.threads))
            .map(|id| Owned::open(ShardId(id), &share.settings, now, &state))
            .collect();
        let mut driver = Self {
            share,
            shards,
            state,
            position: journal.last(),
            first: 0,
        };
        let batch = driver.seal(now)?;
        Ok((driver, journal, batch))
    }

    /// Takes all inputs, lets shards whose deadline has come act, gives ready work to the workers in `offers`, and
    /// seals the batch.
    ///
    /// # Errors
    /// If rows could not be read. The driver must not be used any further, and nothing of the batch may leave.
    pub fn step(
        &mut self,
        now: Timestamp,
        inputs: &mut Vec<(ShardId, Input)>,
        offers: &mut [Offer],
    ) -> Result<Batch, Error> {
        self.take(now, inputs.drain(..));
        self.dispatch(now, offers);
        self.seal(now)
    }

    /// The first third of a step: lets shards whose deadline has come act, and takes all inputs.
    pub fn take(&mut self, now: Timestamp, inputs: impl Iterator<Item = (ShardId, Input)>) {
        // A deadline that has come is acted upon before anything else: an input could hide it, because a shard says only
        // what it waits for from now on.
        self.tick(now);
        for (shard, input) in inputs {
            let slot = usize::from(shard.0 / self.share.threads);
            let owned = &mut self.shards[slot];
            debug_assert_eq!(owned.id, shard, "inputs are routed to the owner");
            owned.handle(now, input, &self.state);
        }
    }

    fn tick(&mut self, now: Timestamp) {
        for owned in &mut self.shards {
            if owned.deadline.is_some_and(|deadline| deadline <= now) {
                owned.handle(now, Input::Tick, &self.state);
            }
        }
    }

    /// The second third: gives ready work to the workers in `offers`.
    pub fn dispatch(&mut self, now: Timestamp, offers: &mut [Offer]) {
        let count = self.shards.len();
        self.first = (self.first + 1) % count.max(1);
        for index in 0..count {
            if !offers
                .iter()
                .any(|offer| offer.turns > 0 || offer.tasks > 0)
            {
                return;
            }
            let owned = &mut self.shards[(self.first + index) % count];
            if owned.shard.has_ready_work() {
                owned
                    .shard
                    .dispatch(now, offers, &self.state, &mut owned.out);
                owned.touched = true;
            }
        }
    }

    /// The last third: what changed becomes commits, and part of the state.
    ///
    /// # Errors
    /// As for [`Driver::step`].
    pub fn seal(&mut self, now: Timestamp) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        for owned in &mut self.shards {
            if !owned.touched {
                continue;
            }
            owned.touched = false;
            owned.shard.seal(now, &self.state, &mut owned.out);
            owned.deadline = owned.shard.next_deadline(now);
            if !owned.out.is_unchanged() {
                let body = Bytes::from(owned.out.take_encoded());
                self.state.apply(&body)?;
                self.position = self.position.next();
                batch.commits.push(Commit {
                    shard: owned.id,
                    body,
                });
            }
            if !owned.out.effects.is_empty() {
                let effects = std::mem::take(&mut owned.out.effects);
                batch.effects.push((owned.id, effects));
            }
        }
        self.state.check()?;
        Ok(batch)
    }

    /// True if there is a turn or task that waits for a worker.
    #[must_use]
    pub fn has_ready_work(&self) -> bool {
        self.shards.iter().any(|owned| owned.shard.has_ready_work())
    }

    /// When a step is wanted next, if nothing else happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.shards.iter().filter_map(|owned| owned.deadline).min()
    }

    /// The sum of the shards' counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for owned in &self.shards {
            crate::list::add(&mut sum, &owned.shard.counters());
        }
        sum
    }

    /// The newest registered version of each workflow that the shards know.
    #[must_use]
    pub fn workflows(&self) -> Vec<(Name, u32)> {
        self.shards
            .iter()
            .flat_map(|owned| owned.shard.workflows())
            .collect()
    }

    /// What the engine keeps in shard 0, if this driver owns it: the values, by name.
    #[must_use]
    pub fn kept(&self, kept: Kept) -> Vec<Vec<u8>> {
        let mut values = Vec::new();
        let (from, to) = Keys::new(ShardId(0)).all(kept.kind());
        self.state.scan(&from, &to, &mut |_, value| {
            let value: Payload = minicbor::decode(value).unwrap_or_else(|_| Payload::null());
            values.push(value.to_vec());
            true
        });
        values
    }

    /// The position of the last commit given out.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The rows.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Begins a checkpoint of everything given out so far, see [`State::freeze`]. It may be written once all of that is
    /// durable, and must be [ended](Driver::thaw) then.
    pub fn freeze(&mut self) -> Option<Frozen> {
        self.state.freeze(self.position)
    }

    /// Ends a checkpoint.
    pub fn thaw(&mut self) {
        self.state.thaw();
    }

    /// The shards, for checkers.
    pub fn shards(&self) -> impl Iterator<Item = (ShardId, &Shard)> {
        self.shards.iter().map(|owned| (owned.id, &owned.shard))
    }
}

impl Owned {
    fn open(id: ShardId, settings: &Settings, now: Timestamp, state: &State) -> Self {
        let mut out = Output::default();
        let shard = Shard::open(id, settings.clone(), now, state, &mut out);
        Self {
            id,
            shard,
            out,
            touched: true,
            deadline: None,
        }
    }

    fn handle(&mut self, now: Timestamp, input: Input, state: &State) {
        self.shard.handle(now, input, state, &mut self.out);
        self.touched = true;
    }
}
