//! Stories of retries and forks: what is tried again, what is kept, and what is not touched.

use super::cluster::id_on;
use super::mail::sends;
use super::runs::{code, signal, status};
use super::world::*;
use crate::code::Code;
use crate::entry::{Command, Entry, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::ids::{CommandId, Nonce, ShardId};
use crate::payload::{Name, Payload};
use crate::peer::{FromPeer, Op, Reply, TaskAttempt, ToPeer};
use crate::policy::RetryPolicy;
use crate::run::RunStatus;
use crate::shard::Settings;
use crate::time::Timestamp;
use alloc::boxed::Box;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

fn failed(name: &str) -> Outcome {
    let mut failure = Failure::new(FailureKind::Application, name, "no");
    failure.non_retryable = true;
    Outcome::Failed(failure)
}

fn failing() -> Command {
    Command::Finish {
        outcome: failed("Declined"),
    }
}

fn retry(world: &mut World, id: &str) {
    let run = run_id(id);
    let answer = world.ask(Op::RetryRun { run, at: None });
    assert_eq!(answer, Some(Ok(Reply::Done)));
}

/// The entries in a few words, for comparison.
fn told(entries: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| match entry {
        Entry::Turn { upto } => std::format!("turn {upto}"),
        Entry::Command(command) => {
            let text = std::format!("{command:?}");
            text.split([' ', '('])
                .next()
                .unwrap_or_default()
                .to_string()
        }
        Entry::Notification(_, notification) => {
            let text = std::format!("{notification:?}");
            text.split([' ', '('])
                .next()
                .unwrap_or_default()
                .to_string()
        }
    };
    entries.iter().map(line).collect()
}

fn finish_with(world: &mut World, wanted: u32, outcome: Outcome) -> TaskAttempt {
    let task = world.finish_task(WORKER, outcome);
    assert_eq!(task.command, CommandId(wanted));
    task
}

/// A run whose first task succeeded and whose second failed, which failed it.
fn failed_run(world: &mut World) {
    world.start("a");
    world.play(WORKER, false, vec![task(0)]);
    finish_with(world, 0, completed("1"));
    world.play(WORKER, false, vec![task(1)]);
    finish_with(world, 1, failed("Declined"));
    world.ask(signal("a", "1", 7));
    world.play(WORKER, false, vec![failing()]);
    assert_eq!(status(world, "a"), RunStatus::Failed);
}

#[test]
fn a_failed_run_retried_continues_where_it_stopped() {
    let mut world = World::new();
    failed_run(&mut world);
    world.crash();
    retry(&mut world, "a");
    assert_eq!(status(&mut world, "a"), RunStatus::Running);
    assert_eq!(
        told(&world.history("a")),
        [
            "Started",
            "turn 1",
            "ScheduleTask",
            "TaskCompleted",
            "turn 4",
            "ScheduleTask",
            "Rewound",
            "Signal",
        ]
    );
    world.crash();
    // The failed task is tried again, as the same task; the one that succeeded is not.
    let again = finish_with(&mut world, 1, completed("2"));
    assert_eq!((again.attempt, again.input), (1, json("1")));
    assert!(world.task(WORKER).is_none());
    let turn = world.turn(WORKER).expect("a turn");
    assert_eq!(turn.consumed, 4);
    world.report(
        WORKER,
        FromPeer::TurnDone(done_of(&turn, false, vec![finish()])),
    );
    assert_eq!(status(&mut world, "a"), RunStatus::Completed);
    assert_eq!(
        code(world.ask(Op::RetryRun {
            run: run_id("a"),
            at: None
        })),
        Code::RetryNotPossible
    );
}

#[test]
fn signals_from_after_the_cut_are_kept_and_a_repeat_is_still_known() {
    let mut world = World::new();
    failed_run(&mut world);
    retry(&mut world, "a");
    let signals = |world: &mut World| {
        let history = world.history("a");
        let signals = history
            .iter()
            .filter(|entry| matches!(entry, Entry::Notification(_, Notification::Signal { .. })));
        signals.count()
    };
    assert_eq!(signals(&mut world), 1);
    world.ask(signal("a", "1", 7));
    assert_eq!(signals(&mut world), 1, "the same nonce is the same signal");
    world.ask(signal("a", "1", 8));
    assert_eq!(signals(&mut world), 2);
}

#[test]
fn numbers_of_dropped_commands_are_not_given_out_again() {
    let mut world = World::new();
    failed_run(&mut world);
    retry(&mut world, "a");
    let rewound = world
        .history("a")
        .into_iter()
        .find_map(|entry| match entry {
            Entry::Notification(
                _,
                Notification::Rewound {
                    next,
                    dropped,
                    source,
                },
            ) => Some((next, dropped, source)),
            _ => None,
        });
    assert_eq!(rewound, Some((CommandId(2), 2, None)));
}

#[test]
fn a_compensation_is_not_lost_when_the_retry_fails_as_well() {
    let mut world = World::new();
    world.start("a");
    world.play(WORKER, false, vec![task(0)]);
    finish_with(&mut world, 0, completed("1"));
    world.play(WORKER, false, vec![task(1)]);
    finish_with(&mut world, 1, failed("Declined"));
    // The code undoes what task 0 did, and that fails too.
    world.play(WORKER, false, vec![task(2)]);
    finish_with(&mut world, 2, failed("Unreachable"));
    world.play(WORKER, false, vec![failing()]);
    retry(&mut world, "a");
    // It is the compensation that is tried again: what it compensates for has failed for good.
    finish_with(&mut world, 2, completed("undone"));
    assert!(world.task(WORKER).is_none(), "nothing else is");
    world.play(WORKER, false, vec![failing()]);
    assert_eq!(status(&mut world, "a"), RunStatus::Failed);
    // Retried once more, from before the failure it ended with: the charge, and if that fails, its compensation again.
    retry(&mut world, "a");
    finish_with(&mut world, 1, failed("Declined"));
    world.play(WORKER, false, vec![task(3)]);
    finish_with(&mut world, 3, completed("undone"));
    world.play(WORKER, false, vec![failing()]);
    assert_eq!(status(&mut world, "a"), RunStatus::Failed);
}

#[test]
fn what_was_open_at_the_cut_is_opened_again() {
    let mut world = World::new();
    world.start("a");
    let due = Timestamp(world.now + 60_000);
    let timer = Command::StartTimer {
        command: CommandId(1),
        at: due,
        call: None,
    };
    let set = |value: &str| Command::SetProperty {
        name: Name::from("state"),
        value: json(value),
    };
    let add = |tag: &str| Command::AddTags {
        tags: vec![Name::from(tag)],
    };
    world.play(
        WORKER,
        false,
        vec![task(0), timer, task(2), set("1"), add("kept")],
    );
    finish_with(&mut world, 0, failed("Declined"));
    world.play(WORKER, false, vec![set("2"), add("gone"), failing()]);
    retry(&mut world, "a");
    let Some(Ok(Reply::Run(run))) = world.ask(Op::DescribeRun { run: run_id("a") }) else {
        panic!("no run")
    };
    assert_eq!((run.open_tasks, run.open_timers), (2, 1));
    assert_eq!(run.tags, [Name::from("kept")]);
    let property = world.ask(Op::Property {
        run: run_id("a"),
        name: Name::from("state"),
    });
    assert_eq!(property, Some(Ok(Reply::Property(json("1")))));
    world.crash();
    world.pass(60_000);
    let fired = world.history("a").into_iter().any(|entry| {
        matches!(entry, Entry::Notification(_, Notification::TimerFired { command }) if command == CommandId(1))
    });
    assert!(fired, "the timer is due when it always was");
}

#[test]
fn a_paused_run_goes_on_and_a_turn_that_a_worker_sits_on_is_given_to_another() {
    let mut world = World::new();
    world.start("a");
    world.ask(Op::Pause { run: run_id("a") });
    retry(&mut world, "a");
    let sat_on = world.turn(WORKER).expect("a turn");
    retry(&mut world, "a");
    let second = world.turn(OTHER).expect("the same turn again");
    world.report(
        WORKER,
        FromPeer::TurnDone(done_of(&sat_on, false, vec![finish()])),
    );
    assert_eq!(
        status(&mut world, "a"),
        RunStatus::Running,
        "the late one does not count"
    );
    world.report(OTHER, FromPeer::TurnDone(done_of(&second, false, vec![])));
    assert_eq!(
        code(world.ask(Op::RetryRun {
            run: run_id("a"),
            at: None
        })),
        Code::RetryNotPossible
    );
}

#[test]
fn a_failed_run_goes_on_from_before_the_command_that_is_named() {
    let mut world = World::new();
    failed_run(&mut world);
    let at = |at| Op::RetryRun {
        run: run_id("a"),
        at: Some(CommandId(at)),
    };
    assert_eq!(code(world.ask(at(9))), Code::CutInvalid);
    assert_eq!(world.ask(at(0)), Some(Ok(Reply::Done)));
    assert_eq!(told(&world.history("a")), ["Started", "Rewound", "Signal"]);
}

fn fork(world: &mut World, at: u32, id: &str) -> Option<Result<Reply, crate::peer::Rejection>> {
    let Some(Ok(Reply::History { chunks, .. })) = world.ask(Op::History {
        run: run_id("a"),
        from: 0,
    }) else {
        panic!("no history")
    };
    let start = crate::peer::Start {
        input: Payload::null(),
        nonce: Nonce(5),
        ..start_of(id)
    };
    world.ask(Op::StartForked {
        start: Box::new(start),
        source: run_id("a"),
        at: CommandId(at),
        chunks,
    })
}

#[test]
fn a_fork_leaves_its_source_untouched_and_goes_its_own_way() {
    let mut world = World::new();
    failed_run(&mut world);
    let before = world.history("a");
    let created = Some(Ok(Reply::Started {
        created: true,
        version: 1,
    }));
    assert_eq!(fork(&mut world, 1, "b"), created);
    world.crash();
    assert_eq!(
        told(&world.history("b")),
        [
            "Started",
            "turn 1",
            "ScheduleTask",
            "Rewound",
            "TaskCompleted",
            "Signal"
        ],
    );
    assert!(
        world.task(WORKER).is_none(),
        "what task 0 returned is taken over"
    );
    let turn = world.turn(WORKER).expect("the fork is ready for a turn");
    assert_eq!(turn.id, run_id("b"));
    world.report(
        WORKER,
        FromPeer::TurnDone(done_of(&turn, false, vec![finish()])),
    );
    assert_eq!(status(&mut world, "b"), RunStatus::Completed);
    assert_eq!(status(&mut world, "a"), RunStatus::Failed);
    assert_eq!(world.history("a"), before);
    let known = Some(Ok(Reply::Started {
        created: false,
        version: 1,
    }));
    assert_eq!(fork(&mut world, 1, "b"), known, "a repeat is the same fork");
    assert_eq!(code(fork(&mut world, 42, "c")), Code::CutInvalid);
}

#[test]
fn a_retry_starts_the_attempts_of_a_task_over() {
    let mut world = World::new();
    world.start("a");
    let options = crate::entry::TaskOptions {
        retry: Some(RetryPolicy {
            initial_ms: 1,
            attempts: 2,
            ..RetryPolicy::default()
        }),
        ..crate::entry::TaskOptions::default()
    };
    world.play(WORKER, false, vec![task_with(0, options)]);
    let busy = Outcome::Failed(Failure::new(FailureKind::Application, "Busy", "no"));
    for _ in 0..2 {
        world.finish_task(WORKER, busy.clone());
        world.pass(10);
    }
    world.play(WORKER, false, vec![failing()]);
    retry(&mut world, "a");
    assert_eq!(world.finish_task(WORKER, busy).attempt, 1);
    world.pass(10);
    assert_eq!(world.finish_task(WORKER, completed("1")).attempt, 2);
}

#[test]
fn only_ended_runs_are_purged() {
    let mut world = World::new();
    world.start("a");
    let purge = Op::Purge { run: run_id("a") };
    assert_eq!(code(world.ask(purge.clone())), Code::RunNotEnded);
    world.play(WORKER, false, vec![finish()]);
    assert_eq!(world.ask(purge.clone()), Some(Ok(Reply::Done)));
    assert_eq!(code(world.ask(purge)), Code::RunNotFound);
    assert!(!world.rows.0.keys().any(|key| key.starts_with(b"rh")));
    assert!(!world.takes(|effect| matches!(
        effect,
        crate::effect::Effect::Tell {
            message: ToPeer::AbandonTask { .. },
            ..
        }
    )));
}

/// Two shards with a run each, of which the first is to send the second a signal.
struct Pair {
    home: World,
    other: World,
    asking: String,
    asked: String,
    signal: Command,
}

fn pair() -> Pair {
    let settings = Settings {
        shards: 2,
        ..Settings::default()
    };
    let (asking, asked) = (id_on(0, "asking"), id_on(1, "asked"));
    let mut home = World::with(settings.clone(), ShardId(0));
    let mut other = World::with(settings, ShardId(1));
    other.start(&asked);
    other.effects.clear();
    home.start(&asking);
    let signal = Command::SignalRun {
        command: CommandId(0),
        run: run_id(&asked),
        channel: Name::from("c"),
        payload: json("1"),
    };
    Pair {
        home,
        other,
        asking,
        asked,
        signal,
    }
}

#[test]
fn what_is_asked_again_by_a_retry_takes_effect_once_and_is_answered_once() {
    let Pair {
        mut home,
        mut other,
        asking,
        asked,
        signal,
    } = pair();
    home.play(WORKER, false, vec![signal, task(1)]);
    let mut messages = sends(&mut home);
    // What it asked for is still under way when it fails, is retried, and asks again.
    finish_with(&mut home, 1, failed("Declined"));
    home.play(WORKER, false, vec![failing()]);
    retry(&mut home, &asking);
    messages.extend(sends(&mut home));
    assert_eq!(messages.len(), 2);
    for message in messages {
        other.feed(message);
    }
    let is_signal =
        |entry: &Entry| matches!(entry, Entry::Notification(_, Notification::Signal { .. }));
    let signals = other
        .history(&asked)
        .iter()
        .filter(|it| is_signal(it))
        .count();
    assert_eq!(signals, 1);
    let answers = sends(&mut other);
    assert_eq!(answers.len(), 2);
    for answer in answers {
        home.feed(answer);
    }
    let is_answer =
        |entry: &Entry| matches!(entry, Entry::Notification(_, Notification::Answered { .. }));
    let answered = home
        .history(&asking)
        .iter()
        .filter(|it| is_answer(it))
        .count();
    assert_eq!(answered, 1);
}

#[test]
fn an_answer_to_what_a_retry_has_cut_away_is_not_heard() {
    let Pair {
        mut home,
        mut other,
        asking,
        signal,
        ..
    } = pair();
    // It fails in the turn that asks, so that the retry begins before it, and the answer comes when it runs again.
    home.play(WORKER, false, vec![signal, failing()]);
    let messages = sends(&mut home);
    assert_eq!(messages.len(), 1);
    retry(&mut home, &asking);
    let before = home.history(&asking);
    for message in messages {
        other.feed(message);
    }
    for answer in sends(&mut other) {
        home.feed(answer);
    }
    assert_eq!(home.history(&asking), before);
}
