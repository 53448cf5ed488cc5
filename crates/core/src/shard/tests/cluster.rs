//! Several shards with the mail between them, and runs whose code is a function of what comes in: everything goes on by itself,
//! whatever is lost on the way.

use super::world::*;
use crate::effect::Effect;
use crate::entry::{Command, Entry, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::ids::{CommandId, RunId, ShardId};
use crate::input::Input;
use crate::peer::{FromPeer, Op, Rejection, Reply};
use crate::row::Rows;
use crate::run::{Run, RunStatus};
use crate::shard::{Settings, check_kinship};
use std::collections::VecDeque;
use std::format;
use std::string::String;
use std::vec::Vec;

/// What a run asks for when something comes in.
pub(super) type Program = fn(&RunId, &Notification) -> Vec<Command>;

pub(super) struct Cluster {
    pub(super) worlds: Vec<World>,
    program: Program,
    /// Messages on their way, in order.
    mail: VecDeque<(usize, Input)>,
    steps: usize,
    /// After this step all shards crash, and what was on its way is lost.
    crash_after: Option<usize>,
    /// Every message arrives twice.
    pub(super) twice: bool,
}

pub(super) const SHARDS: u16 = 2;

/// An id that begins with `prefix` and lies on `shard`.
pub(super) fn id_on(shard: u16, prefix: &str) -> String {
    (0..)
        .map(|number| format!("{prefix}-{number}"))
        .find(|id| run_id(id).key().shard(SHARDS) == ShardId(shard))
        .expect("ids without end")
}

impl Cluster {
    pub(super) fn new(program: Program, crash_after: Option<usize>) -> Self {
        let settings = Settings {
            shards: SHARDS,
            ..Settings::default()
        };
        let worlds = (0..SHARDS)
            .map(|number| World::with(settings.clone(), ShardId(number)))
            .collect();
        Self {
            worlds,
            program,
            mail: VecDeque::new(),
            steps: 0,
            crash_after,
            twice: false,
        }
    }

    fn collect(&mut self) {
        for (number, world) in self.worlds.iter_mut().enumerate() {
            let from = ShardId(number as u16);
            let mut rest = Vec::new();
            for effect in core::mem::take(&mut world.effects) {
                match effect {
                    Effect::Send {
                        to,
                        sequence,
                        message,
                    } => {
                        for _ in 0..1 + usize::from(self.twice) {
                            let input = Input::Message {
                                from,
                                sequence,
                                message: message.clone(),
                            };
                            self.mail.push_back((usize::from(to.0), input));
                        }
                    }
                    Effect::Acknowledge { to, sequence } => {
                        let input = Input::MessagesTaken { by: from, sequence };
                        self.mail.push_back((usize::from(to.0), input));
                    }
                    other => rest.push(other),
                }
            }
            world.effects = rest;
        }
    }

    /// One step is over: it is durable, and what it wanted done is on its way, or all is lost.
    fn stepped(&mut self) {
        self.steps += 1;
        if self.crash_after == Some(self.steps) {
            self.mail.clear();
            for world in &mut self.worlds {
                world.crash();
            }
        }
        self.collect();
        let rows: Vec<&dyn Rows> = self
            .worlds
            .iter()
            .map(|world| &world.rows as &dyn Rows)
            .collect();
        if let Err(violation) = check_kinship(&rows) {
            panic!("after step {}: {violation:?}", self.steps);
        }
    }

    pub(super) fn world(&mut self, id: &str) -> &mut World {
        let shard = run_id(id).key().shard(SHARDS);
        &mut self.worlds[usize::from(shard.0)]
    }

    pub(super) fn ask(&mut self, id: &str, op: Op) -> Option<Result<Reply, Rejection>> {
        let answer = self.world(id).ask(op);
        self.stepped();
        answer
    }

    pub(super) fn start(&mut self, id: &str) {
        self.world(id).start(id);
        self.stepped();
    }

    /// Delivers messages and plays turns until nothing is left to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            if let Some((to, input)) = self.mail.pop_front() {
                self.worlds[to].feed(input);
                self.stepped();
            } else if !self.play_one() {
                return;
            }
        }
        panic!("the shards never come to rest");
    }

    fn play_one(&mut self) -> bool {
        for number in 0..self.worlds.len() {
            let Some(turn) = self.worlds[number].turn(WORKER) else {
                continue;
            };
            let entries = turn.chunks.iter().flat_map(entries_of);
            let mut commands = Vec::new();
            for (entry, index) in entries.zip(turn.from..) {
                if let Entry::Notification(_, notification) = entry
                    && index >= turn.consumed
                {
                    commands.extend((self.program)(&turn.id, &notification));
                }
            }
            // What ends a run is its last command, whatever else came in.
            if let Some(end) = commands.iter().position(|command| {
                matches!(
                    command,
                    Command::Finish { .. } | Command::ContinueAsNew { .. }
                )
            }) {
                commands.truncate(end + 1);
            }
            let done = FromPeer::TurnDone(done_of(&turn, false, commands));
            self.worlds[number].report(WORKER, done);
            self.stepped();
            return true;
        }
        false
    }

    pub(super) fn run(&mut self, id: &str) -> Run {
        let op = Op::DescribeRun { run: run_id(id) };
        match self.world(id).ask(op) {
            Some(Ok(Reply::Run(run))) => *run,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn status(&mut self, id: &str) -> RunStatus {
        self.run(id).status
    }

    pub(super) fn notes(&mut self, id: &str) -> Vec<Notification> {
        let entries = self.world(id).history(id);
        let notes = entries.into_iter().filter_map(|entry| match entry {
            Entry::Notification(_, notification) => Some(notification),
            _ => None,
        });
        notes.collect()
    }

    /// How the children of a run have ended, as it was told.
    pub(super) fn children_ended(&mut self, id: &str) -> Vec<Outcome> {
        let notes = self.notes(id).into_iter();
        notes
            .filter_map(|note| match note {
                Notification::ChildEnded { outcome, .. } => Some(outcome),
                _ => None,
            })
            .collect()
    }

    /// Nothing is left in any outbox, and no child is waited for.
    pub(super) fn assert_at_rest(&self) {
        for world in &self.worlds {
            assert_eq!(world.shard.counters().outbox, 0);
        }
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }
}

/// Tells a story once without a crash, then again with a crash after each of its steps, and with every message twice.
pub(super) fn with_a_crash_after_each_step(program: Program, story: impl Fn(&mut Cluster)) {
    let mut calm = Cluster::new(program, None);
    story(&mut calm);
    calm.assert_at_rest();
    assert!(calm.steps() > 2, "a story has steps to crash after");
    for step in 1..=calm.steps() {
        let mut crashing = Cluster::new(program, Some(step));
        crashing.twice = step % 2 == 0;
        story(&mut crashing);
        crashing.settle();
        crashing.assert_at_rest();
    }
}

pub(super) fn cancelled() -> Outcome {
    Outcome::Failed(Failure::new(FailureKind::Cancelled, "TL0076", "cancelled"))
}

pub(super) fn finish_with(outcome: Outcome) -> Vec<Command> {
    Vec::from([Command::Finish { outcome }])
}

pub(super) fn child(command: u32, id: &str) -> Command {
    child_with(command, id, crate::entry::ChildOptions::default())
}

pub(super) fn child_with(command: u32, id: &str, options: crate::entry::ChildOptions) -> Command {
    Command::StartChild {
        command: CommandId(command),
        run: run_id(id),
        version: Some(1),
        input: json("1"),
        options,
    }
}
