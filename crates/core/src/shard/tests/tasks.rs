//! Stories of tasks: attempts, retries, time-outs, workers that die.

use super::world::*;
use crate::entry::{Entry, Notification, Outcome, TaskOptions};
use crate::failure::{Failure, FailureKind};
use crate::input::Input;
use crate::payload::Name;
use crate::peer::{FromPeer, Op, Reply};
use crate::policy::RetryPolicy;
use std::vec;

fn retry(attempts: u32) -> TaskOptions {
    let policy = RetryPolicy {
        elapsed_ms: None,
        initial_ms: 100,
        factor_percent: 200,
        max_ms: 1_000,
        attempts,
        jitter_percent: 0,
        non_retryable: vec![Name::from("Declined")],
    };
    TaskOptions {
        retry: Some(policy),
        ..TaskOptions::default()
    }
}

fn failed(name: &str) -> Outcome {
    Outcome::Failed(Failure::new(FailureKind::Application, name, "no"))
}

fn last(world: &mut World) -> Notification {
    match world.history("a").pop() {
        Some(Entry::Notification(_, notification)) => notification,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failed_attempt_is_repeated_after_its_delay() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, vec![task_with(0, retry(3))]);
    assert_eq!(world.finish_task(WORKER, failed("Busy")).attempt, 1);
    assert!(world.task(WORKER).is_none());
    world.pass(99);
    assert!(world.task(WORKER).is_none());
    world.crash();
    world.pass(1);
    assert_eq!(
        world.finish_task(WORKER, failed("Busy")).attempt,
        2,
        "attempts survive a crash"
    );
    world.pass(200);
    assert_eq!(world.finish_task(WORKER, failed("Busy")).attempt, 3);
    assert!(
        matches!(last(&mut world), Notification::TaskFailed { .. }),
        "three were allowed"
    );
}

#[test]
fn a_failure_that_a_retry_cannot_help_is_final_at_once() {
    for by_name in [true, false] {
        let mut world = World::new();
        world.start("a");
        world.play(WORKER, true, vec![task_with(0, retry(9))]);
        let outcome = if by_name {
            failed("Declined")
        } else {
            let mut failure = Failure::new(FailureKind::Application, "Other", "no");
            failure.non_retryable = true;
            Outcome::Failed(failure)
        };
        world.finish_task(WORKER, outcome);
        assert!(matches!(last(&mut world), Notification::TaskFailed { .. }));
    }
}

#[test]
fn a_worker_that_hangs_loses_its_attempt() {
    let mut world = World::new();
    world.start("a");
    let options = TaskOptions {
        attempt_timeout_ms: Some(1_000),
        ..retry(2)
    };
    world.play(WORKER, true, vec![task_with(0, options)]);
    let attempt = world.task(WORKER).expect("a task");
    world.pass(1_000);
    world.pass(100);
    let second = world.task(OTHER).expect("the task goes to another worker");
    assert_eq!(second.attempt, 2);
    let (run, command) = (attempt.run, attempt.command);
    let outcome = completed("\"late\"");
    world.report(
        WORKER,
        FromPeer::TaskDone {
            run,
            command,
            token: attempt.token,
            outcome,
            then: None,
        },
    );
    let outcome = completed("\"in time\"");
    world.report(
        OTHER,
        FromPeer::TaskDone {
            run,
            command,
            token: second.token,
            outcome,
            then: None,
        },
    );
    let result = json("\"in time\"");
    assert_eq!(
        last(&mut world),
        Notification::TaskCompleted { command, result }
    );
}

#[test]
fn a_result_counts_once() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, vec![task(0)]);
    let attempt = world.task(WORKER).expect("a task");
    let done = FromPeer::TaskDone {
        run: attempt.run,
        command: attempt.command,
        token: attempt.token,
        outcome: completed("1"),
        then: None,
    };
    world.report(WORKER, done.clone());
    world.report(WORKER, done);
    assert_eq!(world.history("a").len(), 4);
}

#[test]
fn what_a_dead_worker_had_costs_no_attempt() {
    let mut world = World::new();
    world.start("a");
    world.play(OTHER, true, vec![task_with(0, retry(1))]);
    world.task(WORKER).expect("a task");
    world.feed(Input::PeerGone { peer: WORKER });
    assert_eq!(world.finish_task(OTHER, completed("1")).attempt, 1);
    assert!(matches!(
        last(&mut world),
        Notification::TaskCompleted { .. }
    ));
}

#[test]
fn attempts_together_have_a_limit_in_time() {
    let mut world = World::new();
    world.start("a");
    let options = TaskOptions {
        total_timeout_ms: Some(250),
        ..retry(0)
    };
    world.play(WORKER, true, vec![task_with(0, options)]);
    world.finish_task(WORKER, failed("Busy"));
    world.pass(100);
    world.finish_task(WORKER, failed("Busy"));
    assert!(
        matches!(last(&mut world), Notification::TaskFailed { .. }),
        "200 ms more are too many"
    );
    let mut world = World::new();
    world.start("a");
    let options = TaskOptions {
        total_timeout_ms: Some(250),
        ..retry(0)
    };
    world.play(WORKER, true, vec![task_with(0, options)]);
    world.crash();
    world.pass(250);
    let Notification::TaskFailed { failure, .. } = last(&mut world) else {
        panic!("not failed")
    };
    assert_eq!(
        failure.kind,
        FailureKind::TimedOut,
        "also when no worker ever came"
    );
}

#[test]
fn an_argument_is_read_from_the_history_after_a_crash() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, (0..200).map(task).collect());
    world.crash();
    let mut commands = vec![];
    while let Some(attempt) = world.task(WORKER) {
        assert_eq!(attempt.input, json("1"));
        commands.push(attempt.command.0);
    }
    assert_eq!(commands, (0..200).collect::<vec::Vec<_>>());
}

#[test]
fn a_run_says_what_it_waits_for() {
    let mut world = World::new();
    world.start("a");
    let wait = |world: &mut World| match world.ask(Op::Waits { run: run_id("a") }) {
        Some(Ok(Reply::Waits(waits))) => waits[0].as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    use std::borrow::ToOwned;
    assert_eq!(
        wait(&mut world),
        "a worker with a free slot for `Checkout` version 1"
    );
    world.play(WORKER, true, vec![task_with(0, retry(3))]);
    assert_eq!(
        wait(&mut world),
        "task Payments.charge: a worker with a free slot for service `Payments`"
    );
    world.finish_task(WORKER, failed("Busy"));
    assert_eq!(
        wait(&mut world),
        "task Payments.charge: its next attempt, in 100 ms; attempt 1 failed: no"
    );
    world.pass(100);
    world.finish_task(WORKER, completed("1"));
    world.play(WORKER, true, vec![]);
    assert_eq!(wait(&mut world), "a signal");
}

#[test]
fn a_result_that_the_history_has_no_room_for_is_a_failure_that_says_so() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, true, (0..9).map(task).collect());
    let large = std::format!("\"{}\"", "x".repeat(4 << 20));
    for _ in 0..7 {
        world.finish_task(WORKER, completed(&large));
    }
    world.finish_task(WORKER, completed(&large));
    let Notification::TaskFailed { failure, .. } = last(&mut world) else {
        panic!("it fits")
    };
    assert_eq!(failure.name.as_str(), "TL0015");
    world.finish_task(WORKER, completed("1"));
    assert!(matches!(
        last(&mut world),
        Notification::TaskCompleted { .. }
    ));
}
