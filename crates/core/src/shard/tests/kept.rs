//! What is kept of runs: lists, histories, and for how long.

use super::runs::{code, signal, status};
use super::world::*;
use crate::code::Code;
use crate::payload::Name;
use crate::peer::{Op, Reply, RunFilter};
use crate::run::RunStatus;
use crate::time::Timestamp;
use alloc::boxed::Box;
use std::vec;
use std::vec::Vec;

#[test]
fn every_run_is_listed_once_page_by_page() {
    let mut world = World::new();
    for number in 0..25 {
        world.start(&std::format!("run-{number}"));
    }
    let mut filter = RunFilter {
        limit: 4,
        ..RunFilter::default()
    };
    let mut seen = Vec::new();
    loop {
        let answer = world.ask(Op::ListRuns(Box::new(filter.clone())));
        let Some(Ok(Reply::Runs { runs, next })) = answer else {
            panic!("{answer:?}")
        };
        seen.extend(runs.into_iter().map(|run| run.id.id));
        if next.is_none() {
            break;
        }
        filter.after = next;
    }
    assert_eq!(seen.len(), 25);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25);
    filter = RunFilter {
        id: Some(Name::from("run-7")),
        limit: 10,
        ..RunFilter::default()
    };
    let answer = world.ask(Op::ListRuns(Box::new(filter)));
    assert!(matches!(answer, Some(Ok(Reply::Runs { runs, next: None })) if runs.len() == 1));
}

#[test]
fn finished_runs_go_after_the_retention_time() {
    let mut world = World::new();
    world.settings.retention_ms = 10_000;
    world.settings.feed.retention_ms = 5_000;
    world.crash();
    for id in ["a", "b"] {
        world.start(id);
        world.play(WORKER, true, vec![finish()]);
    }
    world.start("c");
    world.pass(9_999);
    assert_eq!(status(&mut world, "a"), RunStatus::Completed);
    world.pass(1);
    assert_eq!(
        code(world.ask(Op::DescribeRun { run: run_id("a") })),
        Code::RunNotFound
    );
    assert_eq!(status(&mut world, "c"), RunStatus::Running);
    let left = world
        .rows
        .0
        .keys()
        .filter(|key| key.starts_with(b"rh"))
        .count();
    assert_eq!(left, 1, "only the history of `c` is left");
    assert_eq!(
        world.shard.next_deadline(Timestamp(world.now)),
        None,
        "and nothing more wakes it"
    );
}

#[test]
fn a_short_history_becomes_one_row_when_the_run_ends() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, vec![task(0)]);
    world.finish_task(WORKER, completed("7"));
    let chunks = |world: &World| {
        world
            .rows
            .0
            .keys()
            .filter(|key| key.starts_with(b"rh"))
            .count()
    };
    let before = world.history("a");
    assert_eq!(chunks(&world), 3);
    world.play(WORKER, true, vec![finish()]);
    assert_eq!(chunks(&world), 1);
    let after = world.history("a");
    assert_eq!((&after[..4], after.len()), (&before[..], 6));
    // A task that is still open keeps its run's chunks: its argument is in there.
    world.start("b");
    world.play(WORKER, true, vec![task(0), finish()]);
    world.crash();
    assert_eq!(world.task(WORKER).expect("a task").input, json("1"));
}

#[test]
fn a_history_is_read_in_pages() {
    let mut world = World::new();
    world.start("a");
    for number in 0..200_u32 {
        world.ask(signal("a", &std::format!("{number}"), 0));
    }
    let (mut from, mut entries) = (150, Vec::new());
    loop {
        let answer = world.ask(Op::History {
            run: run_id("a"),
            from,
        });
        let Some(Ok(Reply::History {
            from: first,
            chunks,
            next,
        })) = answer
        else {
            panic!("{answer:?}")
        };
        assert!(first <= from);
        entries.extend(chunks.iter().flat_map(entries_of));
        let Some(next) = next else { break };
        from = next;
    }
    assert_eq!(entries.len(), 51);
}
