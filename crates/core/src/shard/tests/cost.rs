//! What a run costs: a step the same however long the history is, and a run that is forgotten nothing at all.

use super::world::*;
use crate::code::Code;
use crate::entry::Command;
use crate::ids::{CommandId, Nonce};
use crate::payload::Name;
use crate::peer::{Op, Start};
use crate::time::Timestamp;
use std::vec;
use std::vec::Vec;

/// The bytes of the rows that differ.
fn changed(before: &Map, after: &Map) -> usize {
    let new = after
        .0
        .iter()
        .filter(|(key, value)| before.0.get(*key) != Some(value));
    new.map(|(key, value)| key.len() + value.len()).sum()
}

#[test]
fn w10_the_cost_of_a_step_does_not_grow_with_the_history() {
    let mut world = World::new();
    world.settings.feed.retention_ms = 0;
    world.reopen();
    world.start("a");
    let turn = world.turn(WORKER).expect("a turn");
    let report = done_of(&turn, true, vec![task(0)]);
    world.report(WORKER, crate::peer::FromPeer::TurnDone(report));
    let mut costs = Vec::new();
    for step in 1..=400 {
        let before = world.rows.clone();
        world.finish_task(WORKER, completed("\"done\""));
        let turn = world.turn(WORKER).expect("a turn");
        let sent: usize = turn.chunks.iter().map(|chunk| chunk.len()).sum();
        let report = done_of(&turn, true, vec![task(step)]);
        world.report(WORKER, crate::peer::FromPeer::TurnDone(report));
        costs.push((sent, changed(&before, &world.rows)));
    }
    // While a chunk of the history fills up, its row grows; then a new one begins.
    let worst = |of: &[(usize, usize)]| {
        let sent = of.iter().map(|cost| cost.0).max().expect("some steps");
        (
            sent,
            of.iter().map(|cost| cost.1).max().expect("some steps"),
        )
    };
    let (early, late) = (worst(&costs[..100]), worst(&costs[300..]));
    // A number that has grown a digit or two takes a few more bytes.
    let is_alike = |early: usize, late: usize| late <= early + early / 10 + 8;
    assert!(is_alike(early.0, late.0), "sent {} {}", early.0, late.0);
    assert!(is_alike(early.1, late.1), "written {} {}", early.1, late.1);
}

#[test]
fn a_run_that_is_forgotten_leaves_no_row() {
    let mut world = World::new();
    world.settings.retention_ms = 10_000;
    world.settings.feed.retention_ms = 5_000;
    world.reopen();
    let forget_all = |world: &mut World| {
        for _ in 0..50 {
            world.pass(1_000);
        }
    };
    // What a shard writes once, because of its first run, is not this run's.
    world.start("first");
    world.play(WORKER, true, vec![finish()]);
    forget_all(&mut world);
    let before: Vec<Vec<u8>> = world.rows.0.keys().cloned().collect();
    let tags = vec![Name::from("red"), Name::from("round")];
    world.ask(Op::Start(Start {
        tags,
        ..start_of("a")
    }));
    let at = Timestamp(world.now + 3_600_000);
    let timer = Command::StartTimer {
        command: CommandId(1),
        at,
        call: None,
    };
    let property = Command::SetProperty {
        name: "state".into(),
        value: json("1"),
    };
    let added = Command::AddTags {
        tags: vec![Name::from("late")],
    };
    world.play(WORKER, true, vec![task(0), timer, property, added]);
    world.ask(Op::Signal {
        run: run_id("a"),
        channel: "numbers".into(),
        payload: json("7"),
        nonce: Nonce(9),
    });
    // It ends with its task, its timer and its signal still there.
    world.play(WORKER, true, vec![finish()]);
    assert!(world.rows.0.len() > before.len());
    forget_all(&mut world);
    let refused = world.ask(Op::DescribeRun { run: run_id("a") });
    assert_eq!(
        refused.map(|reply| reply.map_err(|r| r.code).err()),
        Some(Some(Code::RunNotFound))
    );
    let after: Vec<Vec<u8>> = world.rows.0.keys().cloned().collect();
    assert_eq!(after, before);
}
