//! What is done to many runs: by tag, and in bulk, across crashes.

use super::runs::{code, status};
use super::world::*;
use crate::code::Code;
use crate::entry::{Entry, Notification};
use crate::ids::Nonce;
use crate::payload::Name;
use crate::peer::{Action, Bulk, BulkState, BulkStatus, Op, Reply, RunFilter, Work};
use crate::run::RunStatus;
use alloc::boxed::Box;
use std::vec;

fn start_tagged(world: &mut World, id: &str, tag: &str) {
    let mut start = start_of(id);
    start.tags = vec![Name::from(tag)];
    world.ask(Op::Start(start));
}

fn act(world: &mut World, action: &Action) -> u64 {
    let (mut total, mut after) = (0, None);
    loop {
        let op = Op::Tagged {
            workflow: Name::from("Checkout"),
            tag: Name::from("t"),
            action: action.clone(),
            after,
        };
        match world.ask(op) {
            Some(Ok(Reply::Counted { count, next })) => {
                total += count;
                after = next;
            }
            other => panic!("{other:?}"),
        }
        if after.is_none() {
            return total;
        }
    }
}

fn signals(world: &mut World, id: &str) -> usize {
    let history = world.history(id);
    let signals = history
        .iter()
        .filter(|entry| matches!(entry, Entry::Notification(_, Notification::Signal { .. })));
    signals.count()
}

#[test]
fn a_signal_by_tag_reaches_every_live_run_once_and_says_how_many() {
    let mut world = World::new();
    let ids = ["a", "b", "c"];
    for id in ids {
        start_tagged(&mut world, id, "t");
    }
    start_tagged(&mut world, "other", "u");
    start_tagged(&mut world, "ended", "t");
    world.ask(Op::Terminate {
        run: run_id("ended"),
        reason: Name::from("x"),
    });
    let signal = Action::Signal {
        channel: Name::from("go"),
        payload: json("1"),
        nonce: Nonce(9),
    };
    assert_eq!(act(&mut world, &signal), 3);
    assert_eq!(act(&mut world, &signal), 3, "a repeat has reached them too");
    for id in ids {
        assert_eq!(signals(&mut world, id), 1, "and is dropped by each");
    }
    assert_eq!(signals(&mut world, "other"), 0);
}

#[test]
fn runs_are_paused_resumed_cancelled_terminated_and_purged_by_tag() {
    let mut world = World::new();
    for id in ["a", "b"] {
        start_tagged(&mut world, id, "t");
    }
    assert_eq!(act(&mut world, &Action::Pause), 2);
    assert_eq!(act(&mut world, &Action::Pause), 0);
    assert_eq!(status(&mut world, "a"), RunStatus::Paused);
    assert_eq!(act(&mut world, &Action::Resume), 2);
    let reason = Name::from("closed");
    let cancel = Action::Cancel {
        reason: reason.clone(),
    };
    assert_eq!(act(&mut world, &cancel), 2);
    assert_eq!(
        act(&mut world, &Action::Purge),
        0,
        "live ones are not purged"
    );
    assert_eq!(act(&mut world, &Action::Terminate { reason }), 2);
    assert_eq!(status(&mut world, "b"), RunStatus::Terminated);
    assert_eq!(act(&mut world, &Action::Purge), 2);
    assert_eq!(
        code(world.ask(Op::DescribeRun { run: run_id("a") })),
        Code::RunNotFound
    );
}

fn bulk(id: &str, action: Action, per_second: Option<u32>) -> Op {
    let bulk = Bulk {
        id: Name::from(id),
        work: Work::Runs {
            filter: RunFilter {
                id_prefix: Some(Name::from("r")),
                ..RunFilter::default()
            },
            action,
        },
        per_second,
    };
    Op::BulkStart {
        bulk: Box::new(bulk),
        expected: 0,
    }
}

fn shown(world: &mut World, id: &str) -> BulkStatus {
    match world.ask(Op::BulkShow { id: Name::from(id) }) {
        Some(Ok(Reply::Bulk(status))) => status,
        other => panic!("{other:?}"),
    }
}

fn terminate() -> Action {
    Action::Terminate {
        reason: Name::from("x"),
    }
}

#[test]
fn a_bulk_operation_survives_crashes_and_acts_on_each_run_once() {
    let mut world = World::new();
    for number in 0..450 {
        world.start(&std::format!("r{number}"));
    }
    world.start("spared");
    let signal = Action::Signal {
        channel: Name::from("go"),
        payload: json("1"),
        nonce: Nonce(0),
    };
    world.ask(bulk("b", signal, None));
    world.now += 1;
    world.start("r-later");
    for slice in 1..=4 {
        world.now = world.now.max(1);
        world.feed(crate::input::Input::Tick);
        world.crash();
        assert_eq!(shown(&mut world, "b").done, slice * 100);
    }
    world.pass(1);
    let status = shown(&mut world, "b");
    assert_eq!(
        (status.state, status.done, status.refused),
        (BulkState::Done, 450, 0)
    );
    for id in ["r0", "r7", "r449"] {
        // A nonce of zero is not remembered: a second signal would be there.
        assert_eq!(signals(&mut world, id), 1, "{id}");
    }
    for id in ["spared", "r-later"] {
        assert_eq!(signals(&mut world, id), 0, "{id}");
    }
}

#[test]
fn a_bulk_operation_keeps_to_its_rate_and_stops_when_told_to() {
    let mut world = World::new();
    for number in 0..100 {
        world.start(&std::format!("r{number}"));
    }
    world.ask(bulk("b", terminate(), Some(10)));
    world.pass(2_000);
    let done = shown(&mut world, "b").done;
    assert!(
        (20..=21).contains(&done),
        "{done} in two seconds at ten a second"
    );
    let cancelled = world.ask(Op::BulkCancel {
        id: Name::from("b"),
    });
    assert!(matches!(cancelled, Some(Ok(Reply::Bulk(_)))));
    world.crash();
    world.pass(10_000);
    let status = shown(&mut world, "b");
    assert_eq!((status.state, status.done), (BulkState::Cancelled, done));
    world.pass(world.settings.retention_ms);
    assert_eq!(
        code(world.ask(Op::BulkShow {
            id: Name::from("b")
        })),
        Code::BulkNotFound
    );
}

#[test]
fn the_same_bulk_operation_begins_once_and_another_needs_another_id() {
    let mut world = World::new();
    world.start("r1");
    world.ask(bulk("b", terminate(), None));
    world.pass(10);
    assert_eq!(shown(&mut world, "b").done, 1);
    world.start("r2");
    assert!(matches!(
        world.ask(bulk("b", terminate(), None)),
        Some(Ok(Reply::Bulk(status))) if status.done == 1
    ));
    assert_eq!(
        code(world.ask(bulk("b", Action::Pause, None))),
        Code::BulkExists
    );
    world.pass(10);
    assert_eq!(status(&mut world, "r2"), RunStatus::Running);
    assert!(matches!(
        world.ask(Op::BulkList),
        Some(Ok(Reply::Bulks(all))) if all.len() == 1
    ));
}
