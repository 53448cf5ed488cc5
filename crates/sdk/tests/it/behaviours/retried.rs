//! Failed runs that an operator lets go on.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use std::sync::atomic::Ordering;
use trunkline::core::peer::{Action, Bulk, BulkState, RunFilter, Work};
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};
use trunkline::{RunError, RunHandle};

#[derive(Debug, Workflow)]
struct Visitor {
    go: Channel<()>,
}

#[workflow]
impl Visitor {
    #[run]
    async fn run(&self, cx: Cx, catches: bool) -> Result<String> {
        let visit = cx.service::<ErrandsStub>().needs_open().start();
        if !catches {
            return Ok(visit.await?);
        }
        let visit = cx.defer(visit);
        let first = visit.clone().await.is_ok();
        self.go.recv().await?;
        // The same handle, awaited again.
        let again = visit.await.is_ok();
        Ok(format!("{first} {again}"))
    }
}

/// Another workflow that fails for the same reason.
#[workflow]
async fn passer_by(cx: Cx, (): ()) -> Result<String> {
    Ok(cx.service::<ErrandsStub>().needs_open().await?)
}

fn kit_with(runner: &Runner) -> TestKit {
    TestKit::new()
        .service(runner.clone().into_service())
        .workflow::<Visitor>()
        .workflow::<passer_by>()
}

/// Five runs that have failed, and a service that is open now.
async fn failed(bed: &TestBed, runner: &Runner) -> Vec<RunHandle<Visitor>> {
    runner.open.store(false, Ordering::SeqCst);
    let mut runs = Vec::new();
    for number in 0..5 {
        let run = bed.workflow::<Visitor>(format!("{number}")).tag("guest");
        let run = run.start(false).await.unwrap();
        let error = run.result().await.unwrap_err();
        assert!(matches!(error, RunError::Failed(..)), "{error:?}");
        runs.push(run);
    }
    runner.open.store(true, Ordering::SeqCst);
    runs
}

#[tokio::test]
async fn e16_all_failed_runs_are_retried_by_tag() {
    let runner = Runner::default();
    for bed in beds(|| kit_with(&runner)).await {
        let runs = failed(&bed, &runner).await;
        let retried = bed
            .client()
            .act_on_tagged("Visitor", "guest", Action::Retry);
        assert_eq!(retried.await.unwrap(), 5);
        for run in runs {
            assert_eq!(run.result().await.unwrap(), "ok");
        }
    }
}

#[tokio::test]
async fn e17_a_failed_run_is_retried_by_its_id() {
    let runner = Runner::default();
    for bed in beds(|| kit_with(&runner)).await {
        let runs = failed(&bed, &runner).await;
        runs[3].untyped().retry().await.unwrap();
        assert_eq!(runs[3].result().await.unwrap(), "ok");
        assert!(runs[2].result().await.is_err(), "the others are left alone");
    }
}

#[tokio::test]
async fn e18_failed_runs_of_a_workflow_are_retried_in_bulk() {
    let runner = Runner::default();
    for bed in beds(|| kit_with(&runner)).await {
        runner.open.store(false, Ordering::SeqCst);
        let other = bed.workflow::<passer_by>("1").start(()).await.unwrap();
        other.result().await.unwrap_err();
        let runs = failed(&bed, &runner).await;
        let bulk = Bulk {
            id: "open again".into(),
            work: Work::Runs {
                filter: RunFilter {
                    workflow: Some("Visitor".into()),
                    status: Some(RunStatus::Failed),
                    ..RunFilter::default()
                },
                action: Action::Retry,
            },
            per_second: None,
        };
        let begun = bed.client().start_bulk(bulk).await.unwrap();
        assert_eq!(begun.expected, 5);
        for run in runs {
            // It may not be its turn yet.
            while run.describe().await.unwrap().status == RunStatus::Failed {
                bed.advance_by(millis(10)).await;
            }
            assert_eq!(run.result().await.unwrap(), "ok");
        }
        while bed.client().bulk("open again").await.unwrap().state == BulkState::Running {
            bed.advance_by(millis(10)).await;
        }
        let done = bed.client().bulk("open again").await.unwrap();
        assert_eq!(done.done, 5);
        let status = other.describe().await.unwrap().status;
        assert_eq!(status, RunStatus::Failed);
    }
}

#[tokio::test]
async fn e19_what_the_code_has_seen_stays_so() {
    let runner = Runner::default();
    for bed in beds(|| kit_with(&runner)).await {
        runner.open.store(false, Ordering::SeqCst);
        let run = bed.workflow::<Visitor>("1").start(true).await.unwrap();
        bed.rest().await;
        runner.open.store(true, Ordering::SeqCst);
        // It has not failed: it has caught the failure. There is nothing to retry.
        assert!(run.untyped().retry().await.is_err());
        run.send(|w| &w.go, ()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "false false");
    }
}
