//! Stories of jobs that make others superfluous, and of jobs whose time is over.

use super::egress::{job, job_of, new_job, put, shop, status};
use super::world::*;
use crate::code::Code;
use crate::egress::{Coalesce, Destination, HeadOfLine, JobState, NewJob, ObjectRef, Taken};
use crate::ids::JobId;
use crate::payload::Name;
use crate::peer::{Op, Reply};
use crate::time::Timestamp;
use std::vec;
use std::vec::Vec;

fn coalescing(world: &mut World) {
    put(
        world,
        Destination {
            coalesce: Some(Coalesce { within_ms: 5_000 }),
            ..shop()
        },
    );
}

fn about(object: &str, action: &str) -> NewJob {
    NewJob {
        action: Name::from(action),
        object_ids: vec![Name::from(object)],
        ..new_job("a")
    }
}

fn create(world: &mut World, id: u128, new: NewJob) -> Option<Taken> {
    let jobs = vec![(JobId(id), new)];
    match world.ask(Op::CreateJobs { jobs }) {
        Some(Ok(Reply::Jobs { others, .. })) => Some(others?.remove(0).1),
        other => panic!("{other:?}"),
    }
}

/// What leaves until nothing does, each delivery answered with 200.
fn drain(world: &mut World) -> Vec<u128> {
    let mut order = Vec::new();
    loop {
        let sent = world.deliveries();
        if sent.is_empty() {
            return order;
        }
        for delivery in &sent {
            order.push(job_of(delivery).0);
            world.delivered(delivery, 200);
        }
    }
}

#[test]
fn a_newer_update_takes_the_place_of_one_that_has_not_left() {
    let mut world = World::new();
    coalescing(&mut world);
    assert_eq!(create(&mut world, 1, about("x", "update")), None);
    let sent = world.deliveries();
    assert_eq!(
        create(&mut world, 2, about("x", "update")),
        None,
        "1 is under way"
    );
    assert_eq!(create(&mut world, 3, about("y", "update")), None);
    let merged = create(&mut world, 4, about("x", "update"));
    assert_eq!(merged, Some(Taken::Superseding(JobId(2))));
    let superseded = job(&mut world, 2);
    assert_eq!(superseded.state, JobState::Superseded);
    assert_eq!(superseded.superseded_by, Some(JobId(4)));
    world.delivered(&sent[0], 200);
    assert_eq!(drain(&mut world), [3, 4]);
    assert_eq!(status(&mut world).superseded, 1);
}

#[test]
fn an_object_that_changes_all_the_time_is_delivered_too() {
    let mut world = World::new();
    coalescing(&mut world);
    create(&mut world, 1, about("head", "update"));
    let held = world.deliveries();
    for id in 2..9 {
        create(&mut world, id, about("x", "update"));
        world.pass(1_000);
    }
    world.delivered(&held[0], 200);
    let order = drain(&mut world);
    assert_eq!(
        order,
        [6, 8],
        "5 states made one job, and then another began"
    );
}

#[test]
fn a_creation_that_was_not_sent_and_its_deletion_cancel_out() {
    let mut world = World::new();
    coalescing(&mut world);
    create(&mut world, 1, about("head", "update"));
    let held = world.deliveries();
    create(&mut world, 2, about("x", "create"));
    create(&mut world, 3, about("x", "update"));
    let taken = create(&mut world, 4, about("x", "delete"));
    assert_eq!(taken, Some(Taken::CancelledOut(JobId(2))));
    for id in [2, 3, 4] {
        assert_eq!(job(&mut world, id).state, JobState::Superseded, "{id}");
    }
    world.delivered(&held[0], 200);
    assert_eq!(drain(&mut world), [] as [u128; 0]);
}

#[test]
fn a_creation_that_may_have_been_sent_is_followed_by_its_deletion() {
    let mut world = World::new();
    coalescing(&mut world);
    create(&mut world, 1, about("x", "create"));
    world.deliveries();
    world.crash();
    assert_eq!(create(&mut world, 2, about("x", "delete")), None);
    assert_eq!(drain(&mut world), [1, 2]);
}

#[test]
fn the_index_of_objects_is_there_after_a_crash() {
    let mut world = World::new();
    coalescing(&mut world);
    create(&mut world, 1, about("head", "update"));
    create(&mut world, 2, about("x", "update"));
    world.crash();
    let merged = create(&mut world, 3, about("x", "update"));
    assert_eq!(merged, Some(Taken::Superseding(JobId(2))));
}

#[test]
fn without_coalescing_every_job_is_delivered() {
    let mut world = World::new();
    put(&mut world, shop());
    for id in 1..4 {
        assert_eq!(create(&mut world, id, about("x", "update")), None);
    }
    assert_eq!(drain(&mut world), [1, 2, 3]);
}

#[test]
fn a_job_whose_time_is_over_expires_and_its_lane_goes_on() {
    let mut world = World::new();
    put(&mut world, shop());
    let until = |world: &World, ms| NewJob {
        expires_at: Some(Timestamp(world.now + ms)),
        ..new_job("a")
    };
    let first = until(&world, 1_000);
    create(&mut world, 1, first);
    let sent = world.deliveries();
    let second = until(&world, 500);
    create(&mut world, 2, second);
    create(&mut world, 3, new_job("a"));
    world.crash();
    world.pass(500);
    assert_eq!(job(&mut world, 2).state, JobState::Expired);
    assert_eq!(
        job(&mut world, 1).state,
        JobState::Pending,
        "it is under way"
    );
    world.pass(500);
    world.delivered(&sent[0], 200);
    let again = world.deliveries();
    if let Some(delivery) = again.first() {
        world.delivered(delivery, 503);
    }
    world.pass(100);
    assert_eq!(job(&mut world, 1).state, JobState::Expired);
    assert_eq!(status(&mut world).expired, 2);
    assert_eq!(drain(&mut world), [3]);
    let past = NewJob {
        expires_at: Some(Timestamp(world.now)),
        ..new_job("a")
    };
    let Some(Taken::Refused(rejection)) = create(&mut world, 4, past) else {
        panic!("a job that is too late is refused")
    };
    assert_eq!(rejection.code, Code::JobTooLate);
}

#[test]
fn a_job_whose_time_was_over_while_it_was_under_way_does_not_stand_in_its_lane() {
    let mut world = World::new();
    put(
        &mut world,
        Destination {
            head_of_line: HeadOfLine::Park,
            ..shop()
        },
    );
    let first = NewJob {
        expires_at: Some(Timestamp(world.now + 500)),
        ..new_job("a")
    };
    create(&mut world, 1, first);
    create(&mut world, 2, new_job("a"));
    let sent = world.deliveries();
    world.pass(600);
    world.delivered(&sent[0], 422);
    world.pass(1);
    assert_eq!(job(&mut world, 1).state, JobState::Expired);
    assert_eq!(drain(&mut world), [2]);
}

fn after(object: &str, new: NewJob) -> NewJob {
    NewJob {
        depends_on: Some(vec![ObjectRef {
            object_type: Name::from("stock"),
            object_id: Name::from(object),
        }]),
        ..new
    }
}

#[test]
fn a_job_that_others_wait_for_keeps_its_place_so_there_is_no_circle() {
    let mut world = World::new();
    coalescing(&mut world);
    create(&mut world, 1, new_job("a"));
    let sent = world.deliveries();
    create(&mut world, 2, about("x", "update"));
    create(&mut world, 3, after("x", new_job("a")));
    // In the place of 2, 3 would wait for it, and it stands behind 3.
    assert_eq!(create(&mut world, 4, about("x", "update")), None);
    world.crash();
    let taken = create(&mut world, 5, about("x", "update"));
    assert_eq!(taken, Some(Taken::Superseding(JobId(4))));
    let taken = create(&mut world, 6, about("x", "delete"));
    assert_eq!(taken, Some(Taken::Superseding(JobId(5))));
    drop(sent);
    assert_eq!(drain(&mut world), [1, 2, 3, 6]);
}

#[test]
fn a_job_does_not_wait_for_what_it_makes_superfluous() {
    let mut world = World::new();
    coalescing(&mut world);
    create(&mut world, 1, new_job("a"));
    let sent = world.deliveries();
    create(&mut world, 2, about("x", "update"));
    let taken = create(&mut world, 3, after("x", about("x", "update")));
    assert_eq!(taken, Some(Taken::Superseding(JobId(2))));
    world.delivered(&sent[0], 200);
    assert_eq!(drain(&mut world), [3]);
}

#[test]
fn what_stands_before_a_replayed_job_stays_also_after_a_crash() {
    for crashes in [false, true] {
        let mut world = World::new();
        coalescing(&mut world);
        create(&mut world, 1, about("x", "create"));
        let sent = world.deliveries();
        world.delivered(&sent[0], 422);
        world.pass(1);
        create(&mut world, 2, new_job("a"));
        let sent = world.deliveries();
        create(&mut world, 3, about("x", "update"));
        let (destination, id) = (Name::from("shop"), JobId(1));
        world.ask(Op::ReplayJob {
            destination,
            job: id,
        });
        if crashes {
            world.crash();
        } else {
            world.delivered(&sent[0], 200);
            let sent = world.deliveries();
            assert_eq!(job_of(&sent[0]).0, 3);
            world.delivered(&sent[0], 503);
        }
        let taken = create(&mut world, 4, about("x", "update"));
        assert_eq!(taken, None, "the creation stands between them");
    }
}

#[test]
fn an_object_keeps_its_place_in_time_though_the_clock_was_set_back() {
    let mut world = World::new();
    coalescing(&mut world);
    create(&mut world, 1, new_job("a"));
    world.pass(3_000);
    create(&mut world, 2, about("x", "update"));
    world.crash();
    world.now -= 3_000;
    let taken = create(&mut world, 3, about("x", "update"));
    assert_eq!(taken, Some(Taken::Superseding(JobId(2))));
    world.now += 6_000;
    assert_eq!(create(&mut world, 4, about("x", "update")), None);
}
