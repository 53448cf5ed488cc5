//! The runs of one thread: turns are played here, and futures are parked between them.
//!
//! What this is not: it owns no thread and does no I/O. It is told what happened and says what to send, so tests drive it
//! by hand.
//!
//! Invariants: every turn is answered by exactly one of `TurnDone`, `TurnStuck` and `Evicted`; every finished attempt or
//! step by exactly one `TaskDone` or `StepDone`.

use super::parked::Parked;
use super::task_runner::{AttemptDone, settled};
use crate::executor::{Ahead, Player, Strictness, Stuck};
use crate::ledger::Identity;
use crate::step::{OutcomeFuture, StepClosure};
use crate::time::Time;
use crate::workflow::Definition;
use futures_util::FutureExt;
use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::{Entry, Notification, Outcome};
use trunkline_api::core::ids::{CommandId, RunId, RunKey, Token};
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::{FromPeer, Query, QueryAnswer, Turn, TurnDone};
use trunkline_api::core::time::Timestamp;

/// Something for the runs of a thread to take in.
#[derive(Debug)]
pub(crate) enum Work {
    Turn(Turn),
    Query(Query),
    Attempt(AttemptDone),
    Step { step: StepKey, outcome: Outcome },
    Forget(RunKey),
}

impl Work {
    pub(crate) fn run(&self) -> RunKey {
        match self {
            Self::Turn(turn) => turn.run,
            Self::Query(query) => query.run,
            Self::Attempt(done) => done.run,
            Self::Step { step, .. } => step.run,
            Self::Forget(run) => *run,
        }
    }
}

/// A step of a run: of one generation of it, because the next counts its commands from zero again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct StepKey {
    pub(crate) run: RunKey,
    pub(crate) began_at: Timestamp,
    pub(crate) command: CommandId,
}

/// A parked run.
pub(crate) struct Held {
    player: Player,
    token: Token,
    began_at: Timestamp,
    workflow: Name,
    clock: Clock,
}

impl Held {
    fn is_finished(&self) -> bool {
        self.player.is_finished()
    }
}

/// The time at the engine, as well as a worker can know it: what the engine last said, and how long ago that was.
#[derive(Clone, Copy)]
struct Clock {
    said: Timestamp,
    heard: Instant,
}

/// The definitions that a worker has, by name and version.
pub(crate) type Definitions = HashMap<(Name, u32), Arc<dyn Definition>>;

/// See the module.
pub(crate) struct Runs {
    definitions: Arc<Definitions>,
    strictness: Strictness,
    parked: Parked,
    /// Steps that run on tokio. A replay meets them again and must not begin them a second time.
    running_steps: HashSet<StepKey>,
    /// Workflows that have asked for the time right behind a result: they get their turns from the engine.
    time_readers: HashSet<Name>,
    /// Steps to begin once what is being taken in is done with: a run of many short steps must not pile up the stack.
    steps: VecDeque<(StepKey, StepClosure)>,
    launch: Launch,
    time: Time,
    out: Vec<FromPeer>,
}

/// Runs a step's future somewhere, and reports its end as [`Work::Step`].
type Launch = Box<dyn Fn(StepKey, OutcomeFuture) + Send>;

impl Runs {
    pub(crate) fn new(
        definitions: Arc<Definitions>,
        strictness: Strictness,
        runs_max: usize,
        bytes_max: usize,
        time: Time,
        launch: impl Fn(StepKey, OutcomeFuture) + Send + 'static,
    ) -> Self {
        Self {
            definitions,
            strictness,
            parked: Parked::new(runs_max, bytes_max),
            running_steps: HashSet::new(),
            time_readers: HashSet::new(),
            steps: VecDeque::new(),
            launch: Box::new(launch),
            time,
            out: Vec::new(),
        }
    }

    /// Everything has been taken in, and what came of it was sent.
    pub(crate) fn rest(&self) {
        self.time.rest();
    }

    /// What is to be sent, in order.
    pub(crate) fn take_out(&mut self) -> Vec<FromPeer> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn take_in(&mut self, work: Work) {
        match work {
            Work::Turn(turn) => self.turn(turn),
            Work::Query(query) => self.query(&query),
            Work::Attempt(done) => self.attempt_done(done),
            Work::Step { step, outcome } => {
                // A step of an earlier generation is nobody's any more.
                if self.running_steps.remove(&step) {
                    self.step_done(step.run, step.command, outcome);
                }
            }
            Work::Forget(run) => self.parked.forget(run),
        }
        while let Some((step, closure)) = self.steps.pop_front() {
            self.begin_step(step, closure);
        }
        while let Some(run) = self.parked.evict() {
            self.out.push(FromPeer::Evicted { run });
        }
    }

    fn turn(&mut self, turn: Turn) {
        let (run, token) = (turn.run, turn.token);
        let parked = self.parked.take(run);
        let clock = Clock {
            said: turn.now,
            heard: Instant::now(),
        };
        let mut player = if turn.from == 0 {
            drop(parked);
            self.running_steps
                .retain(|step| step.run != run || step.began_at == turn.started_at);
            match self.player(&turn) {
                Ok(player) => player,
                Err(stuck) => return self.stuck(run, token, &stuck),
            }
        } else {
            match parked {
                Some(held) if held.player.continues(turn.consumed, turn.from) => held.player,
                // Not where the engine believes it is: the whole history, please.
                _ => return self.out.push(FromPeer::Evicted { run }),
            }
        };
        let entries = match decode(&turn.chunks) {
            Ok(entries) => entries,
            Err(stuck) => return self.stuck(run, token, &stuck),
        };
        match player.play(turn.from, entries, clock.said) {
            Err(stuck) => self.stuck(run, token, &stuck),
            Ok(commands) => {
                let held = Held {
                    player,
                    token,
                    began_at: turn.started_at,
                    workflow: turn.id.workflow,
                    clock,
                };
                let done = TurnDone {
                    run,
                    token,
                    from: turn.consumed,
                    upto: held.player.consumed(),
                    commands,
                    held: self.will_hold(&held),
                };
                self.out.push(FromPeer::TurnDone(done));
                self.park(run, held);
            }
        }
    }

    fn player(&self, turn: &Turn) -> Result<Player, Stuck> {
        self.new_player(&turn.id, turn.version, turn.started_at)
    }

    fn new_player(&self, id: &RunId, version: u32, started_at: Timestamp) -> Result<Player, Stuck> {
        let key = (id.workflow.clone(), version);
        let definition = self.definitions.get(&key).ok_or_else(|| {
            Stuck::new(
                Code::UnknownWorkflow,
                format!("this worker has no {} version {}", key.0, key.1),
            )
        })?;
        let identity = Identity {
            id: id.clone(),
            version,
            started_at,
        };
        Ok(Player::new(
            Arc::clone(definition),
            identity,
            self.strictness,
        ))
    }

    /// Answers a query from a parked run, or from one that is replayed for it and dropped.
    fn query(&mut self, query: &Query) {
        let answer = match &query.chunks {
            None => match self.parked.get(query.run) {
                Some(held) => held.player.query(&query.query, &query.input),
                None => QueryAnswer::NotHeld,
            },
            Some(chunks) => match self.replayed(query, chunks) {
                Ok(player) => player.query(&query.query, &query.input),
                Err(stuck) => QueryAnswer::Failed(Name::from(stuck.to_string())),
            },
        };
        self.out.push(FromPeer::QueryDone {
            run: query.run,
            number: query.number,
            answer,
        });
    }

    fn replayed(&self, query: &Query, chunks: &[Payload]) -> Result<Player, Stuck> {
        let mut player = self.new_player(&query.id, query.version, query.started_at)?;
        player.replay_turns(0, decode(chunks)?, query.now)?;
        Ok(player)
    }

    fn stuck(&mut self, run: RunKey, token: Token, stuck: &Stuck) {
        let reason = Name::from(stuck.to_string());
        tracing::warn!(%run, %reason, "a turn could not be done; the run is paused");
        self.out.push(FromPeer::TurnStuck { run, token, reason });
    }

    fn will_hold(&self, held: &Held) -> bool {
        !held.is_finished() && self.parked.has_room()
    }

    /// Parks a run after its turn, and has its steps begin.
    fn park(&mut self, run: RunKey, held: Held) {
        if held.is_finished() {
            return;
        }
        let began_at = held.began_at;
        let steps = match held.player.execution() {
            Some(execution) => execution.ledger().take_steps(),
            None => Vec::new(),
        };
        if self.parked.has_room() {
            let bytes = held.player.bytes();
            self.parked.put(run, held, bytes);
        }
        let steps = steps.into_iter();
        self.steps.extend(steps.map(|(command, closure)| {
            let step = StepKey {
                run,
                began_at,
                command,
            };
            (step, closure)
        }));
    }

    /// Begins a step, unless it still runs from before: polls it once here, and hands it to tokio if it waits.
    fn begin_step(&mut self, step: StepKey, closure: StepClosure) {
        if self.running_steps.contains(&step) {
            return;
        }
        let StepKey { run, command, .. } = step;
        let future = match std::panic::catch_unwind(AssertUnwindSafe(closure)) {
            Ok(future) => future,
            Err(panic) => return self.step_done(run, command, settled(Err(panic))),
        };
        let mut future = Box::pin(AssertUnwindSafe(future).catch_unwind().map(settled));
        // The waker is replaced in the first poll of the task, so nothing is lost by ignoring it here.
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut future).poll(&mut context) {
            Poll::Ready(outcome) => self.step_done(run, command, outcome),
            Poll::Pending => {
                self.running_steps.insert(step);
                (self.launch)(step, future);
            }
        }
    }

    fn attempt_done(&mut self, done: AttemptDone) {
        let AttemptDone {
            run,
            command,
            token,
            outcome,
        } = done;
        // Whether a failure is final only the engine knows: it counts the attempts.
        let ahead = match &outcome {
            Outcome::Completed(result) => {
                let result = result.clone();
                self.play_ahead(
                    run,
                    command,
                    Notification::TaskCompleted { command, result },
                )
            }
            Outcome::Failed(_) => None,
        };
        let (then, held) = ahead.unzip();
        self.out.push(FromPeer::TaskDone {
            run,
            command,
            token,
            outcome,
            then,
        });
        if let Some(held) = held {
            self.park(run, held);
        }
    }

    fn step_done(&mut self, run: RunKey, command: CommandId, outcome: Outcome) {
        let notification = Notification::StepDone {
            command,
            outcome: outcome.clone(),
        };
        let (then, held) = self.play_ahead(run, command, notification).unzip();
        self.out.push(FromPeer::StepDone {
            run,
            command,
            outcome,
            then,
        });
        if let Some(held) = held {
            self.park(run, held);
        }
    }

    /// Continues a parked run with the result of `command` at once, if that is all it waits for. The engine takes the turn
    /// if the result did become the next entry of the history; else it sends the whole history again.
    fn play_ahead(
        &mut self,
        run: RunKey,
        command: CommandId,
        notification: Notification,
    ) -> Option<(TurnDone, Held)> {
        let held = self.parked.get(run)?;
        if !held.player.waits_only_for(command) || self.time_readers.contains(&held.workflow) {
            return None;
        }
        let mut held = self.parked.take(run)?;
        let from = held.player.consumed();
        let clock = self.time.at_engine(held.clock.said, held.clock.heard);
        match held.player.play_ahead(notification, clock) {
            Ok(Ahead::Played(commands)) => {
                let done = TurnDone {
                    run,
                    token: held.token,
                    from,
                    upto: held.player.consumed(),
                    commands,
                    held: self.will_hold(&held),
                };
                Some((done, held))
            }
            Ok(Ahead::NeedsTime) => {
                self.time_readers.insert(held.workflow.clone());
                self.out.push(FromPeer::Evicted { run });
                None
            }
            // The turn that the engine sends next says the same, and has a token to say it with.
            Err(_) => {
                self.out.push(FromPeer::Evicted { run });
                None
            }
        }
    }
}

fn decode(chunks: &[Payload]) -> Result<Vec<Entry>, Stuck> {
    let mut entries = Vec::new();
    for chunk in chunks {
        let chunk: Vec<Entry> = minicbor::decode(chunk).map_err(|error| {
            Stuck::new(
                Code::ProtocolError,
                format!("the history cannot be read: {error}"),
            )
        })?;
        if entries.is_empty() {
            entries = chunk;
        } else {
            entries.extend(chunk);
        }
    }
    Ok(entries)
}
