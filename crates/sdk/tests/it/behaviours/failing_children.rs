//! Children that fail or are cancelled, and what their parents make of it.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use trunkline::RunError;
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};

#[workflow]
async fn failing(cx: Cx, (): ()) -> Result<()> {
    cx.service::<ErrandsStub>().refuse("rain".into()).await?;
    Ok(())
}

#[workflow]
async fn lasting(cx: Cx, (): ()) -> Result<()> {
    Ok(cx.sleep(days(1)).await?)
}

#[workflow]
async fn parent(cx: Cx, what: String) -> Result<String> {
    let failing = || cx.child::<failing>("child").start(());
    let lasting = || cx.child::<lasting>("child").start(());
    Ok(match what.as_str() {
        "awaits a lasting one" => {
            lasting().await?;
            String::new()
        }
        "beside a lasting one" => {
            lasting().detach();
            cx.service::<ErrandsStub>().takes(200).await?.to_string()
        }
        "awaits a failing one" => {
            failing().await?;
            String::new()
        }
        "beside a failing one" => {
            failing().detach();
            cx.service::<ErrandsStub>().takes(200).await?.to_string()
        }
        _ => match failing().await {
            Err(ChildError::Failed(error, report)) => {
                let root = report.failure().chain().last().unwrap();
                format!("{} of {error}", root.name)
            }
            other => format!("{other:?}"),
        },
    })
}

fn kit() -> TestKit {
    TestKit::new()
        .service(Runner::default().into_service())
        .workflow::<parent>()
        .workflow::<failing>()
        .workflow::<lasting>()
}

fn sites(error: &RunError<Error>) -> Vec<String> {
    let sites = error.chain().filter_map(|link| link.site.as_ref());
    sites.map(ToString::to_string).collect()
}

async fn child_is_cancelled(bed: &TestBed, what: &str) -> Result<String, RunError<Error>> {
    let run = bed
        .workflow::<parent>("1")
        .start(what.into())
        .await
        .unwrap();
    bed.rest().await;
    let child = bed.client().run::<lasting>("child");
    child.cancel("enough").await.unwrap();
    let result = run.result().await;
    let child = child.describe().await.unwrap();
    assert_eq!(child.status, RunStatus::Cancelled);
    result
}

#[tokio::test]
async fn e10_the_cancellation_of_an_awaited_child_ends_its_parent() {
    for bed in beds(kit).await {
        let result = child_is_cancelled(&bed, "awaits a lasting one").await;
        let error = result.unwrap_err();
        // It is the child that was cancelled, so the parent has failed.
        assert!(matches!(error, RunError::Failed(..)), "{error:?}");
        assert_eq!(sites(&error), ["run lasting/child"]);
    }
}

#[tokio::test]
async fn e11_the_cancellation_of_a_child_that_nobody_awaits_changes_nothing() {
    for bed in beds(kit).await {
        let result = child_is_cancelled(&bed, "beside a lasting one").await;
        assert_eq!(result.unwrap(), "200");
    }
}

#[tokio::test]
async fn e12_the_failure_of_an_awaited_child_ends_its_parent_with_the_chain() {
    for bed in beds(kit).await {
        let run = bed.workflow::<parent>("1");
        let error = run
            .execute("awaits a failing one".into())
            .await
            .unwrap_err();
        let expected = ["run failing/child", "task Errands.refuse"];
        assert_eq!(sites(&error), expected);
        let root = error.chain().last().unwrap();
        assert_eq!((&*root.name, &*root.message), ("Refused", "rain"));
    }
}

#[tokio::test]
async fn e13_the_failure_of_a_child_that_nobody_awaits_changes_nothing() {
    for bed in beds(kit).await {
        let run = bed.workflow::<parent>("1");
        let result = run.execute("beside a failing one".into()).await;
        assert_eq!(result.unwrap(), "200");
        let child = bed.client().run::<failing>("child").result().await;
        assert!(matches!(child, Err(RunError::Failed(..))));
    }
}

#[tokio::test]
async fn e15_the_failure_of_a_child_is_caught_with_its_name() {
    for bed in beds(kit).await {
        let run = bed.workflow::<parent>("1").execute("catches".into()).await;
        assert_eq!(run.unwrap(), "Refused of rain");
    }
}
