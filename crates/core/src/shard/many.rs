//! What is done to many runs: by tag, a page at a time, and by a signal that a run sends to all that have a tag.
//!
//! A run's signal goes from shard to shard as one message that counts as it goes, so that each run gets it exactly once and
//! nothing has to be remembered between: the last shard answers with the sum. A shard with many such runs does a page and
//! sends the rest to itself, so that no commit gets too large.

use super::Shard;
use crate::code::Code;
use crate::ids::{RunId, RunKey, ShardId};
use crate::input::{Message, Tagged};
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{Action, Op, Rejection, Reply, RunFilter, WhichTimers};
use crate::run::Origin;

/// Runs that one input acts on at most.
pub(super) const PAGE_RUNS: u32 = 500;

impl Shard {
    /// Requests that are not about one run alone.
    pub(super) fn request_about_many(
        &mut self,
        io: &mut Io<'_>,
        op: Op,
    ) -> Result<Reply, Rejection> {
        match op {
            Op::Count(filter) => Ok(self.count_runs(io, &filter)),
            Op::Tagged {
                workflow,
                tag,
                action,
                after,
            } => {
                let (count, next) = self.act_on_tagged(io, (&workflow, &tag), &action, after);
                Ok(Reply::Counted { count, next })
            }
            Op::StartForked {
                start,
                source,
                at,
                chunks,
            } => self.start_forked(io, *start, &source, at, &chunks),
            Op::BulkStart { bulk, expected } => self.bulk_start(io, *bulk, expected),
            Op::BulkShow { id } => self.bulk_show(&id),
            Op::BulkCancel { id } => self.bulk_cancel(io, &id),
            Op::BulkList => Ok(self.bulk_list()),
            _ => {
                let detail = "the engine does this with several shards, none by itself";
                Err(Rejection::new(Code::Internal, detail))
            }
        }
    }

    /// Does `action` to a run.
    pub(super) fn act(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        action: &Action,
    ) -> Result<Reply, Rejection> {
        match action {
            Action::Signal {
                channel,
                payload,
                nonce,
            } => self.signal(io, run, channel.clone(), payload.clone(), *nonce),
            Action::Cancel { reason } => self.cancel(io, run, reason.clone()),
            Action::Terminate { reason } => self.terminate(io, run, reason),
            Action::Pause => self.pause(io, run),
            Action::Resume => self.resume(io, run),
            Action::Retry => self.retry_run(io, run, None),
            Action::Purge => self.purge_run(io, run),
            Action::CompleteTimers => self.complete_timers(io, run, WhichTimers::All),
        }
    }

    /// Does `action` to a page of the runs of `workflow` with `tag` to which it can be done. Says how many, and where to go
    /// on.
    pub(super) fn act_on_tagged(
        &mut self,
        io: &mut Io<'_>,
        (workflow, tag): (&Name, &Name),
        action: &Action,
        after: Option<RunKey>,
    ) -> (u64, Option<RunKey>) {
        let filter = RunFilter {
            workflow: Some(workflow.clone()),
            tag: Some(tag.clone()),
            fit_for: Some(action.fitness()),
            after,
            limit: PAGE_RUNS,
            ..RunFilter::default()
        };
        let (runs, next) = self.look(io, &filter);
        let mut count = 0;
        for (_, run) in runs {
            count += u64::from(self.act(io, &run.id, action).is_ok());
        }
        (count, next)
    }

    /// The signal of a run to all with a tag has come to this shard.
    pub(super) fn take_tagged(&mut self, io: &mut Io<'_>, mut tagged: Tagged) {
        let action = Action::Signal {
            channel: tagged.channel.clone(),
            payload: tagged.payload.clone(),
            nonce: tagged.nonce,
        };
        let which = (&tagged.workflow, &tagged.tag);
        let (count, next) = self.act_on_tagged(io, which, &action, tagged.after);
        tagged.count += count;
        tagged.after = next;
        if next.is_some() {
            // By mail, not by the queue of this input: the rest belongs into commits of its own.
            return self.send(io, self.id, Message::SignalTagged(tagged));
        }
        let next = if mutant::is(Mutant::ShardPassedOver) {
            2
        } else {
            1
        };
        let next_shard = ShardId(self.id.0 + next);
        if next_shard.0 < self.settings.shards {
            return self.post(io, next_shard, Message::SignalTagged(tagged));
        }
        let to = self.home_of(&tagged.answer_to);
        if to == self.id {
            self.tagged_done(io, tagged);
        } else {
            self.post(io, to, Message::TaggedDone(tagged));
        }
    }

    /// The signal has been everywhere: its sender hears how many have it.
    pub(super) fn tagged_done(&mut self, io: &mut Io<'_>, tagged: Tagged) {
        if let Origin::Run {
            run,
            began_at,
            command,
        } = tagged.answer_to
        {
            self.answered_with(io, &(run, began_at, command), tagged.count);
        }
    }
}
