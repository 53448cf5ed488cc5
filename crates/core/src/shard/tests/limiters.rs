//! Stories of quotas and of limiters that destinations share, on one shard. On several: `limiters_afar`.

use super::egress::{job, job_of, new_job, put, shop, status};
use super::world::*;
use crate::effect::Effect;
use crate::egress::{Delivery, Destination, Limiter, LimiterUse, NewJob, Quota, Rate};
use crate::ids::JobId;
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{EgressOp, LimiterStatus, Op, Reply};
use std::vec;
use std::vec::Vec;

pub(super) fn limiter(name: &str) -> Limiter {
    Limiter {
        name: Name::from(name),
        rate: None,
        quotas: None,
        concurrency: None,
    }
}

pub(super) fn put_limiter(world: &mut World, limiter: Limiter) {
    let op = Op::Egress(EgressOp::PutLimiter { limiter });
    assert_eq!(world.ask(op), Some(Ok(Reply::Done)));
}

pub(super) fn limiters(world: &mut World) -> Vec<LimiterStatus> {
    match world.ask(Op::Egress(EgressOp::ListLimiters)) {
        Some(Ok(Reply::Limiters(all))) => all,
        other => panic!("{other:?}"),
    }
}

pub(super) fn uses(limiter: &str, action: Option<&str>) -> LimiterUse {
    LimiterUse {
        limiter: Name::from(limiter),
        action: action.map(Name::from),
        cost: 1,
        shares_patience: true,
    }
}

pub(super) fn sharing(name: &str, limiters: Vec<LimiterUse>) -> Destination {
    Destination {
        name: Name::from(name),
        limiters: Some(limiters),
        ..shop()
    }
}

/// So many jobs for `destination`, each in a lane of its own.
pub(super) fn create(
    world: &mut World,
    destination: &str,
    ids: core::ops::Range<u128>,
    action: &str,
) {
    let jobs = ids.map(|id| {
        let new = NewJob {
            destination: Name::from(destination),
            action: Name::from(action),
            ..new_job(&std::format!("lane-{id}"))
        };
        (JobId(id), new)
    });
    let jobs = jobs.collect();
    assert!(
        world
            .ask(Op::CreateJobs { jobs })
            .expect("an answer")
            .is_ok()
    );
}

/// What leaves within `ms`, with when; each answered with 200 at once.
pub(super) fn leaving(world: &mut World, ms: u64, crash_every: u64) -> Vec<(u64, Name)> {
    let mut left = Vec::new();
    for step in 0..ms / 10 {
        loop {
            let sent = world.deliveries();
            if sent.is_empty() {
                break;
            }
            for delivery in &sent {
                let Effect::Deliver { destination, .. } = delivery else {
                    panic!("not a delivery")
                };
                left.push((world.now, destination.name.clone()));
                world.delivered(delivery, 200);
            }
        }
        if crash_every > 0 && step % crash_every == crash_every - 1 {
            world.crash();
        }
        world.pass(10);
    }
    left
}

#[test]
fn a_quota_is_never_exceeded_also_across_crashes() {
    let mut world = World::new();
    let quota = Quota {
        calls: 5,
        per_ms: 1_000,
    };
    put(
        &mut world,
        Destination {
            quotas: Some(vec![quota]),
            ..shop()
        },
    );
    create(&mut world, "shop", 0..40, "update");
    let left = leaving(&mut world, 4_000, 7);
    for (at, _) in &left {
        let span = left
            .iter()
            .filter(|(other, _)| *other >= *at && other - at < 1_000);
        assert!(span.count() <= 5, "{left:?}");
    }
    assert!(left.len() >= 18, "{}", left.len());
    let why = status(&mut world).blocked_on.expect("it has 20 more");
    assert!(why.contains("quota"), "{why}");
}

#[test]
fn destinations_share_a_rate_and_no_window_is_exceeded_also_across_crashes() {
    for crash_every in [0, 1, 3, 7] {
        let mut world = World::new();
        let rate = Some(Rate {
            per_second: 20,
            burst: 3,
        });
        put_limiter(
            &mut world,
            Limiter {
                rate,
                ..limiter("market")
            },
        );
        put(&mut world, sharing("shop", vec![uses("market", None)]));
        put(&mut world, sharing("outlet", vec![uses("market", None)]));
        create(&mut world, "shop", 0..100, "update");
        create(&mut world, "outlet", 100..200, "update");
        let left = leaving(&mut world, 3_000, crash_every);
        assert!(left.len() >= 50, "{}", left.len());
        for (place, (first, _)) in left.iter().enumerate() {
            for (count, (last, _)) in left[place..].iter().enumerate() {
                let most = 3 + (last - first) * 20 / 1_000;
                assert!(
                    (count as u64) < most,
                    "{} in {} ms",
                    count + 1,
                    last - first
                );
            }
        }
        let of_shop = left
            .iter()
            .filter(|(_, name)| name.as_str() == "shop")
            .count();
        let of_outlet = left.len() - of_shop;
        if crash_every > 0 {
            // Whose turn it was is not remembered.
            continue;
        }
        assert!(
            of_shop.min(of_outlet) * 3 >= left.len(),
            "each has its share: {of_shop}"
        );
    }
}

#[test]
fn a_shared_concurrency_holds_and_what_a_crash_left_behind_is_free_again() {
    let mut world = World::new();
    put_limiter(
        &mut world,
        Limiter {
            concurrency: Some(3),
            ..limiter("tenant")
        },
    );
    put(&mut world, sharing("shop", vec![uses("tenant", None)]));
    put(&mut world, sharing("outlet", vec![uses("tenant", None)]));
    create(&mut world, "shop", 0..5, "update");
    create(&mut world, "outlet", 5..10, "update");
    let sent = world.deliveries();
    assert_eq!(sent.len(), 3);
    assert_eq!(limiters(&mut world)[0].in_flight, 3);
    assert!(status(&mut world).blocked >= 1);
    world.crash();
    world.pass(1);
    let again = world.deliveries();
    assert_eq!(
        again.len(),
        3,
        "the calls of the crashed process count no more"
    );
    for delivery in &again {
        world.delivered(delivery, 200);
    }
    let left = leaving(&mut world, 100, 0);
    assert_eq!(left.len(), 7, "each that ends lets another go");
}

#[test]
fn an_action_has_a_limit_of_its_own_and_does_not_hold_up_the_others() {
    let mut world = World::new();
    let quota = Quota {
        calls: 1,
        per_ms: 60_000,
    };
    put_limiter(
        &mut world,
        Limiter {
            quotas: Some(vec![quota]),
            ..limiter("creations")
        },
    );
    put(
        &mut world,
        sharing("shop", vec![uses("creations", Some("create"))]),
    );
    create(&mut world, "shop", 0..5, "create");
    create(&mut world, "shop", 5..8, "update");
    let left = leaving(&mut world, 100, 0);
    assert_eq!(left.len(), 4, "one creation and the updates");
    let op = Op::DescribeJob {
        destination: Name::from("shop"),
        job: JobId(4),
    };
    let Some(Ok(Reply::Job { blocked_on, .. })) = world.ask(op) else {
        panic!("a job")
    };
    let words = blocked_on.expect("it waits");
    let (limiter, until) = words.rsplit_once(", for ").expect("until when");
    assert_eq!(
        limiter,
        "the shared limiter `creations`: its quota of 1 in 60000 ms"
    );
    let ms: u64 = until
        .strip_suffix(" ms more at least")
        .expect("how long")
        .parse()
        .expect("a number");
    assert!((59_900..64_000).contains(&ms), "{ms}");
    assert_eq!(job(&mut world, 4).attempts, 0, "waiting costs nothing");
}

#[test]
fn all_limiters_of_a_job_must_admit_and_none_is_held_meanwhile() {
    let mut world = World::new();
    put_limiter(
        &mut world,
        Limiter {
            concurrency: Some(1),
            ..limiter("market")
        },
    );
    put(
        &mut world,
        sharing("shop", vec![uses("market", None), uses("missing", None)]),
    );
    put(&mut world, sharing("outlet", vec![uses("market", None)]));
    create(&mut world, "shop", 0..2, "update");
    create(&mut world, "outlet", 2..4, "update");
    let left = leaving(&mut world, 100, 0);
    assert!(
        left.iter().all(|(_, name)| name.as_str() == "outlet"),
        "{left:?}"
    );
    assert_eq!(left.len(), 2);
    put_limiter(&mut world, limiter("missing"));
    assert_eq!(leaving(&mut world, 100, 0).len(), 2);
}

#[test]
fn patience_asked_for_by_one_holds_everybody_who_shares_the_limiter() {
    let mut world = World::new();
    put_limiter(&mut world, limiter("market"));
    put(&mut world, sharing("shop", vec![uses("market", None)]));
    put(&mut world, sharing("outlet", vec![uses("market", None)]));
    create(&mut world, "shop", 0..1, "update");
    let sent = world.deliveries();
    let Effect::Deliver { token, .. } = &sent[0] else {
        panic!("not a delivery")
    };
    world.feed(Input::Delivered {
        destination: Name::from("shop"),
        job: JobId(0),
        token: *token,
        delivery: Delivery::Answered {
            status: 429,
            retry_after_ms: Some(2_000),
            excerpt: Name::from(""),
            verdict: None,
        },
    });
    create(&mut world, "outlet", 1..2, "update");
    world.crash();
    world.pass(1_999);
    assert!(world.deliveries().is_empty());
    world.pass(1);
    let again: Vec<_> = world
        .deliveries()
        .iter()
        .map(|sent| job_of(sent).0)
        .collect();
    assert_eq!(again.len(), 2, "{again:?}");
}

#[test]
fn permits_that_are_not_used_are_given_back() {
    let mut world = World::new();
    put_limiter(
        &mut world,
        Limiter {
            concurrency: Some(1),
            ..limiter("market")
        },
    );
    put(&mut world, sharing("shop", vec![uses("market", None)]));
    put(&mut world, sharing("outlet", vec![uses("market", None)]));
    create(&mut world, "shop", 0..2, "update");
    let sent = world.deliveries();
    put(
        &mut world,
        Destination {
            paused: true,
            ..sharing("shop", vec![uses("market", None)])
        },
    );
    create(&mut world, "outlet", 2..3, "update");
    world.delivered(&sent[0], 200);
    let next: Vec<_> = world
        .deliveries()
        .iter()
        .map(|sent| job_of(sent).0)
        .collect();
    assert_eq!(next, [2], "the paused destination gave its permit back");
}
