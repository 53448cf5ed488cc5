//! The test kit: time that skips, mocks, crashes, and both ways of keeping runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::testing::{BEGINNING, CrashPolicy, TestBed, TestKit, replay};

const DAY_MS: u64 = 86_400_000;

#[service]
trait Clerk {
    async fn stamp(&self, t: &TaskCx, text: String) -> Result<String>;
    async fn polls(&self, t: &TaskCx, times: u32) -> Result<u32>;
    async fn hangs(&self, t: &TaskCx) -> Result<()>;
    async fn obeys(&self, t: &TaskCx) -> Result<()>;
}

/// Fails a few times before it stamps.
#[derive(Clone, Default)]
struct Moody {
    failures: u32,
    attempts: Arc<AtomicU32>,
    /// How long it really takes.
    takes: Duration,
}

impl Clerk for Moody {
    async fn stamp(&self, t: &TaskCx, text: String) -> Result<String> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        if t.attempt() <= self.failures {
            return Err(Error::new("Moody", "not now"));
        }
        Ok(format!("{text}, stamped"))
    }

    async fn polls(&self, t: &TaskCx, times: u32) -> Result<u32> {
        for _ in 0..times {
            t.sleep(secs(1)).await;
        }
        Ok(times)
    }

    async fn hangs(&self, t: &TaskCx) -> Result<()> {
        t.sleep(Duration::MAX).await;
        Ok(())
    }

    async fn obeys(&self, t: &TaskCx) -> Result<()> {
        tokio::select! {
            () = t.sleep(Duration::MAX) => {}
            _ = t.cancelled() => {}
        }
        Ok(())
    }
}

#[derive(Debug, Workflow)]
struct Subscription {
    months: Prop<u32>,
    ended: Channel<()>,
}

#[workflow]
impl Subscription {
    #[run]
    async fn run(&self, cx: Cx, months: u32) -> Result<u32> {
        while self.months.get() < months {
            let ended = select! {
                ended = self.ended.recv() => { ended?; true }
                slept = cx.sleep(days(30)) => { slept?; false }
            };
            if ended {
                break;
            }
            self.months.update(|months| *months += 1);
        }
        Ok(self.months.get())
    }
}

#[workflow]
async fn letter(cx: Cx, text: String) -> Result<String> {
    let retry = Retry::exponential()
        .initial(hours(1))
        .max(hours(24))
        .attempts(10);
    let clerk = cx.service::<ClerkStub>();
    Ok(clerk.stamp(text).retry(retry).await?)
}

#[workflow]
async fn race(cx: Cx) -> Result<bool> {
    let stamped = cx.service::<ClerkStub>().stamp("x".into());
    Ok(select! {
        stamped = stamped => { stamped?; true }
        _ = cx.sleep(secs(1)) => false,
    })
}

#[workflow]
async fn gives_up(cx: Cx) -> Result<()> {
    let mut obeying = cx.service::<ClerkStub>().obeys().timeout(days(9)).start();
    select! {
        obeyed = &mut obeying => obeyed?,
        slept = cx.sleep(secs(1)) => slept?,
    }
    obeying.cancel();
    Ok(())
}

#[workflow]
async fn polling(cx: Cx, times: u32) -> Result<u32> {
    Ok(cx.service::<ClerkStub>().polls(times).await?)
}

#[workflow]
async fn stuck(cx: Cx) -> Result<String> {
    let hangs = cx.service::<ClerkStub>().hangs();
    match hangs.timeout(minutes(10)).retry(Retry::never()).await {
        Err(TaskError::TimedOut(report)) => Ok(report.failure().name.to_string()),
        other => Ok(format!("{other:?}")),
    }
}

#[workflow]
async fn slow_steps(cx: Cx) -> Result<u64> {
    let before = cx.now().0;
    cx.step("slow", || async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    })
    .await?;
    Ok(cx.now().0 - before)
}

fn kit(moody: &Moody) -> TestKit {
    TestKit::new()
        .service(moody.clone().into_service())
        .workflow::<Subscription>()
        .workflow::<letter>()
        .workflow::<race>()
        .workflow::<polling>()
        .workflow::<gives_up>()
        .workflow::<stuck>()
        .workflow::<slow_steps>()
}

/// Both ways of keeping runs.
async fn beds(moody: &Moody) -> [TestBed; 2] {
    [
        kit(moody).start().await,
        kit(moody).evict_after_every_turn().start().await,
    ]
}

#[tokio::test]
async fn a_workflow_with_timers_of_thirty_days_takes_no_time() {
    for bed in beds(&Moody::default()).await {
        let run = bed.workflow::<Subscription>("1").start(120).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 120);
        // To the millisecond: no real time gets into it.
        assert_eq!(bed.now(), BEGINNING.plus_ms(120 * 30 * DAY_MS));
        let history = bed.history(&run).await.unwrap();
        assert_eq!(
            history
                .kinds()
                .iter()
                .filter(|kind| *kind == "timer_fired")
                .count(),
            120
        );
        replay(&history).strict().with::<Subscription>().unwrap();
    }
}

#[tokio::test]
async fn time_stands_still_until_somebody_waits_for_an_end() {
    for bed in beds(&Moody::default()).await {
        let run = bed.workflow::<Subscription>("1").start(12).await.unwrap();
        bed.rest().await;
        assert_eq!(bed.now(), BEGINNING);
        assert_eq!(run.prop(|w| &w.months).await.unwrap(), None);

        bed.advance_by(days(29)).await;
        assert_eq!(run.prop(|w| &w.months).await.unwrap(), None);
        bed.advance_by(days(1)).await;
        assert_eq!(run.prop(|w| &w.months).await.unwrap(), Some(1));
        bed.advance_to(BEGINNING.plus_ms(95 * DAY_MS)).await;
        assert_eq!(run.prop(|w| &w.months).await.unwrap(), Some(3));

        run.send(|w| &w.ended, ()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 3);
        assert_eq!(bed.now(), BEGINNING.plus_ms(95 * DAY_MS));
    }
}

#[tokio::test]
async fn a_hold_stops_the_clock_while_somebody_waits() {
    let bed = kit(&Moody::default()).start().await;
    let run = bed.workflow::<Subscription>("1").start(1).await.unwrap();
    let hold = bed.hold();
    let ended = tokio::time::timeout(Duration::from_millis(50), run.result()).await;
    assert!(ended.is_err(), "the clock moved while it was held");
    assert_eq!(bed.now(), BEGINNING);
    drop(hold);
    assert_eq!(run.result().await.unwrap(), 1);
}

#[tokio::test]
async fn delays_between_attempts_take_no_time() {
    let moody = Moody {
        failures: 7,
        ..Moody::default()
    };
    for bed in beds(&moody).await {
        moody.attempts.store(0, Ordering::SeqCst);
        let begun = Instant::now();
        let run = bed
            .workflow::<letter>("1")
            .start("dear".into())
            .await
            .unwrap();
        assert_eq!(run.result().await.unwrap(), "dear, stamped");
        assert_eq!(moody.attempts.load(Ordering::SeqCst), 8);
        // Delays of 1, 2, 4, … hours, each with some jitter.
        assert!(bed.now() > BEGINNING.plus_ms(2 * DAY_MS), "{:?}", bed.now());
        assert!(begun.elapsed() < Duration::from_secs(3_600));
        let history = bed.history(&run).await.unwrap();
        assert_eq!(history.tasks(), ["Clerk.stamp"]);
    }
}

#[tokio::test]
async fn a_task_that_really_takes_time_holds_the_clock() {
    let moody = Moody {
        takes: Duration::from_millis(30),
        ..Moody::default()
    };
    for bed in beds(&moody).await {
        // The timer of a second is the next deadline, and the task takes its thirty milliseconds all the same.
        assert!(bed.workflow::<race>("1").execute(()).await.unwrap());
        assert_eq!(bed.now(), BEGINNING);
        assert_eq!(
            bed.workflow::<slow_steps>("1").execute(()).await.unwrap(),
            0
        );
    }
}

#[tokio::test]
async fn a_task_that_sleeps_on_its_context_is_skipped() {
    for bed in beds(&Moody::default()).await {
        let run = bed.workflow::<polling>("1").start(100).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 100);
        assert_eq!(bed.now(), BEGINNING.plus_ms(100_000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_sleeps_and_is_told_to_end_is_not_at_rest_before_it_has() {
    for bed in beds(&Moody::default()).await {
        let client = bed.client();
        for number in 0..50 {
            let run = client.workflow::<gives_up>(number.to_string());
            run.execute(()).await.unwrap();
            bed.rest().await;
            let counters = bed.engine().counters().await;
            assert_eq!(counters.tasks_in_flight, 0, "after run {number}");
        }
    }
}

#[tokio::test]
async fn a_time_out_of_a_task_that_hangs_is_skipped() {
    for bed in beds(&Moody::default()).await {
        let result = bed.workflow::<stuck>("1").execute(()).await.unwrap();
        assert_eq!(result, "TL0071");
        assert_eq!(bed.now(), BEGINNING.plus_ms(600_000));
    }
}

#[tokio::test]
async fn a_crash_inside_a_test_loses_nothing() {
    for mut bed in beds(&Moody::default()).await {
        let run = bed.workflow::<Subscription>("1").start(12).await.unwrap();
        for (month, policy) in CrashPolicy::ALL.into_iter().enumerate() {
            bed.advance_by(days(30)).await;
            bed.crash_with(policy, month as u64).await;
            bed.rest().await;
            let months = run.prop(|w| &w.months).await.unwrap();
            assert_eq!(months, Some(month as u32 + 1));
        }
        // Also while somebody waits for the end.
        let waiting = run.clone();
        let result = tokio::spawn(async move { waiting.result().await });
        bed.crash().await;
        assert_eq!(result.await.unwrap().unwrap(), 12);
        let described = run.describe().await.unwrap();
        assert_eq!(described.status, RunStatus::Completed);
        assert_eq!(bed.now(), BEGINNING.plus_ms(360 * DAY_MS));
    }
}

#[tokio::test]
async fn a_broken_worker_costs_no_attempt_and_no_time() {
    let moody = Moody {
        takes: Duration::from_millis(20),
        ..Moody::default()
    };
    for mut bed in beds(&moody).await {
        moody.attempts.store(0, Ordering::SeqCst);
        let run = bed
            .workflow::<letter>("1")
            .start("dear".into())
            .await
            .unwrap();
        while moody.attempts.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        bed.break_worker(0).await;
        assert_eq!(run.result().await.unwrap(), "dear, stamped");
        assert_eq!(moody.attempts.load(Ordering::SeqCst), 2);
        assert_eq!(bed.now(), BEGINNING);
    }
}

#[tokio::test]
async fn an_engine_that_fails_at_its_disk_is_opened_again() {
    let mut bed = kit(&Moody::default()).start().await;
    let run = bed.workflow::<Subscription>("1").start(3).await.unwrap();
    bed.advance_by(days(31)).await;
    bed.disk().stop_at(bed.disk().operations() + 3);
    let waiting = run.clone();
    let result = tokio::spawn(async move { waiting.result().await });
    bed.failed().await;
    bed.crash_with(CrashPolicy::RandomSectors, 7).await;
    assert_eq!(result.await.unwrap().unwrap(), 3);
}
