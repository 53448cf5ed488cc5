//! Stories of how runs start: later, under an id that is taken, and with a time-out.

use super::cluster::*;
use super::world::*;
use crate::entry::{ChildOptions, Command, Entry, Notification, Outcome};
use crate::failure::FailureKind;
use crate::ids::{Nonce, RunId};
use crate::payload::Name;
use crate::peer::{OnConflict, Op, Reply, Start};
use crate::run::RunStatus;
use crate::time::Timestamp;
use std::vec;
use std::vec::Vec;

fn described(world: &mut World) -> crate::run::Run {
    match world.ask(Op::DescribeRun { run: run_id("a") }) {
        Some(Ok(Reply::Run(run))) => *run,
        other => panic!("{other:?}"),
    }
}

fn waiting(start: Start) -> Op {
    Op::Start(Start {
        wait: true,
        ..start
    })
}

#[test]
fn a_delayed_start_gets_no_turn_before_its_time_and_keeps_what_comes() {
    let mut world = World::new();
    let at = Timestamp(world.now + 10_000);
    let mut start = start_of("a");
    start.start_at = Some(at);
    world.ask(Op::Start(start));
    assert_eq!(described(&mut world).status_shown(), "scheduled");
    let signal = Op::Signal {
        run: run_id("a"),
        channel: Name::from("c"),
        payload: json("1"),
        nonce: Nonce(1),
    };
    world.ask(signal);
    world.pass(5_000);
    world.crash();
    assert!(world.turn(WORKER).is_none());
    world.pass(4_999);
    assert!(world.turn(WORKER).is_none());
    world.pass(1);
    assert_eq!(described(&mut world).status_shown(), "running");
    let turn = world.turn(WORKER).unwrap();
    let entries: Vec<Entry> = turn.chunks.iter().flat_map(entries_of).collect();
    // The code's time begins when it does.
    assert!(matches!(
        entries[..],
        [
            Entry::Notification(first, Notification::Started { .. }),
            Entry::Notification(_, Notification::Signal { .. })
        ] if first == at
    ));
}

#[test]
fn a_run_that_has_not_begun_is_cancelled_at_once() {
    let mut world = World::new();
    let mut start = start_of("a");
    start.start_at = Some(Timestamp(world.now + 10_000));
    world.ask(waiting(start));
    let waiter = world.last_request();
    world.ask(Op::Cancel {
        run: run_id("a"),
        reason: Name::from("never mind"),
    });
    let Some(Ok(Reply::Outcome { status, outcome })) = world.answer(waiter) else {
        panic!("it has ended")
    };
    assert_eq!(status, RunStatus::Cancelled);
    assert!(matches!(outcome, Outcome::Failed(failure) if failure.kind == FailureKind::Cancelled));
    world.pass(20_000);
    assert!(world.turn(WORKER).is_none());
}

#[test]
fn a_run_that_takes_too_long_times_out_also_while_paused_or_after_an_outage() {
    for pause in [false, true] {
        let mut world = World::new();
        let mut start = start_of("a");
        start.timeout_ms = Some(10_000);
        world.ask(waiting(start));
        let waiter = world.last_request();
        world.play(WORKER, true, vec![task(0)]);
        if pause {
            world.ask(Op::Pause { run: run_id("a") });
        }
        world.pass(9_999);
        assert!(world.answer(waiter).is_none());
        world.pass(1);
        let Some(Ok(Reply::Outcome { status, outcome })) = world.answer(waiter) else {
            panic!("it has timed out")
        };
        assert_eq!(status, RunStatus::TimedOut);
        assert!(matches!(
            outcome,
            Outcome::Failed(failure) if failure.kind == FailureKind::TimedOut && &*failure.name == "TL0052"
        ));
        assert!(world.task(WORKER).is_none(), "its tasks are abandoned");
        // Much later the answer is the same.
        let again = world.ask(Op::AwaitOutcome { run: run_id("a") });
        assert!(matches!(
            again,
            Some(Ok(Reply::Outcome {
                status: RunStatus::TimedOut,
                ..
            }))
        ));
    }
    let mut world = World::new();
    let mut start = start_of("a");
    start.timeout_ms = Some(10_000);
    world.ask(Op::Start(start));
    world.now += 3_600_000;
    world.crash();
    world.pass(0);
    assert_eq!(described(&mut world).status, RunStatus::TimedOut);
}

#[test]
fn a_time_out_begins_with_the_first_turn_that_the_run_may_have() {
    let mut world = World::new();
    let mut start = start_of("a");
    start.start_at = Some(Timestamp(world.now + 10_000));
    start.timeout_ms = Some(5_000);
    world.ask(Op::Start(start));
    world.pass(14_999);
    assert_eq!(described(&mut world).status, RunStatus::Running);
    world.pass(1);
    assert_eq!(described(&mut world).status, RunStatus::TimedOut);
}

/// The weakness of systems that answer only the first caller: here every caller is, whenever and however it asks.
#[test]
fn every_caller_of_a_taken_id_is_answered_while_the_run_lives_and_after_its_end() {
    for conflict in [OnConflict::Reject, OnConflict::Attach] {
        let mut world = World::new();
        world.ask(waiting(start_of("a")));
        let mut waiters = vec![world.last_request()];
        let mut answers = Vec::new();
        let second = |wait| {
            let mut start = start_of("a");
            start.on_conflict = conflict;
            start.wait = wait;
            Op::Start(start)
        };
        let ask = |world: &mut World, waiters: &mut Vec<_>, answers: &mut Vec<_>| {
            for wait in [false, true] {
                match world.ask(second(wait)) {
                    Some(answer) => answers.push(answer),
                    None => waiters.push(world.last_request()),
                }
            }
        };
        ask(&mut world, &mut waiters, &mut answers);
        world.play(WORKER, false, vec![finish()]);
        ask(&mut world, &mut waiters, &mut answers);
        for waiter in waiters {
            let answer = world.answer(waiter);
            assert!(
                matches!(answer, Some(Ok(Reply::Outcome { .. }))),
                "{answer:?}"
            );
        }
        assert_eq!(
            answers.iter().filter(|answer| answer.is_err()).count(),
            if conflict == OnConflict::Reject { 4 } else { 0 }
        );
    }
}

#[test]
fn replacing_a_run_ends_it_answers_its_waiters_and_starts_the_new_one() {
    let mut world = World::new();
    world.ask(waiting(start_of("a")));
    let waiter = world.last_request();
    world.play(WORKER, true, vec![task(0)]);
    let old_task = world.task(WORKER).unwrap();
    let old = described(&mut world);
    let mut start = start_of("a");
    start.on_conflict = OnConflict::Replace;
    start.nonce = Nonce(9);
    let answer = world.ask(Op::Start(start.clone()));
    assert!(
        matches!(answer, Some(Ok(Reply::Started { created: true, .. }))),
        "{answer:?}"
    );
    let Some(Ok(Reply::Outcome { status, outcome })) = world.answer(waiter) else {
        panic!("the old run has ended")
    };
    assert_eq!(status, RunStatus::Terminated);
    assert!(matches!(outcome, Outcome::Failed(failure) if &*failure.name == "TL0051"));
    let new = described(&mut world);
    assert!(new.began_at() > old.began_at());
    assert_eq!((new.open_tasks, new.entries), (0, 1));
    assert_ne!(old_task.token.0, 0);
    // The same request again is recognised, and replaces nothing.
    let answer = world.ask(Op::Start(start));
    assert!(
        matches!(answer, Some(Ok(Reply::Started { created: false, .. }))),
        "{answer:?}"
    );
    world.crash();
    world.play(WORKER, false, vec![finish()]);
    assert_eq!(described(&mut world).status, RunStatus::Completed);
    // A run that has ended is replaced too, and nobody is told of its end a second time.
    let mut start = start_of("a");
    start.on_conflict = OnConflict::Replace;
    world.ask(Op::Start(start));
    assert_eq!(described(&mut world).status, RunStatus::Running);
    assert_eq!(world.shard.counters().runs.iter().sum::<u64>(), 1);
}

/// A parent whose child takes too long.
fn hasty(id: &RunId, note: &Notification) -> Vec<Command> {
    match note {
        Notification::Started { .. } if id.id.starts_with("parent") => {
            let options = ChildOptions {
                timeout_ms: Some(1_000),
                ..ChildOptions::default()
            };
            vec![child_with(0, &id_on(1, "slow"), options)]
        }
        Notification::ChildEnded { outcome, .. } => finish_with(outcome.clone()),
        _ => vec![],
    }
}

#[test]
fn a_childs_time_out_is_a_failure_that_its_parent_sees() {
    with_a_crash_after_each_step(hasty, |cluster| {
        let parent = id_on(0, "parent");
        cluster.start(&parent);
        cluster.settle();
        for world in &mut cluster.worlds {
            world.pass(2_000);
        }
        cluster.ask(&parent, Op::Counters);
        cluster.settle();
        assert_eq!(cluster.status(&id_on(1, "slow")), RunStatus::TimedOut);
        let run = cluster.run(&parent);
        let Some(Outcome::Failed(failure)) = run.outcome else {
            panic!("{run:?}")
        };
        assert_eq!(failure.kind, FailureKind::TimedOut);
        let names: Vec<&str> = failure.chain().map(|link| &*link.name).collect();
        assert_eq!(names, ["TL0052", "TL0052"]);
    });
}
