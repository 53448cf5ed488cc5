//! Stories of runs and their children, on one shard and on two, with a crash after each step of each exchange.

use super::cluster::*;
use super::world::*;
use crate::entry::{ChildOptions, Command, Notification, OnParentEnd, Outcome};
use crate::failure::{Failure, FailureKind, Site};
use crate::ids::{CommandId, RunId};
use crate::payload::Name;
use crate::peer::{OnConflict, Op, Reply};
use crate::run::RunStatus;
use alloc::string::ToString;
use std::vec;
use std::vec::Vec;

/// Parents are on shard 0, their children on `shard`.
fn ids(shard: u16, child: &str) -> (std::string::String, std::string::String) {
    (id_on(0, "parent"), id_on(shard, child))
}

/// The child of a parent, by the shard that the parent's input does not say: both kinds of children are started.
fn both_children(id: &RunId) -> [std::string::String; 2] {
    let kind = if id.id.starts_with("failing") {
        "broken"
    } else {
        "child"
    };
    [id_on(0, kind), id_on(1, kind)]
}

/// A parent starts a child on its own shard and one on the other, and ends when both have.
fn family(id: &RunId, note: &Notification) -> Vec<Command> {
    let is_parent = id.id.starts_with("parent") || id.id.starts_with("failing");
    match note {
        Notification::Started { .. } if is_parent => {
            let [near, far] = both_children(id);
            vec![child(0, &near), child(1, &far)]
        }
        Notification::Started { .. } if id.id.starts_with("child") => vec![finish()],
        Notification::Started { .. } if id.id.starts_with("broken") => {
            let failure = Failure::new(FailureKind::Application, "Broken", "it broke");
            finish_with(Outcome::Failed(failure))
        }
        Notification::ChildEnded {
            command: CommandId(1),
            outcome,
        } => finish_with(outcome.clone()),
        _ => vec![],
    }
}

#[test]
fn a_child_on_any_shard_starts_and_ends_once_whatever_crashes() {
    with_a_crash_after_each_step(family, |cluster| {
        let parent = id_on(0, "parent");
        cluster.start(&parent);
        cluster.settle();
        assert_eq!(cluster.status(&parent), RunStatus::Completed);
        let ended = cluster.children_ended(&parent);
        assert!(
            ended.iter().all(|outcome| *outcome == completed("\"out\"")),
            "{ended:?}"
        );
        for shard in 0..2 {
            let child = id_on(shard, "child");
            assert_eq!(cluster.status(&child), RunStatus::Completed);
            assert_eq!(cluster.notes(&child).len(), 1, "it has begun once");
        }
        let counted: u64 = cluster
            .worlds
            .iter()
            .map(|world| world.shard.counters().runs[RunStatus::Completed as usize])
            .sum();
        assert_eq!(counted, 3);
    });
}

#[test]
fn a_childs_failure_reaches_its_parent_with_its_names() {
    with_a_crash_after_each_step(family, |cluster| {
        let parent = id_on(1, "failing");
        cluster.start(&parent);
        cluster.settle();
        let run = cluster.run(&parent);
        assert_eq!(run.status, RunStatus::Failed);
        let Some(Outcome::Failed(failure)) = run.outcome else {
            panic!("{run:?}")
        };
        let names: Vec<&str> = failure.chain().map(|link| &*link.name).collect();
        assert_eq!(names, ["TL0050", "Broken"]);
        let site = Site::Run {
            run: run_id(&id_on(1, "broken")),
            method: None,
        };
        assert_eq!(failure.site.as_deref(), Some(&site));
    });
}

/// Waits for a cancellation, and cleans up; parents pass it on.
fn cancellable(id: &RunId, note: &Notification) -> Vec<Command> {
    let is_parent = id.id.starts_with("parent");
    match note {
        Notification::Started { .. } if is_parent => {
            let policy = |on_parent_end| ChildOptions {
                on_parent_end,
                ..ChildOptions::default()
            };
            vec![
                child_with(0, &id_on(0, "child"), policy(OnParentEnd::Cancel)),
                child_with(1, &id_on(1, "child"), policy(OnParentEnd::Cancel)),
                child_with(2, &id_on(0, "loose"), policy(OnParentEnd::Abandon)),
                child_with(3, &id_on(1, "loose"), policy(OnParentEnd::Abandon)),
                child_with(4, &id_on(1, "doomed"), policy(OnParentEnd::Terminate)),
            ]
        }
        Notification::CancelRequested { .. } if is_parent => vec![Command::CancelChild {
            target: CommandId(0),
        }],
        Notification::ChildEnded {
            command: CommandId(0),
            ..
        } => finish_with(cancelled()),
        Notification::CancelRequested { .. } => finish_with(cancelled()),
        _ => vec![],
    }
}

#[test]
fn a_cancellation_cascades_and_an_ended_parents_children_follow_their_policy() {
    with_a_crash_after_each_step(cancellable, |cluster| {
        let parent = id_on(0, "parent");
        cluster.start(&parent);
        cluster.settle();
        let (run, reason) = (run_id(&parent), Name::from("enough"));
        cluster.ask(&parent, Op::Cancel { run, reason });
        cluster.settle();
        assert_eq!(cluster.status(&parent), RunStatus::Cancelled);
        for shard in 0..2 {
            // The first was asked while it was awaited, the other when its parent had ended.
            assert_eq!(cluster.status(&id_on(shard, "child")), RunStatus::Cancelled);
            assert_eq!(cluster.status(&id_on(shard, "loose")), RunStatus::Running);
        }
        assert_eq!(cluster.status(&id_on(1, "doomed")), RunStatus::Terminated);
    });
}

#[test]
fn the_children_of_a_terminated_parent_follow_their_policy() {
    with_a_crash_after_each_step(cancellable, |cluster| {
        let parent = id_on(0, "parent");
        cluster.start(&parent);
        let (run, reason) = (run_id(&parent), Name::from("enough"));
        cluster.settle();
        cluster.ask(&parent, Op::Terminate { run, reason });
        cluster.settle();
        for shard in 0..2 {
            assert_eq!(cluster.status(&id_on(shard, "child")), RunStatus::Cancelled);
            assert_eq!(cluster.status(&id_on(shard, "loose")), RunStatus::Running);
        }
        let (run, reason) = (run_id(&id_on(0, "loose")), Name::from("enough"));
        cluster.ask(&id_on(0, "loose"), Op::Cancel { run, reason });
        cluster.settle();
        assert!(cluster.children_ended(&parent).is_empty(), "final is final");
    });
}

/// Wants a child whose id is taken, and one of a workflow that nobody knows.
fn unlucky(id: &RunId, note: &Notification) -> Vec<Command> {
    if !id.id.starts_with("parent") {
        return vec![];
    }
    match note {
        Notification::Started { .. } => {
            let announced = ChildOptions {
                announce: Some(true),
                ..ChildOptions::default()
            };
            let unknown = Command::StartChild {
                command: CommandId(2),
                run: RunId::new("Unheard", id_on(1, "x")),
                version: None,
                input: json("1"),
                options: ChildOptions::default(),
            };
            vec![
                child(0, &id_on(1, "taken")),
                child_with(1, &id_on(1, "free"), announced),
                unknown,
            ]
        }
        _ => vec![],
    }
}

#[test]
fn a_refused_child_is_a_failure_with_the_code_of_the_refusal() {
    with_a_crash_after_each_step(unlucky, |cluster| {
        cluster.start(&id_on(1, "taken"));
        let parent = id_on(0, "parent");
        cluster.start(&parent);
        cluster.settle();
        let mut codes: Vec<_> = cluster
            .children_ended(&parent)
            .into_iter()
            .map(|outcome| match outcome {
                Outcome::Failed(failure) => failure.name.to_string(),
                Outcome::Completed(_) => panic!("it was refused"),
            })
            .collect();
        codes.sort();
        assert_eq!(codes, ["TL0009", "TL0011"]);
        let begun = cluster.notes(&parent).into_iter();
        let begun = begun.filter(|note| matches!(note, Notification::ChildStarted { .. }));
        assert_eq!(begun.count(), 1);
        assert_eq!(cluster.run(&parent).open_children, Some(1));
        assert_eq!(cluster.run(&id_on(1, "taken")).origin, None);
    });
}

/// Attaches to a run that somebody else has started; two parents wait for it.
fn sharing(id: &RunId, note: &Notification) -> Vec<Command> {
    match note {
        Notification::Started { .. } if id.id.starts_with("parent") => {
            let attach = ChildOptions {
                on_conflict: OnConflict::Attach,
                ..ChildOptions::default()
            };
            vec![child_with(0, &id_on(1, "shared"), attach)]
        }
        Notification::ChildEnded { outcome, .. } => finish_with(outcome.clone()),
        Notification::Signal { .. } => vec![finish()],
        _ => vec![],
    }
}

#[test]
fn everybody_who_attached_to_a_run_is_told_of_its_end_and_none_ends_it() {
    with_a_crash_after_each_step(sharing, |cluster| {
        let shared = id_on(1, "shared");
        cluster.start(&shared);
        let parents = [
            id_on(0, "parent-a"),
            id_on(1, "parent-b"),
            id_on(0, "parent-c"),
        ];
        for parent in &parents {
            cluster.start(parent);
        }
        cluster.settle();
        let (run, reason) = (run_id(&parents[2]), Name::from("enough"));
        cluster.ask(&parents[2], Op::Terminate { run, reason });
        cluster.settle();
        assert_eq!(cluster.status(&shared), RunStatus::Running);
        let signal = Op::Signal {
            run: run_id(&shared),
            channel: Name::from("go"),
            payload: json("1"),
            nonce: crate::ids::Nonce(7),
        };
        cluster.ask(&shared, signal);
        cluster.settle();
        for parent in &parents[..2] {
            assert_eq!(cluster.status(parent), RunStatus::Completed);
        }
        // Somebody who attaches after the end is answered at once.
        let late = id_on(0, "parent-d");
        cluster.start(&late);
        cluster.settle();
        assert_eq!(cluster.status(&late), RunStatus::Completed);
    });
}

/// Asks things of other runs: one that waits, one that has ended, one that never was, and itself.
fn asking(id: &RunId, note: &Notification) -> Vec<Command> {
    let signal = |command, to: &str| Command::SignalRun {
        command: CommandId(command),
        run: run_id(to),
        channel: Name::from("go"),
        payload: json("1"),
    };
    match note {
        Notification::Started { .. } if id.id.starts_with("asker") => vec![
            signal(0, &id_on(0, "waiting")),
            signal(1, &id_on(1, "waiting")),
            signal(2, &id_on(1, "ended")),
            signal(3, "nobody"),
            signal(4, &id.id),
            Command::CancelRun {
                command: CommandId(5),
                run: run_id(&id_on(1, "other")),
                reason: Name::from("enough"),
            },
        ],
        Notification::Started { .. } if id.id.starts_with("ended") => vec![finish()],
        Notification::CancelRequested { .. } => finish_with(cancelled()),
        _ => vec![],
    }
}

#[test]
fn what_is_asked_of_another_run_is_done_once_and_always_answered() {
    with_a_crash_after_each_step(asking, |cluster| {
        for id in [
            id_on(0, "waiting"),
            id_on(1, "waiting"),
            id_on(1, "ended"),
            id_on(1, "other"),
        ] {
            cluster.start(&id);
        }
        cluster.settle();
        let asker = id_on(0, "asker");
        cluster.start(&asker);
        cluster.settle();
        let notes = cluster.notes(&asker);
        let mut answers: Vec<(u32, std::string::String)> = notes
            .iter()
            .filter_map(|note| match note {
                Notification::Answered { command, outcome } => Some((
                    command.0,
                    match outcome {
                        Outcome::Completed(_) => "done".to_string(),
                        Outcome::Failed(failure) => failure.name.to_string(),
                    },
                )),
                _ => None,
            })
            .collect();
        answers.sort();
        let answers: Vec<&str> = answers.iter().map(|(_, answer)| &**answer).collect();
        assert_eq!(
            answers,
            ["done", "done", "TL0012", "TL0010", "done", "done"]
        );
        let signals = |notes: Vec<Notification>| {
            let signals = notes.into_iter();
            signals
                .filter(|note| matches!(note, Notification::Signal { .. }))
                .count()
        };
        assert_eq!(signals(notes), 1, "to itself");
        assert_eq!(signals(cluster.notes(&id_on(0, "waiting"))), 1);
        assert_eq!(signals(cluster.notes(&id_on(1, "waiting"))), 1);
        assert_eq!(cluster.status(&id_on(1, "other")), RunStatus::Cancelled);
    });
}

#[test]
fn a_run_that_is_replaced_tells_its_parent_and_its_waiters() {
    with_a_crash_after_each_step(sharing, |cluster| {
        let (parent, shared) = ids(1, "shared");
        cluster.start(&parent);
        cluster.settle();
        let first = cluster.run(&shared);
        let mut start = start_of(&shared);
        start.on_conflict = OnConflict::Replace;
        let answer = cluster.ask(&shared, Op::Start(start));
        assert!(
            answer.is_none() || matches!(answer, Some(Ok(Reply::Started { created: true, .. }))),
            "{answer:?}"
        );
        cluster.settle();
        let run = cluster.run(&parent);
        let Some(Outcome::Failed(failure)) = run.outcome else {
            panic!("{run:?}")
        };
        let names: Vec<&str> = failure.chain().map(|link| &*link.name).collect();
        assert_eq!(names, ["TL0054", "TL0051"]);
        let second = cluster.run(&shared);
        assert_eq!(second.status, RunStatus::Running);
        assert!(second.began_at() > first.began_at(), "no two have the same");
        assert_eq!(second.origin, None);
    });
}
