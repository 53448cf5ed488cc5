//! Stories of lanes and jobs: order, retries, dead letters, limits, crashes.

use super::world::*;
use crate::effect::Effect;
use crate::egress::{Delivery, Destination, HeadOfLine, JobState, NewJob, Rate, Taken, Verdict};
use crate::entry::Command;
use crate::ids::{CommandId, JobId};
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{DestinationStatus, Op, Reply};
use crate::policy::RetryPolicy;
use alloc::boxed::Box;
use std::vec;
use std::vec::Vec;

pub(super) fn shop() -> Destination {
    Destination {
        name: Name::from("shop"),
        url: Name::from("http://127.0.0.1:1/"),
        retry: RetryPolicy {
            elapsed_ms: None,
            initial_ms: 100,
            factor_percent: 100,
            max_ms: 100,
            attempts: 3,
            jitter_percent: 0,
            non_retryable: vec![],
        },
        ..Destination::default()
    }
}

pub(super) fn new_job(lane: &str) -> NewJob {
    NewJob {
        destination: Name::from("shop"),
        lane: Name::from(lane),
        object_type: Name::from("stock"),
        action: Name::from("update"),
        object_ids: vec![Name::from(lane)],
        body: json("{}"),
        ..NewJob::default()
    }
}

pub(super) fn put(world: &mut World, destination: Destination) {
    assert_eq!(
        world.ask(Op::PutDestination {
            destination: Box::new(destination)
        }),
        Some(Ok(Reply::Done))
    );
}

fn create(world: &mut World, jobs: &[(u128, &str)]) -> Reply {
    let jobs = jobs
        .iter()
        .map(|(id, lane)| (JobId(*id), new_job(lane)))
        .collect();
    world
        .ask(Op::CreateJobs { jobs })
        .expect("an answer")
        .expect("accepted")
}

pub(super) fn status(world: &mut World) -> DestinationStatus {
    match world.ask(Op::DescribeDestination {
        name: Name::from("shop"),
    }) {
        Some(Ok(Reply::Destination(status))) => *status,
        other => panic!("{other:?}"),
    }
}

pub(super) fn job_of(delivery: &Effect) -> (u128, u64, u32) {
    match delivery {
        Effect::Deliver { job, attempt, .. } => (job.id.0, job.lane_sequence, *attempt),
        other => panic!("{other:?}"),
    }
}

#[test]
fn jobs_of_a_lane_leave_one_by_one_in_order() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a"), (2, "a"), (3, "b")]);
    let first = world.deliveries();
    assert_eq!(
        first.iter().map(job_of).collect::<Vec<_>>(),
        vec![(1, 1, 1), (3, 1, 1)]
    );
    world.delivered(&first[0], 200);
    assert_eq!(
        world.deliveries().iter().map(job_of).collect::<Vec<_>>(),
        vec![(2, 2, 1)]
    );
}

#[test]
fn a_retry_keeps_its_place_and_its_lane_waits() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a"), (2, "a")]);
    let first = world.deliveries();
    world.delivered(&first[0], 503);
    assert!(world.deliveries().is_empty());
    world.crash();
    world.pass(100);
    let again = world.deliveries();
    assert_eq!(
        again.iter().map(job_of).collect::<Vec<_>>(),
        vec![(1, 1, 2)]
    );
    world.delivered(&again[0], 200);
    assert_eq!(
        world.deliveries().iter().map(job_of).collect::<Vec<_>>(),
        vec![(2, 2, 1)]
    );
}

#[test]
fn what_was_in_flight_in_a_crash_is_sent_again_with_the_same_key() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a"), (2, "a")]);
    let before = world.deliveries();
    world.crash();
    // The recovered shard wants its deliveries at once.
    let mut out = crate::output::Output::default();
    let now = crate::time::Timestamp(world.now);
    let settings = world.settings.clone();
    world.shard = crate::shard::Shard::open(world.id, settings, now, &world.rows, &mut out);
    let is_delivery = |effect: &&Effect| matches!(effect, Effect::Deliver { .. });
    let again: Vec<_> = out.effects.iter().filter(is_delivery).map(job_of).collect();
    assert_eq!(again, vec![(1, 1, 1)]);
    world.delivered(&before[0], 200);
    assert_eq!(
        status(&mut world).succeeded,
        0,
        "the old lease proves nothing"
    );
}

#[test]
fn a_job_that_used_up_its_attempts_is_a_dead_letter_and_the_lane_goes_on() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a"), (2, "a")]);
    for _ in 0..3 {
        let sent = world.deliveries();
        world.delivered(&sent[0], 500);
        world.pass(100);
    }
    assert_eq!(
        world.deliveries().iter().map(job_of).collect::<Vec<_>>(),
        vec![(2, 2, 1)]
    );
    let dead = Op::ListJobs {
        destination: Name::from("shop"),
        state: Some(JobState::Dead),
        lane: None,
        after: None,
        limit: 10,
    };
    let answer = world.ask(dead);
    let Some(Ok(Reply::JobList { jobs, next: None })) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!((jobs.len(), jobs[0].attempts), (1, 3));
    assert_eq!(jobs[0].last_error.as_deref(), Some("answered 500: "));
}

#[test]
fn a_refusal_for_good_is_a_dead_letter_at_once_and_can_be_replayed() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a")]);
    let sent = world.deliveries();
    world.delivered(&sent[0], 422);
    assert_eq!(status(&mut world).dead, 1);
    let replay = Op::ReplayJob {
        destination: Name::from("shop"),
        job: JobId(1),
    };
    assert_eq!(world.ask(replay.clone()), Some(Ok(Reply::Done)));
    assert!(
        world.ask(replay).expect("an answer").is_err(),
        "it is no dead letter any more"
    );
    let sent = world.deliveries();
    assert_eq!(job_of(&sent[0]), (1, 2, 1), "at the end of its lane");
    world.delivered(&sent[0], 200);
    let status = status(&mut world);
    assert_eq!((status.dead, status.succeeded), (0, 1));
}

#[test]
fn skip_lets_the_lane_pass_the_first_failure() {
    let mut world = World::new();
    put(
        &mut world,
        Destination {
            head_of_line: HeadOfLine::Skip,
            ..shop()
        },
    );
    create(&mut world, &[(1, "a"), (2, "a")]);
    let sent = world.deliveries();
    world.delivered(&sent[0], 503);
    assert_eq!(
        world.deliveries().iter().map(job_of).collect::<Vec<_>>(),
        vec![(2, 2, 1)]
    );
}

#[test]
fn the_rate_holds_across_a_restart() {
    let mut world = World::new();
    put(
        &mut world,
        Destination {
            rate: Some(Rate {
                per_second: 10,
                burst: 2,
            }),
            ..shop()
        },
    );
    let jobs: Vec<_> = (0..40).map(|id| (id, std::format!("lane-{id}"))).collect();
    let jobs: Vec<_> = jobs.iter().map(|(id, lane)| (*id, lane.as_str())).collect();
    create(&mut world, &jobs);
    let begin = world.now;
    let mut sent: Vec<u64> = world
        .deliveries()
        .iter()
        .map(|_| world.now - begin)
        .collect();
    for _ in 0..8 {
        world.pass(130);
        sent.extend(world.deliveries().iter().map(|_| world.now - begin));
        world.crash();
        // A crash sends nothing: what the limiter admitted before is only what had left.
        world.deliveries();
    }
    assert!(sent.len() >= 8, "{sent:?}");
    assert!(sent.len() <= 2 + 8 * 130 * 10 / 1_000 + 1, "{sent:?}");
}

#[test]
fn retry_after_holds_the_whole_destination_back() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a")]);
    let sent = world.deliveries();
    let Effect::Deliver { token, .. } = &sent[0] else {
        panic!("not a delivery")
    };
    world.feed(Input::Delivered {
        destination: Name::from("shop"),
        job: JobId(1),
        token: *token,
        delivery: Delivery::Answered {
            status: 429,
            retry_after_ms: Some(2_000),
            excerpt: Name::from("slow down"),
            verdict: None,
        },
    });
    create(&mut world, &[(2, "b")]);
    world.crash();
    assert!(world.deliveries().is_empty());
    assert!(
        status(&mut world)
            .blocked_on
            .is_some_and(|why| why.contains("patience"))
    );
    world.pass(1_999);
    assert!(world.deliveries().is_empty());
    world.pass(1);
    assert_eq!(world.deliveries().len(), 2);
}

#[test]
fn a_known_job_is_not_accepted_twice() {
    let mut world = World::new();
    put(&mut world, shop());
    assert_eq!(
        create(&mut world, &[(1, "a")]),
        Reply::Jobs {
            accepted: 1,
            known: 0,
            others: None
        }
    );
    world.crash();
    assert_eq!(
        create(&mut world, &[(1, "a"), (2, "a")]),
        Reply::Jobs {
            accepted: 1,
            known: 1,
            others: Some(vec![(0, Taken::Known)])
        }
    );
}

#[test]
fn jobs_of_a_run_wait_for_a_destination_that_nobody_has_configured() {
    let mut world = World::new();
    world.start("a");
    let job = Command::CreateJob {
        command: CommandId(0),
        job: Box::new(new_job("x")),
    };
    world.play(WORKER, true, vec![job, finish()]);
    assert!(world.deliveries().is_empty());
    assert!(
        status(&mut world)
            .blocked_on
            .is_some_and(|why| why.contains("nobody has configured"))
    );
    world.crash();
    put(&mut world, shop());
    let sent = world.deliveries();
    let Effect::Deliver { job, .. } = &sent[0] else {
        panic!("not a delivery")
    };
    assert_eq!(job.source.as_deref(), Some("Checkout/a"));
}

#[test]
fn a_cancelled_job_is_not_sent() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a"), (2, "a"), (3, "a")]);
    let sent = world.deliveries();
    let cancel = Op::CancelJob {
        destination: Name::from("shop"),
        job: JobId(2),
    };
    assert_eq!(world.ask(cancel.clone()), Some(Ok(Reply::Done)));
    assert!(world.ask(cancel).expect("an answer").is_err());
    world.delivered(&sent[0], 200);
    assert_eq!(
        world.deliveries().iter().map(job_of).collect::<Vec<_>>(),
        vec![(3, 3, 1)]
    );
}

/// The end of the first delivery, as a rule or the defaults judge it.
fn end_first(world: &mut World, status: u16, verdict: Option<Verdict>) {
    let sent = world.deliveries();
    let Effect::Deliver { token, job, .. } = &sent[0] else {
        panic!("not a delivery")
    };
    world.feed(Input::Delivered {
        destination: Name::from("shop"),
        job: job.id,
        token: *token,
        delivery: Delivery::Answered {
            status,
            retry_after_ms: None,
            excerpt: Name::from("so"),
            verdict,
        },
    });
}

pub(super) fn job(world: &mut World, id: u128) -> crate::egress::Job {
    let op = Op::DescribeJob {
        destination: Name::from("shop"),
        job: JobId(id),
    };
    match world.ask(op) {
        Some(Ok(Reply::Job { job, .. })) => *job,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_verdict_of_a_rule_goes_before_the_defaults() {
    for (status, verdict, state) in [
        (409, Verdict::Succeed, JobState::Succeeded),
        (200, Verdict::Fail, JobState::Dead),
        (400, Verdict::Retry { after_ms: None }, JobState::Pending),
    ] {
        let mut world = World::new();
        put(&mut world, shop());
        create(&mut world, &[(1, "a")]);
        end_first(&mut world, status, Some(verdict));
        assert_eq!(job(&mut world, 1).state, state, "{status}");
        world.crash();
        assert_eq!(job(&mut world, 1).state, state, "{status}, after a crash");
    }
}

#[test]
fn a_rule_may_say_when_to_try_again_and_the_policy_how_often() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a")]);
    for _ in 0..2 {
        let after_ms = Some(5_000);
        end_first(&mut world, 400, Some(Verdict::Retry { after_ms }));
        world.pass(4_999);
        assert!(world.deliveries().is_empty());
        world.pass(1);
    }
    end_first(&mut world, 400, Some(Verdict::Retry { after_ms: Some(0) }));
    assert_eq!(job(&mut world, 1).state, JobState::Dead, "three attempts");
}

#[test]
fn a_destination_that_is_gone_is_paused_and_the_call_costs_no_attempt() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, &[(1, "a"), (2, "a")]);
    end_first(&mut world, 410, None);
    world.crash();
    assert!(world.deliveries().is_empty());
    assert!(status(&mut world).destination.paused);
    let waiting = job(&mut world, 1);
    assert_eq!((waiting.attempts, waiting.state), (0, JobState::Pending));
    assert_eq!(waiting.last_error.as_deref(), Some("answered 410: so"));
    put(&mut world, shop());
    let sent = world.deliveries();
    assert!(matches!(&sent[0], Effect::Deliver { job, attempt: 1, .. } if job.id == JobId(1)));
}

#[test]
fn what_is_to_be_deleted_and_is_not_there_is_deleted() {
    for (action, state) in [("delete", JobState::Succeeded), ("update", JobState::Dead)] {
        let mut world = World::new();
        put(&mut world, shop());
        let new = NewJob {
            action: Name::from(action),
            ..new_job("a")
        };
        let jobs = vec![(JobId(1), new)];
        world.ask(Op::CreateJobs { jobs });
        end_first(&mut world, 404, None);
        assert_eq!(job(&mut world, 1).state, state, "{action}");
    }
}
