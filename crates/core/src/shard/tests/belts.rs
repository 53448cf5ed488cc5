//! Stories of jobs that wait for others, and of lanes that stand still.

use super::egress::{job, job_of, new_job, put, shop, status};
use super::world::*;
use crate::code::Code;
use crate::egress::{Destination, HeadOfLine, JobState, NewJob, ObjectRef};
use crate::ids::JobId;
use crate::payload::Name;
use crate::peer::{EgressOp, JobsOp, Op, Reply, WhichJobs};
use crate::time::Timestamp;
use std::string::String;
use std::vec;
use std::vec::Vec;

fn staged(lane: &str, stage: u32) -> NewJob {
    NewJob {
        batch: Some(Name::from("night")),
        stage: Some(stage),
        ..new_job(lane)
    }
}

fn depending(lane: &str, object: &str) -> NewJob {
    NewJob {
        depends_on: Some(vec![ObjectRef {
            object_type: Name::from("stock"),
            object_id: Name::from(object),
        }]),
        ..new_job(lane)
    }
}

fn create(world: &mut World, jobs: Vec<(u128, NewJob)>) {
    let jobs = jobs.into_iter().map(|(id, new)| (JobId(id), new)).collect();
    let answer = world.ask(Op::CreateJobs { jobs });
    assert!(
        matches!(answer, Some(Ok(Reply::Jobs { others: None, .. }))),
        "{answer:?}"
    );
}

fn leaving(world: &mut World) -> Vec<(u128, crate::effect::Effect)> {
    let sent = world.deliveries();
    sent.into_iter()
        .map(|effect| (job_of(&effect).0, effect))
        .collect()
}

fn ids(sent: &[(u128, crate::effect::Effect)]) -> Vec<u128> {
    sent.iter().map(|(id, _)| *id).collect()
}

fn blocked_on(world: &mut World, id: u128) -> String {
    let op = Op::DescribeJob {
        destination: Name::from("shop"),
        job: JobId(id),
    };
    match world.ask(op) {
        Some(Ok(Reply::Job { blocked_on, .. })) => blocked_on
            .map(|words| String::from(words.as_str()))
            .unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

fn release(which: WhichJobs) -> Op {
    Op::Egress(EgressOp::ReleaseJobs {
        destination: Name::from("shop"),
        which,
    })
}

fn cancel(id: u128) -> Op {
    Op::CancelJob {
        destination: Name::from("shop"),
        job: JobId(id),
    }
}

#[test]
fn a_stage_waits_for_the_stages_before_it() {
    let mut world = World::new();
    put(&mut world, shop());
    let jobs = vec![
        (1, staged("categories-1", 0)),
        (2, staged("categories-2", 0)),
        (3, staged("products", 1)),
        (4, staged("offers", 2)),
        (5, new_job("other")),
    ];
    create(&mut world, jobs);
    let first = leaving(&mut world);
    assert_eq!(ids(&first), [1, 2, 5]);
    assert_eq!(
        blocked_on(&mut world, 3),
        "a prerequisite: 2 of stage 0 of batch `night` not yet delivered"
    );
    world.delivered(&first[0].1, 200);
    assert!(world.deliveries().is_empty());
    world.crash();
    let again = leaving(&mut world);
    assert_eq!(ids(&again), [2, 5], "both were under way");
    world.delivered(&again[0].1, 200);
    let products = leaving(&mut world);
    assert_eq!(ids(&products), [3]);
    world.delivered(&products[0].1, 200);
    assert_eq!(ids(&leaving(&mut world)), [4]);
}

#[test]
fn a_prerequisite_that_failed_blocks_until_somebody_decides() {
    for decision in 0..3 {
        let mut world = World::new();
        put(&mut world, shop());
        create(
            &mut world,
            vec![(1, staged("categories", 0)), (2, staged("products", 1))],
        );
        let sent = leaving(&mut world);
        world.delivered(&sent[0].1, 422);
        assert!(world.deliveries().is_empty());
        world.crash();
        assert_eq!(
            blocked_on(&mut world, 2),
            "a prerequisite: 1 of stage 0 of batch `night` failed"
        );
        assert_eq!(status(&mut world).blocked, 1);
        let expected = match decision {
            0 => {
                let batch = WhichJobs::Batch(Name::from("night"));
                let count = world.ask(release(batch));
                assert_eq!(
                    count,
                    Some(Ok(Reply::Counted {
                        count: 1,
                        next: None
                    }))
                );
                2
            }
            1 => {
                assert_eq!(world.ask(cancel(1)), Some(Ok(Reply::Done)));
                2
            }
            _ => {
                let replay = Op::ReplayJob {
                    destination: Name::from("shop"),
                    job: JobId(1),
                };
                assert_eq!(world.ask(replay), Some(Ok(Reply::Done)));
                1
            }
        };
        assert_eq!(ids(&leaving(&mut world)), [expected]);
    }
}

#[test]
fn a_job_waits_for_the_jobs_about_what_it_depends_on() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, vec![(1, new_job("category"))]);
    create(&mut world, vec![(2, depending("product", "category"))]);
    create(&mut world, vec![(3, depending("lonely", "nothing"))]);
    let sent = leaving(&mut world);
    assert_eq!(ids(&sent), [1, 3]);
    assert!(blocked_on(&mut world, 2).contains("is not yet delivered"));
    world.delivered(&sent[0].1, 422);
    assert!(world.deliveries().is_empty());
    world.crash();
    world.deliveries();
    assert!(blocked_on(&mut world, 2).contains("is dead"));
    assert_eq!(
        world.ask(release(WhichJobs::Job(JobId(2)))),
        Some(Ok(Reply::Done))
    );
    assert_eq!(ids(&leaving(&mut world)), [2]);
}

#[test]
fn a_job_that_waits_for_others_can_be_cancelled_and_its_lane_goes_on() {
    let mut world = World::new();
    put(&mut world, shop());
    let jobs = vec![
        (1, staged("a", 0)),
        (2, staged("b", 1)),
        (3, new_job("b")),
        (4, depending("c", "a")),
        (5, new_job("c")),
    ];
    create(&mut world, jobs);
    assert_eq!(ids(&leaving(&mut world)), [1]);
    assert!(
        blocked_on(&mut world, 3)
            .starts_with("1 earlier in lane `b`; the first waits for a prereq")
    );
    for id in [2, 4] {
        assert_eq!(world.ask(cancel(id)), Some(Ok(Reply::Done)));
    }
    assert_eq!(ids(&leaving(&mut world)), [3, 5]);
}

#[test]
fn a_stage_waits_only_for_what_was_accepted_before_it_so_there_is_no_circle() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, vec![(1, staged("a", 1)), (2, staged("a", 0))]);
    let sent = leaving(&mut world);
    assert_eq!(ids(&sent), [1]);
    world.delivered(&sent[0].1, 200);
    assert_eq!(ids(&leaving(&mut world)), [2]);
}

#[test]
fn a_parked_lane_stands_still_until_it_is_released() {
    for give_up in [false, true] {
        let mut world = World::new();
        put(
            &mut world,
            Destination {
                head_of_line: HeadOfLine::Park,
                ..shop()
            },
        );
        create(
            &mut world,
            vec![(1, new_job("a")), (2, new_job("a")), (3, new_job("b"))],
        );
        let sent = leaving(&mut world);
        assert_eq!(ids(&sent), [1, 3]);
        world.delivered(&sent[0].1, 422);
        world.crash();
        assert_eq!(ids(&leaving(&mut world)), [3], "the other lane goes on");
        assert_eq!(job(&mut world, 1).state, JobState::Parked);
        assert!(blocked_on(&mut world, 2).contains("its lane stands still"));
        let release = |lane: &str| {
            Op::Egress(EgressOp::ReleaseLane {
                destination: Name::from("shop"),
                lane: Name::from(lane),
                give_up,
            })
        };
        let refused = world
            .ask(release("b"))
            .expect("an answer")
            .expect_err("it goes on");
        assert_eq!(refused.code, Code::LaneNotParked);
        assert_eq!(world.ask(release("a")), Some(Ok(Reply::Done)));
        let next = if give_up { 2 } else { 1 };
        assert_eq!(ids(&leaving(&mut world)), [next]);
        assert_eq!(status(&mut world).dead, u64::from(give_up));
    }
}

#[test]
fn attempts_are_remembered_and_retries_end_with_their_time() {
    let mut world = World::new();
    let mut destination = shop();
    destination.retry.attempts = 0;
    destination.retry.elapsed_ms = Some(250);
    put(&mut world, destination);
    create(&mut world, vec![(1, new_job("a"))]);
    for _ in 0..3 {
        let sent = leaving(&mut world);
        world.delivered(&sent[0].1, 503);
        world.pass(100);
    }
    let dead = job(&mut world, 1);
    assert_eq!(
        dead.state,
        JobState::Dead,
        "the fourth would begin 300 ms after the first failed"
    );
    let numbers: Vec<_> = dead
        .failed
        .iter()
        .flatten()
        .map(|attempt| attempt.number)
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(dead.failed.expect("three")[0].status, Some(503));
}

#[test]
fn a_job_that_waits_for_an_expired_one_goes_when_that_is_forgotten() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, vec![(1, new_job("a"))]);
    let sent = leaving(&mut world);
    let over = NewJob {
        object_ids: vec![Name::from("x")],
        expires_at: Some(Timestamp(world.now + 500)),
        ..new_job("a")
    };
    create(&mut world, vec![(2, over), (3, depending("b", "x"))]);
    world.pass(1_000);
    assert_eq!(job(&mut world, 2).state, JobState::Expired);
    world.delivered(&sent[0].1, 200);
    assert_eq!(ids(&leaving(&mut world)), [], "somebody is to decide");
    world.pass(25 * 3_600_000);
    assert_eq!(ids(&leaving(&mut world)).first(), Some(&3));
}

#[test]
fn a_job_does_not_wait_for_the_namesake_of_one_that_has_gone() {
    let mut world = World::new();
    let paused = |paused| Destination { paused, ..shop() };
    put(&mut world, paused(true));
    let about = || NewJob {
        object_ids: vec![Name::from("x")],
        ..new_job("a")
    };
    create(&mut world, vec![(1, about()), (2, depending("a", "x"))]);
    world.ask(cancel(1));
    world.pass(25 * 3_600_000);
    create(&mut world, vec![(1, about()), (3, depending("b", "x"))]);
    world.crash();
    put(&mut world, paused(false));
    let sent = leaving(&mut world);
    assert_eq!(ids(&sent), [2], "the first of its lane, and 3 waits for 1");
    world.delivered(&sent[0].1, 200);
    let sent = leaving(&mut world);
    assert_eq!(ids(&sent), [1]);
    world.delivered(&sent[0].1, 200);
    assert_eq!(ids(&leaving(&mut world)), [3]);
}

#[test]
fn what_waits_for_a_dead_letter_waits_for_its_correction_however_long_that_takes() {
    let mut world = World::new();
    let paused = |paused| Destination { paused, ..shop() };
    put(&mut world, shop());
    let about = NewJob {
        object_ids: vec![Name::from("x")],
        ..new_job("a")
    };
    create(&mut world, vec![(1, about)]);
    let sent = leaving(&mut world);
    world.delivered(&sent[0].1, 422);
    put(&mut world, paused(true));
    create(&mut world, vec![(2, depending("b", "x"))]);
    let correct = JobsOp::Correct {
        destination: Name::from("shop"),
        job: JobId(1),
        id: JobId(10),
        body: json("{}"),
    };
    assert_eq!(world.ask(Op::Jobs(correct)), Some(Ok(Reply::Done)));
    world.pass(25 * 3_600_000);
    put(&mut world, paused(false));
    let sent = leaving(&mut world);
    assert_eq!(ids(&sent), [10], "2 waits for it");
    world.delivered(&sent[0].1, 200);
    let sent = leaving(&mut world);
    assert_eq!(ids(&sent), [2]);
    world.delivered(&sent[0].1, 200);
    world.pass(25 * 3_600_000);
    for id in [1, 2, 10] {
        let gone = Op::DescribeJob {
            destination: Name::from("shop"),
            job: JobId(id),
        };
        assert!(matches!(world.ask(gone), Some(Err(_))), "{id} has gone");
    }
}
