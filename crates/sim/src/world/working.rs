//! Workers: they play turns and do tasks, and keep, lose, repeat, delay and forget things as the setup says.

use super::{Event, World};
use crate::dice::mix;
use crate::model::{Checked, decode};
use crate::plan::WORKERS;
use crate::program::{Machine, SERVICES, WORKFLOWS};
use std::collections::{BTreeMap, BTreeSet};
use trunkline_core::code::Code;
use trunkline_core::entry::{Command, Entry, Notification, Outcome};
use trunkline_core::failure::{Failure, FailureKind};
use trunkline_core::ids::{CommandId, PeerId, RunKey, ShardId, Token};
use trunkline_core::input::Input;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{FromPeer, Registration, TaskAttempt, ToPeer, Turn, TurnDone};

/// A worker process.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// Its connection.
    pub(super) peer: Option<PeerId>,
    pub(super) futures: BTreeMap<RunKey, Future>,
}

/// A run's future, as a worker keeps it.
#[derive(Clone, Debug)]
pub(super) struct Future {
    pub(super) machine: Machine,
    token: Token,
    /// One past the last entry that it has consumed.
    pub(super) upto: u32,
    /// How long the history is if nothing has come in between.
    knows: u32,
    steps: BTreeSet<CommandId>,
    /// The worker has said what came of its turn. What comes of later ones it says behind that.
    said: bool,
}

impl World {
    pub(super) fn worker_comes(&mut self, number: u8) {
        let number = number % WORKERS;
        let Some(process) = &mut self.process else {
            return;
        };
        let worker = self.workers.entry(number).or_default();
        if worker.peer.is_some() {
            return;
        }
        let draw = mix(&[self.setup.seed, u64::from(number)]);
        // The first can do everything; of the others each second one only a part.
        let part = usize::from(number % 2);
        let abilities = Registration {
            name: Some(Name::from(format!("worker-{number}"))),
            workflows: WORKFLOWS[part..]
                .iter()
                .map(|name| (Name::from(*name), 1))
                .collect(),
            services: SERVICES[part..]
                .iter()
                .map(|name| Name::from(*name))
                .collect(),
            turn_slots: 1 + (draw % 4) as u32,
            task_slots: 1 + (draw / 4 % 4) as u32,
            ..Registration::default()
        };
        let peer = process.connect();
        process.register(peer, abilities);
        worker.peer = Some(peer);
    }

    pub(super) fn worker_goes(&mut self, number: u8) {
        let number = number % WORKERS;
        let worker = self.workers.entry(number).or_default();
        let Some(peer) = worker.peer.take() else {
            return;
        };
        if mix(&[self.setup.seed, peer.0]) & 1 == 0 {
            worker.futures.clear();
        }
        if let Some(process) = &mut self.process {
            process.disconnect(peer, self.setup.shards);
        }
    }

    /// Messages for a peer have left.
    pub(super) fn tell(&mut self, peer: PeerId, messages: Vec<ToPeer>) -> Checked {
        let worker = self
            .workers
            .iter()
            .find(|(_, worker)| worker.peer == Some(peer));
        let number = worker.map(|(number, _)| *number);
        if let Some(process) = &self.process
            && let Some(slots) = process.slots(peer)
        {
            process.workers.told(&slots, &messages);
        }
        for message in messages {
            match (message, number) {
                (ToPeer::Reply(request, answer), _) => {
                    self.clients.told(peer, request, &answer, &mut self.model)?;
                }
                (ToPeer::Turn(turn), Some(number)) => self.play(number, peer, &turn),
                (ToPeer::Task(task), Some(number)) => self.work_on(number, peer, &task),
                (ToPeer::Query(query), Some(number)) => self.answer_query(number, peer, &query),
                (ToPeer::Forget { run }, Some(number)) => self.forget(number, run),
                (ToPeer::Refused { run, rejection }, Some(number)) => {
                    let late = &*rejection.detail == "the attempt is no longer leased";
                    let marks = &mut self.model.marks;
                    marks.set_if(late, "a late answer of a task was refused");
                    let turn = matches!(rejection.code, Code::TurnConflict | Code::TokenStale);
                    marks.set_if(turn && !late, "a turn was refused");
                    self.forget(number, run);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn forget(&mut self, worker: u8, run: RunKey) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.futures.remove(&run);
        }
    }

    /// A worker plays a turn, and will say what came of it.
    fn play(&mut self, number: u8, peer: PeerId, turn: &Turn) {
        let name = [turn.run.0 as u64, turn.token.0];
        let entries: Vec<Entry> = turn
            .chunks
            .iter()
            .flat_map(|chunk| decode::<Vec<Entry>>(chunk))
            .collect();
        let upto = turn.from + entries.len() as u32;
        let future = self.future_for(number, turn, &entries);
        let evict = self.fate(self.setup.evict, &[name[0], name[1], 1]);
        let Some(mut future) = future.filter(|_| !evict) else {
            self.forget(number, turn.run);
            self.model.marks.set("a future was lost");
            let report = FromPeer::Evicted { run: turn.run };
            self.expect(
                1,
                Event::Say {
                    worker: number,
                    peer,
                    report,
                },
            );
            return;
        };
        let mut commands = Vec::new();
        for (index, entry) in (turn.from..).zip(&entries) {
            if let Entry::Notification(_, notification) = entry
                && index >= turn.consumed
            {
                commands.extend(future.machine.play(index, notification));
            }
        }
        commands.extend(future.machine.end_turn());
        future.token = turn.token;
        future.upto = upto;
        future.said = false;
        let appended = upto > turn.consumed || !commands.is_empty();
        future.knows = upto + u32::from(appended) + commands.len() as u32;
        let steps: Vec<CommandId> = future
            .machine
            .steps
            .iter()
            .copied()
            .filter(|step| future.steps.insert(*step))
            .collect();
        let held = !future.machine.is_over()
            && self.setup.hold > 0
            && mix(&[self.setup.seed, name[0], name[1], 2]) % 100 < u64::from(self.setup.hold);
        let report = FromPeer::TurnDone(TurnDone {
            run: turn.run,
            token: turn.token,
            from: turn.consumed,
            upto,
            commands,
            held,
        });
        if let Some(worker) = self.workers.get_mut(&number) {
            if held {
                worker.futures.insert(turn.run, future);
            } else {
                worker.futures.remove(&turn.run);
            }
        }
        let Some(ms) = self.answer(number, peer, &name, report) else {
            return;
        };
        for step in steps {
            let report = FromPeer::StepDone {
                run: turn.run,
                command: step,
                outcome: Outcome::Completed(Payload::from(&b"1"[..])),
                then: None,
            };
            self.expect(
                ms + 5,
                Event::Say {
                    worker: number,
                    peer,
                    report,
                },
            );
        }
    }

    /// The future that a turn goes on with: made anew if the history is whole, else the one that the worker keeps.
    fn future_for(&mut self, number: u8, turn: &Turn, entries: &[Entry]) -> Option<Future> {
        if turn.from > 0 {
            self.model
                .marks
                .set("a turn was continued from a held future");
            let worker = self.workers.get_mut(&number)?;
            return worker
                .futures
                .remove(&turn.run)
                .filter(|future| future.upto == turn.consumed);
        }
        let mut machine = Machine::of(entries)?;
        for (index, entry) in (0..turn.consumed).zip(entries) {
            if let Entry::Notification(_, notification) = entry {
                machine.play(index, notification);
            }
        }
        Some(Future {
            machine,
            token: turn.token,
            upto: turn.consumed,
            knows: 0,
            steps: BTreeSet::new(),
            said: false,
        })
    }

    /// A worker does a task, and will say how it ended.
    fn work_on(&mut self, number: u8, peer: PeerId, task: &TaskAttempt) {
        let name = [
            task.run.0 as u64,
            u64::from(task.command.0),
            u64::from(task.attempt),
        ];
        if self.fate(self.setup.delegate, &[&name[..], &[12]].concat()) {
            return self.delegate(task, number, peer);
        }
        let fails = self.fate(self.setup.fail, &[&name[..], &[3]].concat());
        let outcome = if fails {
            let hopeless = self.fate(10, &[&name[..], &[4]].concat());
            let kind = if hopeless { "Hopeless" } else { "Busy" };
            Outcome::Failed(Failure::new(FailureKind::Application, kind, "no"))
        } else {
            let results = &mut self.model.book.results;
            let known = results.entry((task.run, task.command)).or_default();
            known.insert(task.token.0);
            Outcome::Completed(Payload::from(task.token.0.to_string().into_bytes()))
        };
        let report = FromPeer::TaskDone {
            run: task.run,
            command: task.command,
            token: task.token,
            outcome,
            then: None,
        };
        let name = [task.run.0 as u64, task.token.0];
        if let Some(ms) = self.answer(number, peer, &name, report) {
            self.beat(task, number, peer, ms);
        }
    }

    /// A worker answers: soon, late, twice, or never. Says after how many milliseconds it does first.
    pub(super) fn answer(
        &mut self,
        worker: u8,
        peer: PeerId,
        name: &[u64; 2],
        report: FromPeer,
    ) -> Option<u64> {
        let draw = mix(&[self.setup.seed, name[0], name[1], 9]);
        let fate = |percent, salt: u64| self.fate(percent, &[name[0], name[1], salt]);
        if fate(self.setup.hang, 5) {
            return None;
        }
        let ms = if fate(self.setup.late, 6) {
            1_000 + draw % 4_000
        } else {
            draw % 60
        };
        if fate(self.setup.twice, 7) {
            let report = report.clone();
            self.expect(
                ms + draw % 90,
                Event::Say {
                    worker,
                    peer,
                    report,
                },
            );
        }
        self.expect(
            ms,
            Event::Say {
                worker,
                peer,
                report,
            },
        );
        Some(ms)
    }

    /// What a worker has said arrives, if it is connected, through whatever connection it has now.
    pub(super) fn said(&mut self, number: u8, peer: PeerId, report: FromPeer) -> Checked {
        let Some(current) = self.workers.get(&number).and_then(|worker| worker.peer) else {
            return Ok(());
        };
        if let FromPeer::TurnDone(turn) = &report
            && let Some(worker) = self.workers.get_mut(&number)
            && let Some(future) = worker.futures.get_mut(&turn.run)
            && future.token == turn.token
        {
            future.said = true;
        }
        let report = if current == peer {
            self.play_ahead(number, report)
        } else {
            report
        };
        let Some((process, shard)) = self
            .process
            .as_mut()
            .zip(shard_of(&report, self.setup.shards))
        else {
            return Ok(());
        };
        if let Some(slots) = process.slots(current) {
            process.workers.heard(&slots, std::slice::from_ref(&report));
        }
        self.model.note_report(&report);
        process.submit(
            shard,
            Input::Report {
                peer: current,
                report,
            },
        );
        Ok(())
    }

    /// A worker that holds the run plays the result of its task at once, and sends the turn along.
    fn play_ahead(&mut self, number: u8, report: FromPeer) -> FromPeer {
        let FromPeer::TaskDone {
            run,
            command,
            token,
            outcome: Outcome::Completed(result),
            ..
        } = &report
        else {
            return report;
        };
        let wanted = mix(&[self.setup.seed, token.0, 8]) % 100 < u64::from(self.setup.ahead);
        let worker = self.workers.get_mut(&number);
        let Some(future) = worker
            .and_then(|worker| worker.futures.get_mut(run))
            .filter(|future| future.said && wanted)
        else {
            return report;
        };
        let notification = Notification::TaskCompleted {
            command: *command,
            result: result.clone(),
        };
        let mut commands: Vec<Command> = future.machine.play(future.knows, &notification);
        commands.extend(future.machine.end_turn());
        let turn = TurnDone {
            run: *run,
            token: future.token,
            from: future.upto,
            upto: future.knows + 1,
            commands,
            held: !future.machine.is_over(),
        };
        future.upto = turn.upto;
        future.knows = turn.upto + 1 + turn.commands.len() as u32;
        let fresh: Vec<CommandId> = future
            .machine
            .steps
            .difference(&future.steps)
            .copied()
            .collect();
        future.steps.extend(&fresh);
        let run = *run;
        for step in fresh {
            let report = FromPeer::StepDone {
                run,
                command: step,
                outcome: Outcome::Completed(Payload::from(&b"1"[..])),
                then: None,
            };
            if let Some(peer) = self.workers.get(&number).and_then(|worker| worker.peer) {
                self.expect(
                    7,
                    Event::Say {
                        worker: number,
                        peer,
                        report,
                    },
                );
            }
        }
        match report {
            FromPeer::TaskDone {
                run,
                command,
                token,
                outcome,
                ..
            } => FromPeer::TaskDone {
                run,
                command,
                token,
                outcome,
                then: Some(turn),
            },
            other => other,
        }
    }
}

/// The shard that a report is for.
fn shard_of(report: &FromPeer, shards: u16) -> Option<ShardId> {
    match report {
        FromPeer::TurnDone(turn) => Some(turn.run.shard(shards)),
        FromPeer::TurnStuck { run, .. }
        | FromPeer::TaskDone { run, .. }
        | FromPeer::StepDone { run, .. }
        | FromPeer::QueryDone { run, .. }
        | FromPeer::TaskDelegated { run, .. }
        | FromPeer::Heartbeat { run, .. }
        | FromPeer::Evicted { run } => Some(run.shard(shards)),
        _ => None,
    }
}
