//! Code that no longer matches a run's history.

use super::*;

/// `sequence`, deployed with other code under the same name and version.
mod changed {
    use super::super::TripStub;
    use crate::prelude::*;

    #[workflow(name = "sequence")]
    pub(super) async fn renamed(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().undo(night.to_string()).await?;
        Ok(())
    }

    #[workflow(name = "sequence")]
    pub(super) async fn other_kind(cx: Cx, _night: u32) -> Result<()> {
        cx.sleep(secs(1)).await?;
        Ok(())
    }

    #[workflow(name = "sequence")]
    pub(super) async fn shorter(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().hotel(night).await?;
        Ok(())
    }

    #[workflow(name = "sequence")]
    pub(super) async fn waits_more(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().hotel(night).await?;
        std::future::pending::<()>().await;
        Ok(())
    }

    #[workflow(name = "sequence")]
    pub(super) async fn other_argument(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().hotel(night + 5).await?;
        cx.service::<TripStub>().flight(night).await?;
        Ok(())
    }
}

fn after_deployment<W: Workflow>(strictness: Strictness) -> String {
    let mut script = Script::start::<sequence>(&3, 0);
    script.settle();
    script.completed(0, &"ritz");
    script.settle();
    script.deploy::<W>(strictness);
    script.completed(1, &"lh1");
    script.settle();
    script
        .stuck
        .unwrap_or_else(|| format!("not stuck: {}", script.history.len()))
}

#[test]
fn a_changed_task_pauses_the_run_with_the_field_that_differs() {
    check(
        &after_deployment::<changed::renamed>(Strictness::Shape),
        &expect![[
            r#"TL0074: the code no longer matches the run's history, at command 1 of the turn that consumed 1 entries: ScheduleTask.task was "hotel" and is now "undo""#
        ]],
    );
}

#[test]
fn a_changed_kind_pauses_the_run() {
    check(
        &after_deployment::<changed::other_kind>(Strictness::Shape),
        &expect![[
            r#"TL0074: the code no longer matches the run's history, at command 1 of the turn that consumed 1 entries: the history has ScheduleTask (command 0, service "Trip", task "hotel"), the code asks for StartTimer (command 0)"#
        ]],
    );
}

#[test]
fn a_command_that_is_no_longer_asked_for_pauses_the_run() {
    check(
        &after_deployment::<changed::shorter>(Strictness::Shape),
        &expect![[
            r#"TL0074: the code no longer matches the run's history, at command 1 of the turn that consumed 4 entries: the history has ScheduleTask (command 1, service "Trip", task "flight"), the code asks for Finish (outcome completed)"#
        ]],
    );
}

#[test]
fn an_await_that_the_history_cannot_resolve_pauses_the_run() {
    let stuck = after_deployment::<changed::waits_more>(Strictness::Shape);
    assert!(
        stuck.starts_with("TL0075: the code awaits something that is not durable"),
        "{stuck}"
    );
}

#[test]
fn arguments_are_compared_when_strict() {
    assert_eq!(
        after_deployment::<changed::other_argument>(Strictness::Shape),
        "not stuck: 9"
    );
    let stuck = after_deployment::<changed::other_argument>(Strictness::Arguments);
    assert!(
        stuck.contains("ScheduleTask.input was 3 and is now 8"),
        "{stuck}"
    );
}
