//! What is asked of runs: signal, cancel, look at, hold back, end. How they start is in `starts`, how they move on in `turns`.

use super::Shard;
use super::feed::cut;
use super::history::chunk_len;
use super::hot::Hot;
use crate::code::Code;
use crate::entry::{Entry, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::feed::Mark;
use crate::ids::{Nonce, PeerId, RequestId, RunId, RunKey};
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::{Name, Payload};
use crate::peer::{Rejection, Reply, ToPeer};
use crate::run::{Run, RunStatus};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

/// Who asked, and the number of the request.
pub(crate) type Asker = (PeerId, RequestId);

impl Shard {
    /// The run that a user names, or the refusal.
    pub(super) fn find(
        &mut self,
        io: &Io<'_>,
        id: &RunId,
    ) -> Result<(RunKey, Box<Hot>), Rejection> {
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
    pub(super) fn find_live(
        &mut self,
        io: &Io<'_>,
        id: &RunId,
    ) -> Result<(RunKey, Box<Hot>), Rejection> {
        let (key, hot) = self.find(io, id)?;
        if hot.run.status.is_final() {
            let detail = format!("run `{id}` is {}", hot.run.status.as_str());
            self.keep(key, hot);
            return Err(Rejection::new(Code::RunFinished, detail));
        }
        Ok((key, hot))
    }

    pub(super) fn await_outcome(&mut self, io: &mut Io<'_>, asker: Asker, run: &RunId) {
        match self.find(io, run) {
            Err(rejection) => io.reply(asker, Err(rejection)),
            Ok((key, mut hot)) => {
                self.answer_or_wait(io, asker, key, &mut hot);
                self.keep(key, hot);
            }
        }
    }

    pub(super) fn answer_or_wait(
        &mut self,
        io: &mut Io<'_>,
        asker: Asker,
        key: RunKey,
        hot: &mut Hot,
    ) {
        if let Some(outcome) = hot.run.outcome.clone() {
            let status = hot.run.status;
            io.reply(asker, Ok(Reply::Outcome { status, outcome }));
        } else if !self.add_waiter(key, hot, asker) {
            let detail = "too many are waiting for the end of this run";
            io.reply(asker, Err(Rejection::new(Code::Overloaded, detail)));
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
        let (key, mut hot) = self.find(io, run)?;
        // A repeat is known also when the run has ended: its end may be what the signal brought about.
        let answer = if nonce != Nonce(0)
            && self.nonces(io, key, &mut hot).contains(&nonce)
            && !mutant::is(Mutant::NonceIgnored)
        {
            Ok(Reply::Done)
        } else if hot.run.status.is_final() {
            let detail = format!("run `{run}` is {}", hot.run.status.as_str());
            Err(Rejection::new(Code::RunFinished, detail))
        } else if let Some(full) = hot.would_overflow(1, payload.len()) {
            Err(Rejection::new(Code::HistoryFull, full))
        } else {
            if nonce != Nonce(0) {
                self.nonces(io, key, &mut hot).insert(nonce);
            }
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

    /// The nonces of a run's signals: read from the history when they are first asked for.
    fn nonces<'h>(&self, io: &Io<'_>, key: RunKey, hot: &'h mut Hot) -> &'h mut BTreeSet<Nonce> {
        // Without signals there is nothing to read; and what the open chunk holds has been noted as it came.
        let chunks = if hot.run.signals > 0 {
            hot.run.chunks
        } else {
            0
        };
        hot.nonces.get_or_insert_with(|| {
            let earlier = hot.run.generation.iter();
            let earlier = earlier.flat_map(|generation| &generation.nonces);
            let mut nonces: BTreeSet<Nonce> = earlier.copied().collect();
            for chunk in 0..chunks {
                for entry in self.chunk_entries(io, key, chunk) {
                    if let Entry::Notification(_, Notification::Signal { nonce, .. }) = entry {
                        nonces.insert(nonce);
                    }
                }
            }
            nonces
        })
    }

    pub(super) fn cancel(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        reason: Name,
    ) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, run)?;
        if hot.run.start_at.is_some() {
            // Its code has not begun, so there is nothing to clean up.
            let failure = Failure::new(FailureKind::Cancelled, "TL0076", reason);
            let (status, outcome) = (RunStatus::Cancelled, Outcome::Failed(failure));
            self.finish(io, key, &mut hot, status, outcome);
        } else if !hot.run.cancelling {
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
        let (key, mut hot) = if mutant::is(Mutant::FinalChanged) {
            self.find(io, run)?
        } else {
            self.find_live(io, run)?
        };
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

    pub(super) fn pause(&mut self, io: &Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, run)?;
        if hot.run.status == RunStatus::Running {
            self.pause_because(&mut hot, Name::from("an operator paused it"));
        }
        self.keep(key, hot);
        Ok(Reply::Done)
    }

    /// Holds a run back. A turn under way is void: what the worker answers will not match.
    pub(super) fn pause_because(&mut self, hot: &mut Hot, reason: Name) {
        self.set_status(hot, RunStatus::Paused);
        let paused = Mark::Paused {
            reason: cut(&reason),
        };
        self.mark(hot, &paused);
        hot.run.paused_because = Some(reason);
        self.end_turn(hot);
        hot.holder = None;
    }

    pub(super) fn resume(&mut self, io: &mut Io<'_>, run: &RunId) -> Result<Reply, Rejection> {
        let (key, mut hot) = self.find_live(io, run)?;
        let answer = if hot.run.status == RunStatus::Paused {
            self.set_status(&mut hot, RunStatus::Running);
            self.mark(&mut hot, &Mark::Resumed);
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
        Ok(Reply::Run(Box::new(described)))
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
            self.task_waits(io, (key, super::tasks::began(&hot.run)), &mut waits);
            self.timer_waits(io, key, &mut waits);
            self.child_waits(io, key, &mut waits);
            if waits.is_empty() {
                waits.push(Name::from("a signal"));
            }
        }
        self.keep(key, hot);
        Ok(Reply::Waits(waits))
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
        self.mark_end(hot, status, &outcome);
        hot.run.finished_at = Some(io.now);
        hot.run.paused_because = None;
        hot.run.unconsumed = 0;
        hot.run.open_steps.clear();
        self.sweep.expect(io.now, self.settings.retention_ms);
        if status != RunStatus::Completed && hot.run.open_tasks > 0 {
            self.abandon_tasks(io, key);
            hot.run.open_tasks = 0;
        }
        if hot.run.has_timers() {
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
        hot.run.start_at = None;
        self.leave_children(io, key, hot);
        self.tell_origins(io, hot, status, &outcome);
        if !hot.run.open_methods.is_empty() {
            self.end_methods(io, key, hot, &outcome);
        }
        for asker in self.take_waiters(key, hot) {
            io.reply(
                asker,
                Ok(Reply::Outcome {
                    status,
                    outcome: outcome.clone(),
                }),
            );
        }
        hot.run.outcome = Some(outcome);
        self.fold_history(io, key, hot);
    }
}

/// A run as others see it: with the entries of the batch under way.
fn described(hot: &Hot) -> Run {
    Run {
        entries: hot.entries(),
        ..hot.run.clone()
    }
}
