//! Runs that call methods of their own, and what is left of a run.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use trunkline::core::code::Code;
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::TestKit;

#[derive(Debug, Workflow)]
struct Scribe {}

#[workflow]
impl Scribe {
    #[run]
    async fn run(&self, cx: Cx, what: String) -> Result<String> {
        let errands = cx.service::<ErrandsStub>();
        Ok(match what.as_str() {
            "task" => errands.reverse("ab".into()).await?,
            "one" | "two" => {
                let turned = cx.call_self::<Self, _, _>(|w| w.turned(what == "two"));
                let turned = turned.start();
                let both = errands.concat("2".into(), "3".into()).await?;
                both + &turned.await?
            }
            _ => {
                let turned = cx.call_self::<Self, _, _>(|w| w.turned(false));
                let turned = cx.defer(turned);
                let before = turned.is_done();
                let text = turned.clone().await?;
                format!("{before} {text} {}", turned.is_done())
            }
        })
    }

    #[method]
    async fn turned(&self, cx: Cx, further: bool) -> Result<String> {
        let errands = cx.service::<ErrandsStub>();
        let turned = errands.reverse("ab".into()).await?;
        match further {
            true => Ok(errands.concat(turned, "c".into()).await?),
            false => Ok(turned),
        }
    }
}

fn kit() -> TestKit {
    TestKit::new()
        .service(Runner::default().into_service())
        .workflow::<Scribe>()
        .retention(days(1))
}

async fn comes_to(what: &str, result: &str) {
    for bed in beds(kit).await {
        let run = bed.workflow::<Scribe>("1").start(what.into()).await;
        let run = run.unwrap();
        assert_eq!(run.result().await.unwrap(), result, "{what}");
        let described = run.describe().await.unwrap();
        assert_eq!(described.status, RunStatus::Completed);
        let open = (described.open_tasks, described.open_timers);
        assert_eq!((open, described.open_methods.len()), ((0, 0), 0));
    }
}

#[tokio::test]
async fn b1_a_run_ends_with_the_result_of_its_task_and_is_forgotten_after_its_retention() {
    comes_to("task", "ba").await;
    for bed in beds(kit).await {
        let run = bed.workflow::<Scribe>("1").start("task".into()).await;
        let run = run.unwrap();
        assert_eq!(run.result().await.unwrap(), "ba");
        bed.advance_by(hours(23)).await;
        assert_eq!(run.result().await.unwrap(), "ba", "kept for a day");
        bed.advance_by(hours(2)).await;
        let gone = run.result().await.unwrap_err();
        assert_eq!(gone.code(), Some(Code::RunNotFound));
    }
}

#[tokio::test]
async fn b2_a_run_goes_on_beside_a_method_of_its_own() {
    comes_to("one", "23ba").await;
}

#[tokio::test]
async fn b3_a_method_of_its_own_may_take_several_tasks() {
    comes_to("two", "23bac").await;
}

#[tokio::test]
async fn b4_a_deferred_method_says_whether_it_has_returned() {
    comes_to("deferred", "false ba true").await;
}
