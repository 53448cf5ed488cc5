//! Stories of breakers: when calls stop, and when they begin again.

use super::egress::{job_of, new_job, put, shop, status};
use super::world::*;
use crate::code::Code;
use crate::effect::Effect;
use crate::egress::{Breaker, Destination};

use crate::ids::JobId;
use crate::payload::Name;
use crate::peer::{EgressOp, Op, Reply};
use std::vec::Vec;

fn fragile(trips_max: u32) -> Destination {
    Destination {
        breaker: Some(Breaker {
            window_ms: 10_000,
            failed_percent: 50,
            calls_min: 4,
            open_ms: 1_000,
            trips_max,
        }),
        concurrency: 8,
        ..shop()
    }
}

fn create(world: &mut World, count: u128) {
    let jobs = (1..=count).map(|id| (JobId(id), new_job(&std::format!("lane-{id}"))));
    let jobs = jobs.collect();
    assert!(
        world
            .ask(Op::CreateJobs { jobs })
            .expect("an answer")
            .is_ok()
    );
}

fn set(world: &mut World, open: bool) -> Result<Reply, Code> {
    let destination = Name::from("shop");
    let answer = world.ask(Op::Egress(EgressOp::SetBreaker { destination, open }));
    answer
        .expect("an answer")
        .map_err(|rejection| rejection.code)
}

fn answer_all(world: &mut World, sent: &[Effect], status: u16) {
    for delivery in sent {
        world.delivered(delivery, status);
    }
}

#[test]
fn a_destination_that_fails_is_left_alone_and_one_call_shows_that_it_is_well() {
    let mut world = World::new();
    put(&mut world, fragile(0));
    create(&mut world, 8);
    let sent = world.deliveries();
    answer_all(&mut world, &sent[..3], 503);
    assert!(!status(&mut world).breaker_open, "three calls are too few");
    answer_all(&mut world, &sent[3..], 503);
    world.pass(500);
    assert!(world.deliveries().is_empty(), "it is open");
    world.crash();
    let words = status(&mut world).blocked_on.expect("held back");
    assert!(words.contains("one is tried in 500 ms"), "{words}");
    world.pass(500);
    let probe = world.deliveries();
    assert_eq!(probe.len(), 1, "one call at a time");
    world.delivered(&probe[0], 503);
    world.pass(999);
    assert!(world.deliveries().is_empty(), "it opened again");
    world.pass(1);
    let probe = world.deliveries();
    world.delivered(&probe[0], 200);
    assert_eq!(
        world.deliveries().len(),
        7,
        "it is closed, and all others leave"
    );
}

#[test]
fn an_open_breaker_costs_no_attempt() {
    let mut world = World::new();
    put(&mut world, fragile(0));
    create(&mut world, 5);
    let sent = world.deliveries();
    answer_all(&mut world, &sent[..4], 503);
    world.pass(100);
    assert!(world.deliveries().is_empty());
    let attempts = |world: &mut World| -> Vec<u32> {
        (1..=5)
            .map(|id| super::egress::job(world, id).attempts)
            .collect()
    };
    assert_eq!(attempts(&mut world), [1, 1, 1, 1, 0]);
}

#[test]
fn a_refusal_and_a_wish_for_patience_are_no_failures() {
    let mut world = World::new();
    put(&mut world, fragile(0));
    create(&mut world, 8);
    let sent = world.deliveries();
    answer_all(&mut world, &sent, 422);
    assert!(!status(&mut world).breaker_open);
}

#[test]
fn a_destination_that_does_not_get_well_is_paused() {
    let mut world = World::new();
    put(&mut world, fragile(2));
    create(&mut world, 4);
    let sent = world.deliveries();
    answer_all(&mut world, &sent, 503);
    assert!(status(&mut world).breaker_open);
    world.pass(1_000);
    let probe = world.deliveries();
    world.delivered(&probe[0], 503);
    let status = status(&mut world);
    assert!(status.destination.paused);
    assert!(!status.breaker_open);
    world.pass(3_600_000);
    assert!(world.deliveries().is_empty());
}

#[test]
fn an_operator_opens_and_closes_a_breaker() {
    let mut world = World::new();
    put(&mut world, fragile(0));
    assert_eq!(set(&mut world, false), Err(Code::BreakerClosed));
    assert_eq!(set(&mut world, true), Ok(Reply::Done));
    create(&mut world, 1);
    world.crash();
    world.pass(3_600_000);
    assert!(world.deliveries().is_empty(), "it opens no more by itself");
    assert_eq!(set(&mut world, false), Ok(Reply::Done));
    assert_eq!(job_of(&world.deliveries()[0]), (1, 1, 1));
}
