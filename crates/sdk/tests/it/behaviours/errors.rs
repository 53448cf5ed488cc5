//! What goes wrong in code, tasks and methods, and who hears of it.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner, Spilt};
use std::sync::atomic::{AtomicBool, Ordering};
use trunkline::RunError;
use trunkline::core::code::Code;
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};

/// True once the code has been mended.
static MENDED: AtomicBool = AtomicBool::new(false);

#[derive(Debug, Workflow)]
struct Fallible {
    text: Prop<String>,
    go: Channel<()>,
}

#[workflow]
impl Fallible {
    #[run]
    async fn run(&self, cx: Cx, what: String) -> Result<String> {
        let errands = cx.service::<ErrandsStub>();
        Ok(match what.as_str() {
            "lasting" => {
                self.go.recv().await?;
                self.text.get()
            }
            "error" => return Err(Error::new("Wrong", "as it is")),
            "panic" => {
                let ok = errands.concat("o".into(), "k".into()).await?;
                assert!(MENDED.load(Ordering::SeqCst), "a bug");
                ok
            }
            "caught" => match errands.refuse("rain".into()).await {
                Err(TaskError::Failed(error, _)) => format!("ko: {error}"),
                other => format!("{other:?}"),
            },
            "refused" => errands.refuse("rain".into()).await?,
            "spilt" => {
                errands.spill(3).await?;
                String::new()
            }
            "spilt inside" => {
                errands.spill_inside(3).await?;
                String::new()
            }
            "third time" => {
                let call = errands.third_time();
                call.retry(Retry::fixed(millis(1))).await?
            }
            "not awaited" => {
                errands.refuse("rain".into()).detach();
                let kept = errands.refuse("snow".into()).start();
                let ok = errands.concat("o".into(), "k".into()).await?;
                drop(kept);
                ok
            }
            "after a failure" => {
                self.text.set("ko".into());
                let set = cx.call_self::<Self, _, _>(|w| w.set("ok".into()));
                let set = set.start();
                // Later than the method.
                let failed = errands.later(String::new(), 50).await;
                assert!(failed.is_ok());
                let failed = errands.refuse("rain".into()).await;
                assert!(failed.is_err());
                set.await?;
                self.text.get()
            }
            "nobody" => {
                let call = cx.call_run::<Self, _, _>("nobody", |w| w.set("x".into()));
                match call.await {
                    Err(error) => format!("caught {}", error.failure().name),
                    Ok(()) => "somebody".into(),
                }
            }
            other => return Err(Error::new("Unknown", other.to_owned())),
        })
    }

    #[method]
    async fn set(&self, cx: Cx, text: String) -> Result<()> {
        let _ = cx;
        self.text.set(text);
        Ok(())
    }

    #[method]
    async fn errand(&self, cx: Cx) -> Result<String> {
        Ok(cx.service::<ErrandsStub>().refuse("rain".into()).await?)
    }

    #[method]
    async fn give_up(&self, cx: Cx) -> Result<()> {
        let _ = cx;
        Err(Error::new("GaveUp", "too much"))
    }
}

fn kit() -> TestKit {
    TestKit::new()
        .service(Runner::default().into_service())
        .workflow::<Fallible>()
}

async fn execute(bed: &TestBed, what: &str) -> Result<String, RunError<Error>> {
    bed.workflow::<Fallible>(format!("run of {what}"))
        .execute(what.into())
        .await
}

async fn comes_to(what: &str, result: &str) {
    for bed in beds(kit).await {
        assert_eq!(execute(&bed, what).await.unwrap(), result, "{what}");
    }
}

#[tokio::test]
async fn e1_who_waits_for_a_cancelled_run_hears_of_it() {
    for bed in beds(kit).await {
        let run = bed.workflow::<Fallible>("1").start("lasting".into()).await;
        let run = run.unwrap();
        let waiting = tokio::spawn({
            let run = run.clone();
            async move { run.result().await }
        });
        run.cancel("enough").await.unwrap();
        let error = waiting.await.unwrap().unwrap_err();
        assert!(matches!(error, RunError::Cancelled(_)), "{error:?}");
    }
}

#[tokio::test]
async fn e2_an_error_of_the_code_ends_the_run_and_a_panic_pauses_it() {
    for bed in beds(kit).await {
        let error = execute(&bed, "error").await.unwrap_err();
        let failure = error.failure().unwrap();
        assert_eq!((&*failure.name, &*failure.message), ("Wrong", "as it is"));
        MENDED.store(false, Ordering::SeqCst);
        let run = bed
            .workflow::<Fallible>("panic")
            .start("panic".into())
            .await;
        let run = run.unwrap();
        bed.rest().await;
        let paused = run.describe().await.unwrap();
        assert_eq!(paused.status, RunStatus::Paused);
        assert!(
            format!("{:?}", paused.paused_because).contains("a bug"),
            "{paused:?}"
        );
        // Mended, it goes on where it was.
        MENDED.store(true, Ordering::SeqCst);
        run.untyped().resume().await.unwrap();
        assert_eq!(run.result().await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn e3_the_failure_of_a_task_is_caught() {
    comes_to("caught", "ko: rain").await;
}

#[tokio::test]
async fn e4_the_failure_of_a_task_ends_the_run_and_keeps_its_names() {
    for bed in beds(kit).await {
        let error = execute(&bed, "refused").await.unwrap_err();
        let failure = error.failure().unwrap();
        let site = failure.site.as_ref().unwrap().to_string();
        assert_eq!(site, "task Errands.refuse");
        assert_eq!(failure.name, "Refused".into());
        assert_eq!(failure.message, "rain".into());
    }
}

#[tokio::test]
async fn e5_a_typed_error_keeps_its_fields_and_an_attempt_sees_the_one_before() {
    for bed in beds(kit).await {
        let error = execute(&bed, "spilt").await.unwrap_err();
        let spilt = error.error().unwrap().downcast::<Spilt>().unwrap();
        assert_eq!((spilt.what.as_str(), spilt.litres), ("milk", 3));
    }
    comes_to("third time", "Tripped: attempt 2").await;
}

#[tokio::test]
async fn e6_the_cause_of_an_error_keeps_its_fields() {
    for bed in beds(kit).await {
        let error = execute(&bed, "spilt inside").await.unwrap_err();
        assert!(error.to_string().contains("on the way home"), "{error}");
        let spilt = error.error().unwrap().downcast::<Spilt>().unwrap();
        assert_eq!(spilt.litres, 3);
    }
}

#[tokio::test]
async fn e7_the_failure_of_a_task_that_nobody_awaits_changes_nothing() {
    comes_to("not awaited", "ok").await;
}

#[tokio::test]
async fn e8_the_failure_of_a_task_in_a_method_is_the_callers() {
    for bed in beds(kit).await {
        let run = bed.workflow::<Fallible>("1").start("lasting".into()).await;
        let run = run.unwrap();
        let error = run.call(|w| w.errand()).await.unwrap_err();
        assert_eq!(error.failure().unwrap().name, "Refused".into());
        run.call(|w| w.set("well".into())).await.unwrap();
        run.send(|w| &w.go, ()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "well");
    }
}

#[tokio::test]
async fn e9_the_failure_of_a_methods_code_is_the_callers() {
    for bed in beds(kit).await {
        let run = bed.workflow::<Fallible>("1").start("lasting".into()).await;
        let run = run.unwrap();
        let error = run.call(|w| w.give_up()).await.unwrap_err();
        assert_eq!(error.failure().unwrap().name, "GaveUp".into());
        run.call(|w| w.set("well".into())).await.unwrap();
        run.send(|w| &w.go, ()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "well");
    }
}

#[tokio::test]
async fn e20_after_a_caught_failure_the_properties_are_those_of_now() {
    comes_to("after a failure", "ok").await;
}

#[tokio::test]
async fn e22_a_call_of_a_run_that_is_not_there_is_caught() {
    comes_to("nobody", &format!("caught {}", Code::RunNotFound)).await;
}
