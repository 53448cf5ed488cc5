//! Stories of runs that continue as new.

use super::cluster::*;
use super::world::*;
use crate::code::Code;
use crate::entry::{Command, Entry, Notification, Outcome};
use crate::ids::{CommandId, JobId, Nonce, RequestId, RunId};
use crate::payload::Name;
use crate::peer::{FromPeer, Op, Reply, ToPeer};
use crate::run::RunStatus;
use std::vec;
use std::vec::Vec;

fn again(carry: Vec<u32>) -> Command {
    Command::ContinueAsNew {
        input: json("2"),
        version: None,
        carry,
    }
}

fn signal(world: &mut World, nonce: u128) {
    let answer = world.ask(Op::Signal {
        run: run_id("a"),
        channel: Name::from("c"),
        payload: json("7"),
        nonce: Nonce(nonce),
    });
    assert!(matches!(answer, Some(Ok(Reply::Done))), "{answer:?}");
}

fn nonces(world: &mut World) -> Vec<u128> {
    let entries = world.history("a").into_iter();
    let nonces = entries.filter_map(|entry| match entry {
        Entry::Notification(_, Notification::Signal { nonce, .. }) => Some(nonce.0),
        _ => None,
    });
    nonces.collect()
}

#[test]
fn signals_that_the_code_has_not_received_come_along() {
    let mut world = World::new();
    world.start("a");
    for nonce in 1..=3 {
        signal(&mut world, nonce);
    }
    let turn = world.turn(WORKER).unwrap();
    // One comes while the turn is with the worker, which has received the second of the three.
    signal(&mut world, 4);
    let commands = vec![again(vec![1, 3])];
    let done = done_of(&turn, false, commands);
    world.report(WORKER, FromPeer::TurnDone(done));
    assert_eq!(nonces(&mut world), [1, 3, 4]);
    // Repeats are known, also of the one that did not come along.
    for nonce in 1..=4 {
        signal(&mut world, nonce);
    }
    assert_eq!(nonces(&mut world), [1, 3, 4]);
    world.crash();
    signal(&mut world, 2);
    assert_eq!(nonces(&mut world), [1, 3, 4]);
    let turn = world.turn(WORKER).unwrap();
    assert_eq!((turn.from, turn.consumed), (0, 0));
    assert!(matches!(
        &entries_of(&turn.chunks[0])[0],
        Entry::Notification(_, Notification::Started { input, .. }) if **input == *b"2"
    ));
}

#[test]
fn what_belongs_to_the_run_stays_and_what_belongs_to_the_generation_goes() {
    let mut world = World::new();
    let mut start = start_of("a");
    start.tags = vec![Name::from("t")];
    start.timeout_ms = Some(60_000);
    world.ask(Op::Start(start));
    world.ask(Op::AwaitOutcome { run: run_id("a") });
    let waiter = world.last_request();
    let timer = Command::StartTimer {
        command: CommandId(1),
        at: crate::time::Timestamp(world.now + 5_000),
        call: None,
    };
    let property = Command::SetProperty {
        name: Name::from("p"),
        value: json("1"),
    };
    world.play(WORKER, true, vec![task(0), timer, property]);
    signal(&mut world, 1);
    world.play(WORKER, true, vec![again(vec![])]);
    let Some(Ok(Reply::Run(run))) = world.ask(Op::DescribeRun { run: run_id("a") }) else {
        panic!("it is there")
    };
    assert_eq!(run.status, RunStatus::Running);
    assert_eq!((run.open_tasks, run.open_timers, run.entries), (0, 0, 1));
    assert_eq!((run.tags.len(), run.properties.len()), (1, 1));
    assert_eq!(run.generation.map(|generation| generation.number), Some(1));
    let value = world.ask(Op::Property {
        run: run_id("a"),
        name: Name::from("p"),
    });
    assert!(matches!(value, Some(Ok(Reply::Property(_)))), "{value:?}");
    assert!(world.answer(waiter).is_none(), "who waits goes on waiting");
    world.crash();
    world.ask(Op::AwaitOutcome { run: run_id("a") });
    let waiter = world.last_request();
    // The time-out is the run's: it counts over all generations.
    world.pass(60_000);
    let Some(Ok(Reply::Outcome { status, .. })) = world.answer(waiter) else {
        panic!("it has timed out")
    };
    assert_eq!(status, RunStatus::TimedOut);
}

#[test]
fn results_of_an_earlier_generation_count_for_nothing() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, vec![task(0)]);
    let stale = world.task(WORKER).unwrap();
    signal(&mut world, 1);
    let first = world.play(WORKER, true, vec![again(vec![])]);
    world.play(WORKER, true, vec![task(0)]);
    world.effects.clear();
    let done = |attempt: &crate::peer::TaskAttempt| FromPeer::TaskDone {
        run: attempt.run,
        command: attempt.command,
        token: attempt.token,
        outcome: completed("1"),
        then: None,
    };
    world.report(WORKER, done(&stale));
    let refused = |world: &mut World, code: Code| {
        world.takes(|effect| {
            matches!(effect, crate::effect::Effect::Tell {
                message: ToPeer::Refused { rejection, .. }, ..
            } if rejection.code == code)
        })
    };
    assert!(refused(&mut world, Code::TokenStale));
    world.report(WORKER, FromPeer::TurnDone(first));
    assert!(refused(&mut world, Code::TokenStale));
    let step = FromPeer::StepDone {
        run: stale.run,
        command: CommandId(0),
        outcome: completed("1"),
        then: None,
    };
    world.report(WORKER, step);
    assert!(refused(&mut world, Code::TokenStale));
    assert_eq!(world.history("a").len(), 3);
    let fresh = world.task(WORKER).unwrap();
    assert_ne!(fresh.token, stale.token);
    world.report(WORKER, done(&fresh));
    assert_eq!(world.history("a").len(), 4);
}

#[test]
fn jobs_of_two_generations_have_two_ids() {
    let mut world = World::new();
    world.start("a");
    let first = world.turn(WORKER).unwrap();
    let done = done_of(&first, false, vec![again(vec![])]);
    world.report(WORKER, FromPeer::TurnDone(done));
    let second = world.turn(WORKER).unwrap();
    assert_ne!(
        first.started_at, second.started_at,
        "within one millisecond"
    );
    let of =
        |turn: &crate::peer::Turn| JobId::of_command(turn.run, turn.started_at.0, CommandId(0));
    assert_ne!(of(&first), of(&second));
}

#[test]
fn a_request_to_cancel_that_no_turn_has_seen_comes_along() {
    let mut world = World::new();
    world.start("a");
    let turn = world.turn(WORKER).unwrap();
    world.ask(Op::Cancel {
        run: run_id("a"),
        reason: Name::from("enough"),
    });
    let done = done_of(&turn, false, vec![again(vec![])]);
    world.report(WORKER, FromPeer::TurnDone(done));
    let history = world.history("a");
    assert!(
        matches!(
            history[1],
            Entry::Notification(_, Notification::CancelRequested { .. })
        ),
        "{history:?}"
    );
    world.play(
        WORKER,
        false,
        vec![Command::Finish {
            outcome: cancelled(),
        }],
    );
    let Some(Ok(Reply::Run(run))) = world.ask(Op::DescribeRun { run: run_id("a") }) else {
        panic!("it is there")
    };
    assert_eq!(run.status, RunStatus::Cancelled);
    let _ = RequestId(0);
}

/// A child that continues as new once; a parent that does, whose first child is then asked to cancel.
fn renewing(id: &RunId, note: &Notification) -> Vec<Command> {
    match note {
        Notification::Started { input, .. } => match (&id.id[..4], &input[..]) {
            ("reel", b"\"in\"" | b"1") => vec![again(vec![])],
            ("reel", _) => vec![finish()],
            ("pare", _) => vec![child(0, &id_on(1, "reel"))],
            ("rest", b"2") => vec![child(0, &id_on(0, "new"))],
            ("rest", _) => vec![child(0, &id_on(1, "old")), again(vec![])],
            _ => vec![],
        },
        Notification::ChildEnded { outcome, .. } => finish_with(outcome.clone()),
        Notification::CancelRequested { .. } => finish_with(cancelled()),
        Notification::Signal { .. } => vec![finish()],
        _ => vec![],
    }
}

#[test]
fn a_parent_waits_through_the_generations_of_its_child() {
    with_a_crash_after_each_step(renewing, |cluster| {
        let parent = id_on(0, "parent");
        cluster.start(&parent);
        cluster.settle();
        assert_eq!(cluster.status(&parent), RunStatus::Completed);
        assert_eq!(cluster.children_ended(&parent), [completed("\"out\"")]);
        let reel = cluster.run(&id_on(1, "reel"));
        assert_eq!(reel.generation.map(|generation| generation.number), Some(1));
    });
}

#[test]
fn the_children_of_an_earlier_generation_follow_their_policy_and_their_ends_are_not_mistaken() {
    with_a_crash_after_each_step(renewing, |cluster| {
        let parent = id_on(0, "restless");
        cluster.start(&parent);
        cluster.settle();
        assert_eq!(cluster.status(&id_on(1, "old")), RunStatus::Cancelled);
        // The end of the old child has the same command number as the new child, and is not taken for its.
        assert_eq!(cluster.status(&parent), RunStatus::Running);
        let new = id_on(0, "new");
        let signal = Op::Signal {
            run: run_id(&new),
            channel: Name::from("go"),
            payload: json("1"),
            nonce: Nonce(1),
        };
        cluster.ask(&new, signal);
        cluster.settle();
        assert_eq!(cluster.status(&parent), RunStatus::Completed);
        assert!(matches!(
            cluster.children_ended(&parent)[..],
            [Outcome::Completed(_)]
        ));
    });
}
