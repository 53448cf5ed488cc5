//! Time-outs of runs, children and tasks.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use trunkline::core::failure::FailureKind;
use trunkline::prelude::*;
use trunkline::testing::TestKit;
use trunkline::{RunError, Worker};

#[workflow]
async fn dozing(cx: Cx, ms: u64) -> Result<u64> {
    cx.sleep(millis(ms)).await?;
    Ok(ms)
}

#[workflow]
async fn waiting(cx: Cx, (what, ms): (String, u64)) -> Result<i64> {
    let errands = cx.service::<ErrandsStub>();
    let child = || cx.child::<dozing>(format!("{}-child", cx.run_id().id));
    let whole = |ms: u64| i64::try_from(ms).unwrap();
    Ok(match what.as_str() {
        "child" => whole(child().timeout(secs(1)).start(ms).await?),
        "child, caught" => match child().timeout(secs(1)).start(ms).await {
            Err(ChildError::TimedOut(_)) => -1,
            other => whole(other?),
        },
        "child, impatient" => {
            let child = cx.defer(child().start(ms));
            let first = select! {
                done = child.clone() => whole(done?),
                slept = cx.sleep(secs(1)) => { slept?; -1 }
            };
            assert_eq!(first, -1);
            whole(child.await?)
        }
        "total" => whole(errands.takes(ms).total_timeout(millis(100)).await?),
        "attempt" => {
            let call = errands.takes(ms).retry(Retry::never());
            whole(call.timeout(millis(100)).await?)
        }
        "caught" => match errands.takes(ms).total_timeout(millis(100)).await {
            Err(TaskError::TimedOut(_)) => -1,
            other => whole(other?),
        },
        "overstays" => {
            let call = errands.overstays().retry(Retry::never());
            call.timeout(millis(100)).grace(secs(10)).await?;
            0
        }
        _ => whole(cx.step("dozing", move || async move { Ok(ms) }).await?),
    })
}

fn kit_with(runner: &Runner) -> TestKit {
    TestKit::new()
        .service(runner.clone().into_service())
        .workflow::<dozing>()
        .workflow::<waiting>()
}

fn kit() -> TestKit {
    kit_with(&Runner::default())
}

async fn comes_to(what: &str, ms: u64, result: i64) {
    for bed in beds(kit).await {
        let run = bed
            .workflow::<waiting>("1")
            .execute((what.into(), ms))
            .await;
        assert_eq!(run.unwrap(), result, "{what}");
    }
}

/// What fails, from the outside to the inside: names of runs and tasks.
async fn fails(what: &str, ms: u64, sites: &[&str]) {
    for bed in beds(kit).await {
        let run = bed
            .workflow::<waiting>("1")
            .execute((what.into(), ms))
            .await;
        let error = run.unwrap_err();
        assert!(matches!(error, RunError::Failed(..)), "{error:?}");
        let found: Vec<String> = error
            .chain()
            .filter_map(|link| link.site.as_ref())
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, sites, "{error}");
    }
}

#[tokio::test]
async fn to1_a_child_over_its_time_out_fails_its_parent() {
    fails("child", 2_000, &["run dozing/1-child"]).await;
}

#[tokio::test]
async fn to2_a_run_over_its_time_out_ends_and_its_caller_hears_it() {
    for bed in beds(kit).await {
        let before = bed.now();
        let run = bed.workflow::<dozing>("1").timeout(secs(1));
        let error = run.execute(2_000).await.unwrap_err();
        assert!(matches!(error, RunError::TimedOut(_)), "{error:?}");
        assert_eq!(bed.now(), before.plus_ms(1_000), "the run itself is over");
    }
}

#[tokio::test]
async fn to3_what_ends_within_its_time_out_is_well() {
    comes_to("child", 999, 999).await;
    for bed in beds(kit).await {
        let run = bed.workflow::<dozing>("1").timeout(secs(1));
        assert_eq!(run.execute(999).await.unwrap(), 999);
    }
}

#[tokio::test]
async fn to5_the_time_out_of_a_child_is_caught() {
    comes_to("child, caught", 2_000, -1).await;
}

#[tokio::test]
async fn to6_a_wait_may_be_shorter_than_the_child_lives() {
    comes_to("child, impatient", 2_000, 2_000).await;
}

#[tokio::test]
async fn to7_a_task_over_its_total_time_out_fails_with_its_names() {
    fails("total", 1_000, &["task Errands.takes"]).await;
}

#[tokio::test]
async fn to8_a_task_within_its_time_outs_is_well() {
    comes_to("total", 99, 99).await;
    comes_to("attempt", 99, 99).await;
}

#[tokio::test]
async fn to9_a_task_sees_that_its_time_is_over() {
    let runner = Runner::default();
    for bed in beds(|| kit_with(&runner)).await {
        let run = bed.workflow::<waiting>("1");
        let error = run.execute(("overstays".into(), 0)).await.unwrap_err();
        assert!(matches!(error, RunError::Failed(..)), "{error:?}");
        // What it returned within its grace did not count, and it has had its grace.
        let mut seen = runner.seen();
        seen.sort();
        assert_eq!(seen, ["called back", "timed out"]);
        runner.seen.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn to10_an_attempt_over_its_time_out_fails_the_task() {
    fails("attempt", 101, &["task Errands.takes"]).await;
}

#[tokio::test]
async fn to12_the_time_out_of_a_task_is_caught() {
    comes_to("caught", 1_000, -1).await;
}

#[tokio::test]
async fn to13_a_run_that_a_time_out_failed_is_retried() {
    for mode in crate::house::MODES {
        // The task hangs as long as the first worker is there.
        let mut house = crate::house::House::without_worker().await;
        let hanging = Service::new("Errands").task("takes", |_, _: u64| async {
            std::future::pending::<()>().await;
            Ok::<_, Error>(0_u64)
        });
        let worker = |service: Service| {
            let worker = Worker::builder(&house.engine).register(service);
            worker.workflow::<waiting>().cache_runs(mode)
        };
        let (hanging, well) = (worker(hanging), worker(Runner::default().into_service()));
        house.employ(hanging).await;
        let run = house.client.workflow::<waiting>("1");
        let run = run.start(("total".into(), 1)).await.unwrap();
        let error = run.result().await.unwrap_err();
        let root = error.chain().last().unwrap();
        assert_eq!(root.kind, FailureKind::TimedOut);
        house.dismiss().await;
        house.employ(well).await;
        run.untyped().retry().await.unwrap();
        assert_eq!(run.result().await.unwrap(), 1);
    }
}
