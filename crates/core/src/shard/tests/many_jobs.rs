//! What an operator does with many jobs at once, across crashes.

use super::egress::{job_of, new_job, put, shop, status};
use super::runs::code;
use super::world::*;
use crate::code::Code;
use crate::egress::{Destination, HeadOfLine, Job, JobState, NewJob};
use crate::ids::JobId;
use crate::payload::Name;
use crate::peer::{
    Backlog, Bulk, BulkState, BulkStatus, JobAction, JobFilter, JobWork, JobsOp, Op, Reply, Work,
};
use alloc::boxed::Box;
use std::vec;
use std::vec::Vec;

fn of_shop() -> JobFilter {
    JobFilter {
        destination: Some(Name::from("shop")),
        ..JobFilter::default()
    }
}

fn begin(world: &mut World, id: &str, action: JobAction, filter: JobFilter, rate: Option<u32>) {
    let work = Work::Jobs(JobWork {
        filter,
        action,
        enables: false,
    });
    let bulk = Bulk {
        id: Name::from(id),
        work,
        per_second: rate,
    };
    let begun = world.ask(Op::BulkStart {
        bulk: Box::new(bulk),
        expected: 0,
    });
    assert!(matches!(begun, Some(Ok(Reply::Bulk(_)))), "{begun:?}");
}

fn shown(world: &mut World, id: &str) -> BulkStatus {
    match world.ask(Op::BulkShow { id: Name::from(id) }) {
        Some(Ok(Reply::Bulk(status))) => status,
        other => panic!("{other:?}"),
    }
}

fn create(world: &mut World, ids: core::ops::RangeInclusive<u128>, of: impl Fn(u128) -> NewJob) {
    let jobs = ids.map(|id| (JobId(scattered(id)), of(id))).collect();
    let created = world.ask(Op::CreateJobs { jobs });
    assert!(matches!(created, Some(Ok(_))), "{created:?}");
}

/// Identities lie in no order that means something.
fn scattered(number: u128) -> u128 {
    number * 7_919 % 10_007
}

fn job(world: &mut World, number: u128) -> Job {
    let op = Op::DescribeJob {
        destination: Name::from("shop"),
        job: JobId(scattered(number)),
    };
    match world.ask(op) {
        Some(Ok(Reply::Job { job, .. })) => *job,
        other => panic!("{other:?}"),
    }
}

fn paused() -> Destination {
    Destination {
        paused: true,
        ..shop()
    }
}

/// `count` dead letters in one lane, of a destination that is well again.
fn with_dead(count: u128) -> World {
    let mut world = World::new();
    let skipping = Destination {
        head_of_line: HeadOfLine::Skip,
        ..shop()
    };
    put(&mut world, skipping);
    create(&mut world, 1..=count, |_| new_job("a"));
    for _ in 0..count {
        let sent = world.deliveries();
        world.delivered(&sent[0], 422);
    }
    world
}

/// The lane sequences of everything that is delivered until nothing leaves any more.
fn deliver_all(world: &mut World) -> Vec<u64> {
    let mut seen = Vec::new();
    loop {
        let sent = world.deliveries();
        if sent.is_empty() {
            return seen;
        }
        for delivery in &sent {
            seen.push(job_of(delivery).1);
            world.delivered(delivery, 200);
        }
    }
}

#[test]
fn dead_letters_are_replayed_in_the_order_of_their_lane_across_crashes_each_once() {
    let mut world = with_dead(250);
    begin(&mut world, "b", JobAction::Replay, of_shop(), None);
    for slice in 1..=2 {
        world.feed(crate::input::Input::Tick);
        assert_eq!(shown(&mut world, "b").done, slice * 100);
        world.crash();
    }
    world.pass(1);
    let end = shown(&mut world, "b");
    assert_eq!(
        (end.state, end.expected, end.done, end.refused),
        (BulkState::Done, 250, 250, 0)
    );
    let old: Vec<u64> = (1..=250)
        .map(|number| job(&mut world, number).lane_sequence)
        .collect();
    assert_eq!(
        old,
        (251..=500).collect::<Vec<u64>>(),
        "the end of the lane, in its order"
    );
    world.crash();
    assert_eq!(deliver_all(&mut world), old);
    assert_eq!(status(&mut world).succeeded, 250);
}

#[test]
fn what_dies_again_after_a_replay_is_not_replayed_for_ever() {
    let mut world = with_dead(3);
    world.now += 5;
    begin(&mut world, "b", JobAction::Replay, of_shop(), Some(1));
    for _ in 0..5 {
        world.pass(1_000);
        for sent in world.deliveries() {
            world.delivered(&sent, 422);
        }
        world.crash();
    }
    let end = shown(&mut world, "b");
    assert_eq!((end.state, end.done), (BulkState::Done, 3));
    assert_eq!(status(&mut world).dead, 3);
}

#[test]
fn a_lane_is_cancelled_from_its_end_so_that_nothing_leaves_for_it() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, 1..=250, |_| new_job("a"));
    create(&mut world, 251..=252, |_| new_job("b"));
    let first = world.deliveries();
    assert_eq!(first.len(), 2);
    let filter = JobFilter {
        lane: Some(Name::from("a")),
        ..of_shop()
    };
    begin(&mut world, "b", JobAction::Cancel, filter, None);
    world.feed(crate::input::Input::Tick);
    world.feed(crate::input::Input::Tick);
    assert_eq!(job(&mut world, 250).state, JobState::Cancelled);
    assert_eq!(job(&mut world, 1).state, JobState::Pending);
    world.crash();
    let again = world.deliveries();
    world.pass(1);
    let end = shown(&mut world, "b");
    assert_eq!((end.state, end.done), (BulkState::Done, 250));
    assert!(
        world.deliveries().is_empty(),
        "nothing more of the lane has left"
    );
    assert!(again.len() <= 2);
    assert_eq!(status(&mut world).pending + status(&mut world).in_flight, 2);
    world.crash();
}

#[test]
fn a_filter_says_which_jobs_are_meant_and_a_dry_run_counts_them() {
    let mut world = World::new();
    put(&mut world, paused());
    let kinds = ["price", "stock"];
    create(&mut world, 1..=20, |number| NewJob {
        object_type: Name::from(kinds[(number % 2) as usize]),
        object_ids: vec![Name::from(std::format!("sku-{}", number % 5))],
        batch: Some(Name::from(if number <= 10 { "early" } else { "late" })),
        stage: Some(1),
        ..new_job("a")
    });
    world.now += 1_000;
    let second = crate::time::Timestamp(world.now);
    create(&mut world, 21..=30, |_| NewJob {
        action: Name::from("delete"),
        ..new_job("b")
    });
    let of = |change: &dyn Fn(&mut JobFilter)| {
        let mut filter = of_shop();
        change(&mut filter);
        filter
    };
    let cases: Vec<(JobFilter, u64)> = vec![
        (JobFilter::default(), 30),
        (of_shop(), 30),
        (of(&|f| f.destination = Some(Name::from("other"))), 0),
        (of(&|f| f.lane = Some(Name::from("b"))), 10),
        (of(&|f| f.object_type = Some(Name::from("price"))), 10),
        (of(&|f| f.object_id = Some(Name::from("sku-3"))), 4),
        (of(&|f| f.batch = Some(Name::from("late"))), 10),
        (of(&|f| f.action = Some(Name::from("delete"))), 10),
        (of(&|f| f.created_after = Some(second)), 10),
        (of(&|f| f.created_before = Some(second)), 20),
        (of(&|f| f.state = Some(JobState::Parked)), 0),
        (of(&|f| f.error = Some(Name::from("503"))), 0),
    ];
    for (filter, wanted) in cases {
        let op = JobsOp::Count {
            filter: Box::new(filter.clone()),
            action: JobAction::Cancel,
            after: None,
        };
        let counted = world.ask(Op::Jobs(op));
        let next = None;
        let count = wanted;
        assert_eq!(
            counted,
            Some(Ok(Reply::JobsCounted { count, next })),
            "{filter:?}"
        );
    }
    let late = of(&|f| f.batch = Some(Name::from("late")));
    begin(&mut world, "b", JobAction::Cancel, late, None);
    world.pass(1);
    assert_eq!(shown(&mut world, "b").done, 10);
    assert_eq!(status(&mut world).pending, 20);
}

#[test]
fn dead_letters_are_cancelled_only_when_they_are_asked_for() {
    let mut world = with_dead(3);
    begin(&mut world, "all", JobAction::Cancel, of_shop(), None);
    world.pass(1);
    assert_eq!(
        (shown(&mut world, "all").done, status(&mut world).dead),
        (0, 3)
    );
    let dead = JobFilter {
        state: Some(JobState::Dead),
        ..of_shop()
    };
    begin(&mut world, "dead", JobAction::Cancel, dead, None);
    world.pass(1);
    assert_eq!(
        (shown(&mut world, "dead").done, status(&mut world).dead),
        (3, 0)
    );
}

#[test]
fn it_keeps_to_its_rate_and_stops_when_told_to() {
    let mut world = World::new();
    put(&mut world, paused());
    create(&mut world, 1..=100, |_| new_job("a"));
    begin(&mut world, "b", JobAction::Cancel, of_shop(), Some(10));
    world.pass(2_000);
    let done = shown(&mut world, "b").done;
    assert!(
        (20..=21).contains(&done),
        "{done} in two seconds at ten a second"
    );
    let id = Name::from("b");
    assert!(matches!(world.ask(Op::BulkCancel { id }), Some(Ok(_))));
    world.crash();
    world.pass(10_000);
    let end = shown(&mut world, "b");
    assert_eq!((end.state, end.done), (BulkState::Cancelled, done));
    assert_eq!(status(&mut world).pending, 100 - done);
}

#[test]
fn jobs_that_come_later_are_not_meant() {
    let mut world = World::new();
    put(&mut world, paused());
    create(&mut world, 1..=1, |_| new_job("a"));
    begin(&mut world, "b", JobAction::Cancel, of_shop(), None);
    world.now += 1;
    create(&mut world, 2..=2, |_| new_job("a"));
    world.pass(10);
    assert_eq!(job(&mut world, 1).state, JobState::Cancelled);
    assert_eq!(job(&mut world, 2).state, JobState::Pending);
}

fn enable(world: &mut World, backlog: Backlog) -> Option<Result<Reply, crate::peer::Rejection>> {
    world.ask(Op::Jobs(JobsOp::Enable {
        destination: Name::from("shop"),
        backlog,
        bulk: Name::from("enable"),
    }))
}

#[test]
fn a_disabled_destination_is_enabled_with_what_waits() {
    let mut world = World::new();
    put(&mut world, shop());
    create(&mut world, 1..=3, |_| new_job("a"));
    let first = world.deliveries();
    world.delivered(&first[0], 410);
    assert!(status(&mut world).destination.paused);
    assert_eq!(enable(&mut world, Backlog::Resume), Some(Ok(Reply::Done)));
    assert_eq!(deliver_all(&mut world), vec![1, 2, 3]);
    assert_eq!(code(enable(&mut world, Backlog::Resume)), Code::NotPaused);
}

#[test]
fn a_disabled_destination_is_enabled_once_what_waits_is_dropped() {
    let mut world = World::new();
    put(&mut world, paused());
    create(&mut world, 1..=150, |_| new_job("a"));
    assert!(matches!(
        enable(&mut world, Backlog::Drop),
        Some(Ok(Reply::Bulk(_)))
    ));
    world.feed(crate::input::Input::Tick);
    assert!(
        status(&mut world).destination.paused,
        "not before all are dropped"
    );
    world.crash();
    world.pass(1);
    assert!(!status(&mut world).destination.paused);
    assert_eq!(status(&mut world).pending, 0);
    assert!(world.deliveries().is_empty());
    world.crash();
    create(&mut world, 151..=151, |_| new_job("a"));
    assert_eq!(deliver_all(&mut world), vec![151]);
}

#[test]
fn a_disabled_destination_is_enabled_with_its_dead_letters() {
    let mut world = with_dead(2);
    put(&mut world, paused());
    create(&mut world, 3..=3, |_| new_job("a"));
    assert!(matches!(
        enable(&mut world, Backlog::Replay),
        Some(Ok(Reply::Bulk(_)))
    ));
    world.pass(1);
    assert_eq!(deliver_all(&mut world), vec![3, 4, 5]);
    assert_eq!(status(&mut world).dead, 0);
}

#[test]
fn a_bulk_operation_of_runs_is_written_as_before_there_were_others() {
    use crate::peer::{Action, RunFilter};
    #[derive(minicbor::Encode)]
    struct Before {
        #[n(0)]
        id: Name,
        #[n(1)]
        filter: RunFilter,
        #[n(2)]
        action: Action,
        #[n(3)]
        per_second: Option<u32>,
    }
    let before = Before {
        id: Name::from("b"),
        filter: RunFilter::default(),
        action: Action::Pause,
        per_second: Some(7),
    };
    let now = Bulk {
        id: Name::from("b"),
        work: Work::Runs {
            filter: RunFilter::default(),
            action: Action::Pause,
        },
        per_second: Some(7),
    };
    let bytes = minicbor::to_vec(&before).unwrap();
    assert_eq!(minicbor::decode::<Bulk>(&bytes).unwrap(), now);
    assert_eq!(minicbor::to_vec(&now).unwrap(), bytes);
}
