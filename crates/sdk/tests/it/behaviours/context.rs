//! What code knows of its run, and a task of its surroundings.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use std::sync::atomic::Ordering;
use trunkline::RunError;
use trunkline::core::failure::FailureKind;
use trunkline::prelude::*;
use trunkline::testing::TestKit;

#[derive(Debug, Workflow)]
struct Aware {
    /// Set before anything else, from the context.
    began: Prop<String>,
}

#[workflow]
impl Aware {
    #[run]
    async fn run(&self, cx: Cx, told: String) -> Result<String> {
        self.began
            .set(format!("{} version {}", cx.run_id(), cx.version()));
        let errands = cx.service::<ErrandsStub>();
        Ok(match told.as_str() {
            "tags" => {
                let begun = cx.tags().join(" ");
                cx.add_tags(["b", "d"]);
                cx.remove_tags(["a"]);
                let changed = cx.tags().join(" ");
                cx.sleep(secs(1)).await?;
                format!("{begun}, {changed}, {}", cx.tags().join(" "))
            }
            "again" => {
                cx.remove_tags(["a"]);
                cx.add_tags(["z"]);
                return cx.continue_as_new::<Self>("tags".into()).await;
            }
            "surroundings" => errands.surroundings().await?.join(" "),
            "task" => {
                let task = errands.surroundings().tag("red").tag("round");
                task.meta("colour", "green").await?.join(" ")
            }
            "brisk" => errands.brisk(99).await?.to_string(),
            "late" => errands.brisk(101).await?.to_string(),
            "late and overridden" => {
                let call = errands.brisk(101).timeout(secs(1));
                call.await?.to_string()
            }
            "stubborn" => format!("{:?}", errands.stubborn().await),
            "stubborn, once" => format!("{:?}", errands.stubborn().retry(Retry::never()).await),
            other => other.to_owned(),
        })
    }
}

fn kit_with(runner: &Runner) -> TestKit {
    TestKit::new()
        .service(runner.clone().into_service())
        .workflow::<Aware>()
}

fn kit() -> TestKit {
    kit_with(&Runner::default())
}

#[tokio::test]
async fn x1_code_knows_its_run() {
    for bed in beds(kit).await {
        let run = bed.workflow::<Aware>("order-7").start("x".into()).await;
        let run = run.unwrap();
        run.result().await.unwrap();
        let began = run.prop(|w| &w.began).await.unwrap();
        assert_eq!(began.as_deref(), Some("Aware/order-7 version 1"));
    }
}

#[tokio::test]
async fn x2_code_knows_the_tags_of_its_run() {
    for bed in beds(kit).await {
        let run = bed.workflow::<Aware>("1").tags(["c", "a"]);
        let run = run.start("tags".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "a c, b c d, b c d");
        let tags = run.describe().await.unwrap().tags;
        assert_eq!(tags.join(" "), "b c d", "and so does the index");
        let plain = bed.workflow::<Aware>("2").execute("tags".into()).await;
        assert_eq!(plain.unwrap(), ", b d, b d");
        // A run that goes on as new has the tags that it had.
        let again = bed.workflow::<Aware>("3").tags(["a", "c"]);
        let again = again.execute("again".into()).await;
        assert_eq!(again.unwrap(), "c z, b c d z, b c d z");
    }
}

#[tokio::test]
async fn x3_what_a_run_is_told_beside_its_argument_is_in_its_argument() {
    for bed in beds(kit).await {
        let told = bed.workflow::<Aware>("1").execute("of it".into()).await;
        assert_eq!(told.unwrap(), "of it");
    }
}

#[tokio::test]
async fn x4_a_task_knows_its_run() {
    for bed in beds(kit).await {
        let seen = bed
            .workflow::<Aware>("order-7")
            .execute("surroundings".into());
        assert_eq!(seen.await.unwrap(), "Aware/order-7 Errands");
    }
}

#[tokio::test]
async fn x6_a_task_knows_its_tags_and_its_meta() {
    for bed in beds(kit).await {
        let seen = bed
            .workflow::<Aware>("1")
            .tag("blue")
            .execute("task".into());
        // Its own, not the run's.
        assert_eq!(seen.await.unwrap(), "Aware/1 Errands red round green");
    }
}

#[tokio::test]
async fn x8_the_contract_sets_retries_and_the_call_overrides_them() {
    let runner = Runner::default();
    for bed in beds(|| kit_with(&runner)).await {
        runner.attempts.store(0, Ordering::SeqCst);
        let tried = bed.workflow::<Aware>("1").execute("stubborn".into()).await;
        assert!(tried.unwrap().contains("No"));
        assert_eq!(runner.attempts.swap(0, Ordering::SeqCst), 3);
        let once = bed.workflow::<Aware>("2").execute("stubborn, once".into());
        assert!(once.await.unwrap().contains("No"));
        assert_eq!(runner.attempts.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn x9_the_contract_sets_the_time_out_of_an_attempt() {
    for bed in beds(kit).await {
        let brisk = bed.workflow::<Aware>("1").execute("brisk".into()).await;
        assert_eq!(brisk.unwrap(), "99");
        let late = bed.workflow::<Aware>("2").execute("late".into()).await;
        let RunError::Failed(error, _) = late.unwrap_err() else {
            panic!("it fails");
        };
        assert_eq!(error.failure().kind, FailureKind::TimedOut, "{error}");
        let overridden = bed.workflow::<Aware>("3");
        let overridden = overridden.execute("late and overridden".into()).await;
        assert_eq!(overridden.unwrap(), "101");
    }
}
