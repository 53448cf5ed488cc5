//! Dead letters that are put back, and those that are corrected; lanes by expression; lists of lanes and objects.

use super::egress::{job_of, new_job, put, shop, status};
use super::runs::code;
use super::world::*;
use crate::code::Code;
use crate::egress::{Destination, Job, JobState, LaneBy, NewJob, ObjectRef, Taken};
use crate::entry::Command;
use crate::ids::{CommandId, JobId};
use crate::payload::Name;
use crate::peer::{BreakerState, JobsOp, Moment, Op, Rejection, Reply};
use crate::shard::Settings;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::sync::Arc;
use std::vec;
use std::vec::Vec;

fn create(world: &mut World, id: u128, new: NewJob) -> Reply {
    let jobs = vec![(JobId(id), new)];
    world.ask(Op::CreateJobs { jobs }).unwrap().unwrap()
}

fn job(world: &mut World, id: u128) -> (Job, Option<Name>) {
    let op = Op::DescribeJob {
        destination: Name::from("shop"),
        job: JobId(id),
    };
    match world.ask(op) {
        Some(Ok(Reply::Job { job, blocked_on })) => (*job, blocked_on),
        other => panic!("{other:?}"),
    }
}

fn die(world: &mut World) {
    let sent = world.deliveries();
    world.delivered(&sent[0], 422);
}

fn correct(world: &mut World, of: u128, id: u128) -> Option<Result<Reply, Rejection>> {
    world.ask(Op::Jobs(JobsOp::Correct {
        destination: Name::from("shop"),
        job: JobId(of),
        id: JobId(id),
        body: json("{\"right\":true}"),
    }))
}

#[test]
fn a_replay_is_the_same_job_at_the_end_of_its_lane() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, 1, new_job("a"));
    die(&mut world);
    create(&mut world, 2, new_job("a"));
    let replay = Op::ReplayJob {
        destination: Name::from("shop"),
        job: JobId(1),
    };
    assert_eq!(world.ask(replay), Some(Ok(Reply::Done)));
    let sent = world.deliveries();
    assert_eq!(job_of(&sent[0]), (2, 2, 1));
    world.delivered(&sent[0], 200);
    let sent = world.deliveries();
    assert_eq!(
        job_of(&sent[0]),
        (1, 3, 1),
        "its identity is its idempotency key"
    );
    let replayed = job(&mut world, 1).0;
    assert_eq!(
        (replayed.replay_of, replayed.failed.unwrap().len()),
        (None, 1)
    );
}

#[test]
fn a_corrected_dead_letter_is_another_job_in_its_place() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, 1, new_job("a"));
    die(&mut world);
    create(&mut world, 2, new_job("a"));
    assert_eq!(correct(&mut world, 1, 11), Some(Ok(Reply::Done)));
    assert_eq!(
        correct(&mut world, 1, 11),
        Some(Ok(Reply::Done)),
        "a repeat does nothing"
    );
    assert_eq!(code(correct(&mut world, 1, 12)), Code::JobNotDead);
    let old = job(&mut world, 1).0;
    assert_eq!(
        (old.state, old.superseded_by),
        (JobState::Superseded, Some(JobId(11)))
    );
    world.crash();
    let sent = world.deliveries();
    world.delivered(&sent[0], 200);
    let sent = world.deliveries();
    assert_eq!(job_of(&sent[0]), (11, 3, 1));
    let new = job(&mut world, 11).0;
    assert_eq!(new.replay_of, Some(JobId(1)));
    assert_eq!(new.new.body, json("{\"right\":true}"));
    world.delivered(&sent[0], 422);
    assert_eq!(correct(&mut world, 11, 111), Some(Ok(Reply::Done)));
    assert_eq!(
        job(&mut world, 111).0.replay_of,
        Some(JobId(1)),
        "the first of them"
    );
    let standing = status(&mut world);
    assert_eq!((standing.dead, standing.superseded), (0, 2));
}

#[test]
fn what_waits_for_a_dead_letter_waits_for_its_correction() {
    let mut world = World::new();
    put(&mut world, shop());
    let staged = |lane: &str, stage| NewJob {
        batch: Some(Name::from("b")),
        stage: Some(stage),
        ..new_job(lane)
    };
    create(&mut world, 1, staged("categories", 1));
    create(&mut world, 2, staged("products", 2));
    let depends = NewJob {
        depends_on: Some(vec![ObjectRef {
            object_type: Name::from("stock"),
            object_id: Name::from("categories"),
        }]),
        ..new_job("offers")
    };
    create(&mut world, 3, depends);
    die(&mut world);
    assert!(world.deliveries().is_empty());
    assert_eq!(correct(&mut world, 1, 11), Some(Ok(Reply::Done)));
    let sent = world.deliveries();
    assert_eq!(
        sent.iter().map(job_of).collect::<Vec<_>>(),
        vec![(11, 2, 1)]
    );
    for (waiting, words) in [(2, "stage 1"), (3, "not yet delivered")] {
        let why = job(&mut world, waiting).1.unwrap();
        assert!(why.contains(words), "{why}");
    }
    world.delivered(&sent[0], 200);
    let mut after: Vec<u128> = world
        .deliveries()
        .iter()
        .map(|sent| job_of(sent).0)
        .collect();
    after.sort_unstable();
    assert_eq!(after, vec![2, 3]);
}

/// The lane of a job is its first object, and what follows the expression.
#[derive(Debug)]
struct ByObject;

impl LaneBy for ByObject {
    fn lane(&self, expression: &Name, job: &NewJob, _: Timestamp) -> Result<Name, Name> {
        match job.object_ids.first() {
            Some(id) if id.as_str() != "odd" => Ok(Name::from(std::format!("{expression}{id}"))),
            _ => Err(Name::from("it is odd")),
        }
    }
}

fn laned(expression: &str) -> Destination {
    Destination {
        lane_by: Some(Name::from(expression)),
        ..shop()
    }
}

fn by_object() -> World {
    let settings = Settings {
        shards: 1,
        lane_by: Arc::new(ByObject),
        ..Settings::default()
    };
    let mut world = World::with(settings, crate::ids::ShardId(0));
    put(&mut world, laned("x-"));
    world
}

fn about(object: &str) -> NewJob {
    NewJob {
        object_ids: vec![Name::from(object)],
        ..new_job("default")
    }
}

#[test]
fn a_job_that_names_no_lane_gets_the_one_that_its_destination_wants() {
    let mut world = by_object();
    create(&mut world, 1, about("sku-1"));
    create(&mut world, 2, about("sku-2"));
    create(
        &mut world,
        3,
        NewJob {
            lane: Name::from("mine"),
            ..about("sku-1")
        },
    );
    let lanes: Vec<Name> = (1..=3).map(|id| job(&mut world, id).0.new.lane).collect();
    assert_eq!(lanes, ["x-sku-1", "x-sku-2", "mine"].map(Name::from));
}

#[test]
fn a_job_that_gets_no_lane_is_refused_and_a_runs_is_a_dead_letter() {
    let mut world = by_object();
    let Reply::Jobs {
        accepted, others, ..
    } = create(&mut world, 1, about("odd"))
    else {
        panic!("jobs");
    };
    assert_eq!(accepted, 0);
    match &others.unwrap()[..] {
        [(0, Taken::Refused(why))] => {
            assert_eq!(why.code, Code::LaneUnknown);
            assert!(why.detail.contains("it is odd"), "{why:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(status(&mut world).dead, 0);

    world.start("r");
    let command = CommandId(0);
    let create = Command::CreateJob {
        command,
        job: Box::new(about("odd")),
    };
    world.play(WORKER, true, vec![create, finish()]);
    assert!(world.deliveries().is_empty());
    let standing = status(&mut world);
    assert_eq!((standing.dead, standing.pending), (1, 0));
    let Some(Ok(Reply::JobList { jobs, .. })) = world.ask(Op::ListJobs {
        destination: Name::from("shop"),
        state: Some(JobState::Dead),
        lane: None,
        after: None,
        limit: 10,
    }) else {
        panic!("a list");
    };
    let why = jobs[0].last_error.as_ref().unwrap();
    assert!(why.starts_with("TL0126") && jobs[0].attempts == 0, "{why}");
    world.crash();
}

#[test]
fn when_the_expression_changes_what_waits_keeps_its_lane() {
    let mut world = by_object();
    put(
        &mut world,
        Destination {
            paused: true,
            ..laned("x-")
        },
    );
    create(&mut world, 1, about("sku-1"));
    put(
        &mut world,
        Destination {
            paused: true,
            ..laned("y-")
        },
    );
    create(&mut world, 2, about("sku-1"));
    assert_eq!(job(&mut world, 1).0.new.lane, Name::from("x-sku-1"));
    assert_eq!(job(&mut world, 2).0.new.lane, Name::from("y-sku-1"));
    world.crash();
    put(&mut world, laned("y-"));
    let sent: Vec<u128> = world
        .deliveries()
        .iter()
        .map(|sent| job_of(sent).0)
        .collect();
    assert_eq!(
        sent,
        vec![1, 2],
        "no order holds between the old lane and the new one"
    );
}

#[test]
fn a_replay_keeps_its_lane() {
    let mut world = by_object();
    create(&mut world, 1, about("sku-1"));
    die(&mut world);
    put(&mut world, laned("y-"));
    correct(&mut world, 1, 11).unwrap().unwrap();
    let sent = world.deliveries();
    world.delivered(&sent[0], 200);
    assert_eq!(job(&mut world, 11).0.new.lane, Name::from("x-sku-1"));
}

#[test]
fn lanes_are_listed_with_what_their_first_job_waits_for() {
    let mut world = World::new();
    put(&mut world, shop());
    for (id, lane) in [(1, "a"), (2, "a"), (3, "b"), (4, "c")] {
        create(&mut world, id, new_job(lane));
    }
    let sent = world.deliveries();
    world.delivered(&sent[0], 503);
    world.now += 10;
    let list = |world: &mut World, after: Option<&str>, limit| {
        let op = JobsOp::Lanes {
            destination: Name::from("shop"),
            after: after.map(Name::from),
            limit,
        };
        match world.ask(Op::Jobs(op)) {
            Some(Ok(Reply::Lanes { lanes, next })) => (lanes, next),
            other => panic!("{other:?}"),
        }
    };
    let (lanes, next) = list(&mut world, None, 2);
    assert_eq!(next, Some(Name::from("b")));
    let first = &lanes[0];
    assert_eq!(
        (first.lane.as_str(), first.depth, first.head),
        ("a", 2, JobId(1))
    );
    assert_eq!((first.in_flight, first.attempts), (false, 1));
    let why = first.blocked_on.as_ref().unwrap();
    assert!(why.contains("its next attempt, in 90 ms"), "{why}");
    assert!(lanes[1].in_flight && lanes[1].blocked_on.is_none());
    let (rest, next) = list(&mut world, Some("b"), 2);
    assert_eq!((rest.len(), rest[0].lane.as_str(), next), (1, "c", None));
}

#[test]
fn the_jobs_about_an_object_are_found_wherever_they_are() {
    let mut world = World::new();
    put(&mut world, shop());
    put(
        &mut world,
        Destination {
            name: Name::from("other"),
            ..shop()
        },
    );
    create(&mut world, 1, new_job("a"));
    create(
        &mut world,
        2,
        NewJob {
            destination: Name::from("other"),
            ..new_job("a")
        },
    );
    create(&mut world, 3, new_job("b"));
    create(
        &mut world,
        4,
        NewJob {
            object_type: Name::from("price"),
            ..new_job("a")
        },
    );
    let find = |world: &mut World, destination: Option<&str>, behind| {
        let object = ObjectRef {
            object_type: Name::from("stock"),
            object_id: Name::from("a"),
        };
        let op = JobsOp::OfObject {
            object: Box::new(object),
            destination: destination.map(Name::from),
            after: None,
            behind,
            limit: 10,
        };
        match world.ask(Op::Jobs(op)) {
            Some(Ok(Reply::ObjectJobs { jobs, .. })) => jobs,
            other => panic!("{other:?}"),
        }
    };
    let ids = |jobs: &[Job]| jobs.iter().map(|job| job.id.0).collect::<Vec<_>>();
    let all = find(&mut world, None, None);
    assert_eq!(ids(&all), vec![2, 1]);
    assert_eq!(ids(&find(&mut world, Some("shop"), None)), vec![1]);
    let behind = Moment::of(&all[1]);
    assert_eq!(ids(&find(&mut world, None, Some(behind))), vec![2]);
}

#[test]
fn figures_are_of_the_destinations_with_the_most_work() {
    let mut world = World::new();
    for name in ["idle", "shop", "busy"] {
        put(
            &mut world,
            Destination {
                name: Name::from(name),
                ..shop()
            },
        );
    }
    create(&mut world, 1, new_job("a"));
    for id in 2..=4 {
        create(
            &mut world,
            id,
            NewJob {
                destination: Name::from("busy"),
                ..new_job("a")
            },
        );
    }
    let sent = world.deliveries();
    world.delivered(&sent[0], 503);
    let Some(Ok(Reply::Figures { figures, total })) =
        world.ask(Op::Jobs(JobsOp::Figures { limit: 2 }))
    else {
        panic!("figures");
    };
    assert_eq!(total, 3);
    let names: Vec<&str> = figures.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["busy", "shop"]);
    let shop = &figures[1];
    assert_eq!((shop.pending, shop.failed, shop.retried), (1, 1, 1));
    assert_eq!(shop.breaker, BreakerState::Closed);
    assert_eq!(figures[0].in_flight, 1);
}
