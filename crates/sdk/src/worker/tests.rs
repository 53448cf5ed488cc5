//! Attempts of tasks: each is reported exactly once, however it ends.

use super::task_runner::{AttemptDone, TaskRunner};
use crate::prelude::*;
use crate::time::Time;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use trunkline_api::core::entry::{Outcome, TaskOptions};
use trunkline_api::core::failure::{Failure, FailureKind};
use trunkline_api::core::ids::{CommandId, RunId, Token};
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::TaskAttempt;

fn runner() -> (TaskRunner, mpsc::UnboundedReceiver<AttemptDone>) {
    let service = Service::new("Desk")
        .task(
            "at_once",
            |_, text: String| async move { Ok::<_, Error>(text) },
        )
        .task("never", |_, (): ()| std::future::pending::<Result<()>>())
        .task("later", |_, ms: u64| async move {
            tokio::time::sleep(millis(ms)).await;
            Ok::<_, Error>(ms)
        })
        .task("panics", |_, later: bool| async move {
            if later {
                tokio::task::yield_now().await;
            }
            if true {
                panic!("paper jam");
            }
            Ok::<_, Error>(())
        })
        .task(
            "panics_early",
            |_, (): ()| -> std::future::Ready<Result<()>> { panic!("no paper") },
        );
    let services = HashMap::from([(service.name().clone(), service)]);
    let (sender, receiver) = mpsc::unbounded_channel();
    let runner = TaskRunner::new(
        Arc::new(services),
        true,
        Time::default(),
        move |done| sender.send(done).unwrap(),
        |_| (),
    );
    (runner, receiver)
}

fn attempt(task: &str, input: &str, timeout_ms: u64) -> TaskAttempt {
    let id = RunId::new("desk", "1");
    TaskAttempt {
        run: id.key(),
        id,
        command: CommandId(3),
        token: Token(9),
        service: Name::from("Desk"),
        task: Name::from(task),
        input: Payload::from(input.as_bytes()),
        attempt: 1,
        options: TaskOptions {
            attempt_timeout_ms: Some(timeout_ms),
            ..TaskOptions::default()
        },
        meta: None,
        last_failure: None,
        heartbeat_details: None,
        began: trunkline_api::core::time::Timestamp(1_000),
    }
}

#[track_caller]
fn failure(done: &AttemptDone) -> &Failure {
    match &done.outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Completed(value) => panic!("completed with {value:?}"),
    }
}

#[tokio::test]
async fn an_attempt_that_ends_at_once_gets_no_tokio_task() {
    let (runner, _done) = runner();
    let done = runner.begin(attempt("at_once", "\"x\"", 1_000)).unwrap();
    assert_eq!(
        done.outcome,
        Outcome::Completed(Payload::from(&b"\"x\""[..]))
    );
    assert_eq!(runner.in_flight(), 0);
}

#[tokio::test]
async fn an_attempt_that_waits_is_reported_when_it_ends() {
    let (runner, mut done) = runner();
    assert!(runner.begin(attempt("later", "5", 60_000)).is_none());
    assert_eq!(runner.in_flight(), 1);
    let done = done.recv().await.unwrap();
    assert_eq!((done.command, done.token), (CommandId(3), Token(9)));
    assert_eq!(done.outcome, Outcome::Completed(Payload::from(&b"5"[..])));
}

#[tokio::test]
async fn an_abandoned_attempt_ends_as_cancelled_once() {
    let (runner, mut done) = runner();
    let attempt = attempt("never", "null", 60_000);
    let (run, command, token) = (attempt.run, attempt.command, attempt.token);
    assert!(runner.begin(attempt).is_none());
    runner.abandon(run, command, token);
    runner.abandon(run, command, token);
    let first = done.recv().await.unwrap();
    assert_eq!(failure(&first).kind, FailureKind::Cancelled);
    drop(runner);
    assert!(done.recv().await.is_none(), "nothing else is reported");
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_times_out() {
    let (runner, mut done) = runner();
    assert!(runner.begin(attempt("never", "null", 20)).is_none());
    let done = done.recv().await.unwrap();
    assert_eq!(failure(&done).kind, FailureKind::TimedOut);
    assert_eq!(failure(&done).name.as_str(), "TL0071");
}

#[tokio::test]
async fn a_panic_is_a_failure_wherever_it_happens() {
    let (runner, mut done) = runner();
    let at_once = runner.begin(attempt("panics", "false", 1_000)).unwrap();
    assert!(runner.begin(attempt("panics", "true", 1_000)).is_none());
    let later = done.recv().await.unwrap();
    let early = runner
        .begin(attempt("panics_early", "null", 1_000))
        .unwrap();
    for (done, message) in [
        (at_once, "paper jam"),
        (later, "paper jam"),
        (early, "no paper"),
    ] {
        assert_eq!(failure(&done).kind, FailureKind::Panicked);
        assert!(failure(&done).message.contains(message));
        assert!(!failure(&done).non_retryable);
    }
}

#[tokio::test]
async fn what_is_unknown_or_of_another_type_is_said_with_a_code() {
    let (runner, _done) = runner();
    let unknown = runner.begin(attempt("tidy", "null", 1_000)).unwrap();
    assert_eq!(failure(&unknown).name.as_str(), "TL0078");
    assert!(
        !failure(&unknown).non_retryable,
        "another worker may know it"
    );
    let mistyped = runner.begin(attempt("later", "\"soon\"", 1_000)).unwrap();
    assert_eq!(failure(&mistyped).name.as_str(), "TL0079");
    assert!(failure(&mistyped).non_retryable);
}
