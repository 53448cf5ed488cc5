//! Stories of tasks that are answered from outside: delegated ones, and others.

use super::task_life::*;
use super::world::*;
use crate::code::Code;
use crate::entry::{Outcome, TaskOptions};
use crate::ids::{CommandId, Nonce, RunKey, TaskId};
use crate::input::Input;
use crate::payload::{Name, Payload};
use crate::peer::{Op, Reply, TaskAttempt, TaskState};
use crate::policy::RetryPolicy;
use crate::time::Timestamp;
use std::string::ToString;
use std::vec;

#[test]
fn a_delegated_task_waits_for_its_answer_over_crashes_and_takes_no_worker() {
    let (mut world, attempt) = with(options());
    delegate(&mut world, &attempt);
    world.crash();
    world.feed(Input::PeerGone { peer: WORKER });
    // Longer than the time-out of an attempt that names none.
    world.pass(10 * TaskOptions::ATTEMPT_TIMEOUT_MS);
    world.crash();
    assert_eq!(state(&mut world), Some(TaskState::Delegated));
    assert!(world.task(WORKER).is_none());
    let id = attempt.task_id();
    assert_eq!(TaskId::parse(&id.to_string()), Some(id));
    assert_eq!(
        answer(&mut world, id, completed("\"yes\""), 7),
        Ok(Reply::Done)
    );
    assert_eq!(ending(&mut world), Some(completed("\"yes\"")));
}

#[test]
fn a_delegated_attempt_that_is_answered_with_a_failure_is_repeated() {
    let (mut world, first) = with(options());
    delegate(&mut world, &first);
    let id = first.task_id();
    assert_eq!(answer(&mut world, id, failed("Busy"), 7), Ok(Reply::Done));
    assert_eq!(
        answer(&mut world, id, failed("Busy"), 7),
        Ok(Reply::Done),
        "counts once"
    );
    world.crash();
    world.pass(100);
    let second = world.task(WORKER).expect("another attempt");
    assert_eq!(second.attempt, 2);
    delegate(&mut world, &second);
    assert_eq!(answer(&mut world, id, failed("Never"), 8), Ok(Reply::Done));
    assert_eq!(failure(&mut world).name.as_str(), "Never");
}

#[test]
fn the_time_outs_of_a_delegated_task_that_were_asked_for_apply() {
    type Set = fn(&mut TaskOptions);
    let cases: [(Set, &str, u64); 3] = [
        (|it| it.attempt_timeout_ms = Some(5_000), "TL0071", 5_000),
        (|it| it.heartbeat_timeout_ms = Some(3_000), "TL0081", 3_000),
        (|it| it.total_timeout_ms = Some(4_000), "TL0072", 4_000),
    ];
    for (set, name, ms) in cases {
        for crash in [false, true] {
            let mut options = TaskOptions {
                retry: Some(RetryPolicy {
                    attempts: 1,
                    ..RetryPolicy::default()
                }),
                ..options()
            };
            set(&mut options);
            let (mut world, attempt) = with(options);
            delegate(&mut world, &attempt);
            if crash {
                world.crash();
            }
            world.pass(ms - 1);
            assert_eq!(ending(&mut world), None, "{name}");
            world.pass(1);
            assert_eq!(failure(&mut world).name.as_str(), name);
        }
    }
}

#[test]
fn a_heartbeat_from_outside_keeps_a_delegated_task_alive() {
    let heartbeats = TaskOptions {
        heartbeat_timeout_ms: Some(1_000),
        ..options()
    };
    let (mut world, attempt) = with(heartbeats);
    delegate(&mut world, &attempt);
    let task = attempt.task_id();
    for _ in 0..5 {
        world.pass(900);
        world.crash();
        let details = Some(json("3"));
        let said = world.ask(Op::HeartbeatTask { task, details });
        assert_eq!(said, Some(Ok(Reply::TaskAlive { cancelling: false })));
    }
    world.ask(Op::CancelTask { task });
    let said = world.ask(Op::HeartbeatTask {
        task,
        details: None,
    });
    assert_eq!(said, Some(Ok(Reply::TaskAlive { cancelling: true })));
    world.pass(500);
    assert_eq!(
        failure(&mut world).name.as_str(),
        "TL0080",
        "nobody let go of it"
    );
}

/// Every way in which an attempt can end after its answer has come: the answer counts.
#[test]
fn an_early_answer_is_kept_however_the_attempt_ends() {
    type End = fn(&mut World, &TaskAttempt);
    let ends: [(&str, End); 7] = [
        ("delegated", delegate),
        ("failed", |world, attempt| {
            done(world, attempt, failed("Busy"));
        }),
        ("failed for good", |world, attempt| {
            done(world, attempt, failed("Never"));
        }),
        ("completed", |world, attempt| {
            done(world, attempt, completed("\"own\""));
        }),
        ("timed out", |world, _| world.pass(1_000)),
        ("lost with its worker", |world, _| {
            world.feed(Input::PeerGone { peer: WORKER });
            world.pass(0);
        }),
        ("lost in a crash", |world, _| {
            world.crash();
            world.pass(0);
        }),
    ];
    for (how, end) in ends {
        for crash_first in [false, true] {
            let short = TaskOptions {
                attempt_timeout_ms: Some(1_000),
                ..options()
            };
            let (mut world, attempt) = with(short);
            let id = attempt.task_id();
            assert_eq!(
                answer(&mut world, id, completed("\"quick\""), 1),
                Ok(Reply::Done)
            );
            assert_eq!(
                answer(&mut world, id, completed("\"quick\""), 1),
                Ok(Reply::Done)
            );
            assert_eq!(
                answer(&mut world, id, completed("\"quick\""), 2),
                Ok(Reply::Done)
            );
            assert_eq!(
                code(answer(&mut world, id, completed("0"), 3)),
                Code::TaskEnded
            );
            assert_eq!(ending(&mut world), None, "the attempt runs");
            if crash_first && how == "lost in a crash" {
                world.crash();
            }
            end(&mut world, &attempt);
            assert_eq!(ending(&mut world), Some(completed("\"quick\"")), "{how}");
            world.pass(10_000);
            assert!(world.task(OTHER).is_none(), "{how}: nothing is left to do");
        }
    }
}

#[test]
fn an_early_answer_counts_also_when_the_time_for_all_attempts_is_up() {
    let (mut world, attempt) = with(TaskOptions {
        total_timeout_ms: Some(1_000),
        ..options()
    });
    let id = attempt.task_id();
    let taken = answer(&mut world, id, completed("\"quick\""), 1);
    assert_eq!(taken, Ok(Reply::Done));
    world.pass(1_000);
    assert_eq!(ending(&mut world), Some(completed("\"quick\"")));
}

#[test]
fn an_answer_between_two_attempts_counts_at_once() {
    let (mut world, attempt) = with(options());
    done(&mut world, &attempt, failed("Busy"));
    let id = attempt.task_id();
    assert_eq!(answer(&mut world, id, completed("1"), 1), Ok(Reply::Done));
    assert_eq!(ending(&mut world), Some(completed("1")));
    world.pass(1_000);
    assert!(world.task(WORKER).is_none());
}

#[test]
fn late_answers_and_answers_to_nothing_have_clear_codes() {
    let (mut world, attempt) = with(options());
    let id = attempt.task_id();
    let other = |change: fn(&mut TaskId)| {
        let mut other = id;
        change(&mut other);
        other
    };
    let nowhere = other(|id| id.run = RunKey(1));
    let earlier = other(|id| id.began = Timestamp(1));
    let never = other(|id| id.command = CommandId(9));
    assert_eq!(
        code(answer(&mut world, nowhere, completed("1"), 0)),
        Code::RunNotFound
    );
    assert_eq!(
        code(answer(&mut world, earlier, completed("1"), 0)),
        Code::TaskNotFound
    );
    assert_eq!(
        code(answer(&mut world, never, completed("1"), 0)),
        Code::TaskNotFound
    );
    done(&mut world, &attempt, completed("1"));
    for crash in [false, true] {
        if crash {
            world.crash();
        }
        assert_eq!(
            answer(&mut world, id, completed("1"), 0),
            Ok(Reply::Done),
            "as it ended"
        );
        assert_eq!(
            code(answer(&mut world, id, completed("2"), 0)),
            Code::TaskEnded
        );
        assert_eq!(
            code(answer(&mut world, id, failed("Busy"), 0)),
            Code::TaskEnded
        );
        let late = world.ask(Op::CancelTask { task: id });
        assert_eq!(code(late.expect("an answer")), Code::TaskEnded);
    }
    // A task that went with its run has no end of its own.
    let (mut world, attempt) = with(options());
    delegate(&mut world, &attempt);
    world.ask(Op::Terminate {
        run: run_id("a"),
        reason: Name::from("enough"),
    });
    let id = attempt.task_id();
    assert_eq!(
        code(answer(&mut world, id, completed("1"), 0)),
        Code::RunFinished
    );
}

#[test]
fn an_answer_that_the_history_has_no_room_for_is_refused_and_the_task_stays() {
    let (mut world, attempt) = with(options());
    delegate(&mut world, &attempt);
    let large = Payload::from(vec![b'1'; 4 << 20]);
    for _ in 0..7 {
        let run = run_id("a");
        let (channel, payload, nonce) = (Name::from("c"), large.clone(), Nonce(0));
        let op = Op::Signal {
            run,
            channel,
            payload,
            nonce,
        };
        assert_eq!(world.ask(op), Some(Ok(Reply::Done)));
    }
    let id = attempt.task_id();
    let refusal = answer(&mut world, id, Outcome::Completed(large), 1);
    assert_eq!(code(refusal), Code::HistoryFull);
    assert_eq!(answer(&mut world, id, completed("1"), 1), Ok(Reply::Done));
}
