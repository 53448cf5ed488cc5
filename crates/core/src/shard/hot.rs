//! Runs in memory.
//!
//! A run that something is going on in is in memory as a [`Hot`] run; its row is written once a batch. A run in which nothing
//! goes on is only its rows, and is read back when something happens to it: [`Shard::load`] takes a run out, [`Shard::keep`]
//! puts it back, and [`Shard::seal_runs`] writes what has changed and lets go of what is idle.

use super::Shard;
use super::feed::Marks;
use super::methods::Methods;
use super::runs::Asker;
use crate::ids::{Nonce, PeerId, RunKey, Token};
use crate::io::{Io, decode};
use crate::limits::{HISTORY_BYTES_MAX, HISTORY_ENTRIES_MAX};
use crate::payload::Payload;
use crate::row::{Kind, run_of_key};
use crate::run::{Run, RunStatus};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};
use hashbrown::HashMap;

/// The runs in memory.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    hot: HashMap<RunKey, Box<Hot>, BuildHasherDefault<KeyHasher>>,
    /// Runs to look at when the batch is sealed.
    touched: Vec<RunKey>,
    /// Runs in which nothing goes on, the longest idle first. May name runs that have become busy or gone since.
    idle: VecDeque<RunKey>,
    /// Who waits for the end of which runs.
    waiting: BTreeMap<PeerId, BTreeSet<RunKey>>,
    /// Peers that have been given a turn.
    workers: BTreeSet<PeerId>,
    turns_in_flight: u64,
}

/// Who may wait for the end of one run at once.
const WAITERS_MAX: usize = 10_000;

/// A run in memory.
#[derive(Debug)]
pub(crate) struct Hot {
    pub(crate) run: Run,
    /// True if the row differs from `run`.
    pub(super) changed: bool,
    touched: bool,
    idle: bool,
    /// True while the run is in the line for a turn.
    pub(crate) queued: bool,
    /// The turn under way.
    pub(crate) turn: Option<TurnLease>,
    /// The worker that keeps the run's future, and the token of its last turn.
    pub(crate) holder: Option<Holder>,
    /// The worker that runs its open steps.
    pub(crate) steps_with: Option<PeerId>,
    /// Entries that no chunk holds yet, encoded.
    pub(super) open_chunk: Vec<u8>,
    pub(super) open_entries: u32,
    /// Chunks that a holder has not seen, with the index of their first entry.
    pub(crate) recent: Vec<(u32, Payload)>,
    waiters: Vec<Asker>,
    /// Nonces of its signals; absent until the first is asked for.
    pub(super) nonces: Option<BTreeSet<Nonce>>,
    /// Calls of its methods; absent until the first.
    pub(super) methods: Option<Box<Methods>>,
    /// Entries and chunks that the feed has told of.
    pub(super) fed: u32,
    pub(super) fed_chunk: u32,
    pub(super) marks: Marks,
}

/// A turn that a worker has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TurnLease {
    pub(crate) peer: PeerId,
    pub(crate) token: Token,
    /// One past the last entry that was sent.
    pub(crate) upto: u32,
    /// Notifications that it consumes.
    pub(crate) notifications: u32,
}

/// A worker that keeps a run's future.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) peer: PeerId,
    pub(crate) token: Token,
    /// How many entries it knows.
    pub(crate) knows: u32,
}

impl Hot {
    pub(crate) fn new(run: Run) -> Box<Self> {
        Box::new(Self {
            fed: run.entries,
            fed_chunk: run.chunks,
            marks: Marks::default(),
            run,
            changed: false,
            touched: false,
            idle: false,
            queued: false,
            turn: None,
            holder: None,
            steps_with: None,
            open_chunk: Vec::new(),
            open_entries: 0,
            recent: Vec::new(),
            waiters: Vec::new(),
            nonces: None,
            methods: None,
        })
    }

    /// True if the run is ready for a turn that nobody has.
    pub(crate) fn wants_turn(&self) -> bool {
        self.run.status == RunStatus::Running
            && self.run.start_at.is_none()
            && self.turn.is_none()
            && (self.run.unconsumed > 0
                || (!self.run.open_steps.is_empty() && self.steps_with.is_none()))
    }

    fn is_busy(&self) -> bool {
        self.turn.is_some()
            || self.queued
            || !self.waiters.is_empty()
            || self.methods.as_ref().is_some_and(|m| m.is_awaited())
            || !self.run.open_steps.is_empty()
            || (self.run.open_tasks > 0 && self.holder.is_some())
    }

    /// Why the history has no room for more `entries` with payloads of `bytes` in all; nothing if it has.
    pub(crate) fn would_overflow(&self, entries: usize, bytes: usize) -> Option<String> {
        let bytes = self.run.history_bytes as usize + self.open_chunk.len() + bytes;
        if self.entries() as usize + entries >= HISTORY_ENTRIES_MAX as usize {
            Some(format!(
                "the history would pass {HISTORY_ENTRIES_MAX} entries"
            ))
        } else if bytes > HISTORY_BYTES_MAX {
            Some(format!("the history would pass {HISTORY_BYTES_MAX} bytes"))
        } else {
            None
        }
    }

    /// True if an earlier generation of the run has taken a signal or a call with this nonce.
    pub(super) fn knows_from_earlier(&self, nonce: Nonce) -> bool {
        let generation = self.run.generation.as_ref();
        generation.is_some_and(|generation| generation.nonces.contains(&nonce))
    }

    /// The rows of the history are gone; nothing is known of it any more, nor of a turn, future or step that came of it.
    pub(super) fn forget_history(&mut self) {
        let run = &mut self.run;
        (run.entries, run.chunks, run.consumed, run.unconsumed) = (0, 0, 0, 0);
        (run.signals, run.calls, run.history_bytes) = (0, 0, 0);
        run.open_steps.clear();
        self.open_chunk.clear();
        self.open_entries = 0;
        self.recent.clear();
        self.nonces = None;
        self.holder = None;
        self.steps_with = None;
        (self.fed, self.fed_chunk) = (0, 0);
        self.changed = true;
    }

    /// True if something has happened that the feed has not told of.
    pub(super) fn has_news(&self) -> bool {
        self.entries() > self.fed || !self.marks.is_empty()
    }

    /// How many entries the history has, with those that no chunk holds yet.
    pub(crate) fn entries(&self) -> u32 {
        self.run.entries + self.open_entries
    }
}

impl Runs {
    pub(crate) fn turns_in_flight(&self) -> u64 {
        self.turns_in_flight
    }

    pub(crate) fn hot(&self) -> impl Iterator<Item = (&RunKey, &Hot)> {
        self.hot.iter().map(|(key, hot)| (key, &**hot))
    }

    pub(crate) fn hot_run(&self, key: RunKey) -> Option<&Hot> {
        self.hot.get(&key).map(|hot| &**hot)
    }
}

impl Shard {
    /// True if nobody waits for the end of a run.
    #[cfg(test)]
    pub(super) fn nobody_waits(&self) -> bool {
        self.runs.waiting.is_empty() && self.runs.hot().all(|(_, hot)| hot.waiters.is_empty())
    }

    /// Counts the runs and finds those that are ready for a turn.
    pub(super) fn open_runs(&mut self, io: &Io<'_>) {
        let (from, to) = self.keys.all(Kind::Run);
        let mut ready = Vec::new();
        io.scan((&from, &to), &mut |key, value| {
            let run: Run = decode(value);
            self.runs_by_status[run.status as usize] += 1;
            if let Some(finished_at) = run.finished_at {
                self.sweep.expect(finished_at, self.settings.retention_ms);
            }
            if run.status == RunStatus::Running
                && (run.unconsumed > 0 || !run.open_steps.is_empty())
            {
                ready.push((run_of_key(key).expect("a run's key"), run));
            }
            true
        });
        for (key, run) in ready {
            self.keep(key, Hot::new(run));
        }
        self.settle_touched();
    }

    /// Takes a run out of memory, or reads it. To be given back with [`Shard::keep`].
    pub(super) fn load(&mut self, io: &Io<'_>, key: RunKey) -> Option<Box<Hot>> {
        self.runs
            .hot
            .remove(&key)
            .or_else(|| io.get(&self.keys.run(key)).map(Hot::new))
    }

    /// Puts a run (back) into memory. What follows from its state is seen to at the latest when the batch is sealed.
    pub(super) fn keep(&mut self, key: RunKey, mut hot: Box<Hot>) {
        if hot.wants_turn() && !hot.queued {
            hot.queued = true;
            let line = (hot.run.id.workflow.clone(), hot.run.version);
            self.turns.entry(line).or_default().push_back(key);
        }
        if !hot.touched {
            hot.touched = true;
            self.runs.touched.push(key);
        }
        self.runs.hot.insert(key, hot);
    }

    /// Counts a turn that has been given out.
    pub(super) fn begin_turn(&mut self, hot: &mut Hot, lease: TurnLease) {
        debug_assert!(hot.turn.is_none(), "a run has one turn at a time");
        self.runs.turns_in_flight += 1;
        self.runs.workers.insert(lease.peer);
        hot.turn = Some(lease);
    }

    /// Ends the turn under way, if there is one.
    pub(super) fn end_turn(&mut self, hot: &mut Hot) {
        if hot.turn.take().is_some() {
            self.runs.turns_in_flight -= 1;
        }
    }

    /// The runs whose turn, future or steps are with `peer`. Looks at all runs in memory: workers go rarely.
    pub(super) fn runs_with(&mut self, peer: PeerId) -> Vec<RunKey> {
        if !self.runs.workers.remove(&peer) {
            return Vec::new();
        }
        let mut keys: Vec<RunKey> = self
            .runs
            .hot()
            .filter(|(_, hot)| {
                hot.turn.is_some_and(|lease| lease.peer == peer)
                    || hot.holder.is_some_and(|holder| holder.peer == peer)
                    || hot.steps_with == Some(peer)
            })
            .map(|(key, _)| *key)
            .collect();
        keys.sort_unstable();
        keys
    }

    /// Notes that somebody waits for the end of a run; false if too many do.
    pub(super) fn add_waiter(&mut self, key: RunKey, hot: &mut Hot, asker: Asker) -> bool {
        if hot.waiters.len() >= WAITERS_MAX {
            return false;
        }
        hot.waiters.push(asker);
        self.runs.waiting.entry(asker.0).or_default().insert(key);
        true
    }

    /// Notes that somebody waits for the end of a method; false if too many do.
    pub(super) fn add_caller(
        &mut self,
        key: RunKey,
        hot: &mut Hot,
        call: u32,
        asker: Asker,
    ) -> bool {
        let methods = hot.methods.get_or_insert_default();
        if methods.waiters.len() >= WAITERS_MAX {
            return false;
        }
        methods.waiters.push((call, asker));
        self.runs.waiting.entry(asker.0).or_default().insert(key);
        true
    }

    /// Notes that a peer has been answered; it may still wait for something else of the run.
    pub(super) fn let_caller_go(&mut self, key: RunKey, hot: &Hot, peer: PeerId) {
        let waits = hot.waiters.iter().any(|(waiter, _)| *waiter == peer)
            || hot.methods.as_ref().is_some_and(|m| m.has_caller(peer));
        if !waits && let Some(runs) = self.runs.waiting.get_mut(&peer) {
            runs.remove(&key);
            if runs.is_empty() {
                self.runs.waiting.remove(&peer);
            }
        }
    }

    /// Those who wait for the end of a run: from here on none does.
    pub(super) fn take_waiters(&mut self, key: RunKey, hot: &mut Hot) -> Vec<Asker> {
        let waiters = core::mem::take(&mut hot.waiters);
        for (peer, _) in &waiters {
            if let Some(runs) = self.runs.waiting.get_mut(peer) {
                runs.remove(&key);
                if runs.is_empty() {
                    self.runs.waiting.remove(peer);
                }
            }
        }
        waiters
    }

    /// Forgets those who wait through a peer that is gone.
    pub(super) fn forget_waiters(&mut self, peer: PeerId) {
        for key in self.runs.waiting.remove(&peer).unwrap_or_default() {
            let Some(hot) = self.runs.hot.get_mut(&key) else {
                continue;
            };
            hot.waiters.retain(|(waiter, _)| *waiter != peer);
            if let Some(methods) = &mut hot.methods {
                methods.waiters.retain(|(_, (waiter, _))| *waiter != peer);
            }
            if !hot.touched {
                hot.touched = true;
                self.runs.touched.push(key);
            }
        }
    }

    /// Writes the rows of runs that have changed, and lets go of those in which nothing goes on.
    pub(super) fn seal_runs(&mut self, io: &mut Io<'_>) {
        for key in core::mem::take(&mut self.runs.touched) {
            let Some(mut hot) = self.runs.hot.remove(&key) else {
                continue;
            };
            self.close_chunk(io, key, &mut hot);
            self.feed_run(key, &mut hot);
            if hot.changed {
                hot.changed = false;
                io.put(&self.keys.run(key), &hot.run);
            }
            self.settle(key, hot);
        }
    }

    /// The same for runs that were only read.
    fn settle_touched(&mut self) {
        for key in core::mem::take(&mut self.runs.touched) {
            if let Some(hot) = self.runs.hot.remove(&key) {
                self.settle(key, hot);
            }
        }
    }

    /// Keeps a run in memory if something goes on in it or there is room.
    fn settle(&mut self, key: RunKey, mut hot: Box<Hot>) {
        hot.touched = false;
        let busy = hot.is_busy();
        if hot.run.status.is_final() && !busy {
            return;
        }
        if !busy && !hot.idle {
            hot.idle = true;
            self.runs.idle.push_back(key);
        }
        self.runs.hot.insert(key, hot);
        while self.runs.idle.len() > self.settings.idle_runs_max {
            let Some(oldest) = self.runs.idle.pop_front() else {
                break;
            };
            if let Some(mut hot) = self.runs.hot.remove(&oldest)
                && (hot.is_busy() || hot.touched)
            {
                hot.idle = false;
                self.runs.hot.insert(oldest, hot);
            }
        }
    }
}

/// Run keys are hashes already: their lower half is as good a hash as any.
#[derive(Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}
