//! The shard thread: takes what waits, has the driver make a batch of it, passes that to the journal's writer, and goes on.
//!
//! Early apply, late release: the rows of a batch are in memory when the next one begins; its effects leave when the writer
//! has made it durable. So the thread runs ahead of the disk, by as many batches as fit on the writer's desk.
//!
//! A thread without work is parked until an input, a deadline or a freed slot wakes it.

use crate::driver::{Batch, Driver};
use crate::inbox::{Inbox, Taken};
use crate::node::Node;
use crate::stats::{add, subtract};
use crate::weight;
use crate::writer::{Desk, Work};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use trunkline_core::ids::ShardId;
use trunkline_core::input::Input;
use trunkline_journal::Error;

/// Inputs of one batch. More make the sync wait for the thread, when they could be doing their work at the same time.
const BATCH_INPUTS_MAX: usize = 2_048;
/// Bytes of inputs of one batch: a commit must fit in a frame of the journal.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How many times the size of a checkpoint the memory table may grow to before the thread waits for the checkpoint.
const TABLES_MAX: usize = 4;

/// A shard thread.
#[derive(Debug)]
pub(crate) struct ShardThread {
    pub(crate) node: Arc<Node>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) driver: Driver,
    pub(crate) checkpoint_bytes: usize,
}

/// The checkpoints that somebody waits for.
#[derive(Debug, Default)]
struct Awaited {
    /// To be covered by the next one.
    next: Vec<oneshot::Sender<()>>,
    /// Covered by the one being written.
    current: Vec<oneshot::Sender<()>>,
}

impl ShardThread {
    /// Works until there is an end to it. `first` is the batch that opening gave.
    pub(crate) fn run(mut self, first: Batch) {
        if !self.pass_on(first) {
            return;
        }
        let mut again = true;
        let mut stopping = false;
        let mut taken = Taken::default();
        let mut awaited = Awaited::default();
        loop {
            let limit = if again {
                Some(Duration::ZERO)
            } else {
                let deadline = self.driver.next_deadline();
                self.node.clock.sleep(deadline, &self.inbox)
            };
            let rest = || self.node.clock.rest();
            if self.inbox.take(&mut taken, limit, rest) {
                add(&self.node.figures.wakeups, 1);
            }
            if taken.halt {
                return;
            }
            stopping |= taken.stop;
            awaited.next.append(&mut taken.checkpoints);
            if taken.checkpointed {
                self.thaw(&mut awaited);
            }
            let bytes = taken.bytes;
            let inputs = std::mem::take(&mut taken.inputs);
            taken = Taken::default();
            let count = inputs.len();
            match self.work(inputs) {
                Ok(Some(more)) => again = more,
                Ok(None) => return,
                Err(error) => {
                    self.node.fail(&format!("store: {error}"));
                    return;
                }
            }
            self.inbox.done(count, bytes);
            self.freeze(&mut awaited, stopping);
            if stopping && !self.driver.state().is_frozen() && !again {
                self.desk.push(Work::Stop);
                return;
            }
            if !self.hold_back(&mut awaited) {
                return;
            }
        }
    }

    /// Works off the inputs, in batches. Says whether there is more to do at once; nothing if the thread is to end.
    fn work(&mut self, inputs: Vec<(ShardId, Input)>) -> Result<Option<bool>, Error> {
        let mut inputs = inputs.into_iter();
        loop {
            let count = first_batch(inputs.as_slice());
            add(&self.node.figures.inputs, count as u64);
            add(&self.node.figures.batches, 1);
            let now = self.node.clock.now();
            self.driver.take(now, inputs.by_ref().take(count));
            self.inbox.set_hungry(true);
            let freed = self.node.workers.freed();
            if self.driver.has_ready_work() {
                self.node
                    .workers
                    .dispatch(|offers| self.driver.dispatch(now, offers));
            }
            let hungry = self.driver.has_ready_work();
            if !hungry {
                self.inbox.set_hungry(false);
            }
            let made = self.driver.seal(now)?;
            if !self.pass_on(made) {
                return Ok(None);
            }
            if inputs.as_slice().is_empty() {
                // A slot that was freed while the thread was looking counts, too.
                return Ok(Some(hungry && self.node.workers.freed() != freed));
            }
        }
    }

    /// Passes a batch to the writer; false if the thread is to end.
    fn pass_on(&self, batch: Batch) -> bool {
        if batch.is_empty() {
            return true;
        }
        let bytes = batch
            .commits
            .iter()
            .map(|commit| commit.body.len())
            .sum::<usize>();
        add(&self.node.figures.memtable_bytes, bytes as u64);
        self.desk.push_batch(batch)
    }

    /// Begins a checkpoint if one is due.
    fn freeze(&mut self, awaited: &mut Awaited, stopping: bool) {
        let due = self.driver.state().table_bytes() >= self.checkpoint_bytes
            || !awaited.next.is_empty()
            || stopping;
        if !due || self.driver.state().is_frozen() {
            return;
        }
        let bytes = self.driver.state().table_bytes();
        if let Some(frozen) = self.driver.freeze() {
            subtract(&self.node.figures.memtable_bytes, bytes as u64);
            self.desk.push(Work::Freeze(frozen));
            awaited.current.append(&mut awaited.next);
        } else {
            // There is nothing to write.
            tell_all(&mut awaited.next);
        }
    }

    /// The checkpoint is written.
    fn thaw(&mut self, awaited: &mut Awaited) {
        self.driver.thaw();
        tell_all(&mut awaited.current);
    }

    /// Waits for the checkpoint while the memory table is far too large; false if the thread is to end.
    fn hold_back(&mut self, awaited: &mut Awaited) -> bool {
        let bytes_max = self.checkpoint_bytes.saturating_mul(TABLES_MAX);
        while self.driver.state().is_frozen() && self.driver.state().table_bytes() >= bytes_max {
            if !self.inbox.await_checkpoint() {
                return false;
            }
            self.thaw(awaited);
            self.freeze(awaited, false);
        }
        true
    }
}

/// How many of the inputs go into the next batch: at least one, if there are any.
fn first_batch(inputs: &[(ShardId, Input)]) -> usize {
    let mut bytes = 0;
    let fitting = inputs
        .iter()
        .take(BATCH_INPUTS_MAX)
        .take_while(|(_, input)| {
            bytes += weight::of_input(input);
            bytes <= BATCH_BYTES_MAX
        });
    fitting.count().max(1).min(inputs.len())
}

fn tell_all(awaited: &mut Vec<oneshot::Sender<()>>) {
    for done in awaited.drain(..) {
        // Whoever asked may not want to know any more.
        let _ = done.send(());
    }
}
