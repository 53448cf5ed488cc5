//! Ways to lose work, to hang or to leak that other engines have, each shown absent: W1 and so on of
//! `docs/behaviours.md`.

use super::beds;
use super::errands::{Errands, ErrandsStub, Runner};
use trunkline::core::code::Code;
use trunkline::core::peer::RunFilter;
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::TestKit;
use trunkline::{RunError, TaskError, WhichTimers};

#[derive(Debug, Workflow)]
struct Tried {
    numbers: Channel<u32>,
    sum: Prop<u32>,
}

#[workflow]
impl Tried {
    #[run]
    async fn run(&self, cx: Cx, what: String) -> Result<u32> {
        match what.as_str() {
            // Leaves behind: the loser of a race, a task under way, and a child's time-out.
            "race" => {
                let errands = cx.service::<ErrandsStub>();
                errands.takes(3_600_000).detach();
                let late = errands.takes(7_200_000);
                late.total_timeout(hours(1)).detach();
                Ok(select! {
                    number = self.numbers.recv() => number?,
                    slept = cx.sleep(hours(2)) => { slept?; 0 }
                })
            }
            "to itself" => {
                let told = cx.send_tagged("Tried", "team", "numbers", &7).await?;
                let number = self.numbers.recv().await?;
                Ok(u32::try_from(told).unwrap_or_default() * 100 + number)
            }
            "month" => {
                cx.sleep(days(30)).await?;
                Ok(30)
            }
            "clean up" => {
                let waited = self.numbers.recv().await;
                if waited.is_err() {
                    self.sum.set(1);
                    cx.service::<ErrandsStub>().takes(1).await?;
                    self.sum.set(2);
                }
                Ok(waited?)
            }
            _ => {
                let mut count = 0;
                loop {
                    match self.numbers.recv().await? {
                        0 => return Ok(count),
                        number => {
                            count += 1;
                            self.sum.update(|sum| *sum += number);
                        }
                    }
                }
            }
        }
    }

    #[method]
    async fn give_up(&self, cx: Cx) -> Result<()> {
        let task = cx.service::<ErrandsStub>().takes(3_600_000).start();
        task.cancel();
        match task.await {
            Err(TaskError::Cancelled(_)) => Err(Error::new("GaveUp", "its own task")),
            Err(other) => Err(other.into()),
            Ok(_) => Ok(()),
        }
    }
}

fn kit() -> TestKit {
    TestKit::new()
        .service(Runner::default().into_service())
        .workflow::<Tried>()
}

#[tokio::test]
async fn w1_what_comes_late_for_a_finished_run_changes_nothing_and_is_answered() {
    for bed in beds(|| kit().retention(days(1))).await {
        let run = bed.workflow::<Tried>("1").start("race".into()).await;
        let run = run.unwrap();
        bed.rest().await;
        run.send(|w| &w.numbers, 5).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 5);
        let ended = run.describe().await.unwrap();
        bed.advance_by(hours(3)).await;
        assert_eq!(run.describe().await.unwrap(), ended, "nothing has moved");
        let refused = run.send(|w| &w.numbers, 6).await.unwrap_err();
        assert_eq!(refused.code(), Code::RunFinished);
        let refused = run.complete_timers(WhichTimers::All).await.unwrap_err();
        assert_eq!(refused.code(), Code::RunFinished);
        let refused = run.call(|w| w.give_up()).await.unwrap_err();
        assert_eq!(refused.code(), Some(Code::RunFinished));
        assert_eq!(run.result().await.unwrap(), 5, "late, and answered");
        // Forgotten, it does not come back either.
        bed.advance_by(days(2)).await;
        let refused = run.send(|w| &w.numbers, 6).await.unwrap_err();
        assert_eq!(refused.code(), Code::RunNotFound);
        let refused = run.result().await.unwrap_err();
        assert_eq!(refused.code(), Some(Code::RunNotFound));
    }
}

#[tokio::test]
async fn w2_a_run_that_is_forgotten_leaves_nothing() {
    for bed in beds(|| kit().retention(days(1))).await {
        let run = bed.workflow::<Tried>("1").tags(["team", "blue"]);
        let run = run.start("count".into()).await.unwrap();
        run.send(|w| &w.numbers, 5).await.unwrap();
        run.send(|w| &w.numbers, 0).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 1);
        bed.advance_by(days(2)).await;
        let gone = run.prop(|w| &w.sum).await.unwrap_err();
        assert_eq!(gone.code(), Code::RunNotFound);
        for tag in [None, Some("team".into()), Some("blue".into())] {
            let filter = RunFilter {
                tag,
                limit: 10,
                ..RunFilter::default()
            };
            assert_eq!(bed.client().count(filter).await.unwrap(), 0);
        }
        // The id is free again.
        let again = bed.workflow::<Tried>("1").start("month".into()).await;
        assert_eq!(again.unwrap().result().await.unwrap(), 30);
    }
}

#[tokio::test]
async fn w7_a_run_reaches_itself_by_its_own_tag() {
    for bed in beds(kit).await {
        let other = bed.workflow::<Tried>("2").tag("team");
        let other = other.start("count".into()).await.unwrap();
        let run = bed.workflow::<Tried>("1").tag("team");
        // Two were told: itself, and the other.
        assert_eq!(run.execute("to itself".into()).await.unwrap(), 207);
        other.send(|w| &w.numbers, 0).await.unwrap();
        assert_eq!(other.result().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn w8_a_timer_fires_after_a_month_without_workers_and_a_crash() {
    for mut bed in beds(kit).await {
        let run = bed.workflow::<Tried>("1").start("month".into()).await;
        let run = run.unwrap();
        bed.rest().await;
        bed.stop_worker(0).await;
        bed.advance_by(days(60)).await;
        bed.crash().await;
        bed.start_worker(0).await;
        assert_eq!(run.result().await.unwrap(), 30);
    }
}

#[tokio::test]
async fn w9_every_repeat_of_a_signals_id_is_known() {
    for bed in beds(kit).await {
        let run = bed.workflow::<Tried>("1").start("count".into()).await;
        let run = run.unwrap();
        // Each again after all the others, not only the first.
        for _ in 0..3 {
            for number in 1..=4 {
                let id = format!("event-{number}");
                run.send(|w| &w.numbers, number).id(&id).await.unwrap();
            }
        }
        run.send(|w| &w.numbers, 0).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 4);
        assert_eq!(run.prop(|w| &w.sum).await.unwrap(), Some(10));
    }
}

#[tokio::test]
async fn w9_a_method_that_gives_up_is_not_the_run() {
    for bed in beds(kit).await {
        let run = bed.workflow::<Tried>("1").start("count".into()).await;
        let run = run.unwrap();
        let error = run.call(|w| w.give_up()).await.unwrap_err();
        assert_eq!(error.failure().unwrap().name, "GaveUp".into());
        assert_eq!(run.describe().await.unwrap().status, RunStatus::Running);
        run.send(|w| &w.numbers, 0).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn w11_a_run_is_cancelled_though_its_worker_is_gone() {
    for mut bed in beds(kit).await {
        let run = bed.workflow::<Tried>("1").start("clean up".into()).await;
        let run = run.unwrap();
        bed.rest().await;
        bed.stop_worker(0).await;
        run.cancel("enough").await.unwrap();
        // It is not cancelled before its clean-up has run, which needs a worker, any worker.
        bed.start_worker(0).await;
        let error = run.result().await.unwrap_err();
        assert!(matches!(error, RunError::Cancelled(_)), "{error:?}");
        assert_eq!(run.prop(|w| &w.sum).await.unwrap(), Some(2));
        // Without any worker a run can be ended all the same.
        bed.stop_worker(0).await;
        let run = bed.workflow::<Tried>("2").start("month".into()).await;
        let run = run.unwrap();
        run.terminate("enough").await.unwrap();
        let error = run.result().await.unwrap_err();
        assert!(matches!(error, RunError::Terminated(_)), "{error:?}");
        // And a time-out ends it by itself.
        let run = bed.workflow::<Tried>("3").timeout(days(1));
        let run = run.start("month".into()).await.unwrap();
        let error = run.result().await.unwrap_err();
        assert!(matches!(error, RunError::TimedOut(_)), "{error:?}");
    }
}
