//! Messages from run to run, whichever shard the other is on: posted in the commit that wants them, taken once.
//!
//! A message to another shard goes by [`mail`](super::mail). One to this shard waits until the input has been seen to, so that no
//! machine is entered while it works, and then is taken in the same commit.

use super::Shard;
use super::hot::Hot;
use crate::code::Code;
use crate::entry::Outcome;
use crate::ids::{RunId, ShardId, schedule_shard};
use crate::input::{EndHow, Message};
use crate::io::Io;
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{Rejection, Reply};
use crate::run::{Origin, RunStatus};
use alloc::format;

impl Shard {
    /// The shard that a run is on.
    pub(super) fn shard_of(&self, run: &RunId) -> ShardId {
        run.key().shard(self.settings.shards)
    }

    /// Sends a message to a shard, which may be this one.
    pub(super) fn post(&mut self, io: &mut Io<'_>, to: ShardId, message: Message) {
        if to == self.id {
            self.posted.push_back(message);
        } else {
            self.send(io, to, message);
        }
    }

    /// The shard of whoever started something.
    pub(super) fn home_of(&self, origin: &Origin) -> ShardId {
        match origin {
            Origin::Run { run, .. } => self.shard_of(run),
            Origin::Schedule { name, .. } => schedule_shard(name, self.settings.shards),
        }
    }

    /// Takes what this shard has posted to itself, and what comes of that.
    pub(super) fn take_posted(&mut self, io: &mut Io<'_>) {
        while let Some(message) = self.posted.pop_front() {
            self.take(io, message);
        }
    }

    /// Takes a message, from whichever shard.
    pub(super) fn take(&mut self, io: &mut Io<'_>, message: Message) {
        match message {
            Message::CreateJobs { jobs, source } => {
                self.create_jobs(io, jobs, Some(&source));
            }
            Message::WantPermits {
                destination,
                action,
                uses,
                count,
            } => self.want_permits(io, (destination, action), uses, count),
            Message::Permits {
                destination,
                action,
                uses,
                count,
                wait,
            } => self.take_permits(io, &destination, action, (&uses, count), wait),
            Message::PermitsDone {
                destination,
                action,
                done,
            } => self.permits_done(io, &(destination, action), &done),
            Message::StartRun {
                start,
                origin,
                announce,
            } => self.start_for(io, start, origin, announce),
            Message::EndRun {
                run,
                how,
                reason,
                only_of,
                answer_to,
            } => {
                let answer = self.end_run(io, &run, how, reason, only_of.as_ref());
                self.answer(io, answer_to, answer);
            }
            Message::Signal {
                run,
                channel,
                payload,
                nonce,
                answer_to,
            } => {
                let answer = self.signal(io, &run, channel, payload, nonce);
                self.answer(io, answer_to, answer);
            }
            Message::CallMethod {
                run,
                method,
                input,
                origin,
            } => self.call_for(io, &run, (method, input), origin),
            Message::MethodEnded { origin, outcome } => {
                self.called_method_ended(io, origin, outcome);
            }
            Message::RunStarted {
                origin,
                run,
                refused,
            } => match origin {
                Origin::Run {
                    run: parent,
                    began_at,
                    command,
                } => self.child_started(io, &(parent, began_at, command), run, refused),
                Origin::Schedule { name, .. } => {
                    self.scheduled_run_started(io, &name, &run, refused);
                }
            },
            Message::RunEnded {
                origin,
                run,
                status,
                outcome,
            } => match origin {
                Origin::Run {
                    run: parent,
                    began_at,
                    command,
                } => self.child_ended(io, &(parent, began_at, command), run, status, outcome),
                Origin::Schedule { name, .. } => {
                    self.scheduled_run_ended(io, &name, &run, status);
                }
            },
            Message::SignalTagged(tagged) => self.take_tagged(io, tagged),
            Message::TaggedDone(tagged) => self.tagged_done(io, tagged),
            Message::Answered { origin, refused } => match origin {
                Origin::Run {
                    run,
                    began_at,
                    command,
                } => self.answered(io, &(run, began_at, command), refused),
                // A schedule does not wait to hear that a run is asked to end: it hears of the end.
                Origin::Schedule { .. } => {}
            },
        }
    }

    fn end_run(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        how: EndHow,
        reason: Name,
        only_of: Option<&Origin>,
    ) -> Result<Reply, Rejection> {
        if only_of.is_some() {
            let (key, hot) = self.find_live(io, run)?;
            let meant = hot.run.origin.as_ref() == only_of;
            self.keep(key, hot);
            if !meant {
                let detail = format!("another started run `{run}`");
                return Err(Rejection::new(Code::RunNotFound, detail));
            }
        }
        match how {
            EndHow::Cancel => self.cancel(io, run, reason),
            EndHow::Terminate => self.terminate(io, run, &reason),
        }
    }

    fn answer(
        &mut self,
        io: &mut Io<'_>,
        answer_to: Option<Origin>,
        answer: Result<Reply, Rejection>,
    ) {
        if let Some(origin) = answer_to {
            let to = self.home_of(&origin);
            let refused = answer.err();
            self.post(io, to, Message::Answered { origin, refused });
        }
    }

    /// Tells those who started a run, or attached to it, how it has ended.
    pub(super) fn tell_origins(
        &mut self,
        io: &mut Io<'_>,
        hot: &mut Hot,
        status: RunStatus,
        outcome: &Outcome,
    ) {
        let mut listeners = hot.run.listeners.take().unwrap_or_default();
        if mutant::is(Mutant::ListenersForgotten) {
            listeners.clear();
        }
        for origin in hot.run.origin.clone().into_iter().chain(listeners) {
            self.tell_ended(io, origin, hot.run.id.clone(), status, outcome.clone());
        }
    }

    pub(super) fn tell_ended(
        &mut self,
        io: &mut Io<'_>,
        origin: Origin,
        run: RunId,
        status: RunStatus,
        outcome: Outcome,
    ) {
        let to = self.home_of(&origin);
        let message = Message::RunEnded {
            origin,
            run,
            status,
            outcome,
        };
        self.post(io, to, message);
    }
}
