//! Stories of runs: starts, signals, turns, timers, steps, ends, and a crash after each step.

use super::world::*;
use crate::code::Code;
use crate::effect::Effect;
use crate::entry::{Command, Entry, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::ids::{CommandId, Nonce, RequestId};
use crate::payload::Name;
use crate::peer::{FromPeer, OnConflict, Op, Reply, ToPeer};
use crate::run::RunStatus;
use crate::time::Timestamp;
use std::vec;
use std::vec::Vec;

pub(super) fn status(world: &mut World, id: &str) -> RunStatus {
    match world.ask(Op::DescribeRun { run: run_id(id) }) {
        Some(Ok(Reply::Run(run))) => run.status,
        other => panic!("{other:?}"),
    }
}

pub(super) fn code(answer: Option<Result<Reply, crate::peer::Rejection>>) -> Code {
    answer.expect("an answer").expect_err("a refusal").code
}

pub(super) fn signal(id: &str, value: &str, nonce: u128) -> Op {
    Op::Signal {
        run: run_id(id),
        channel: Name::from("approvals"),
        payload: json(value),
        nonce: Nonce(nonce),
    }
}

#[test]
fn a_run_goes_from_start_to_result() {
    let mut world = World::new();
    assert_eq!(
        world.start("a"),
        Some(Ok(Reply::Started {
            created: true,
            version: 1
        }))
    );
    world.play(WORKER, true, vec![task(0)]);
    world.finish_task(WORKER, completed("7"));
    world.play(WORKER, true, vec![finish()]);
    let outcome = world.ask(Op::AwaitOutcome { run: run_id("a") });
    let expected = Reply::Outcome {
        status: RunStatus::Completed,
        outcome: completed("\"out\""),
    };
    assert_eq!(outcome, Some(Ok(expected)));
    let kinds: Vec<_> = world.history("a").iter().map(kind).collect();
    assert_eq!(
        kinds,
        vec![
            "started",
            "turn",
            "command",
            "task completed",
            "turn",
            "command"
        ]
    );
}

fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Notification(_, Notification::Started { .. }) => "started",
        Entry::Notification(_, Notification::TaskCompleted { .. }) => "task completed",
        Entry::Notification(..) => "notification",
        Entry::Turn { .. } => "turn",
        Entry::Command(_) => "command",
    }
}

#[test]
fn every_step_of_a_run_survives_a_crash() {
    for crash_after in 0..4 {
        let mut world = World::new();
        let mut step = 0;
        let mut maybe_crash = |world: &mut World| {
            if step == crash_after {
                world.crash();
            }
            step += 1;
        };
        world.start("a");
        maybe_crash(&mut world);
        world.play(WORKER, true, vec![task(0)]);
        maybe_crash(&mut world);
        world.finish_task(WORKER, completed("7"));
        maybe_crash(&mut world);
        world.play(WORKER, true, vec![finish()]);
        maybe_crash(&mut world);
        assert_eq!(
            status(&mut world, "a"),
            RunStatus::Completed,
            "crash after {crash_after}"
        );
    }
}

#[test]
fn a_result_awaited_early_is_answered_when_the_run_ends() {
    let mut world = World::new();
    world.start("a");
    assert_eq!(world.ask(Op::AwaitOutcome { run: run_id("a") }), None);
    let request = world.last_request();
    world.play(WORKER, true, vec![finish()]);
    assert!(matches!(
        world.answer(request),
        Some(Ok(Reply::Outcome {
            status: RunStatus::Completed,
            ..
        }))
    ));
}

#[test]
fn an_id_is_given_once() {
    let mut world = World::new();
    world.start("a");
    assert_eq!(code(world.start("a")), Code::RunExists);
    let mut attach = start_of("a");
    attach.on_conflict = OnConflict::Attach;
    let attached = world.ask(Op::Start(attach));
    assert_eq!(
        attached,
        Some(Ok(Reply::Started {
            created: false,
            version: 1
        }))
    );
}

#[test]
fn a_repeated_start_gets_the_same_answer() {
    let mut world = World::new();
    let mut start = start_of("a");
    start.nonce = Nonce(9);
    assert_eq!(
        world.ask(Op::Start(start.clone())),
        Some(Ok(Reply::Started {
            created: true,
            version: 1
        }))
    );
    world.crash();
    assert_eq!(
        world.ask(Op::Start(start)),
        Some(Ok(Reply::Started {
            created: false,
            version: 1
        }))
    );
}

#[test]
fn a_worker_that_holds_a_run_gets_only_what_is_new() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, vec![]);
    world.ask(signal("a", "1", 0));
    let turn = world.turn(WORKER).expect("a turn");
    assert_eq!(
        (turn.from, turn.consumed),
        (2, 1),
        "entries 0 and 1 are the start and the turn"
    );
    world.report(WORKER, FromPeer::TurnDone(done_of(&turn, false, vec![])));
    world.ask(signal("a", "2", 0));
    let turn = world.turn(WORKER).expect("a turn");
    assert_eq!(turn.from, 0, "it let go of the run");
}

#[test]
fn what_arrives_during_a_turn_is_for_the_next_one() {
    let mut world = World::new();
    world.start("a");
    let turn = world.turn(WORKER).expect("a turn");
    world.ask(signal("a", "1", 0));
    assert!(world.turn(OTHER).is_none(), "one turn at a time");
    world.report(
        WORKER,
        FromPeer::TurnDone(done_of(&turn, true, vec![task(0)])),
    );
    let next = world.turn(WORKER).expect("a turn");
    assert_eq!((next.from, next.consumed), (1, 1));
    let entries: Vec<_> = next.chunks.iter().flat_map(entries_of).collect();
    assert_eq!(
        entries.iter().map(kind).collect::<Vec<_>>(),
        vec!["notification", "turn", "command"]
    );
}

#[test]
fn a_turn_behind_a_result_saves_a_round() {
    let mut world = World::new();
    world.start("a");
    let done = world.play(WORKER, true, vec![task(0)]);
    let attempt = world.task(WORKER).expect("a task");
    let then = crate::peer::TurnDone {
        run: done.run,
        token: done.token,
        from: 1,
        upto: 4,
        commands: vec![finish()],
        held: true,
    };
    world.report(
        WORKER,
        FromPeer::TaskDone {
            run: attempt.run,
            command: attempt.command,
            token: attempt.token,
            outcome: completed("7"),
            then: Some(then),
        },
    );
    assert_eq!(status(&mut world, "a"), RunStatus::Completed);
}

#[test]
fn a_turn_that_ran_ahead_is_dropped_and_its_result_kept() {
    let mut world = World::new();
    world.start("a");
    let done = world.play(WORKER, true, vec![task(0)]);
    let attempt = world.task(WORKER).expect("a task");
    world.ask(signal("a", "1", 0));
    let then = crate::peer::TurnDone {
        run: done.run,
        token: done.token,
        from: 1,
        upto: 4,
        commands: vec![finish()],
        held: true,
    };
    world.report(
        WORKER,
        FromPeer::TaskDone {
            run: attempt.run,
            command: attempt.command,
            token: attempt.token,
            outcome: completed("7"),
            then: Some(then),
        },
    );
    assert_eq!(status(&mut world, "a"), RunStatus::Running);
    let turn = world.turn(WORKER).expect("the turn comes again");
    assert_eq!(turn.from, 0);
    let entries: Vec<_> = turn.chunks.iter().flat_map(entries_of).collect();
    assert!(matches!(
        entries.last(),
        Some(Entry::Notification(_, Notification::TaskCompleted { .. }))
    ));
}

#[test]
fn a_late_turn_is_refused() {
    let mut world = World::new();
    world.start("a");
    let turn = world.turn(WORKER).expect("a turn");
    world.feed(crate::input::Input::PeerGone { peer: WORKER });
    let again = world.turn(OTHER).expect("the turn goes to another worker");
    world.report(
        WORKER,
        FromPeer::TurnDone(done_of(&turn, true, vec![finish()])),
    );
    assert!(world.takes(|effect| matches!(effect,
        Effect::Tell { message: ToPeer::Refused { rejection, .. }, .. }
            if rejection.code == Code::TokenStale)));
    assert_eq!(status(&mut world, "a"), RunStatus::Running);
    world.report(
        OTHER,
        FromPeer::TurnDone(done_of(&again, true, vec![finish()])),
    );
    assert_eq!(status(&mut world, "a"), RunStatus::Completed);
}

#[test]
fn a_turn_from_before_a_crash_is_refused() {
    let mut world = World::new();
    world.start("a");
    let turn = world.turn(WORKER).expect("a turn");
    world.crash();
    world.turn(WORKER).expect("the turn comes again");
    world.report(
        WORKER,
        FromPeer::TurnDone(done_of(&turn, true, vec![finish()])),
    );
    assert_eq!(status(&mut world, "a"), RunStatus::Running);
}

#[test]
fn an_open_step_is_run_again_when_its_worker_is_gone() {
    let mut world = World::new();
    world.start("a");
    let step = Command::BeginStep {
        command: CommandId(0),
        name: Name::from("price"),
    };
    world.play(WORKER, false, vec![step]);
    assert!(world.turn(WORKER).is_none(), "its worker runs the step");
    world.feed(crate::input::Input::PeerGone { peer: WORKER });
    let turn = world.turn(OTHER).expect("another worker gets the run");
    world.report(OTHER, FromPeer::TurnDone(done_of(&turn, true, vec![])));
    let (run, command) = (turn.run, CommandId(0));
    let late = FromPeer::StepDone {
        run,
        command,
        outcome: completed("1"),
        then: None,
    };
    world.report(WORKER, late);
    assert!(
        world.turn(OTHER).is_none(),
        "the first worker's answer came too late"
    );
    let outcome = completed("2");
    let done = FromPeer::StepDone {
        run,
        command,
        outcome: outcome.clone(),
        then: None,
    };
    world.report(OTHER, done.clone());
    world.report(OTHER, done);
    let steps = world.history("a").into_iter().filter(|entry| {
        *entry
            == Entry::Notification(
                Timestamp(world.now),
                Notification::StepDone {
                    command,
                    outcome: outcome.clone(),
                },
            )
    });
    assert_eq!(steps.count(), 1, "a step's result is recorded once");
    world.crash();
}

#[test]
fn a_cancelled_run_cleans_up_and_ends_as_cancelled() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, vec![task(0)]);
    let cancel = Op::Cancel {
        run: run_id("a"),
        reason: Name::from("changed my mind"),
    };
    assert_eq!(world.ask(cancel.clone()), Some(Ok(Reply::Done)));
    assert_eq!(world.ask(cancel), Some(Ok(Reply::Done)));
    world.play(WORKER, true, vec![task(1)]);
    world.finish_task(WORKER, completed("0"));
    world.finish_task(WORKER, completed("1"));
    let failure = Failure::new(FailureKind::Cancelled, "TL0076", "cancelled");
    world.play(
        WORKER,
        true,
        vec![Command::Finish {
            outcome: Outcome::Failed(failure),
        }],
    );
    assert_eq!(status(&mut world, "a"), RunStatus::Cancelled);
}

#[test]
fn a_terminated_run_is_final_and_its_work_abandoned() {
    let mut world = World::new();
    world.start("a");
    let at = Timestamp(world.now + 5_000);
    let timer = Command::StartTimer {
        command: CommandId(1),
        at,
        call: None,
    };
    world.play(WORKER, true, vec![task(0), timer]);
    let attempt = world.task(WORKER).expect("a task");
    world.ask(Op::Terminate {
        run: run_id("a"),
        reason: Name::from("enough"),
    });
    assert_eq!(status(&mut world, "a"), RunStatus::Terminated);
    assert!(world.takes(|effect| matches!(effect,
        Effect::Tell { message: ToPeer::AbandonTask { token, .. }, .. } if *token == attempt.token)));
    world.crash();
    assert_eq!(world.shard.counters().timers, 0);
    assert!(world.task(WORKER).is_none());
}

#[test]
fn a_stuck_turn_pauses_the_run_and_resume_tries_again() {
    let mut world = World::new();
    world.start("a");
    let turn = world.turn(WORKER).expect("a turn");
    let reason = Name::from("TL0074: entry 3 was `charge`, now `refund`");
    world.report(
        WORKER,
        FromPeer::TurnStuck {
            run: turn.run,
            token: turn.token,
            reason,
        },
    );
    assert_eq!(status(&mut world, "a"), RunStatus::Paused);
    assert!(world.turn(WORKER).is_none());
    world.crash();
    assert_eq!(status(&mut world, "a"), RunStatus::Paused);
    assert_eq!(
        world.ask(Op::Resume { run: run_id("a") }),
        Some(Ok(Reply::Done))
    );
    world.play(WORKER, true, vec![finish()]);
    assert_eq!(status(&mut world, "a"), RunStatus::Completed);
    assert_eq!(
        code(world.ask(Op::Resume { run: run_id("a") })),
        Code::RunFinished
    );
}

#[test]
fn a_turn_that_breaks_the_rules_pauses_the_run() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, vec![finish(), task(0)]);
    assert_eq!(status(&mut world, "a"), RunStatus::Paused);
    let described = world.ask(Op::Waits { run: run_id("a") });
    let Some(Ok(Reply::Waits(waits))) = described else {
        panic!("{described:?}")
    };
    assert!(waits[0].contains("TL0029"), "{waits:?}");
}

#[test]
fn properties_are_read_without_a_worker() {
    let mut world = World::new();
    world.start("a");
    let name = Name::from("status");
    let set = Command::SetProperty {
        name,
        value: json("\"paid\""),
    };
    world.play(WORKER, true, vec![set]);
    world.crash();
    let property = |name: &str| Op::Property {
        run: run_id("a"),
        name: Name::from(name),
    };
    assert_eq!(
        world.ask(property("status")),
        Some(Ok(Reply::Property(json("\"paid\""))))
    );
    assert_eq!(code(world.ask(property("price"))), Code::PropertyNotFound);
}

#[test]
fn an_answer_to_nobody_is_no_error() {
    let mut world = World::new();
    world.start("a");
    assert_eq!(world.ask(Op::AwaitOutcome { run: run_id("a") }), None);
    world.feed(crate::input::Input::PeerGone { peer: CLIENT });
    assert!(
        world.shard.nobody_waits(),
        "a waiter that is gone leaves nothing behind"
    );
    world.play(WORKER, true, vec![finish()]);
    assert_eq!(world.answer(RequestId(2)), None);
}
