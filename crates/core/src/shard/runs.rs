//! Runs: how they start, get signals, are looked at, held back and ended. How they move on is in `turns`.
//!
//! A run that something is going on in is in memory as a [`Hot`] run; its row is written once a batch. A run in which nothing
//! goes on is only its rows, and is read back when something happens to it. The history is appended in chunks: entries of one
//! batch share a chunk, and what has been written is never written again.

use super::Shard;
use crate::code::Code;
use crate::entry::{Entry, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::ids::{Nonce, PeerId, RequestId, RunId, RunKey, Token};
use crate::io::{Io, decode, encode_onto};
use crate::limits::{CHUNK_ENTRIES_MAX, HISTORY_ENTRIES_MAX, PAGE_MAX, SCAN_MAX, TAGS_MAX};
use crate::payload::{Name, Payload};
use crate::peer::{OnConflict, Rejection, Reply, RunFilter, Start, ToPeer};
use crate::policy::scramble;
use crate::row::{Kind, run_of_key};
use crate::run::{Run, RunStatus};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::{BuildHasherDefault, Hasher};
use hashbrown::HashMap;
use minicbor::Encoder;

/// Who asked, and the number of the request.
pub(crate) type Asker = (PeerId, RequestId);

/// The runs in memory.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    hot: HashMap<RunKey, Box<Hot>, BuildHasherDefault<KeyHasher>>,
    /// Runs to look at when the batch is sealed.
    touched: Vec<RunKey>,
    /// Runs in which nothing goes on, the longest idle first. May name runs that have become busy or gone since.
    idle: VecDeque<RunKey>,
    turns_in_flight: u64,
}

/// A run in memory.
#[derive(Debug)]
pub(crate) struct Hot {
    pub(crate) run: Run,
    /// True if the row differs from `run`.
    changed: bool,
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
    open_chunk: Vec<u8>,
    open_entries: u32,
    /// Chunks that a holder has not seen, with the index of their first entry.
    pub(crate) recent: Vec<(u32, Payload)>,
    waiters: Vec<Asker>,
    /// Nonces of its signals; absent until the first is asked for.
    nonces: Option<BTreeSet<Nonce>>,
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
        })
    }

    /// True if the run is ready for a turn that nobody has.
    pub(crate) fn wants_turn(&self) -> bool {
        self.run.status == RunStatus::Running
            && self.turn.is_none()
            && (self.run.unconsumed > 0
                || (!self.run.open_steps.is_empty() && self.steps_with.is_none()))
    }

    fn is_busy(&self) -> bool {
        self.turn.is_some()
            || self.queued
            || !self.waiters.is_empty()
            || !self.run.open_steps.is_empty()
            || (self.run.open_tasks > 0 && self.holder.is_some())
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

    /// The run that a user names, or the refusal.
    fn find(&mut self, io: &Io<'_>, id: &RunId) -> Result<(RunKey, Box<Hot>), Rejection> {
        let key = id.key();
        let hot = self
            .load(io, key)
            .ok_or_else(|| Rejection::new(Code::RunNotFound, format!("there is no run `{id}`")))?;
        if hot.run.id != *id {
            let detail = format!("`{id}` and `{}` have the same key", hot.run.id);
            self.keep(key, hot);
            return Err(Rejection::new(Code::KeyCollision, detail));
        }
        Ok((key, hot))
    }

    /// The run that a user names, if it has not ended.
    fn find_live(&mut self, io: &Io<'_>, id: &RunId) -> Result<(RunKey, Box<Hot>), Rejection> {
        let (key, hot) = self.find(io, id)?;
        if hot.run.status.is_final() {
            let detail = format!("run `{id}` is {}", hot.run.status.as_str());
            self.keep(key, hot);
            return Err(Rejection::new(Code::RunFinished, detail));
        }
        Ok((key, hot))
    }

    pub(super) fn start(&mut self, io: &mut Io<'_>, asker: Asker, start: Start) {
        let key = start.run.key();
        if let Some(mut hot) = self.load(io, key) {
            let run = &hot.run;
            let refusal = if run.id != start.run {
                Some((Code::KeyCollision, format!("`{}` has the same key", run.id)))
            } else if (start.nonce != Nonce(0) && run.nonce == start.nonce)
                || start.on_conflict == OnConflict::Attach
            {
                None
            } else {
                let status = run.status.as_str();
                Some((
                    Code::RunExists,
                    format!("run `{}` exists and is {status}", run.id),
                ))
            };
            match refusal {
                Some((code, detail)) => io.reply(asker, Err(Rejection::new(code, detail))),
                None if start.wait => self.answer_or_wait(io, asker, &mut hot),
                None => {
                    let version = hot.run.version;
                    io.reply(
                        asker,
                        Ok(Reply::Started {
                            created: false,
                            version,
                        }),
                    );
                }
            }
            return self.keep(key, hot);
        }
        let mut tags = start.tags;
        tags.sort();
        tags.dedup();
        if tags.len() > TAGS_MAX {
            let detail = format!("{} tags, and {TAGS_MAX} is the limit", tags.len());
            return io.reply(asker, Err(Rejection::new(Code::TooManyTags, detail)));
        }
        let version = start.version.unwrap_or(0);
        let mut hot = Hot::new(Run {
            id: start.run,
            version,
            status: RunStatus::Running,
            tags,
            started_at: io.now,
            finished_at: None,
            outcome: None,
            entries: 0,
            chunks: 0,
            consumed: 0,
            unconsumed: 0,
            open_steps: Vec::new(),
            open_tasks: 0,
            open_timers: 0,
            nonce: start.nonce,
            properties: Vec::new(),
            paused_because: None,
            cancelling: false,
            signals: 0,
        });
        self.runs_by_status[RunStatus::Running as usize] += 1;
        let seed = scramble(key.0 as u64 ^ io.now.0);
        self.notify(
            io,
            key,
            &mut hot,
            Notification::Started {
                input: start.input,
                seed,
            },
        );
        if start.wait {
            hot.waiters.push(asker);
        } else {
            io.reply(
                asker,
                Ok(Reply::Started {
                    created: true,
                    version,
                }),
            );
        }
        self.keep(key, hot);
    }

    pub(super) fn await_outcome(&mut self, io: &mut Io<'_>, asker: Asker, run: &RunId) {
        match self.find(io, run) {
            Err(rejection) => io.reply(asker, Err(rejection)),
            Ok((key, mut hot)) => {
                self.answer_or_wait(io, asker, &mut hot);
                self.keep(key, hot);
            }
        }
    }

    fn answer_or_wait(&self, io: &mut Io<'_>, asker: Asker, hot: &mut Hot) {
        match &hot.run.outcome {
            Some(outcome) => {
                let reply = Reply::Outcome {
                    status: hot.run.status,
                    outcome: outcome.clone(),
                };
                io.reply(asker, Ok(reply));
            }
            None => hot.waiters.push(asker),
        }
    }

    pub(super) fn signal(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        channel: Name,
        payload: Payload,
        nonce: Nonce,
    ) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, run)?;
        let answer = if nonce != Nonce(0) && !self.is_new_nonce(io, key, &mut hot, nonce) {
            Ok(Reply::Done)
        } else if hot.entries() >= HISTORY_ENTRIES_MAX {
            let detail = format!("run `{run}` has {HISTORY_ENTRIES_MAX} entries");
            Err(Rejection::new(Code::HistoryFull, detail))
        } else {
            hot.run.signals += 1;
            let signal = Notification::Signal {
                channel,
                payload,
                nonce,
            };
            self.notify(io, key, &mut hot, signal);
            Ok(Reply::Done)
        };
        self.keep(key, hot);
        answer
    }

    /// True if no signal with this nonce came before. Nonces are read from the history when the first is asked for.
    fn is_new_nonce(&self, io: &Io<'_>, key: RunKey, hot: &mut Hot, nonce: Nonce) -> bool {
        if hot.nonces.is_none() {
            let mut nonces = BTreeSet::new();
            if hot.run.signals > 0 {
                for chunk in 0..hot.run.chunks {
                    for entry in self.chunk_entries(io, key, chunk) {
                        if let Entry::Notification(_, Notification::Signal { nonce, .. }) = entry {
                            nonces.insert(nonce);
                        }
                    }
                }
            }
            hot.nonces = Some(nonces);
        }
        hot.nonces
            .as_mut()
            .is_some_and(|nonces| nonces.insert(nonce))
    }

    pub(super) fn cancel(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        reason: Name,
    ) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, run)?;
        if !hot.run.cancelling {
            hot.run.cancelling = true;
            self.notify(io, key, &mut hot, Notification::CancelRequested { reason });
        }
        self.keep(key, hot);
        Ok(Reply::Done)
    }

    pub(super) fn terminate(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        reason: &Name,
    ) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, run)?;
        let failure = Failure::new(FailureKind::Terminated, "TL0077", reason.clone());
        self.finish(
            io,
            key,
            &mut hot,
            RunStatus::Terminated,
            Outcome::Failed(failure),
        );
        self.keep(key, hot);
        Ok(Reply::Done)
    }

    pub(super) fn pause(&mut self, io: &mut Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, run)?;
        if hot.run.status == RunStatus::Running {
            self.pause_because(&mut hot, Name::from("an operator paused it"));
        }
        self.keep(key, hot);
        let _ = io;
        Ok(Reply::Done)
    }

    /// Holds a run back. A turn under way is void: what the worker answers will not match.
    pub(super) fn pause_because(&mut self, hot: &mut Hot, reason: Name) {
        self.set_status(hot, RunStatus::Paused);
        hot.run.paused_because = Some(reason);
        self.end_turn(hot);
        hot.holder = None;
    }

    pub(super) fn resume(&mut self, io: &mut Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, run)?;
        let answer = if hot.run.status == RunStatus::Paused {
            self.set_status(&mut hot, RunStatus::Running);
            hot.run.paused_because = None;
            Ok(Reply::Done)
        } else {
            let detail = format!("run `{run}` is {}", hot.run.status.as_str());
            Err(Rejection::new(Code::RunNotPaused, detail))
        };
        self.keep(key, hot);
        answer
    }

    pub(super) fn describe_run(&mut self, io: &Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, hot) = self.find(io, run)?;
        let described = described(&hot);
        self.keep(key, hot);
        Ok(Reply::Run(described))
    }

    pub(super) fn property(
        &mut self,
        io: &Io<'_>,
        run: &RunId,
        name: &Name,
    ) -> Result<Reply, Rejection> {
        let (key, hot) = self.find(io, run)?;
        self.keep(key, hot);
        match io.get_bytes(&self.keys.property(key, name)) {
            Some(value) => Ok(Reply::Property(Payload::from(value))),
            None => {
                let detail = format!("run `{run}` has no property `{name}`");
                Err(Rejection::new(Code::PropertyNotFound, detail))
            }
        }
    }

    pub(super) fn history(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        from: u32,
    ) -> Result<Reply, Rejection> {
        /// A page ends after this many bytes.
        const PAGE_BYTES: usize = 1 << 20;
        let (key, mut hot) = self.find(io, run)?;
        self.close_chunk(io, key, &mut hot);
        let total = hot.run.chunks;
        self.keep(key, hot);
        let (mut first, mut chunks, mut bytes) = (None, Vec::new(), 0);
        let mut index = 0;
        for number in 0..total {
            let chunk = self.chunk(io, key, number);
            let entries = chunk_len(&chunk);
            if index + entries > from {
                first = first.or(Some(index));
                bytes += chunk.len();
                chunks.push(chunk);
            }
            index += entries;
            if bytes >= PAGE_BYTES && number + 1 < total {
                let from = first.unwrap_or(index);
                return Ok(Reply::History {
                    from,
                    chunks,
                    next: Some(index),
                });
            }
        }
        Ok(Reply::History {
            from: first.unwrap_or(index),
            chunks,
            next: None,
        })
    }

    pub(super) fn list_runs(&mut self, io: &mut Io<'_>, filter: &RunFilter) -> Reply {
        // Runs changed in this batch are not in rows yet.
        self.seal_runs(io);
        let limit = filter.limit.clamp(1, PAGE_MAX) as usize;
        let (mut from, to) = self.keys.all(Kind::Run);
        if let Some(after) = filter.after {
            from = self.keys.run(after);
            from.push(0);
        }
        let (mut runs, mut next, mut seen) = (Vec::new(), None, 0);
        let mut last = None;
        io.scan((&from, &to), &mut |key, value| {
            if runs.len() == limit || seen == SCAN_MAX {
                next = last;
                return false;
            }
            seen += 1;
            last = run_of_key(key);
            let run: Run = decode(value);
            let matches = filter
                .workflow
                .as_ref()
                .is_none_or(|name| *name == run.id.workflow)
                && filter.status.is_none_or(|status| status == run.status)
                && filter.id.as_ref().is_none_or(|id| *id == run.id.id)
                && filter
                    .tag
                    .as_ref()
                    .is_none_or(|tag| run.tags.binary_search(tag).is_ok());
            if matches {
                runs.push(run);
            }
            true
        });
        Reply::Runs { runs, next }
    }

    pub(super) fn waits(&mut self, io: &Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, hot) = self.find(io, run)?;
        let mut waits = Vec::new();
        if let Some(reason) = &hot.run.paused_because {
            waits.push(Name::from(format!("resume: {reason}")));
        } else if hot.turn.is_some() {
            waits.push(Name::from("a worker to finish a turn"));
        } else if hot.queued {
            let (workflow, version) = (&hot.run.id.workflow, hot.run.version);
            let detail = format!("a worker with a free slot for `{workflow}` version {version}");
            waits.push(Name::from(detail));
        }
        if !hot.run.status.is_final() {
            self.task_waits(io, key, &mut waits);
            self.timer_waits(io, key, &mut waits);
            if waits.is_empty() {
                waits.push(Name::from("a signal"));
            }
        }
        self.keep(key, hot);
        Ok(Reply::Waits(waits))
    }

    /// Appends a notification: the run is ready for a turn.
    pub(super) fn notify(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        notification: Notification,
    ) {
        hot.run.unconsumed += 1;
        let entry = Entry::Notification(io.now, notification);
        self.append(io, key, hot, &entry);
    }

    /// Appends an entry to the open chunk.
    pub(super) fn append(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot, entry: &Entry) {
        encode_onto(entry, &mut hot.open_chunk);
        hot.open_entries += 1;
        hot.changed = true;
        if hot.open_entries as usize >= CHUNK_ENTRIES_MAX {
            self.close_chunk(io, key, hot);
        }
    }

    /// Writes the open chunk, if it has entries.
    pub(super) fn close_chunk(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot) {
        if hot.open_entries == 0 {
            return;
        }
        let mut chunk = Vec::with_capacity(hot.open_chunk.len() + 3);
        let head = Encoder::new(&mut chunk)
            .array(u64::from(hot.open_entries))
            .map(|_| ());
        head.expect("writing to memory cannot fail");
        chunk.append(&mut hot.open_chunk);
        io.out
            .change(&self.keys.history(key, hot.run.chunks), Some(&chunk));
        hot.recent.push((hot.run.entries, Payload::from(chunk)));
        hot.run.chunks += 1;
        hot.run.entries += hot.open_entries;
        hot.open_entries = 0;
        hot.changed = true;
    }

    /// A chunk of a run's history.
    pub(super) fn chunk(&self, io: &Io<'_>, key: RunKey, number: u32) -> Payload {
        let bytes = io.get_bytes(&self.keys.history(key, number));
        Payload::from(bytes.expect("a run's chunks live as long as its row"))
    }

    /// The entries of a chunk.
    pub(super) fn chunk_entries(&self, io: &Io<'_>, key: RunKey, number: u32) -> Vec<Entry> {
        decode(&self.chunk(io, key, number))
    }

    /// Changes the status, and the counters with it.
    pub(super) fn set_status(&mut self, hot: &mut Hot, status: RunStatus) {
        self.runs_by_status[hot.run.status as usize] -= 1;
        self.runs_by_status[status as usize] += 1;
        hot.run.status = status;
        hot.changed = true;
    }

    /// Ends a run: nothing changes it from here on. Those who wait for it are answered.
    pub(super) fn finish(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        status: RunStatus,
        outcome: Outcome,
    ) {
        self.set_status(hot, status);
        hot.run.finished_at = Some(io.now);
        hot.run.paused_because = None;
        hot.run.unconsumed = 0;
        hot.run.open_steps.clear();
        self.sweep.expect(io.now, self.settings.retention_ms);
        if status != RunStatus::Completed && hot.run.open_tasks > 0 {
            self.abandon_tasks(io, key);
            hot.run.open_tasks = 0;
        }
        if hot.run.open_timers > 0 {
            self.cancel_timers(io, key);
            hot.run.open_timers = 0;
        }
        if let Some(lease) = hot.turn {
            io.tell(lease.peer, ToPeer::Forget { run: key });
        } else if let Some(holder) = hot.holder {
            io.tell(holder.peer, ToPeer::Forget { run: key });
        }
        self.end_turn(hot);
        hot.holder = None;
        for asker in core::mem::take(&mut hot.waiters) {
            io.reply(
                asker,
                Ok(Reply::Outcome {
                    status,
                    outcome: outcome.clone(),
                }),
            );
        }
        hot.run.outcome = Some(outcome);
    }

    /// Counts a turn that has been given out.
    pub(super) fn begin_turn(&mut self, hot: &mut Hot, lease: TurnLease) {
        debug_assert!(hot.turn.is_none(), "a run has one turn at a time");
        self.runs.turns_in_flight += 1;
        hot.turn = Some(lease);
    }

    /// Ends the turn under way, if there is one.
    pub(super) fn end_turn(&mut self, hot: &mut Hot) {
        if hot.turn.take().is_some() {
            self.runs.turns_in_flight -= 1;
        }
    }

    /// The runs whose turn or future is with `peer`. Looks at all runs in memory: peers go rarely.
    pub(super) fn runs_with(&self, peer: PeerId) -> Vec<RunKey> {
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

    /// Forgets those who wait through a peer that is gone.
    pub(super) fn forget_waiters(&mut self, peer: PeerId) {
        let waiting: Vec<RunKey> = self
            .runs
            .hot()
            .filter(|(_, hot)| hot.waiters.iter().any(|(waiter, _)| *waiter == peer))
            .map(|(key, _)| *key)
            .collect();
        for key in waiting {
            if let Some(hot) = self.runs.hot.get_mut(&key) {
                hot.waiters.retain(|(waiter, _)| *waiter != peer);
                if !hot.touched {
                    hot.touched = true;
                    self.runs.touched.push(key);
                }
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

/// A run as others see it: with the entries of the batch under way.
fn described(hot: &Hot) -> Run {
    Run {
        entries: hot.entries(),
        ..hot.run.clone()
    }
}

/// How many entries a chunk has.
pub(super) fn chunk_len(chunk: &[u8]) -> u32 {
    let length = minicbor::Decoder::new(chunk).array().ok().flatten();
    u32::try_from(length.expect("a chunk begins with its length")).expect("a chunk is small")
}

/// The whole history of a run in chunks.
pub(super) fn whole_history(shard: &Shard, io: &Io<'_>, key: RunKey, chunks: u32) -> Vec<Payload> {
    if chunks == 0 {
        return vec![];
    }
    (0..chunks)
        .map(|number| shard.chunk(io, key, number))
        .collect()
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

/// When a run must be taken from its line although nothing new happened to it.
pub(super) fn due_in_words(at: Timestamp, now: Timestamp) -> alloc::string::String {
    format!("in {} ms", at.since_ms(now))
}
