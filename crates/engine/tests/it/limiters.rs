//! Limits that several destinations keep to together, through the engine: on several shards, with the journal on a simulated disk and
//! crashes anywhere; and over real HTTP, with a real folder that is opened again and again.

use crate::acceptor::{Acceptor, Manner};
use crate::driver::{PEER, SHARDS, World};
use crate::{Folder, PATIENCE, eventually, player};
use std::collections::BTreeMap;
use trunkline_core::effect::Effect;
use trunkline_core::egress::{Delivery, Destination, Limiter, LimiterUse, NewJob, Quota, Rate};
use trunkline_core::ids::{JobId, RequestId, ShardId, destination_shard};
use trunkline_core::input::Input;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{EgressOp, Op, Reply};
use trunkline_core::policy::scramble;
use trunkline_core::time::Timestamp;
use trunkline_engine::Engine;
use trunkline_engine::driver::Batch;
use trunkline_journal::{CrashPolicy, SimDisk};

const RATE: Rate = Rate {
    per_second: 100,
    burst: 10,
};
const QUOTA: Quota = Quota {
    calls: 15,
    per_ms: 400,
};
/// The quota of one of the destinations alone.
const OWN: Quota = Quota {
    calls: 4,
    per_ms: 300,
};
const JOBS: u64 = 30;

/// A destination for each shard.
fn names() -> Vec<String> {
    let on = |shard: u16| {
        let mut names = (0..).map(|number| format!("shop-{number}"));
        names
            .find(|name| destination_shard(name, SHARDS) == ShardId(shard))
            .expect("names without end")
    };
    (0..SHARDS).map(on).collect()
}

fn market() -> Limiter {
    Limiter {
        name: Name::from("market"),
        rate: None,
        quotas: Some(vec![QUOTA]),
        concurrency: None,
    }
}

fn shop(name: &str, url: &str) -> Destination {
    let mut shop = Destination {
        name: Name::from(name),
        url: Name::from(url),
        limiters: Some(vec![LimiterUse {
            limiter: Name::from("market"),
            action: None,
            cost: 1,
            shares_patience: true,
        }]),
        ..Destination::default()
    };
    shop.retry.initial_ms = 5;
    shop.retry.max_ms = 5;
    shop
}

fn jobs(destination: &str, count: u64) -> Vec<(JobId, NewJob)> {
    let job = |number: u64| {
        let lane = format!("lane-{}", number % 10);
        let job = NewJob {
            destination: Name::from(destination),
            ..player::job(&lane, Payload::from(number.to_string().into_bytes()))
        };
        (JobId::of_key(destination, &number.to_string()), job)
    };
    (0..count).map(job).collect()
}

/// What is on its way between the shards and the destinations.
#[derive(Default)]
struct Outside {
    dice: u64,
    inputs: Vec<(ShardId, Input)>,
    /// Calls under way, and when they end.
    calls: Vec<(Timestamp, ShardId, Input)>,
    /// When calls arrived, by destination.
    arrived: BTreeMap<Name, Vec<u64>>,
}

impl Outside {
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = scramble(self.dice);
        self.dice % sides
    }

    /// Lets out what a durable batch wants done.
    fn release(&mut self, batch: Batch, now: Timestamp) {
        for (from, effects) in batch.effects {
            for effect in effects {
                match effect {
                    Effect::Send {
                        to,
                        sequence,
                        message,
                    } => self.inputs.push((
                        to,
                        Input::Message {
                            from,
                            sequence,
                            message,
                        },
                    )),
                    Effect::Acknowledge { to, sequence } => {
                        let input = Input::MessagesTaken { by: from, sequence };
                        self.inputs.push((to, input));
                    }
                    Effect::Deliver {
                        destination,
                        job,
                        token,
                        ..
                    } => {
                        let name = destination.name.clone();
                        self.arrived.entry(name.clone()).or_default().push(now.0);
                        let (status, retry_after_ms) = match self.roll(12) {
                            0 => (503, None),
                            1 => (429, Some(20)),
                            _ => (200, None),
                        };
                        let ended = Input::Delivered {
                            destination: name,
                            job: job.id,
                            token,
                            delivery: Delivery::Answered {
                                status,
                                retry_after_ms,
                                excerpt: Name::from(""),
                                verdict: None,
                            },
                        };
                        let at = now.plus_ms(self.roll(15));
                        self.calls.push((at, from, ended));
                    }
                    _ => {}
                }
            }
        }
    }

    /// What has come by now.
    fn due(&mut self, now: Timestamp) -> Vec<(ShardId, Input)> {
        let mut due = std::mem::take(&mut self.inputs);
        let (ended, under_way) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition(|(at, ..)| *at <= now);
        self.calls = under_way;
        let ended: Vec<_> = ended;
        due.extend(ended.into_iter().map(|(_, shard, input)| (shard, input)));
        due
    }
}

/// The most that arrived in any span of this length.
fn most_in(times: &[u64], ms: u64) -> usize {
    let from = times.iter().enumerate();
    let count = |(place, first): (usize, &u64)| {
        let within = times[place..].iter().take_while(|at| **at - first < ms);
        within.count()
    };
    from.map(count).max().unwrap_or(0)
}

#[test]
fn in_every_window_arrives_what_the_limits_allow_whenever_the_process_dies() {
    let ask = |shard, op| {
        let request = RequestId(1);
        let peer = PEER;
        (shard, Input::Request { peer, request, op })
    };
    let (mut crashes, mut most) = (0, 0);
    for seed in 0..12 {
        let (mut world, first) = World::open(SimDisk::new(), Timestamp(1_000_000));
        world.append(&first);
        let mut outside = Outside {
            dice: scramble(seed),
            ..Outside::default()
        };
        let limiter = Limiter {
            rate: Some(RATE),
            ..market()
        };
        let op = Op::Egress(EgressOp::PutLimiter { limiter });
        outside.inputs.push(ask(ShardId(0), op));
        for (number, name) in names().into_iter().enumerate() {
            let shard = destination_shard(&name, SHARDS);
            let destination = Destination {
                quotas: (number == 1).then(|| vec![OWN]),
                ..shop(&name, "http://127.0.0.1:1/")
            };
            outside.inputs.push(ask(
                shard,
                Op::PutDestination {
                    destination: Box::new(destination),
                },
            ));
            let jobs = jobs(&name, JOBS);
            outside.inputs.push(ask(shard, Op::CreateJobs { jobs }));
        }
        let all = JOBS * u64::from(SHARDS);
        let mut steps = 0;
        while world.driver.counters().jobs_succeeded < all {
            steps += 1;
            assert!(steps < 20_000, "seed {seed}: it comes to no end");
            // The destinations are configured and the jobs accepted before anything dies.
            let fate = if steps > 3 { outside.roll(60) } else { 60 };
            if outside.inputs.is_empty() && outside.roll(3) == 0 {
                world.now = world.now.plus_ms(outside.roll(20));
            }
            let inputs = outside.due(world.now);
            let batch = world.step(inputs);
            world.append(&batch);
            if fate > 1 {
                world.journal.flush().unwrap();
                outside.release(batch, world.now);
                if steps % 97 == 0 {
                    world.checkpoint();
                }
                continue;
            }
            // Dies before the batch is durable, or when that and what it wants done have left.
            if fate == 1 {
                world.journal.flush().unwrap();
                outside.release(batch, world.now);
            }
            crashes += 1;
            outside.inputs.clear();
            outside.calls.clear();
            let disk = world.disk.crash(CrashPolicy::DropAll, seed);
            let (reopened, first) = World::open(disk, world.now.plus_ms(outside.roll(30)));
            world = reopened;
            world.append(&first);
            world.journal.flush().unwrap();
            outside.release(first, world.now);
            for (_, shard) in world.driver.shards() {
                shard.check(world.driver.state()).unwrap();
            }
        }
        let mut times: Vec<u64> = outside.arrived.values().flatten().copied().collect();
        times.sort_unstable();
        most = most.max(most_in(&times, QUOTA.per_ms));
        assert!(most <= QUOTA.calls as usize, "seed {seed}: {most} arrived");
        for ms in [1, 10, 50, 200, 1_000] {
            let allowed = u64::from(RATE.burst) + (ms - 1) * u64::from(RATE.per_second) / 1_000;
            let arrived = most_in(&times, ms);
            assert!(
                arrived as u64 <= allowed,
                "seed {seed}: {arrived} in {ms} ms"
            );
        }
        let own = &outside.arrived[names()[1].as_str()];
        let own = most_in(own, OWN.per_ms);
        assert!(
            own <= OWN.calls as usize,
            "seed {seed}: {own} arrived at one"
        );
    }
    assert!(crashes > 50, "{crashes} crashes");
    assert_eq!(
        most, QUOTA.calls as usize,
        "and the quota is used up at times"
    );
}

/// Calls that have left, and those that wait.
async fn calls_and_waiting(engine: &Engine) -> (u64, u64) {
    let op = Op::Egress(EgressOp::ListLimiters);
    match engine.request(op).await {
        Ok(Reply::Limiters(all)) => (all[0].calls, all[0].waiting),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_destinations_share_holds_however_often_the_process_begins_anew() {
    const CALLS: u32 = 17;
    let folder = Folder::new();
    // Calls that fail count too: the receiver has seen them.
    let busy = Manner::Answer(503, None, "busy".into());
    let market_place = Acceptor::new(vec![busy; 3]).await;
    let engine = folder.open();
    let limiter = Limiter {
        quotas: Some(vec![Quota {
            calls: CALLS,
            per_ms: 24 * 3_600_000,
        }]),
        ..market()
    };
    let op = Op::Egress(EgressOp::PutLimiter { limiter });
    assert_eq!(engine.request(op).await, Ok(Reply::Done));
    let names: Vec<String> = (0..6).map(|number| format!("shop-{number}")).collect();
    let shards: std::collections::BTreeSet<_> = names
        .iter()
        .map(|name| destination_shard(name, 8))
        .collect();
    assert!(shards.len() >= 3, "on several shards");
    for name in &names {
        let destination = shop(name, &market_place.url);
        let reply = engine
            .request(Op::PutDestination {
                destination: Box::new(destination),
            })
            .await;
        assert_eq!(reply, Ok(Reply::Done));
    }
    // Some in each life, which ends while calls are under way.
    let mut engine = Some(engine);
    for life in 0..4 {
        let now = match engine.take() {
            Some(engine) => engine,
            None => folder.open(),
        };
        for name in &names {
            let some = jobs(name, 2 * (life + 1));
            now.request(Op::CreateJobs { jobs: some }).await.unwrap();
        }
        let wanted = ((life + 1) * 5).min(u64::from(CALLS));
        eventually("some have left", async || {
            calls_and_waiting(&now).await.0 >= wanted
        })
        .await;
        now.shutdown(PATIENCE).await;
    }
    let engine = folder.open();
    eventually("what may leave has left, and the rest waits", async || {
        let (calls, waiting) = calls_and_waiting(&engine).await;
        calls == u64::from(CALLS) && waiting > 0
    })
    .await;
    engine.shutdown(PATIENCE).await;
    // A call that was about to leave when the process ended counts, though it never arrived.
    let arrived = market_place.seen().len();
    assert!((6..=CALLS as usize).contains(&arrived), "{arrived} arrived");
}
