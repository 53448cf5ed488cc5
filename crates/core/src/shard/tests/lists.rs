//! Finding runs: by tag through the index, by status, time, id and property, and counting them.

use super::world::*;
use crate::entry::Command;
use crate::ids::{CommandId, RunKey};
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{Fitness, FromPeer, Op, Reply, RunFilter};
use crate::run::{Phase, RunStatus};
use crate::time::Timestamp;
use alloc::boxed::Box;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

fn start_tagged(world: &mut World, id: &str, tags: &[&str]) {
    let mut start = start_of(id);
    start.tags = tags.iter().map(|tag| Name::from(*tag)).collect();
    assert!(matches!(
        world.ask(Op::Start(start)),
        Some(Ok(Reply::Started { created: true, .. }))
    ));
}

fn with_tag(tag: &str) -> RunFilter {
    RunFilter {
        tag: Some(Name::from(tag)),
        limit: 100,
        ..RunFilter::default()
    }
}

/// All that match, page by page.
fn listed(world: &mut World, mut filter: RunFilter) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let answer = world.ask(Op::ListRuns(Box::new(filter.clone())));
        let Some(Ok(Reply::Runs { runs, next })) = answer else {
            panic!("{answer:?}")
        };
        ids.extend(runs.iter().map(|run| run.id.id.to_string()));
        filter.after = next;
        if next.is_none() {
            ids.sort();
            return ids;
        }
    }
}

fn counted(world: &mut World, filter: RunFilter) -> u64 {
    match world.ask(Op::Count(Box::new(filter))) {
        Some(Ok(Reply::Counted { count, next: None })) => count,
        other => panic!("{other:?}"),
    }
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| Name::from(*name)).collect()
}

fn tag_rows(world: &World) -> usize {
    let tags = world.rows.0.keys().filter(|key| key.starts_with(b"tg"));
    tags.count()
}

#[test]
fn a_run_is_found_by_each_of_its_tags_and_a_run_without_tags_has_no_row() {
    let mut world = World::new();
    start_tagged(&mut world, "a", &["country:DE", "vip"]);
    start_tagged(&mut world, "b", &["country:DE"]);
    world.start("c");
    assert_eq!(tag_rows(&world), 3);
    assert_eq!(listed(&mut world, with_tag("country:DE")), ["a", "b"]);
    assert_eq!(listed(&mut world, with_tag("vip")), ["a"]);
    assert_eq!(listed(&mut world, with_tag("country:FR")), [""; 0]);
    let both = RunFilter {
        tags: names(&["vip"]),
        ..with_tag("country:DE")
    };
    assert_eq!(listed(&mut world, both.clone()), ["a"]);
    assert_eq!(counted(&mut world, both), 1);
    let elsewhere = RunFilter {
        workflow: Some(Name::from("Delivery")),
        ..with_tag("vip")
    };
    assert_eq!(listed(&mut world, elsewhere), [""; 0]);
}

#[test]
fn the_index_follows_tags_that_code_adds_and_removes_also_across_a_crash() {
    let mut world = World::new();
    start_tagged(&mut world, "a", &["new"]);
    let change = vec![
        Command::AddTags {
            tags: names(&["paid", "new"]),
        },
        Command::RemoveTags {
            tags: names(&["new", "never"]),
        },
        Command::StartTimer {
            command: CommandId(0),
            at: Timestamp(world.now + 10),
            call: None,
        },
    ];
    world.play(WORKER, false, change);
    assert_eq!(listed(&mut world, with_tag("new")), [""; 0]);
    assert_eq!(listed(&mut world, with_tag("paid")), ["a"]);
    world.crash();
    assert_eq!(listed(&mut world, with_tag("paid")), ["a"]);
    world.pass(10);
    let back = Command::AddTags {
        tags: names(&["new"]),
    };
    world.play(WORKER, false, vec![back, finish()]);
    assert_eq!(
        listed(&mut world, with_tag("new")),
        ["a"],
        "an ended run is found"
    );
    world.pass(world.settings.retention_ms);
    assert_eq!(
        tag_rows(&world),
        0,
        "what is gone leaves nothing in the index"
    );
}

#[test]
fn pages_by_tag_have_each_run_once_in_one_order() {
    let mut world = World::new();
    for number in 0..50 {
        let tag = if number % 2 == 0 { "even" } else { "odd" };
        start_tagged(&mut world, &std::format!("r{number}"), &[tag]);
    }
    let mut keys: Vec<RunKey> = Vec::new();
    let mut filter = RunFilter {
        limit: 7,
        ..with_tag("even")
    };
    loop {
        let answer = world.ask(Op::ListRuns(Box::new(filter.clone())));
        let Some(Ok(Reply::Runs { runs, next })) = answer else {
            panic!("{answer:?}")
        };
        keys.extend(runs.iter().map(|run| run.id.key()));
        // What comes and goes between pages does not disturb the others.
        start_tagged(&mut world, &std::format!("later{}", keys.len()), &["odd"]);
        filter.after = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(keys.len(), 25);
    assert!(keys.is_sorted(), "in the order of their keys");
    assert_eq!(counted(&mut world, with_tag("even")), 25);
}

#[test]
fn runs_are_found_by_time_id_phase_property_and_fitness() {
    let mut world = World::new();
    let began = world.now;
    world.start("order-1");
    let set = Command::SetProperty {
        name: Name::from("status"),
        value: json("\"paid\""),
    };
    world.play(WORKER, false, vec![set, task(0)]);
    world.pass(1_000);
    world.start("order-2");
    world.play(WORKER, false, vec![]);
    world.pass(1_000);
    world.start("invoice-1");
    world.play(WORKER, false, vec![finish()]);
    let all = RunFilter {
        limit: 10,
        ..RunFilter::default()
    };
    let case = |filter: RunFilter, expected: &[&str], world: &mut World| {
        assert_eq!(listed(world, filter.clone()), expected, "{filter:?}");
        assert_eq!(counted(world, filter), expected.len() as u64);
    };
    let after = Some(Timestamp(began + 1_000));
    let w = &mut world;
    let started_after = RunFilter {
        started_after: after,
        ..all.clone()
    };
    case(started_after, &["invoice-1", "order-2"], w);
    let started_before = RunFilter {
        started_before: after,
        ..all.clone()
    };
    case(started_before, &["order-1"], w);
    let finished_after = RunFilter {
        finished_after: after,
        ..all.clone()
    };
    case(finished_after, &["invoice-1"], w);
    let finished_before = RunFilter {
        finished_before: after,
        ..all.clone()
    };
    case(finished_before, &[], w);
    let prefix = RunFilter {
        id_prefix: Some(Name::from("order-")),
        ..all.clone()
    };
    case(prefix, &["order-1", "order-2"], w);
    let suspended = RunFilter {
        phase: Some(Phase::Suspended),
        ..all.clone()
    };
    case(suspended, &["order-2"], w);
    let paid = (Name::from("status"), json("\"paid\""));
    let property = RunFilter {
        properties: vec![paid],
        ..all.clone()
    };
    case(property, &["order-1"], w);
    let other = (Name::from("status"), json("\"open\""));
    let property = RunFilter {
        properties: vec![other],
        ..all.clone()
    };
    case(property, &[], w);
    let ended = RunFilter {
        fit_for: Some(Fitness::Ended),
        ..all.clone()
    };
    case(ended, &["invoice-1"], w);
    let status = RunFilter {
        status: Some(RunStatus::Running),
        ..all.clone()
    };
    case(status, &["order-1", "order-2"], w);
    case(all, &["invoice-1", "order-1", "order-2"], w);
}

#[test]
fn a_workers_death_changes_nothing_in_the_index() {
    let mut world = World::new();
    start_tagged(&mut world, "a", &["t"]);
    let turn = world.turn(WORKER).expect("a turn");
    world.feed(Input::PeerGone { peer: WORKER });
    let add = Command::AddTags {
        tags: names(&["u"]),
    };
    let late = done_of(&turn, false, vec![add]);
    world.report(WORKER, FromPeer::TurnDone(late));
    assert_eq!(listed(&mut world, with_tag("u")), [""; 0]);
    assert_eq!(listed(&mut world, with_tag("t")), ["a"]);
}
