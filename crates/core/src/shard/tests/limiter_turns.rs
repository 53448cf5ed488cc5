//! Stories of whose turn it is at a shared limiter, of what waiting costs, and of limiters that are changed or removed.

use super::egress::{job_of, put};
use super::limiters::{create, leaving, limiter, limiters, put_limiter, sharing, uses};
use super::world::*;
use crate::code::Code;
use crate::effect::Effect;
use crate::egress::{
    Connector, Delivery, Destination, ErrorClass, ItemFailure, Limiter, LimiterUse, Quota, Rate,
};
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{EgressOp, Op, Reply};
use crate::time::Timestamp;
use std::vec;
use std::vec::Vec;

const HOUR_MS: u64 = 3_600_000;

fn quota(calls: u32, per_ms: u64) -> Option<Vec<Quota>> {
    Some(vec![Quota { calls, per_ms }])
}

#[test]
fn a_dear_call_does_not_wait_for_ever_behind_cheap_ones() {
    for by_quota in [false, true] {
        let mut world = World::new();
        let rate = Rate {
            per_second: 50,
            burst: 10,
        };
        put_limiter(
            &mut world,
            Limiter {
                rate: (!by_quota).then_some(rate),
                quotas: quota(10, 200).filter(|_| by_quota),
                ..limiter("market")
            },
        );
        put(&mut world, sharing("shop", vec![uses("market", None)]));
        let dear = LimiterUse {
            cost: 10,
            ..uses("market", None)
        };
        put(&mut world, sharing("outlet", vec![dear]));
        create(&mut world, "shop", 0..150, "update");
        create(&mut world, "outlet", 400..402, "update");
        let left = leaving(&mut world, 2_000, 0);
        let of_outlet = left
            .iter()
            .filter(|(_, name)| name.as_str() == "outlet")
            .count();
        assert_eq!(of_outlet, 2, "while others want more than there is");
        assert!(left.len() > 40, "{}", left.len());
    }
}

#[test]
fn a_call_that_costs_more_than_there_ever_is_holds_back_nobody() {
    let mut world = World::new();
    put_limiter(
        &mut world,
        Limiter {
            quotas: quota(5, 100),
            ..limiter("market")
        },
    );
    let dear = LimiterUse {
        cost: 6,
        ..uses("market", None)
    };
    put(&mut world, sharing("outlet", vec![dear]));
    put(&mut world, sharing("shop", vec![uses("market", None)]));
    create(&mut world, "outlet", 0..1, "update");
    create(&mut world, "shop", 1..21, "update");
    let left = leaving(&mut world, 1_000, 0);
    assert_eq!(left.len(), 20);
    assert!(left.iter().all(|(_, name)| name.as_str() == "shop"));
}

#[test]
fn while_jobs_wait_for_a_limiter_nothing_is_done_again_and_again() {
    let mut world = World::new();
    put_limiter(
        &mut world,
        Limiter {
            quotas: quota(3, HOUR_MS),
            ..limiter("market")
        },
    );
    for name in ["shop", "outlet"] {
        let destination = Destination {
            rate: Some(Rate {
                per_second: 100,
                burst: 1,
            }),
            ..sharing(name, vec![uses("market", None)])
        };
        put(&mut world, destination);
    }
    create(&mut world, "shop", 0..50, "update");
    create(&mut world, "outlet", 50..100, "update");
    assert_eq!(leaving(&mut world, 1_000, 0).len(), 3);
    let (end, mut ticks) = (world.now + HOUR_MS * 9 / 10, 0);
    while let Some(at) = world.shard.next_deadline(Timestamp(world.now)) {
        if at.0 > end {
            break;
        }
        world.now = world.now.max(at.0);
        world.feed(Input::Tick);
        ticks += 1;
        assert!(ticks < 10, "it is woken in vain at {}", world.now);
    }
    world.now = end;
    world.pass(HOUR_MS / 4);
    assert_eq!(leaving(&mut world, 100, 0).len(), 3);
}

#[test]
fn permits_of_limiters_that_a_destination_no_longer_uses_are_given_back() {
    let mut world = World::new();
    put_limiter(
        &mut world,
        Limiter {
            concurrency: Some(1),
            ..limiter("market")
        },
    );
    put_limiter(
        &mut world,
        Limiter {
            quotas: quota(2, HOUR_MS),
            ..limiter("tenant")
        },
    );
    put(&mut world, sharing("outlet", vec![uses("market", None)]));
    create(&mut world, "outlet", 100..101, "update");
    let first = world.deliveries();
    // The jobs of the shop wait for the market; then they need the tenant's permits instead.
    put(&mut world, sharing("shop", vec![uses("market", None)]));
    create(&mut world, "shop", 0..5, "update");
    assert!(world.deliveries().is_empty());
    put(&mut world, sharing("shop", vec![uses("tenant", None)]));
    let sent = world.deliveries();
    assert_eq!(sent.len(), 2, "as many as the tenant's quota allows");
    world.delivered(&first[0], 200);
    for delivery in &sent {
        world.delivered(delivery, 200);
    }
    assert!(leaving(&mut world, 1_000, 0).is_empty());
    let all = limiters(&mut world);
    let of = |name: &str| {
        let one = all.iter().find(|one| one.limiter.name.as_str() == name);
        let one = one.expect("it is there");
        (one.reserved, one.in_flight, one.waiting, one.calls)
    };
    assert_eq!(of("market"), (0, 0, 0, 1));
    assert_eq!((of("tenant").0, of("tenant").1, of("tenant").3), (0, 0, 2));
    // Without limiters everything leaves.
    put(&mut world, sharing("shop", Vec::new()));
    assert_eq!(leaving(&mut world, 1_000, 0).len(), 3);
    assert_eq!(world.shard.counters().permits_waiting, 0);
}

#[test]
fn a_limiter_that_jobs_need_is_not_removed() {
    let mut world = World::new();
    let remove = |world: &mut World| {
        let name = Name::from("market");
        world
            .ask(Op::Egress(EgressOp::DeleteLimiter { name }))
            .expect("an answer")
            .map_err(|rejection| rejection.code)
    };
    assert_eq!(remove(&mut world), Err(Code::LimiterNotFound));
    put_limiter(
        &mut world,
        Limiter {
            concurrency: Some(1),
            ..limiter("market")
        },
    );
    put(&mut world, sharing("shop", vec![uses("market", None)]));
    create(&mut world, "shop", 0..2, "update");
    let first = world.deliveries();
    assert_eq!(remove(&mut world), Err(Code::LimiterInUse));
    world.crash();
    assert_eq!(remove(&mut world), Err(Code::LimiterInUse));
    drop(first);
    world.pass(1);
    assert_eq!(leaving(&mut world, 100, 0).len(), 2);
    assert_eq!(remove(&mut world), Ok(Reply::Done));
    world.crash();
    assert_eq!(remove(&mut world), Err(Code::LimiterNotFound));
}

#[test]
fn a_cancelled_job_under_way_or_waiting_leaves_no_permit_behind() {
    let mut world = World::new();
    put_limiter(
        &mut world,
        Limiter {
            concurrency: Some(1),
            ..limiter("market")
        },
    );
    put(&mut world, sharing("shop", vec![uses("market", None)]));
    create(&mut world, "shop", 0..4, "update");
    let cancel = |world: &mut World, id: u128| {
        let op = Op::CancelJob {
            destination: Name::from("shop"),
            job: crate::ids::JobId(id),
        };
        assert_eq!(world.ask(op), Some(Ok(Reply::Done)));
    };
    let first = world.deliveries();
    assert_eq!(first.len(), 1);
    let waiting = (0..4).find(|id| *id != job_of(&first[0]).0);
    cancel(&mut world, waiting.expect("three wait"));
    cancel(&mut world, job_of(&first[0]).0);
    assert_eq!(leaving(&mut world, 100, 0).len(), 2);
    let out = &limiters(&mut world)[0];
    assert_eq!((out.reserved, out.in_flight, out.waiting), (0, 0, 0));
}

#[test]
fn patience_that_is_not_shared_holds_only_who_was_asked() {
    let mut world = World::new();
    put_limiter(&mut world, limiter("market"));
    let own = LimiterUse {
        shares_patience: false,
        ..uses("market", None)
    };
    put(&mut world, sharing("shop", vec![own]));
    put(&mut world, sharing("outlet", vec![uses("market", None)]));
    create(&mut world, "shop", 0..1, "update");
    let sent = world.deliveries();
    let Effect::Deliver { token, job, .. } = &sent[0] else {
        panic!("not a delivery")
    };
    world.feed(Input::Delivered {
        destination: Name::from("shop"),
        job: job.id,
        token: *token,
        delivery: Delivery::Answered {
            status: 429,
            retry_after_ms: Some(5_000),
            excerpt: Name::from(""),
            verdict: None,
        },
    });
    create(&mut world, "outlet", 1..2, "update");
    let left = leaving(&mut world, 1_000, 0);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].1.as_str(), "outlet");
}

#[test]
fn jobs_that_share_a_call_need_one_permit_and_any_of_them_may_ask_for_patience() {
    let mut world = World::new();
    put_limiter(
        &mut world,
        Limiter {
            concurrency: Some(1),
            ..limiter("market")
        },
    );
    let connector = Connector {
        batch_max: 4,
        settings: json("{}"),
        body_bytes_max: 10_000,
    };
    put(
        &mut world,
        Destination {
            connector: Some(connector),
            ..sharing("shop", vec![uses("market", None)])
        },
    );
    create(&mut world, "shop", 0..10, "update");
    let call = |world: &mut World| {
        let effects = core::mem::take(&mut world.effects);
        let mut calls = effects.into_iter().filter_map(|effect| match effect {
            Effect::DeliverBatch { items, .. } => Some(items),
            _ => None,
        });
        let call = calls.next();
        assert!(calls.next().is_none(), "one call at a time");
        call
    };
    let mut sizes = Vec::new();
    while let Some(items) = call(&mut world) {
        sizes.push(items.len());
        // The last of them ends first, and that is not the end of the call.
        for item in items.iter().rev() {
            assert_eq!(limiters(&mut world)[0].in_flight, 1);
            world.feed(Input::Delivered {
                destination: Name::from("shop"),
                job: item.job.id,
                token: item.token,
                delivery: Delivery::Item {
                    failure: None,
                    verdict: None,
                },
            });
        }
    }
    assert_eq!(sizes, [4, 4, 2]);
    assert_eq!(limiters(&mut world)[0].in_flight, 0);
    create(&mut world, "shop", 20..22, "update");
    let items = call(&mut world).expect("a call");
    let rider = &items[1];
    world.feed(Input::Delivered {
        destination: Name::from("shop"),
        job: rider.job.id,
        token: rider.token,
        delivery: Delivery::Item {
            failure: Some(ItemFailure {
                class: ErrorClass::RateLimited,
                message: Name::from("too fast"),
                retry_after_ms: Some(700),
            }),
            verdict: None,
        },
    });
    let until = limiters(&mut world)[0].held_until;
    assert_eq!(until, Some(Timestamp(world.now + 700)));
}
