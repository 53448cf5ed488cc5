//! Turns: how a run moves on.
//!
//! A run with notifications that no turn has consumed is in the line of its workflow and version. [`Shard::dispatch`] leases
//! its turn to a worker; the worker answers with commands. A turn is accepted only if the run's `consumed` is still where the
//! turn began: compare and append. So a lease is needed for progress, never for safety.

use super::Shard;
use super::history::fitting;
use super::hot::{Holder, Hot, TurnLease};
use super::methods::{check_returns, outrun_by_a_call};
use crate::code::Code;
use crate::effect::Effect;
use crate::egress::NewJob;
use crate::entry::{Command, Entry, Notification, Outcome};
use crate::failure::FailureKind;
use crate::ids::{CommandId, JobId, PeerId, RunKey, Token, destination_shard};
use crate::input::Message;
use crate::io::Io;
use crate::limits::{PAYLOAD_BYTES_MAX, PROPERTIES_MAX, TAGS_MAX, TURN_COMMANDS_MAX};
use crate::payload::Name;
use crate::peer::{Rejection, ToPeer, Turn, TurnDone};
use crate::run::RunStatus;
use crate::shard::Offer;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl Shard {
    /// Gives ready turns to workers: to the one that holds the run's future if it has room, else to the one with the most.
    pub(super) fn dispatch_turns(&mut self, io: &mut Io<'_>, offers: &mut [Offer]) {
        for (line, mut ready) in core::mem::take(&mut self.turns) {
            let able: Vec<usize> = (0..offers.len())
                .filter(|index| offers[*index].abilities.workflows.contains(&line))
                .collect();
            while let Some(key) = ready.pop_front() {
                let roomiest = able
                    .iter()
                    .copied()
                    .map(|index| (offers[index].turns_of(&line.0), index))
                    .max_by_key(|(room, _)| *room);
                let Some((_, roomiest)) = roomiest.filter(|(room, _)| *room > 0) else {
                    ready.push_front(key);
                    break;
                };
                let Some(mut hot) = self.load(io, key) else {
                    continue;
                };
                hot.queued = false;
                if hot.wants_turn() {
                    let holding = hot.holder.and_then(|holder| {
                        able.iter().copied().find(|index| {
                            let offer = &offers[*index];
                            offer.peer == holder.peer && offer.turns_of(&line.0) > 0
                        })
                    });
                    let offer = &mut offers[holding.unwrap_or(roomiest)];
                    offer.give_turn(&line.0);
                    self.send_turn(io, key, &mut hot, offer.peer);
                }
                self.keep(key, hot);
            }
            if !ready.is_empty() {
                self.turns.insert(line, ready);
            }
        }
    }

    fn send_turn(&mut self, io: &mut Io<'_>, key: RunKey, hot: &mut Hot, peer: PeerId) {
        self.close_chunk(io, key, hot);
        let recent = core::mem::take(&mut hot.recent);
        let (from, chunks) = match hot.holder.filter(|holder| holder.peer == peer) {
            Some(holder) => {
                let unseen = recent
                    .into_iter()
                    .filter(|(first, _)| *first >= holder.knows);
                (holder.knows, unseen.map(|(_, chunk)| chunk).collect())
            }
            None => {
                if let Some(holder) = hot.holder.take() {
                    io.tell(holder.peer, ToPeer::Forget { run: key });
                }
                (0, self.whole_history(io, key, hot.run.chunks))
            }
        };
        let token = self.next_token();
        let (upto, notifications) = (hot.run.entries, hot.run.unconsumed);
        self.begin_turn(
            hot,
            TurnLease {
                peer,
                token,
                upto,
                notifications,
            },
        );
        let turn = Turn {
            run: key,
            id: hot.run.id.clone(),
            version: hot.run.version,
            token,
            consumed: hot.run.consumed,
            from,
            chunks,
            started_at: hot.run.began_at(),
            now: io.now,
        };
        io.tell(peer, ToPeer::Turn(turn));
    }

    pub(super) fn turn_done(&mut self, io: &mut Io<'_>, peer: PeerId, turn: TurnDone) {
        let key = turn.run;
        let Some(mut hot) = self.load(io, key) else {
            return refuse(io, peer, key, Code::RunNotFound, "the run is gone");
        };
        match hot.turn {
            Some(lease) if lease.peer == peer && lease.token == turn.token => {
                self.end_turn(&mut hot);
                if turn.from == hot.run.consumed && turn.upto == lease.upto {
                    self.accept_turn(io, key, &mut hot, peer, turn, lease);
                } else {
                    hot.holder = None;
                    refuse(io, peer, key, Code::TurnConflict, "the run has moved on");
                }
            }
            _ => refuse(
                io,
                peer,
                key,
                Code::TokenStale,
                "another turn is under way, or none",
            ),
        }
        self.keep(key, hot);
    }

    /// The turn that a worker played at once behind a result: accepted if the result did become the next entry that the
    /// worker's copy of the run did not have, and nothing else did.
    pub(super) fn turn_behind_result(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        peer: PeerId,
        turn: TurnDone,
    ) {
        let matches = hot.run.status == RunStatus::Running
            && hot.turn.is_none()
            && hot.run.unconsumed == 1
            && turn.run == key
            && turn.from == hot.run.consumed
            && turn.upto == hot.entries()
            && hot.holder.is_some_and(|holder| {
                holder.peer == peer && holder.token == turn.token && holder.knows + 1 == turn.upto
            });
        if matches {
            let (token, upto) = (turn.token, turn.upto);
            let lease = TurnLease {
                peer,
                token,
                upto,
                notifications: 1,
            };
            self.accept_turn(io, key, hot, peer, turn, lease);
        } else {
            // The worker's copy has run ahead of the history; it gets the whole of it with the next turn.
            hot.holder = None;
        }
    }

    /// Appends the turn and does what it asks for. The caller has checked that the run has not moved on.
    fn accept_turn(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        peer: PeerId,
        turn: TurnDone,
        lease: TurnLease,
    ) {
        if outrun_by_a_call(hot, &turn) {
            // The worker has ended the run, and a call came in meanwhile: it is answered first.
            hot.holder = None;
            return refuse(io, peer, key, Code::TurnConflict, "a method was called");
        }
        if let Err(reason) = self.validate(key, hot, &turn) {
            self.pause_because(hot, Name::from(reason));
            io.tell(peer, ToPeer::Forget { run: key });
            return;
        }
        let nothing_late = hot.entries() == turn.upto;
        hot.run.unconsumed -= lease.notifications;
        hot.run.consumed = turn.upto;
        if lease.notifications > 0 || !turn.commands.is_empty() {
            self.append(io, key, hot, &Entry::Turn { upto: turn.upto });
        }
        let mut jobs: BTreeMap<Name, Vec<(JobId, NewJob)>> = BTreeMap::new();
        let mut finish = None;
        let mut cancels = Vec::new();
        let mut again = None;
        for command in turn.commands {
            // The chunk that the command goes into: appending may close it.
            let chunk = hot.run.chunks;
            let entry = Entry::Command(command);
            self.append(io, key, hot, &entry);
            let Entry::Command(command) = entry else {
                continue;
            };
            match command {
                Command::CreateJob { command, job } => {
                    let id = JobId::of_command(key, hot.run.began_at().0, command);
                    jobs.entry(job.destination.clone())
                        .or_default()
                        .push((id, *job));
                }
                Command::Finish { outcome } => finish = Some(outcome),
                Command::CancelTask { target } => cancels.push(target),
                Command::ContinueAsNew {
                    input,
                    version,
                    carry,
                } => again = Some((input, version, carry)),
                other => self.obey(io, key, hot, other, chunk),
            }
        }
        self.close_chunk(io, key, hot);
        hot.steps_with = (!hot.run.open_steps.is_empty()).then_some(peer);
        if nothing_late || !turn.held {
            hot.recent.clear();
        }
        let knows = if nothing_late {
            hot.run.entries
        } else {
            turn.upto
        };
        hot.holder = turn.held.then_some(Holder {
            peer,
            token: turn.token,
            knows,
        });
        for (destination, jobs) in jobs {
            self.ship(io, hot, &destination, jobs);
        }
        // Behind all commands, because what they bring about is not part of the turn.
        for target in cancels {
            self.cancel_task(io, (key, target), hot, finish.is_none() && again.is_none());
        }
        if let Some((input, version, carry)) = again {
            let from = (carry.as_slice(), turn.upto);
            self.continue_as_new(io, (key, hot), input, version, from);
        }
        if let Some(outcome) = finish {
            let status = match &outcome {
                Outcome::Completed(_) => RunStatus::Completed,
                Outcome::Failed(failure)
                    if failure.kind == FailureKind::Cancelled && hot.run.cancelling =>
                {
                    RunStatus::Cancelled
                }
                Outcome::Failed(_) => RunStatus::Failed,
            };
            // The worker knows that the run has ended: it said so.
            hot.holder = None;
            self.finish(io, key, hot, status, outcome);
        }
    }

    /// Everything that can be wrong with a turn, before anything changes.
    fn validate(&self, key: RunKey, hot: &Hot, turn: &TurnDone) -> Result<(), String> {
        let commands = turn.commands.len();
        if commands > TURN_COMMANDS_MAX {
            let code = Code::TooManyItems;
            return Err(format!(
                "{code}: {commands} commands in one turn of {TURN_COMMANDS_MAX}"
            ));
        }
        let mut total = 0;
        let mut properties = hot.run.properties.len();
        let mut tags = hot.run.tags.len();
        for (place, command) in turn.commands.iter().enumerate() {
            let bytes = match command {
                Command::ScheduleTask { command, input, .. } => {
                    if self.tasks.contains((key, *command)) {
                        let code = Code::ProtocolError;
                        return Err(format!("{code}: command {} is there already", command.0));
                    }
                    input.len()
                }
                Command::StartTimer { command, .. } => {
                    if *command >= super::timers::RUN_START || self.timers.contains(key, *command) {
                        let code = Code::ProtocolError;
                        return Err(format!("{code}: command {} is there already", command.0));
                    }
                    0
                }
                Command::SetProperty { value, .. } => {
                    properties += 1;
                    value.len()
                }
                Command::AddTags { tags: added } => {
                    tags += added.len();
                    0
                }
                Command::CreateJob { job, .. } => job.body.len(),
                Command::Finish { .. } | Command::ContinueAsNew { .. } if place + 1 != commands => {
                    let code = Code::ProtocolError;
                    return Err(format!("{code}: a command follows the end of the run"));
                }
                Command::Finish {
                    outcome: Outcome::Completed(result),
                }
                | Command::MethodReturned {
                    outcome: Outcome::Completed(result),
                    ..
                } => result.len(),
                Command::CallMethod { input, .. } => input.len(),
                Command::StartChild { input, .. } | Command::ContinueAsNew { input, .. } => {
                    input.len()
                }
                Command::SignalRun { payload, .. } | Command::SignalTagged { payload, .. } => {
                    payload.len()
                }
                Command::CancelTimer { .. }
                | Command::CancelTask { .. }
                | Command::CancelRun { .. }
                | Command::CancelChild { .. }
                | Command::RemoveTags { .. }
                | Command::BeginStep { .. }
                | Command::Patch { .. }
                | Command::MethodReturned { .. }
                | Command::Finish { .. } => 0,
            };
            total += bytes;
            if bytes > PAYLOAD_BYTES_MAX {
                let code = Code::PayloadTooLarge;
                return Err(format!("{code}: a payload of {bytes} bytes"));
            }
        }
        check_returns(hot, turn)?;
        if let Some(full) = hot.would_overflow(commands, total) {
            return Err(format!("{}: {full}", Code::HistoryFull));
        }
        // A little generous: names that are there already count again.
        if properties > 2 * PROPERTIES_MAX || tags > 2 * TAGS_MAX {
            let code = Code::TooManyTags;
            return Err(format!("{code}: {properties} properties and {tags} tags"));
        }
        Ok(())
    }

    /// Does what a command asks for, apart from jobs and the end, which follow behind all others.
    pub(super) fn obey(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        command: Command,
        chunk: u32,
    ) {
        match command {
            Command::ScheduleTask {
                command,
                service,
                task,
                input,
                options,
            } => {
                hot.run.open_tasks += 1;
                self.schedule_task(io, (key, command), (service, task), input, *options, chunk);
            }
            Command::StartTimer { command, at, .. } => {
                hot.run.open_timers += 1;
                self.start_timer(io, key, command, at);
            }
            Command::CancelTimer { target } => {
                if self.cancel_timer(io, key, target) {
                    hot.run.open_timers -= 1;
                }
            }
            Command::SetProperty { name, value } => {
                io.out.change(&self.keys.property(key, &name), Some(&value));
                if let Err(place) = hot.run.properties.binary_search(&name) {
                    hot.run.properties.insert(place, name);
                }
            }
            Command::AddTags { tags } => self.add_tags(io, key, hot, tags),
            Command::RemoveTags { tags } => self.remove_tags(io, key, hot, &tags),
            Command::BeginStep { command, .. } => hot.run.open_steps.push(command),
            Command::MethodReturned { call, outcome } => {
                self.method_returned(io, key, hot, call, &outcome, chunk);
            }
            Command::CallMethod {
                command,
                run,
                method,
                input,
            } => self.call_from_run(io, hot, command, run, (method, input)),
            other => self.ask_other_run(io, key, hot, other),
        }
    }

    /// Hands jobs that a run has created to the shard that owns their destination.
    fn ship(&mut self, io: &mut Io<'_>, hot: &Hot, destination: &Name, jobs: Vec<(JobId, NewJob)>) {
        let owner = destination_shard(destination, self.settings.shards);
        let source = Name::from(format!("{}", hot.run.id));
        if owner == self.id {
            self.create_jobs(io, jobs, Some(&source));
        } else {
            self.send(io, owner, Message::CreateJobs { jobs, source });
        }
    }

    pub(super) fn turn_stuck(
        &mut self,
        io: &mut Io<'_>,
        peer: PeerId,
        key: RunKey,
        token: Token,
        reason: Name,
    ) {
        let Some(mut hot) = self.load(io, key) else {
            return;
        };
        if hot
            .turn
            .is_some_and(|lease| lease.peer == peer && lease.token == token)
        {
            self.pause_because(&mut hot, reason);
        }
        self.keep(key, hot);
    }

    pub(super) fn step_done(
        &mut self,
        io: &mut Io<'_>,
        peer: PeerId,
        (key, command): (RunKey, CommandId),
        outcome: Outcome,
        then: Option<TurnDone>,
    ) {
        let Some(mut hot) = self.load(io, key) else {
            return;
        };
        let place = hot.run.open_steps.iter().position(|open| *open == command);
        if hot.run.status.is_final() || hot.steps_with != Some(peer) {
            refuse(
                io,
                peer,
                key,
                Code::TokenStale,
                "another worker has the run",
            );
        } else if let Some(place) = place {
            hot.run.open_steps.remove(place);
            let ended = Notification::StepDone { command, outcome };
            let (notification, fits) = fitting(&hot, ended);
            self.notify(io, key, &mut hot, notification);
            match then {
                Some(turn) if fits => self.turn_behind_result(io, key, &mut hot, peer, turn),
                Some(_) => hot.holder = None,
                None => {}
            }
        }
        self.keep(key, hot);
    }
}

/// Tells a worker that what it sent was not taken.
pub(super) fn refuse(io: &mut Io<'_>, peer: PeerId, run: RunKey, code: Code, detail: &str) {
    let message = ToPeer::Refused {
        run,
        rejection: Rejection::new(code, detail),
    };
    io.effect(Effect::Tell { peer, message });
}
