//! Limiters that destinations on several shards share: random schedules of inputs, messages and crashes of single shards, in which
//! every window of what left is counted.

use super::egress::shop;
use super::world::*;
use crate::effect::Effect;
use crate::egress::{Delivery, Destination, Limiter, LimiterUse, NewJob, Quota, Rate};
use crate::ids::{JobId, ShardId, destination_shard};
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{EgressOp, Op, Reply};
use crate::policy::scramble;
use crate::shard::Settings;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use std::collections::{BTreeMap, VecDeque};
use std::vec;
use std::vec::Vec;

const SHARDS: u16 = 3;
const RATE: Rate = Rate {
    per_second: 50,
    burst: 6,
};
const QUOTA: Quota = Quota {
    calls: 20,
    per_ms: 1_000,
};
const AT_ONCE: u32 = 4;
/// What a creation costs.
const DEAR: u32 = 3;
const JOBS: u128 = 60;

/// A call as it left.
struct Call {
    at: u64,
    cost: u64,
}

struct Afar {
    now: u64,
    worlds: Vec<World>,
    /// When each wants to be woken, as it said last.
    deadlines: Vec<Option<Timestamp>>,
    mail: BTreeMap<(u16, u16), VecDeque<Input>>,
    /// Calls under way: who has to be told, and what they are.
    under_way: Vec<(usize, Effect)>,
    left: Vec<Call>,
    dice: u64,
}

fn destinations() -> Vec<Name> {
    // One on each shard.
    let name = |shard| {
        (0..)
            .map(|number| format!("shop-{number}"))
            .find(|name| destination_shard(name, SHARDS) == ShardId(shard))
            .expect("names without end")
    };
    (0..SHARDS).map(|shard| Name::from(name(shard))).collect()
}

fn uses(limiter: &str, action: Option<&str>, cost: u32) -> LimiterUse {
    LimiterUse {
        limiter: Name::from(limiter),
        action: action.map(Name::from),
        cost,
        shares_patience: true,
    }
}

fn limiter(name: &str) -> Limiter {
    Limiter {
        name: Name::from(name),
        rate: None,
        quotas: None,
        concurrency: None,
    }
}

impl Afar {
    fn new(seed: u64) -> Self {
        let settings = Settings {
            shards: SHARDS,
            ..Settings::default()
        };
        let world = |number| World::with(settings.clone(), ShardId(number));
        let mut afar = Self {
            now: 1_000_000,
            worlds: (0..SHARDS).map(world).collect(),
            deadlines: vec![None; usize::from(SHARDS)],
            mail: BTreeMap::new(),
            under_way: Vec::new(),
            left: Vec::new(),
            dice: scramble(seed),
        };
        let market = Limiter {
            rate: Some(RATE),
            quotas: Some(vec![QUOTA]),
            ..limiter("market")
        };
        let tenant = Limiter {
            concurrency: Some(AT_ONCE),
            ..limiter("tenant")
        };
        for limiter in [market, tenant] {
            let op = Op::Egress(EgressOp::PutLimiter { limiter });
            assert_eq!(afar.worlds[0].ask(op), Some(Ok(Reply::Done)));
        }
        for (number, name) in destinations().into_iter().enumerate() {
            let mut limiters = vec![uses("tenant", None, 1)];
            if number == 0 {
                limiters.push(uses("market", None, 1));
            } else {
                limiters.push(uses("market", Some("create"), DEAR));
                limiters.push(uses("market", Some("update"), 1));
            }
            let destination = Destination {
                name,
                limiters: Some(limiters),
                ..shop()
            };
            let op = Op::PutDestination {
                destination: Box::new(destination),
            };
            assert_eq!(afar.worlds[number].ask(op), Some(Ok(Reply::Done)));
        }
        afar
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = scramble(self.dice);
        self.dice % sides
    }

    fn create(&mut self) {
        for (number, destination) in destinations().into_iter().enumerate() {
            let job = |id: u128| {
                let action = if id.is_multiple_of(3) {
                    "create"
                } else {
                    "update"
                };
                let new = NewJob {
                    destination: destination.clone(),
                    lane: Name::from(format!("lane-{}", id % 7)),
                    action: Name::from(action),
                    body: json("{}"),
                    ..NewJob::default()
                };
                (JobId(id), new)
            };
            let jobs = (0..JOBS / 3).map(job).collect();
            let answer = self.worlds[number].ask(Op::CreateJobs { jobs });
            assert!(matches!(answer, Some(Ok(_))), "{answer:?}");
            self.collect(number);
        }
    }

    /// Takes what a shard wants done.
    fn collect(&mut self, number: usize) {
        let world = &self.worlds[number];
        self.deadlines[number] = world.shard.next_deadline(Timestamp(world.now));
        for effect in core::mem::take(&mut self.worlds[number].effects) {
            let from = ShardId(number as u16);
            match effect {
                Effect::Send {
                    to,
                    sequence,
                    message,
                } => self
                    .mail
                    .entry((from.0, to.0))
                    .or_default()
                    .push_back(Input::Message {
                        from,
                        sequence,
                        message,
                    }),
                Effect::Acknowledge { to, sequence } => self
                    .mail
                    .entry((from.0, to.0))
                    .or_default()
                    .push_back(Input::MessagesTaken { by: from, sequence }),
                Effect::Deliver {
                    ref destination,
                    ref job,
                    ..
                } => {
                    let is_dear = destination.limiters.as_ref().is_some_and(|all| {
                        all.iter()
                            .any(|it| it.action.as_ref() == Some(&job.new.action) && it.cost > 1)
                    });
                    self.left.push(Call {
                        at: self.now,
                        cost: u64::from(if is_dear { DEAR } else { 1 }),
                    });
                    self.under_way.push((number, effect));
                    assert!(
                        self.under_way.len() <= AT_ONCE as usize,
                        "{} calls at once",
                        self.under_way.len()
                    );
                }
                _ => {}
            }
        }
    }

    fn feed(&mut self, number: usize, input: Input) {
        let world = &mut self.worlds[number];
        world.now = self.now;
        world.feed(input);
        if self.deadlines[number].is_some_and(|at| at.0 <= self.now) {
            world.feed(Input::Tick);
        }
        self.collect(number);
    }

    fn crash(&mut self, number: usize) {
        self.worlds[number].now = self.now;
        self.worlds[number].crash();
        // Its calls broke off, and what it has sent may be lost on the way: it sends again what nobody has acknowledged.
        self.under_way.retain(|(of, _)| *of != number);
        let lose = self.roll(2) == 0;
        self.mail
            .retain(|(from, _), _| !lose || usize::from(*from) != number);
        self.collect(number);
    }

    fn end_call(&mut self, place: usize) {
        let (number, effect) = self.under_way.swap_remove(place);
        let Effect::Deliver {
            destination,
            job,
            token,
            ..
        } = effect
        else {
            unreachable!("only deliveries are under way")
        };
        let (status, retry_after_ms) = match self.roll(20) {
            0 => (429, Some(30)),
            1 => (503, None),
            _ => (200, None),
        };
        let delivery = Delivery::Answered {
            status,
            retry_after_ms,
            excerpt: Name::from(""),
            verdict: None,
        };
        let input = Input::Delivered {
            destination: destination.name.clone(),
            job: job.id,
            token,
            delivery,
        };
        self.feed(number, input);
    }

    /// Something happens.
    fn step(&mut self, crashes: bool) {
        match self.roll(20) {
            0 if crashes => {
                let number = self.roll(u64::from(SHARDS)) as usize;
                self.crash(number);
            }
            1..=3 => self.now += self.roll(40),
            4..=8 if !self.under_way.is_empty() => {
                let place = self.roll(self.under_way.len() as u64) as usize;
                self.end_call(place);
            }
            9..=11 => {
                let number = self.roll(u64::from(SHARDS)) as usize;
                if self.deadlines[number].is_some_and(|at| at.0 <= self.now) {
                    self.feed(number, Input::Tick);
                }
            }
            _ => {
                self.mail.retain(|_, line| !line.is_empty());
                let lines: Vec<_> = self.mail.keys().copied().collect();
                if lines.is_empty() {
                    return;
                }
                let line = lines[self.roll(lines.len() as u64) as usize];
                let input = self.mail.get_mut(&line).and_then(VecDeque::pop_front);
                self.feed(usize::from(line.1), input.expect("not empty"));
            }
        }
    }

    fn judge(&self, seed: u64) {
        for (place, first) in self.left.iter().enumerate() {
            let mut cost = 0;
            for last in &self.left[place..] {
                cost += last.cost;
                let ms = last.at - first.at;
                let most = u64::from(RATE.burst) + ms * u64::from(RATE.per_second) / 1_000;
                assert!(cost <= most, "seed {seed}: {cost} in {ms} ms by the rate");
                assert!(
                    ms >= QUOTA.per_ms || cost <= u64::from(QUOTA.calls),
                    "seed {seed}: {cost} in {ms} ms by the quota"
                );
            }
        }
    }
}

#[test]
fn no_window_is_exceeded_by_destinations_on_several_shards_whoever_dies_when() {
    let mut crashes = 0;
    for seed in 0..30 {
        let mut afar = Afar::new(seed);
        afar.create();
        let mut steps = 0;
        let done = |afar: &Afar| {
            let settled = |world: &World| {
                let counters = world.shard.counters();
                counters.jobs_succeeded + counters.jobs_dead
            };
            afar.worlds.iter().map(settled).sum::<u64>() == JOBS as u64
        };
        while !done(&afar) {
            let crashing = steps < 2_000;
            let before = afar.under_way.len();
            afar.step(crashing);
            crashes += usize::from(crashing && afar.under_way.len() + 1 < before);
            steps += 1;
            assert!(steps < 60_000, "seed {seed}: it comes to no end");
        }
        afar.judge(seed);
        // Everything that was granted is used or given back, and nobody waits.
        for _ in 0..2_000 {
            afar.step(false);
        }
        let Some(Ok(Reply::Limiters(limiters))) =
            afar.worlds[0].ask(Op::Egress(EgressOp::ListLimiters))
        else {
            panic!("limiters")
        };
        for limiter in limiters {
            let out = (limiter.reserved, limiter.in_flight, limiter.waiting);
            assert_eq!(out, (0, 0, 0), "seed {seed}: {limiter:?}");
        }
    }
    assert!(crashes > 10, "crashes that broke off calls: {crashes}");
}
