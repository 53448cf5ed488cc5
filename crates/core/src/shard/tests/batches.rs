//! Stories of jobs that share a call to a connector.

use super::world::*;
use crate::effect::{BatchItem, Effect};
use crate::egress::{
    Connector, Delivery, Destination, ErrorClass, ItemFailure, Job, JobState, NewJob, Rate,
};
use crate::ids::JobId;
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{DestinationStatus, Op, Reply};
use alloc::boxed::Box;
use std::vec;
use std::vec::Vec;

fn shop(batch_max: u32) -> Destination {
    let mut shop = Destination {
        name: Name::from("shop"),
        url: Name::from("http://127.0.0.1:1/"),
        connector: Some(Connector {
            batch_max,
            settings: json("{}"),
            body_bytes_max: 100,
        }),
        ..Destination::default()
    };
    shop.retry.initial_ms = 100;
    shop.retry.factor_percent = 100;
    shop.retry.jitter_percent = 0;
    shop.retry.attempts = 3;
    shop
}

fn put(world: &mut World, destination: Destination) {
    let put = world.ask(Op::PutDestination {
        destination: Box::new(destination),
    });
    assert_eq!(put, Some(Ok(Reply::Done)));
}

/// Jobs with an identity, a lane and an action.
fn create(world: &mut World, jobs: &[(u128, &str, &str)]) {
    let jobs = jobs
        .iter()
        .map(|(id, lane, action)| {
            let job = NewJob {
                destination: Name::from("shop"),
                lane: Name::from(*lane),
                action: Name::from(*action),
                ..NewJob::default()
            };
            (JobId(*id), job)
        })
        .collect();
    let reply = world.ask(Op::CreateJobs { jobs });
    assert!(matches!(reply, Some(Ok(Reply::Jobs { .. }))), "{reply:?}");
}

/// The calls that have left since the last time.
fn calls(world: &mut World) -> Vec<Vec<BatchItem>> {
    let effects = core::mem::take(&mut world.effects);
    effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::DeliverBatch { items, .. } => Some(items),
            Effect::Deliver { .. } => panic!("a connector is called with batches"),
            _ => None,
        })
        .collect()
}

fn ids(call: &[BatchItem]) -> Vec<(u128, u32)> {
    let ids = call.iter().map(|item| (item.job.id.0, item.attempt));
    ids.collect()
}

fn answer(world: &mut World, item: &BatchItem, failure: Option<(ErrorClass, Option<u64>)>) {
    world.feed(Input::Delivered {
        destination: Name::from("shop"),
        job: item.job.id,
        token: item.token,
        delivery: Delivery::Item {
            failure: failure.map(|(class, retry_after_ms)| ItemFailure {
                class,
                message: Name::from("no such SKU"),
                retry_after_ms,
            }),
            verdict: None,
        },
    });
}

fn job(world: &mut World, id: u128) -> Job {
    let asked = world.ask(Op::DescribeJob {
        destination: Name::from("shop"),
        job: JobId(id),
    });
    match asked {
        Some(Ok(Reply::Job { job, .. })) => *job,
        other => panic!("{other:?}"),
    }
}

fn status(world: &mut World) -> DestinationStatus {
    let name = Name::from("shop");
    match world.ask(Op::DescribeDestination { name }) {
        Some(Ok(Reply::Destination(status))) => *status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ready_jobs_of_one_operation_share_a_call_up_to_the_batch_size() {
    let mut world = World::new();
    put(&mut world, shop(3));
    create(
        &mut world,
        &[
            (1, "a", "update"),
            (2, "b", "update"),
            (3, "c", "delete"),
            (4, "d", "update"),
            (5, "e", "update"),
        ],
    );
    let calls = calls(&mut world);
    let calls: Vec<_> = calls.iter().map(|call| ids(call)).collect();
    let expected = vec![vec![(1, 1), (2, 1), (4, 1)], vec![(3, 1)], vec![(5, 1)]];
    assert_eq!(calls, expected);
}

#[test]
fn two_jobs_of_one_lane_never_share_a_call() {
    let mut world = World::new();
    put(&mut world, shop(10));
    create(
        &mut world,
        &[(1, "a", "update"), (2, "a", "update"), (3, "b", "update")],
    );
    let first = calls(&mut world);
    assert_eq!(ids(&first[0]), vec![(1, 1), (3, 1)]);
    assert_eq!(first.len(), 1);
    answer(&mut world, &first[0][0], None);
    let second = calls(&mut world);
    assert_eq!(ids(&second[0]), vec![(2, 1)]);
}

#[test]
fn only_the_items_that_failed_are_tried_again() {
    let mut world = World::new();
    put(&mut world, shop(10));
    create(
        &mut world,
        &[
            (1, "a", "update"),
            (2, "b", "update"),
            (3, "c", "update"),
            (4, "d", "update"),
        ],
    );
    let call = calls(&mut world).remove(0);
    answer(&mut world, &call[0], None);
    answer(&mut world, &call[1], Some((ErrorClass::Retryable, None)));
    answer(&mut world, &call[2], Some((ErrorClass::Invalid, None)));
    answer(&mut world, &call[3], Some((ErrorClass::Unknown, None)));
    assert_eq!(job(&mut world, 1).state, JobState::Succeeded);
    let dead = job(&mut world, 3);
    assert_eq!(dead.state, JobState::Dead);
    assert_eq!(dead.last_error.as_deref(), Some("invalid: no such SKU"));
    world.crash();
    world.pass(100);
    let again = calls(&mut world);
    assert_eq!(ids(&again[0]), vec![(2, 2), (4, 2)]);
}

#[test]
fn the_error_class_of_an_item_decides_what_happens_to_it() {
    for (class, action, expected) in [
        (ErrorClass::Gone, "delete", JobState::Succeeded),
        (ErrorClass::Gone, "update", JobState::Dead),
        (ErrorClass::Invalid, "delete", JobState::Dead),
        (ErrorClass::Retryable, "update", JobState::Pending),
        (ErrorClass::RateLimited, "update", JobState::Pending),
        (ErrorClass::Unknown, "update", JobState::Pending),
        (ErrorClass::Auth, "update", JobState::Pending),
    ] {
        let mut world = World::new();
        put(&mut world, shop(10));
        create(&mut world, &[(1, "a", action)]);
        let call = calls(&mut world).remove(0);
        answer(&mut world, &call[0], Some((class, Some(5_000))));
        let job = job(&mut world, 1);
        assert_eq!(job.state, expected, "{class:?} {action}");
        let paused = class == ErrorClass::Auth;
        assert_eq!(job.attempts, u32::from(!paused), "{class:?}");
        assert_eq!(status(&mut world).destination.paused, paused, "{class:?}");
    }
}

#[test]
fn an_item_that_was_too_much_holds_the_whole_destination_back() {
    let mut world = World::new();
    put(&mut world, shop(10));
    create(&mut world, &[(1, "a", "update")]);
    let call = calls(&mut world).remove(0);
    answer(
        &mut world,
        &call[0],
        Some((ErrorClass::RateLimited, Some(2_000))),
    );
    create(&mut world, &[(2, "b", "update")]);
    world.crash();
    world.pass(1_999);
    assert!(calls(&mut world).is_empty());
    world.pass(1);
    assert_eq!(calls(&mut world).concat().len(), 2);
}

#[test]
fn a_call_counts_once_for_the_limits_however_many_jobs_it_has() {
    let mut world = World::new();
    let mut limited = shop(2);
    limited.concurrency = 1;
    limited.rate = Some(Rate {
        per_second: 10,
        burst: 1,
    });
    put(&mut world, limited);
    create(
        &mut world,
        &[
            (1, "a", "update"),
            (2, "b", "update"),
            (3, "c", "update"),
            (4, "d", "update"),
        ],
    );
    let first = calls(&mut world);
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), vec![2]);
    answer(&mut world, &first[0][0], None);
    answer(&mut world, &first[0][1], None);
    assert!(calls(&mut world).is_empty(), "the rate admits one call");
    world.pass(100);
    let second = calls(&mut world);
    assert_eq!(ids(&second[0]), vec![(3, 1), (4, 1)]);
    assert_eq!(status(&mut world).in_flight, 2);
}

#[test]
fn items_that_were_never_reported_are_tried_again_on_their_own() {
    let mut world = World::new();
    put(&mut world, shop(10));
    create(&mut world, &[(1, "a", "update"), (2, "b", "update")]);
    let call = calls(&mut world).remove(0);
    answer(&mut world, &call[0], None);
    world.pass(60_000);
    world.pass(100);
    let again = calls(&mut world);
    assert_eq!(ids(&again[0]), vec![(2, 2)]);
    // The old lease proves nothing any more.
    answer(&mut world, &call[1], None);
    assert_eq!(job(&mut world, 2).state, JobState::Pending);
}

#[test]
fn bodies_of_one_call_stay_within_the_bytes_that_the_connector_takes() {
    let mut world = World::new();
    put(&mut world, shop(10));
    let jobs = (1..=5)
        .map(|id| {
            let job = NewJob {
                destination: Name::from("shop"),
                lane: Name::from(std::format!("{id}")),
                body: json(&std::format!(
                    "\"{}\"",
                    "x".repeat(if id == 1 { 200 } else { 40 })
                )),
                ..NewJob::default()
            };
            (JobId(id), job)
        })
        .collect();
    world.ask(Op::CreateJobs { jobs });
    let calls = calls(&mut world);
    let calls: Vec<_> = calls.iter().map(|call| ids(call)).collect();
    let expected = vec![vec![(1, 1)], vec![(2, 1), (3, 1)], vec![(4, 1), (5, 1)]];
    assert_eq!(calls, expected);
}
