//! A shard with rows in a map, a clock that the test turns, and workers whose every move the test makes.

use crate::effect::Effect;
use crate::egress::Delivery;
use crate::entry::{Command, Entry, Outcome, TaskOptions};
use crate::ids::{CommandId, Nonce, PeerId, RequestId, RunId, ShardId};
use crate::input::Input;
use crate::output::{Output, changes_in};
use crate::payload::{Name, Payload};
use crate::peer::{
    FromPeer, OnConflict, Op, Registration, Rejection, Reply, Start, TaskAttempt, ToPeer, Turn,
    TurnDone,
};
use crate::row::Rows;
use crate::shard::{Offer, Settings, Shard};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::sync::Arc;
use std::collections::BTreeMap;
use std::vec::Vec;

/// Rows in a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map(pub(super) BTreeMap<Vec<u8>, Vec<u8>>);

impl Rows for Map {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
        for (key, value) in self.0.range(from.to_vec()..to.to_vec()) {
            if !visit(key, value) {
                return;
            }
        }
    }
}

impl Map {
    fn apply(&mut self, out: &mut Output) {
        let body = out.take_encoded();
        for change in changes_in(&body).expect("the core's own output") {
            let key = body[change.key].to_vec();
            assert!(
                !change.created || !self.0.contains_key(&key),
                "what is created is new"
            );
            match change.value {
                Some(value) => self.0.insert(key, body[value].to_vec()),
                None => self.0.remove(&key),
            };
        }
    }
}

pub(super) const CLIENT: PeerId = PeerId(1);
pub(super) const WORKER: PeerId = PeerId(2);
pub(super) const OTHER: PeerId = PeerId(3);

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: u64,
    pub(super) settings: Settings,
    pub(super) id: ShardId,
    pub(super) shard: Shard,
    pub(super) rows: Map,
    /// Effects that no test has looked at yet.
    pub(super) effects: Vec<Effect>,
    requests: u64,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(
            Settings {
                shards: 1,
                ..Settings::default()
            },
            ShardId(0),
        )
    }

    pub(super) fn with(settings: Settings, id: ShardId) -> Self {
        let mut rows = Map::default();
        let mut out = Output::default();
        let now = 1_000_000;
        let mut shard = Shard::open(id, settings.clone(), Timestamp(now), &rows, &mut out);
        shard.seal(Timestamp(now), &rows, &mut out);
        rows.apply(&mut out);
        Self {
            now,
            settings,
            id,
            shard,
            rows,
            effects: out.effects,
            requests: 0,
        }
    }

    /// Takes one input as a batch of its own, and holds every invariant against the result.
    pub(super) fn feed(&mut self, input: Input) {
        let mut out = Output::default();
        self.shard
            .handle(Timestamp(self.now), input, &self.rows, &mut out);
        self.seal(out);
    }

    pub(super) fn seal(&mut self, mut out: Output) {
        self.shard.seal(Timestamp(self.now), &self.rows, &mut out);
        self.rows.apply(&mut out);
        // Every batch says that there is something to read; the stories are about the rest.
        let told = |effect: &Effect| !matches!(effect, Effect::Events { .. });
        self.effects.extend(out.effects.drain(..).filter(told));
        if let Err(violation) = self.shard.check(&self.rows) {
            panic!("{violation:?}");
        }
    }

    /// Kills the shard and opens it again on what it has written.
    pub(super) fn crash(&mut self) {
        let before = self.shard.digest(&self.rows);
        let mut out = Output::default();
        self.shard = Shard::open(
            self.id,
            self.settings.clone(),
            Timestamp(self.now),
            &self.rows,
            &mut out,
        );
        self.effects.clear();
        self.seal(out);
        assert_eq!(
            before,
            self.shard.digest(&self.rows),
            "recovery changes nothing"
        );
    }

    /// Opens the shard again, with other settings perhaps.
    pub(super) fn reopen(&mut self) {
        let mut out = Output::default();
        self.shard = Shard::open(
            self.id,
            self.settings.clone(),
            Timestamp(self.now),
            &self.rows,
            &mut out,
        );
        self.effects.clear();
        self.seal(out);
    }

    /// Lets time pass, with every tick on the way.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(at) = self.shard.next_deadline(Timestamp(self.now)) {
            if at.0 > end {
                break;
            }
            self.now = self.now.max(at.0);
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    pub(super) fn ask(&mut self, op: Op) -> Option<Result<Reply, Rejection>> {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.feed(Input::Request {
            peer: CLIENT,
            request,
            op,
        });
        self.answer(request)
    }

    /// The answer to a request, if there is one by now.
    pub(super) fn answer(&mut self, request: RequestId) -> Option<Result<Reply, Rejection>> {
        let place = self.effects.iter().position(|effect| {
            matches!(effect, Effect::Tell { message: ToPeer::Reply(number, _), .. } if *number == request)
        })?;
        match self.effects.remove(place) {
            Effect::Tell {
                message: ToPeer::Reply(_, answer),
                ..
            } => Some(answer),
            _ => None,
        }
    }

    pub(super) fn last_request(&self) -> RequestId {
        RequestId(self.requests)
    }

    pub(super) fn start(&mut self, id: &str) -> Option<Result<Reply, Rejection>> {
        self.ask(Op::Start(start_of(id)))
    }

    pub(super) fn offer(&mut self, peer: PeerId, turns: u32, tasks: u32) {
        let abilities = Arc::new(Registration {
            workflows: vec_of([(Name::from("Checkout"), 1)]),
            services: vec_of([Name::from("Payments")]),
            ..Registration::default()
        });
        let mut offers = [Offer {
            peer,
            abilities,
            turns,
            tasks,
            service_tasks: Vec::new(),
            workflow_turns: Vec::new(),
        }];
        let mut out = Output::default();
        self.shard
            .dispatch(Timestamp(self.now), &mut offers, &self.rows, &mut out);
        self.seal(out);
    }

    /// The next turn for `peer` when it offers to work.
    pub(super) fn turn(&mut self, peer: PeerId) -> Option<Turn> {
        self.offer(peer, 1, 0);
        let place = self.effects.iter().position(|effect| {
            matches!(effect, Effect::Tell { peer: to, message: ToPeer::Turn(_) } if *to == peer)
        })?;
        match self.effects.remove(place) {
            Effect::Tell {
                message: ToPeer::Turn(turn),
                ..
            } => Some(turn),
            _ => None,
        }
    }

    pub(super) fn task(&mut self, peer: PeerId) -> Option<TaskAttempt> {
        self.offer(peer, 0, 1);
        let place = self.effects.iter().position(|effect| {
            matches!(effect, Effect::Tell { peer: to, message: ToPeer::Task(_) } if *to == peer)
        })?;
        match self.effects.remove(place) {
            Effect::Tell {
                message: ToPeer::Task(task),
                ..
            } => Some(*task),
            _ => None,
        }
    }

    pub(super) fn report(&mut self, peer: PeerId, report: FromPeer) {
        self.feed(Input::Report { peer, report });
    }

    /// A worker takes the next turn and answers it.
    pub(super) fn play(&mut self, peer: PeerId, held: bool, commands: Vec<Command>) -> TurnDone {
        let turn = self.turn(peer).expect("a run is ready for a turn");
        let done = done_of(&turn, held, commands);
        self.report(peer, FromPeer::TurnDone(done.clone()));
        done
    }

    pub(super) fn finish_task(&mut self, peer: PeerId, outcome: Outcome) -> TaskAttempt {
        let task = self.task(peer).expect("a task is ready");
        let (run, command, token) = (task.run, task.command, task.token);
        self.report(
            peer,
            FromPeer::TaskDone {
                run,
                command,
                token,
                outcome,
                then: None,
            },
        );
        task
    }

    pub(super) fn deliveries(&mut self) -> Vec<Effect> {
        let (deliveries, rest) = core::mem::take(&mut self.effects)
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Deliver { .. }));
        self.effects = rest;
        deliveries
    }

    pub(super) fn delivered(&mut self, delivery: &Effect, status: u16) {
        let Effect::Deliver {
            destination,
            job,
            token,
            ..
        } = delivery
        else {
            panic!("not a delivery")
        };
        let delivery = Delivery::Answered {
            status,
            retry_after_ms: None,
            excerpt: Name::from(""),
            verdict: None,
        };
        self.feed(Input::Delivered {
            destination: destination.name.clone(),
            job: job.id,
            token: *token,
            delivery,
        });
    }

    /// The run's history, decoded.
    pub(super) fn history(&mut self, id: &str) -> Vec<Entry> {
        let (mut entries, mut from) = (Vec::new(), Some(0));
        while let Some(next) = from {
            let op = Op::History {
                run: run_id(id),
                from: next,
            };
            match self.ask(op) {
                Some(Ok(Reply::History { chunks, next, .. })) => {
                    entries.extend(chunks.iter().flat_map(entries_of));
                    from = next;
                }
                other => panic!("{other:?}"),
            }
        }
        entries
    }

    /// True if an effect of this kind is waiting; takes it.
    pub(super) fn takes(&mut self, wanted: impl Fn(&Effect) -> bool) -> bool {
        let place = self.effects.iter().position(wanted);
        place.map(|place| self.effects.remove(place)).is_some()
    }
}

pub(super) fn entries_of(chunk: &Payload) -> Vec<Entry> {
    minicbor::decode(chunk).expect("a chunk")
}

pub(super) fn run_id(id: &str) -> RunId {
    RunId::new("Checkout", id)
}

pub(super) fn start_of(id: &str) -> Start {
    Start {
        run: run_id(id),
        version: Some(1),
        input: json("\"in\""),
        tags: Vec::new(),
        nonce: Nonce(0),
        on_conflict: OnConflict::Reject,
        wait: false,
        timeout_ms: None,
        start_at: None,
    }
}

pub(super) fn done_of(turn: &Turn, held: bool, commands: Vec<Command>) -> TurnDone {
    let chunks = turn
        .chunks
        .iter()
        .map(|chunk| entries_of(chunk).len() as u32);
    let upto = turn.from + chunks.sum::<u32>();
    TurnDone {
        run: turn.run,
        token: turn.token,
        from: turn.consumed,
        upto,
        commands,
        held,
    }
}

pub(super) fn json(text: &str) -> Payload {
    Payload::from(text.as_bytes())
}

pub(super) fn task(command: u32) -> Command {
    task_with(command, TaskOptions::default())
}

pub(super) fn task_with(command: u32, options: TaskOptions) -> Command {
    Command::ScheduleTask {
        command: CommandId(command),
        service: Name::from("Payments"),
        task: Name::from("charge"),
        input: json("1"),
        options: Box::new(options),
    }
}

pub(super) fn finish() -> Command {
    Command::Finish {
        outcome: completed("\"out\""),
    }
}

pub(super) fn completed(text: &str) -> Outcome {
    Outcome::Completed(json(text))
}

pub(super) fn vec_of<T, const N: usize>(items: [T; N]) -> Vec<T> {
    items.into_iter().collect()
}
