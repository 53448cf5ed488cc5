//! Stories of what is kept of the event feed, for how long, and how a reader hears that it has missed something.

use super::world::*;
use crate::code::Code;
use crate::entry::{Command, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::feed::{EventFilter, FeedFrom, FeedSettings};
use crate::ids::{Nonce, ShardId};
use crate::peer::Op;
use crate::shard::Settings;
use crate::time::Timestamp;
use std::vec;
use std::vec::Vec;

fn with_feed(feed: FeedSettings) -> World {
    let settings = Settings {
        shards: 1,
        feed,
        ..Settings::default()
    };
    World::with(settings, ShardId(0))
}

#[test]
fn what_is_too_old_goes_and_a_reader_who_missed_it_is_told() {
    let mut world = with_feed(FeedSettings {
        retention_ms: 1_000,
        ..FeedSettings::default()
    });
    let nothing = EventFilter::default();
    let (_, start) = world.page(FeedFrom::Oldest, &nothing, 1).expect("empty");
    world.start("1");
    let (_, behind) = world.page(FeedFrom::Oldest, &nothing, 10).expect("there");
    world.pass(500);
    world.start("2");
    // Late by the clock, although nobody has removed it yet.
    world.now += 600;
    let refused = world
        .page(FeedFrom::At(start.clone()), &nothing, 10)
        .expect_err("gone");
    assert_eq!(refused.code, Code::EventsGone);
    assert_eq!(world.events().len(), 1);
    let (second, _) = world
        .page(FeedFrom::At(behind.clone()), &nothing, 10)
        .expect("there");
    assert_eq!(second.len(), 1);
    // And when it has been removed, also after a restart.
    world.pass(10_000);
    world.crash();
    assert!(world.events().is_empty());
    for cursor in [start, behind] {
        let refused = world
            .page(FeedFrom::At(cursor), &nothing, 10)
            .expect_err("gone");
        assert_eq!(refused.code, Code::EventsGone);
    }
    // Numbers are never used again.
    world.start("3");
    assert_eq!(world.events()[0].at.sequence, 3);
}

#[test]
fn too_many_bytes_push_the_oldest_out() {
    let mut world = with_feed(FeedSettings {
        bytes_max: 2_000,
        ..FeedSettings::default()
    });
    for number in 0..200 {
        world.start(&std::format!("{number}"));
        world.pass(1);
    }
    let kept = world.events();
    assert!(kept.len() < 50 && kept.len() > 10, "{}", kept.len());
    assert_eq!(kept.last().expect("some").at.sequence, 200);
    world.crash();
    assert_eq!(world.events(), kept);
}

#[test]
fn a_feed_that_was_off_for_a_while_has_a_gap_that_shows() {
    let mut world = World::new();
    let nothing = EventFilter::default();
    world.start("1");
    let (_, cursor) = world.page(FeedFrom::Oldest, &nothing, 10).expect("there");
    let on = world.settings.feed;
    world.settings.feed.retention_ms = 0;
    world.reopen();
    world.start("2");
    let refused = world.page(FeedFrom::Oldest, &nothing, 10).expect_err("off");
    assert_eq!(refused.code, Code::FeedOff);
    world.crash();
    world.settings.feed = on;
    world.reopen();
    let refused = world
        .page(FeedFrom::At(cursor), &nothing, 10)
        .expect_err("a gap");
    assert_eq!(refused.code, Code::EventsGone);
    world.start("3");
    assert_eq!(world.events().len(), 1);
    world.pass(100_000);
    assert_eq!(world.story(), ["run.started"]);
    world.crash();
    assert_eq!(world.story(), ["run.started"]);
}

#[test]
fn events_outlive_the_run_they_are_about() {
    let mut world = World::with(
        Settings {
            shards: 1,
            retention_ms: 1_000,
            ..Settings::default()
        },
        ShardId(0),
    );
    for _ in 0..3 {
        // The same id again and again: each run's events are its own.
        world.start("1");
        world.play(WORKER, true, vec![task(0)]);
        world.finish_task(WORKER, completed("2"));
        world.play(WORKER, true, vec![finish()]);
        world.pass(120_000);
    }
    assert!(
        world
            .ask(Op::DescribeRun { run: run_id("1") })
            .expect("answered")
            .is_err()
    );
    let events = world.events();
    assert_eq!(events.len(), 15);
    let times: Vec<Timestamp> = events.iter().map(|event| event.time).collect();
    assert!(times.is_sorted());
    world.crash();
    assert_eq!(world.events(), events);
    // What remains of a run goes with the events.
    let remains = |world: &World| {
        world
            .rows
            .0
            .keys()
            .filter(|key| key.starts_with(b"er"))
            .count()
    };
    assert!(remains(&world) > 0);
    world.pass(2 * 24 * 3_600_000);
    assert_eq!(remains(&world), 0);
    assert!(world.events().is_empty());
}

#[test]
fn a_retry_cuts_the_history_and_not_the_feed() {
    let mut world = World::new();
    world.start("1");
    world.play(WORKER, true, vec![task(0)]);
    let failure = Failure::new(FailureKind::Application, "Busy", "no");
    let failed = Failure {
        non_retryable: true,
        ..failure
    };
    world.finish_task(WORKER, Outcome::Failed(failed.clone()));
    let end = Command::Finish {
        outcome: Outcome::Failed(failed),
    };
    world.play(WORKER, true, vec![end]);
    let before = world.events();
    let run = run_id("1");
    let retried = world.ask(Op::RetryRun { run, at: None }).expect("answered");
    assert!(retried.is_ok(), "{retried:?}");
    let story = world.story();
    assert_eq!(world.events()[..before.len()], before);
    assert_eq!(story[before.len()..], ["run.rewound"]);
    world.finish_task(WORKER, completed("1"));
    world.play(WORKER, true, vec![finish()]);
    let rest = ["task.attempt_started", "task.completed", "run.completed"];
    assert_eq!(world.story()[before.len() + 1..], rest);
    let all = world.events();
    world.crash();
    assert_eq!(world.events(), all);
    world.ask(Op::Purge { run: run_id("1") });
    assert_eq!(world.events()[..all.len()], all);
    assert_eq!(world.story().last(), Some(&"run.purged"));
}

#[test]
fn the_events_of_a_generation_outlive_it() {
    let mut world = with_feed(FeedSettings::default());
    world.start("a");
    let again = |input| Command::ContinueAsNew {
        input: json(input),
        version: None,
        carry: vec![],
    };
    world.play(WORKER, true, vec![task(0)]);
    let signal = Op::Signal {
        run: run_id("a"),
        channel: "c".into(),
        payload: json("1"),
        nonce: Nonce(1),
    };
    world.ask(signal).expect("answered").expect("taken");
    world.play(WORKER, true, vec![again("2")]);
    world.play(WORKER, true, vec![task(0), again("3")]);
    let done = Command::Finish {
        outcome: Outcome::Completed(json("4")),
    };
    world.play(WORKER, true, vec![done]);
    let story = [
        "run.started",
        "task.scheduled",
        "signal.received",
        "run.continued",
        "task.scheduled",
        "run.continued",
        "run.completed",
    ];
    assert_eq!(world.story(), story);
    let told = world.events();
    world.crash();
    for limit in [1, 3, 100] {
        let again = world.feed_from(FeedFrom::Oldest, &EventFilter::default(), limit);
        assert_eq!(again, told);
    }
}
