//! Random walks: workers, clients and the clock do as they like, with crashes, and every run comes to its end with exactly
//! what it should have.

use super::feed::agrees_with_histories;
use super::world::*;
use crate::effect::Effect;
use crate::entry::{Command, Outcome, TaskOptions};
use crate::failure::{Failure, FailureKind};
use crate::ids::{CommandId, Nonce, PeerId, TaskId};
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{FromPeer, Op, TaskAttempt, ToPeer, Turn};
use crate::policy::{RetryPolicy, scramble};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

const RUNS: u64 = 4;
const WORKERS: [PeerId; 2] = [WORKER, OTHER];

fn run_names() -> Vec<String> {
    (0..RUNS).map(|id| format!("run-{id}")).collect()
}

struct Walk {
    world: World,
    state: u64,
    turns: Vec<(PeerId, Turn)>,
    tasks: Vec<(PeerId, TaskAttempt)>,
    /// The ids of tasks that were ever with a worker.
    known: Vec<TaskId>,
    /// What a replay knows of each run: which command comes next.
    next_command: BTreeMap<u128, u32>,
}

impl Walk {
    fn draw(&mut self, below: u64) -> u64 {
        self.state = scramble(self.state);
        self.state % below
    }

    fn collect(&mut self) {
        for effect in core::mem::take(&mut self.world.effects) {
            match effect {
                Effect::Tell {
                    peer,
                    message: ToPeer::Turn(turn),
                } => self.turns.push((peer, turn)),
                Effect::Tell {
                    peer,
                    message: ToPeer::Task(task),
                } => {
                    self.known.push(task.task_id());
                    self.tasks.push((peer, *task));
                }
                _ => {}
            }
        }
    }

    fn step(&mut self) {
        match self.draw(13) {
            0 => {
                let id = format!("run-{}", self.draw(RUNS));
                let mut start = start_of(&id);
                start.tags = self.some_tags();
                self.world.ask(Op::Start(start));
            }
            1 => {
                let run = run_id(&format!("run-{}", self.draw(RUNS)));
                let nonce = Nonce(u128::from(self.draw(20)));
                let channel = Name::from("c");
                self.world.ask(Op::Signal {
                    run,
                    channel,
                    payload: json("1"),
                    nonce,
                });
            }
            2 | 3 => {
                let worker = WORKERS[self.draw(2) as usize];
                let (turns, tasks) = (self.draw(3) as u32, self.draw(3) as u32);
                self.world.offer(worker, turns, tasks);
            }
            4..=6 if !self.turns.is_empty() => self.play_turn(),
            7 | 8 if !self.tasks.is_empty() => self.play_task(),
            9 => {
                let ms = self.draw(2_000);
                self.world.pass(ms);
            }
            12 if !self.known.is_empty() => self.answer_task(),
            10 if self.draw(4) == 0 => {
                let peer = WORKERS[self.draw(2) as usize];
                self.world.feed(Input::PeerGone { peer });
            }
            11 if self.draw(4) == 0 => self.world.crash(),
            _ => {}
        }
        self.collect();
    }

    fn some_tags(&mut self) -> Vec<Name> {
        let number = self.draw(4);
        let tags = (0..number).map(|_| Name::from(format!("tag-{}", self.draw(3))));
        tags.collect()
    }

    /// Answers one of the turns seen so far, however old it is.
    fn play_turn(&mut self) {
        let place = self.draw(self.turns.len() as u64) as usize;
        let (peer, turn) = self.turns.swap_remove(place);
        let next = *self.next_command.entry(turn.run.0).or_insert(0);
        let commands = match self.draw(7) {
            0 => vec![],
            1 => vec![finish()],
            6 => vec![
                Command::AddTags {
                    tags: self.some_tags(),
                },
                Command::RemoveTags {
                    tags: self.some_tags(),
                },
            ],
            2 => {
                let at = Timestamp(self.world.now + self.draw(3_000));
                vec![Command::StartTimer {
                    command: CommandId(next),
                    at,
                    call: None,
                }]
            }
            _ => {
                let retry = RetryPolicy {
                    initial_ms: 50,
                    attempts: 3,
                    ..RetryPolicy::default()
                };
                let options = TaskOptions {
                    retry: Some(retry),
                    attempt_timeout_ms: Some(900),
                    grace_ms: Some(self.draw(3) * 300),
                    heartbeat_timeout_ms: (self.draw(2) == 0).then_some(400),
                    ..TaskOptions::default()
                };
                vec![task_with(next, options)]
            }
        };
        *self.next_command.entry(turn.run.0).or_insert(0) += 1;
        let held = self.draw(2) == 0;
        self.world
            .report(peer, FromPeer::TurnDone(done_of(&turn, held, commands)));
    }

    /// Answers, keeps alive or cancels one of the tasks seen so far, from outside.
    fn answer_task(&mut self) {
        let place = self.draw(self.known.len() as u64) as usize;
        let task = self.known[place];
        let nonce = Nonce(u128::from(self.draw(50)));
        let op = match self.draw(4) {
            0 => Op::CancelTask { task },
            1 => Op::HeartbeatTask {
                task,
                details: None,
            },
            2 => Op::CompleteTask {
                task,
                outcome: Outcome::Failed(Failure::new(FailureKind::Application, "Busy", "no")),
                nonce,
            },
            _ => Op::CompleteTask {
                task,
                outcome: completed("2"),
                nonce,
            },
        };
        self.world.ask(op);
    }

    /// Answers one of the attempts seen so far, however old it is.
    fn play_task(&mut self) {
        let place = self.draw(self.tasks.len() as u64) as usize;
        let (peer, attempt) = self.tasks.swap_remove(place);
        let (run, command, token) = (attempt.run, attempt.command, attempt.token);
        match self.draw(5) {
            0 => {
                let details = (self.draw(2) == 0).then(|| json("7"));
                self.world.report(
                    peer,
                    FromPeer::Heartbeat {
                        run,
                        command,
                        token,
                        details,
                        meta: None,
                    },
                );
                return self.tasks.push((peer, attempt));
            }
            1 => {
                let delegated = FromPeer::TaskDelegated {
                    run,
                    command,
                    token,
                };
                return self.world.report(peer, delegated);
            }
            _ => {}
        }
        let outcome = if self.draw(3) == 0 {
            Outcome::Failed(Failure::new(FailureKind::Application, "Busy", "no"))
        } else {
            completed("1")
        };
        self.world.report(
            peer,
            FromPeer::TaskDone {
                run,
                command,
                token,
                outcome,
                then: None,
            },
        );
    }
}

#[test]
fn whatever_happens_the_invariants_hold_and_all_work_ends() {
    for seed in 0..150 {
        let mut walk = Walk {
            world: World::new(),
            state: seed,
            turns: Vec::new(),
            tasks: Vec::new(),
            known: Vec::new(),
            next_command: BTreeMap::new(),
        };
        for _ in 0..150 {
            walk.step();
        }
        // The faults stop: a worker that answers everything brings all to its end.
        walk.turns.clear();
        walk.tasks.clear();
        walk.world.crash();
        agrees_with_histories(&mut walk.world, &run_names());
        for _ in 0..200 {
            while let Some(turn) = walk.world.turn(WORKER) {
                let done = done_of(&turn, false, vec![finish()]);
                walk.world.report(WORKER, FromPeer::TurnDone(done));
            }
            for id in 0..RUNS {
                let run = run_id(&format!("run-{id}"));
                let nonce = Nonce(0);
                let channel = Name::from("end");
                walk.world.ask(Op::Signal {
                    run,
                    channel,
                    payload: json("1"),
                    nonce,
                });
            }
        }
        let counters = walk.world.shard.counters();
        assert_eq!(
            counters.runs[0] + counters.runs[1],
            0,
            "seed {seed}: {counters:?}"
        );
        assert_eq!(
            counters.turns_in_flight + counters.timers,
            0,
            "seed {seed}: {counters:?}"
        );
        agrees_with_histories(&mut walk.world, &run_names());
    }
}

#[test]
fn the_same_seed_gives_the_same_rows() {
    let rows = |seed| {
        let mut walk = Walk {
            world: World::new(),
            state: seed,
            turns: Vec::new(),
            tasks: Vec::new(),
            known: Vec::new(),
            next_command: BTreeMap::new(),
        };
        for _ in 0..200 {
            walk.step();
        }
        walk.world.rows
    };
    assert!(rows(7) == rows(7));
    assert!(rows(7) != rows(8));
}
