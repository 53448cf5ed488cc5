//! The journal writer of a shard thread: makes batches durable, and then releases them, in order.
//!
//! It takes every batch that is ready, appends all, syncs once, and releases their effects. There is no linger: the next
//! sync covers what came in during this one. A batch without rows waits like any other, because what it says may rest on
//! rows of earlier batches.
//!
//! **Architecture Invariant:** the first error of the journal ends the writer, before anything more is released. A sync is
//! never repeated. A full disk is no such error: the journal meets it before it writes, and goes on when there is space.

use crate::checkpoint::Chores;
use crate::driver::Batch;
use crate::memtable::Frozen;
use crate::node::Node;
use crate::release::Release;
use crate::scribe::Scribe;
use crate::stats::{add, subtract};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use trunkline_journal::{Error, ErrorKind, Position};

/// Batches that may be on the desk, those being written included. More would only wait longer.
const BATCHES_MAX: usize = 8;

/// What a writer is to do, in order.
#[derive(Debug)]
pub(crate) enum Work {
    /// Make a batch durable and release it.
    Batch(Batch),
    /// Pass a checkpoint on, once everything before it is durable.
    Freeze(Frozen),
    /// Give up the journal below this position.
    Trim(Position),
    /// Everything has been said.
    Stop,
}

/// Where a writer finds its work.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    heap: Mutex<Heap>,
    arrived: Condvar,
    room: Condvar,
}

#[derive(Debug, Default)]
struct Heap {
    work: Vec<Work>,
    batches: usize,
    /// The writer waits for work.
    parked: bool,
    /// The writer waits for disk space; cleared by the keeper.
    starved: bool,
    halted: bool,
}

impl Desk {
    /// Adds a batch; waits while there are too many. False if the writer has ended.
    pub(crate) fn push_batch(&self, batch: Batch) -> bool {
        let mut heap = self
            .room
            .wait_while(self.lock(), |heap| {
                heap.batches >= BATCHES_MAX && !heap.halted
            })
            .unwrap_or_else(PoisonError::into_inner);
        heap.batches += 1;
        heap.work.push(Work::Batch(batch));
        self.wake(heap)
    }

    /// Adds work other than a batch.
    pub(crate) fn push(&self, work: Work) {
        let mut heap = self.lock();
        heap.work.push(work);
        self.wake(heap);
    }

    fn wake(&self, mut heap: MutexGuard<'_, Heap>) -> bool {
        if std::mem::take(&mut heap.parked) {
            self.arrived.notify_one();
        }
        !heap.halted
    }

    /// There may be disk space again.
    pub(crate) fn feed(&self) {
        let mut heap = self.lock();
        if std::mem::take(&mut heap.starved) {
            self.arrived.notify_one();
        }
    }

    pub(crate) fn halt(&self) {
        let mut heap = self.lock();
        heap.halted = true;
        heap.parked = false;
        heap.starved = false;
        self.arrived.notify_one();
        self.room.notify_one();
    }

    /// True if the writer waits for work, and has released everything.
    pub(crate) fn is_at_rest(&self) -> bool {
        let heap = self.lock();
        heap.parked && heap.work.is_empty() && heap.batches == 0
    }

    /// Takes all work into `work`, which is empty; waits for it, and calls `rest` before. False if the writer is to end.
    fn take(&self, work: &mut Vec<Work>, rest: impl Fn()) -> bool {
        let mut heap = self.lock();
        while heap.work.is_empty() && !heap.halted {
            heap.parked = true;
            rest();
            heap = self
                .arrived
                .wait_while(heap, |heap| heap.parked)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut heap.work, work);
        !heap.halted
    }

    /// Waits until the keeper says that there may be space. False if the writer is to end.
    fn starve(&self, chores: &Chores) -> bool {
        let mut heap = self.lock();
        heap.starved = !heap.halted;
        chores.prepare();
        let heap = self
            .arrived
            .wait_while(heap, |heap| heap.starved)
            .unwrap_or_else(PoisonError::into_inner);
        !heap.halted
    }

    fn done(&self, batches: usize) {
        let mut heap = self.lock();
        let was_full = heap.batches >= BATCHES_MAX;
        heap.batches -= batches;
        if was_full && batches > 0 {
            self.room.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heap> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer of one journal.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) node: Arc<Node>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) chores: Arc<Chores>,
    pub(crate) scribe: Scribe,
}

impl Writer {
    /// Works until there is an end to it.
    pub(crate) fn run(mut self) {
        let mut release = Release::new(Arc::clone(&self.node));
        let mut work = Vec::new();
        let mut journal_bytes = 0;
        let node = Arc::clone(&self.node);
        while self.desk.take(&mut work, || node.clock.rest()) {
            match self.work(&mut work, &mut release) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.node.fail(&format!("journal: {error}"));
                    break;
                }
            }
            let now = self.scribe.live_bytes();
            add(&self.node.figures.journal_bytes, now);
            subtract(&self.node.figures.journal_bytes, journal_bytes);
            journal_bytes = now;
        }
    }

    /// Does all of `work`; false if that was the end of it.
    fn work(&mut self, work: &mut Vec<Work>, release: &mut Release) -> Result<bool, Error> {
        let (mut batches, mut commits, mut bytes) = (0, 0, 0);
        let mut frozen = Vec::new();
        let mut stop = false;
        for item in work.drain(..) {
            match item {
                Work::Batch(batch) => {
                    let written = self.scribe.take(batch)?;
                    commits += written.commits;
                    bytes += written.bytes;
                    batches += 1;
                }
                Work::Freeze(freeze) => frozen.push(freeze),
                Work::Trim(below) => self.scribe.trim(below)?,
                Work::Stop => stop = true,
            }
        }
        if commits > 0 && !self.flush()? {
            return Ok(false);
        }
        if self.node.vitals.is_failed() {
            return Ok(false);
        }
        for (shard, effects) in self.scribe.release() {
            release.add(shard, effects);
        }
        release.send();
        self.desk.done(batches);
        add(&self.node.figures.commits, commits);
        add(&self.node.figures.commit_bytes, bytes);
        if self.scribe.spare_maker().wanted() {
            self.chores.prepare();
        }
        for frozen in frozen {
            self.chores.checkpoint(frozen);
        }
        Ok(!stop)
    }

    /// Makes everything appended durable; false if the writer is to end first.
    fn flush(&mut self) -> Result<bool, Error> {
        let begun = Instant::now();
        loop {
            match self.scribe.flush() {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::Full => {
                    if !self.desk.starve(&self.chores) {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.node.figures.syncs.fetch_add(1, Ordering::Relaxed);
        add(
            &self.node.figures.sync_us,
            begun.elapsed().as_micros() as u64,
        );
        Ok(true)
    }
}
