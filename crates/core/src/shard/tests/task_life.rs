//! Stories of tasks besides their results: heartbeats, cancellation with grace, limits.

use super::world::*;
use crate::code::Code;
use crate::effect::Effect;
use crate::entry::{Command, Entry, Notification, Outcome, TaskOptions};
use crate::failure::{Failure, FailureKind};
use crate::ids::{CommandId, Nonce, PeerId, TaskId};
use crate::input::Input;
use crate::output::Output;
use crate::payload::Name;
use crate::peer::{FromPeer, Op, Registration, Rejection, Reply, TaskAttempt, TaskState, ToPeer};
use crate::policy::RetryPolicy;
use crate::shard::Offer;
use crate::time::Timestamp;
use alloc::sync::Arc;
use std::string::ToString;
use std::vec;

pub(super) fn options() -> TaskOptions {
    let retry = RetryPolicy {
        initial_ms: 100,
        factor_percent: 100,
        max_ms: 100,
        attempts: 3,
        jitter_percent: 0,
        non_retryable: vec![Name::from("Never")],
        elapsed_ms: None,
    };
    TaskOptions {
        retry: Some(retry),
        grace_ms: Some(500),
        ..TaskOptions::default()
    }
}

/// A world with a run whose task 0 has these options, and its first attempt at the worker.
pub(super) fn with(options: TaskOptions) -> (World, TaskAttempt) {
    let mut world = World::new();
    world.start("a");
    world.play(OTHER, true, vec![task_with(0, options)]);
    let attempt = world.task(WORKER).expect("a task");
    (world, attempt)
}

pub(super) fn failed(name: &str) -> Outcome {
    Outcome::Failed(Failure::new(FailureKind::Application, name, "no"))
}

pub(super) fn done(world: &mut World, attempt: &TaskAttempt, outcome: Outcome) {
    let (run, command, token) = (attempt.run, attempt.command, attempt.token);
    let then = None;
    world.report(
        WORKER,
        FromPeer::TaskDone {
            run,
            command,
            token,
            outcome,
            then,
        },
    );
}

pub(super) fn beat(world: &mut World, attempt: &TaskAttempt, details: Option<&str>) {
    let (run, command, token) = (attempt.run, attempt.command, attempt.token);
    let details = details.map(json);
    let meta = details
        .is_some()
        .then(|| vec![(Name::from("colour"), json("\"red\""))]);
    world.report(
        WORKER,
        FromPeer::Heartbeat {
            run,
            command,
            token,
            details,
            meta,
        },
    );
}

pub(super) fn delegate(world: &mut World, attempt: &TaskAttempt) {
    let (run, command, token) = (attempt.run, attempt.command, attempt.token);
    world.report(
        WORKER,
        FromPeer::TaskDelegated {
            run,
            command,
            token,
        },
    );
}

pub(super) fn answer(
    world: &mut World,
    task: TaskId,
    outcome: Outcome,
    nonce: u128,
) -> Result<Reply, Rejection> {
    let op = Op::CompleteTask {
        task,
        outcome,
        nonce: Nonce(nonce),
    };
    world.ask(op).expect("an answer")
}

pub(super) fn code(answer: Result<Reply, Rejection>) -> Code {
    answer.expect_err("a refusal").code
}

/// How the run's task ended, if it has.
pub(super) fn ending(world: &mut World) -> Option<Outcome> {
    world
        .history("a")
        .into_iter()
        .find_map(|entry| match entry {
            Entry::Notification(_, Notification::TaskCompleted { result, .. }) => {
                Some(Outcome::Completed(result))
            }
            Entry::Notification(_, Notification::TaskFailed { failure, .. }) => {
                Some(Outcome::Failed(failure))
            }
            _ => None,
        })
}

pub(super) fn failure(world: &mut World) -> Failure {
    match ending(world) {
        Some(Outcome::Failed(failure)) => failure,
        other => panic!("not failed: {other:?}"),
    }
}

pub(super) fn state(world: &mut World) -> Option<TaskState> {
    match world.ask(Op::OpenTasks { run: run_id("a") }) {
        Some(Ok(Reply::Tasks(tasks))) => tasks.first().map(|task| task.state),
        other => panic!("{other:?}"),
    }
}

pub(super) fn told_to_end(world: &mut World, too_late: bool) -> bool {
    world.takes(|effect| {
        matches!(effect, Effect::Tell { message: ToPeer::CancelTask { timed_out, grace_ms: 500, .. }, .. }
            if *timed_out == too_late)
    })
}

pub(super) fn abandoned(world: &mut World) -> bool {
    world.takes(|effect| {
        matches!(
            effect,
            Effect::Tell {
                message: ToPeer::AbandonTask { .. },
                ..
            }
        )
    })
}

pub(super) fn refused(world: &mut World) -> bool {
    world.takes(|effect| {
        matches!(
            effect,
            Effect::Tell {
                message: ToPeer::Refused { .. },
                ..
            }
        )
    })
}

pub(super) fn cancel_by_turn(world: &mut World) {
    // Something for the run to be woken by.
    let op = Op::Signal {
        run: run_id("a"),
        channel: Name::from("c"),
        payload: json("1"),
        nonce: Nonce(0),
    };
    world.ask(op);
    let target = CommandId(0);
    world.play(OTHER, true, vec![Command::CancelTask { target }]);
}

#[test]
fn heartbeats_put_the_deadline_off_and_reach_the_next_attempt() {
    let heartbeats = TaskOptions {
        heartbeat_timeout_ms: Some(200),
        attempt_timeout_ms: Some(1_000),
        ..options()
    };
    let (mut world, first) = with(heartbeats);
    assert_eq!(
        (first.heartbeat_details.clone(), first.meta.clone()),
        (None, None)
    );
    for step in 0..4 {
        world.pass(150);
        let details = (step < 2).then_some("\"page 7\"");
        beat(&mut world, &first, details);
    }
    assert_eq!(state(&mut world), Some(TaskState::Running));
    world.pass(200);
    assert!(told_to_end(&mut world, true), "silent for 200 ms");
    world.crash();
    world.pass(100);
    let second = world.task(WORKER).expect("another attempt");
    assert_eq!(second.attempt, 2);
    assert_eq!(second.heartbeat_details, Some(json("\"page 7\"")));
    assert_eq!(second.meta.clone().expect("kept")[0].1, json("\"red\""));
    let last = second.last_failure.clone().expect("it failed");
    assert_eq!(last.name.as_str(), "TL0081");
    assert_eq!(second.task_id(), first.task_id());
    for _ in 0..10 {
        world.pass(100);
        beat(&mut world, &second, None);
    }
    assert!(told_to_end(&mut world, true), "alive, and yet too long");
    world.pass(100);
    let third = world.task(WORKER).expect("another attempt");
    assert_eq!(
        third.last_failure.expect("it failed").name.as_str(),
        "TL0071"
    );
}

#[test]
fn a_result_within_the_grace_of_a_cancelled_task_counts() {
    let (mut world, attempt) = with(options());
    cancel_by_turn(&mut world);
    assert!(told_to_end(&mut world, false));
    assert_eq!(ending(&mut world), None);
    world.pass(499);
    done(&mut world, &attempt, completed("1"));
    assert_eq!(ending(&mut world), Some(completed("1")));
}

#[test]
fn a_failure_within_the_grace_ends_the_task_as_cancelled() {
    let (mut world, attempt) = with(options());
    cancel_by_turn(&mut world);
    done(&mut world, &attempt, failed("Stopped"));
    let failure = failure(&mut world);
    assert_eq!(
        (failure.kind, failure.name.as_str()),
        (FailureKind::Cancelled, "TL0080")
    );
    assert_eq!(
        failure.cause.expect("the attempt's").name.as_str(),
        "Stopped"
    );
}

#[test]
fn after_the_grace_the_attempt_is_abandoned() {
    let (mut world, attempt) = with(options());
    cancel_by_turn(&mut world);
    world.pass(499);
    assert!(!abandoned(&mut world));
    world.pass(1);
    assert!(abandoned(&mut world));
    assert_eq!(failure(&mut world).name.as_str(), "TL0080");
    done(&mut world, &attempt, completed("1"));
    assert!(refused(&mut world), "it comes too late");
}

#[test]
fn a_task_that_no_worker_has_is_cancelled_at_once_whatever_its_state() {
    for crash in [false, true] {
        // Ready, and delayed.
        for fails in [false, true] {
            let mut world = World::new();
            world.start("a");
            world.play(OTHER, true, vec![task_with(0, options())]);
            if fails {
                world.finish_task(WORKER, failed("Busy"));
            }
            if crash {
                world.crash();
            }
            cancel_by_turn(&mut world);
            assert_eq!(failure(&mut world).name.as_str(), "TL0080");
            world.pass(1_000);
            assert!(world.task(WORKER).is_none());
        }
        // With a worker that dies in the grace, or with the shard that does.
        let (mut world, _) = with(options());
        cancel_by_turn(&mut world);
        if crash {
            world.crash();
        } else {
            world.feed(Input::PeerGone { peer: WORKER });
        }
        assert!(world.task(OTHER).is_none(), "it goes to nobody");
        world.pass(0);
        assert_eq!(failure(&mut world).name.as_str(), "TL0080");
    }
}

#[test]
fn an_attempt_that_took_too_long_has_its_grace_and_its_result_is_ignored() {
    let short = TaskOptions {
        attempt_timeout_ms: Some(1_000),
        ..options()
    };
    let (mut world, first) = with(short.clone());
    world.pass(1_000);
    assert!(told_to_end(&mut world, true));
    assert!(!abandoned(&mut world));
    world.pass(100);
    let second = world
        .task(OTHER)
        .expect("the next attempt does not wait for the grace");
    done(&mut world, &first, completed("\"late\""));
    assert_eq!(ending(&mut world), None);
    assert!(!refused(&mut world), "it was told that it does not count");
    world.pass(500);
    assert!(!abandoned(&mut world), "it has ended by itself");
    assert_eq!(second.attempt, 2);
    // One that never ends is abandoned by the engine too.
    let (mut world, _) = with(short);
    world.pass(1_499);
    assert!(!abandoned(&mut world));
    world.pass(1);
    assert!(abandoned(&mut world));
}

#[test]
fn tasks_that_are_coming_to_an_end_keep_their_grace_when_the_run_ends() {
    let (mut world, _) = with(options());
    world.ask(Op::Cancel {
        run: run_id("a"),
        reason: Name::from("enough"),
    });
    let target = CommandId(0);
    let failure = Failure::new(FailureKind::Cancelled, "TL0076", "enough");
    let finish = Command::Finish {
        outcome: Outcome::Failed(failure),
    };
    world.play(OTHER, true, vec![Command::CancelTask { target }, finish]);
    assert!(told_to_end(&mut world, false));
    assert!(!abandoned(&mut world));
    assert_eq!(world.shard.counters().tasks_in_flight, 0);
    world.pass(500);
    assert!(abandoned(&mut world), "when its grace is over");
}

#[test]
fn no_attempt_begins_after_the_time_that_the_policy_allows() {
    let mut capped = options();
    capped.retry.as_mut().expect("just set").elapsed_ms = Some(150);
    let (mut world, attempt) = with(capped);
    done(&mut world, &attempt, failed("Busy"));
    world.pass(100);
    let second = world.task(WORKER).expect("it begins after 100 ms");
    done(&mut world, &second, failed("Busy"));
    assert_eq!(
        failure(&mut world).name.as_str(),
        "Busy",
        "200 ms are too many"
    );
}

#[test]
fn a_worker_gets_no_more_of_a_service_or_workflow_than_it_said() {
    let mut world = World::new();
    for id in ["a", "b", "c"] {
        world.start(id);
    }
    let limited = |world: &mut World, service: u32, workflow: u32| {
        let abilities = Registration {
            workflows: vec_of([(Name::from("Checkout"), 1)]),
            services: vec_of([Name::from("Payments")]),
            service_slots: Some(vec_of([(Name::from("Payments"), 9)])),
            workflow_slots: Some(vec_of([(Name::from("Checkout"), 9)])),
            ..Registration::default()
        };
        let mut offers = [Offer {
            peer: WORKER,
            abilities: Arc::new(abilities),
            turns: 10,
            tasks: 10,
            service_tasks: vec_of([service]),
            workflow_turns: vec_of([workflow]),
        }];
        let mut out = Output::default();
        let now = Timestamp(world.now);
        world
            .shard
            .dispatch(now, &mut offers, &world.rows, &mut out);
        let [offer] = offers;
        world.seal(out);
        (
            offer.tasks,
            offer.service_tasks[0],
            offer.turns,
            offer.workflow_turns[0],
        )
    };
    assert_eq!(limited(&mut world, 5, 2), (10, 5, 8, 0));
    world.feed(Input::PeerGone { peer: WORKER });
    world.play(OTHER, true, (0..6).map(task).collect());
    assert_eq!(limited(&mut world, 4, 0), (6, 0, 10, 0));
}

#[test]
fn a_run_says_what_its_tasks_wait_for() {
    let heartbeats = TaskOptions {
        heartbeat_timeout_ms: Some(2_000),
        ..options()
    };
    let (mut world, attempt) = with(heartbeats);
    let wait = |world: &mut World| match world.ask(Op::Waits { run: run_id("a") }) {
        Some(Ok(Reply::Waits(waits))) => waits[0].to_string(),
        other => panic!("{other:?}"),
    };
    let id = attempt.task_id();
    assert_eq!(
        wait(&mut world),
        "task Payments.charge: attempt 1 is with a worker, heartbeat due in 2000 ms"
    );
    delegate(&mut world, &attempt);
    world.pass(500);
    let delegated = std::format!(
        "task Payments.charge: delegated, waits for the answer to {id}, heartbeat due in 1500 ms"
    );
    assert_eq!(wait(&mut world), delegated);
    world.ask(Op::CancelTask { task: id });
    assert_eq!(
        wait(&mut world),
        delegated + ", asked to end, given up in 500 ms"
    );
}

#[test]
fn a_heartbeat_of_an_attempt_that_is_not_leased_is_told_so() {
    let (mut world, attempt) = with(options());
    world.feed(Input::PeerGone { peer: WORKER });
    let gone: PeerId = WORKER;
    beat(&mut world, &attempt, Some("1"));
    assert!(world.takes(|effect| {
        matches!(effect, Effect::Tell { peer, message: ToPeer::AbandonTask { .. } } if *peer == gone)
    }));
    let next = world.task(OTHER).expect("the task is given to another");
    assert_eq!(next.heartbeat_details, None);
}
