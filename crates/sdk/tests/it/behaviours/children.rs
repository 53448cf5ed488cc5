//! Children, and contracts that are smaller than what stands behind them.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use trunkline::RunError;
use trunkline::core::peer::RunFilter;
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};

/// One task of the service, for code that needs no more of it.
mod smaller {
    use trunkline::prelude::*;

    #[service(name = "Errands")]
    pub(super) trait Turning {
        async fn reverse(&self, t: &TaskCx, text: String) -> Result<String>;
    }
}

/// What a parent must know of a child that somebody else has written.
mod declared {
    use trunkline::prelude::*;

    #[workflow(name = "turning")]
    pub(super) async fn turning(cx: Cx, text: String) -> Result<String> {
        let _ = (cx, text);
        unreachable!("no worker has this code")
    }
}

#[workflow]
async fn turning(cx: Cx, text: String) -> Result<String> {
    Ok(cx.service::<ErrandsStub>().reverse(text).await?)
}

/// Runs until it is cancelled.
#[workflow]
async fn lasting(cx: Cx, (): ()) -> Result<()> {
    Ok(cx.sleep(days(1_000)).await?)
}

#[workflow]
async fn parent(cx: Cx, what: String) -> Result<String> {
    let child = || cx.child::<turning>(format!("{}-child", cx.run_id().id));
    Ok(match what.as_str() {
        "smaller contract" => {
            let turning = cx.service::<smaller::TurningStub>();
            turning.reverse("ab".into()).await?
        }
        "declared" => {
            cx.child::<declared::turning>("d")
                .start("ab".into())
                .await?
        }
        "at once" => child().start("ba".into()).await?,
        "later" => {
            let child = child().start("ab".into());
            let turned = cx.service::<ErrandsStub>().reverse("ab".into()).await?;
            child.await? + &turned
        }
        _ => {
            let child = cx.child::<lasting>(format!("{}-child", cx.run_id().id));
            // The tags that the parent has, its child gets.
            child.tags(cx.tags()).tag("young").start(()).await?;
            String::new()
        }
    })
}

fn kit() -> TestKit {
    TestKit::new()
        .service(Runner::default().into_service())
        .workflow::<parent>()
        .workflow::<turning>()
        .workflow::<lasting>()
}

async fn comes_to(what: &str, result: &str) {
    for bed in beds(kit).await {
        let run = bed.workflow::<parent>("1").execute(what.into()).await;
        assert_eq!(run.unwrap(), result, "{what}");
    }
}

async fn running(bed: &TestBed, tag: &str) -> u64 {
    let filter = RunFilter {
        tag: Some(tag.into()),
        status: Some(RunStatus::Running),
        limit: 100,
        ..RunFilter::default()
    };
    bed.client().count(filter).await.unwrap()
}

#[tokio::test]
async fn ch1_a_task_is_called_through_a_smaller_contract() {
    comes_to("smaller contract", "ba").await;
}

#[tokio::test]
async fn ch2_a_child_is_started_through_a_type_that_only_declares_it() {
    comes_to("declared", "ba").await;
}

#[tokio::test]
async fn ch3_a_child_is_awaited_at_once() {
    comes_to("at once", "ab").await;
}

#[tokio::test]
async fn ch4_a_child_is_awaited_later() {
    comes_to("later", "baba").await;
}

#[tokio::test]
async fn ch6_a_child_is_cancelled_with_its_parent_and_is_counted_by_its_tag() {
    for bed in beds(kit).await {
        let run = bed.workflow::<parent>("1").tag("family");
        let run = run.start("family".into()).await.unwrap();
        bed.rest().await;
        assert_eq!(running(&bed, "family").await, 2);
        assert_eq!(running(&bed, "young").await, 1);
        run.cancel("enough").await.unwrap();
        let error = run.result().await.unwrap_err();
        assert!(matches!(error, RunError::Cancelled(_)));
        let child = bed.client().run::<lasting>("1-child").result().await;
        assert!(matches!(child, Err(RunError::Cancelled(_))));
        assert_eq!(running(&bed, "family").await, 0);
    }
}

#[tokio::test]
async fn e23_parent_and_child_are_cancelled_by_the_tag_they_share() {
    for bed in beds(kit).await {
        let run = bed.workflow::<parent>("1").tag("family");
        let run = run.start("family".into()).await.unwrap();
        bed.rest().await;
        let cancel = trunkline::core::peer::Action::Cancel {
            reason: "enough".into(),
        };
        let told = bed.client().act_on_tagged("lasting", "family", cancel);
        assert_eq!(told.await.unwrap(), 1, "the child");
        let error = run.result().await.unwrap_err();
        assert!(matches!(error, RunError::Failed(..)), "{error:?}");
        assert_eq!(running(&bed, "family").await, 0);
    }
}
