//! Timers, to the millisecond of the bed's clock, and timers that are completed by hand.

use super::beds;
use trunkline::core::peer::Action;
use trunkline::prelude::*;
use trunkline::testing::{TestBed, TestKit};
use trunkline::{RunHandle, WhichTimers};

#[derive(Debug, Workflow)]
struct Clock {
    stop: Channel<String>,
    slept: Prop<u32>,
}

#[workflow]
impl Clock {
    #[run]
    async fn run(&self, cx: Cx, what: (String, u64)) -> Result<String> {
        let (what, ms) = what;
        let began = cx.now();
        match what.as_str() {
            "span" => cx.sleep(millis(ms)).await?,
            "instant" => cx.sleep_until(began.plus_ms(ms)).await?,
            _ => {
                return Ok(select! {
                    slept = cx.sleep(millis(ms)) => { slept?; "timer".into() }
                    text = self.stop.recv() => text?,
                });
            }
        }
        Ok((cx.now().0 - began.0).to_string())
    }

    #[method]
    async fn nap(&self, cx: Cx, ms: u64) -> Result<()> {
        cx.sleep(millis(ms)).await?;
        self.slept.set(1);
        Ok(())
    }
}

fn kit() -> TestKit {
    TestKit::new().workflow::<Clock>()
}

async fn takes(what: &str, spans: [u64; 2]) {
    for bed in beds(kit).await {
        for ms in spans {
            let before = bed.now();
            let run = bed.workflow::<Clock>(format!("{ms}"));
            let took = run.execute((what.into(), ms)).await.unwrap();
            assert_eq!(took, ms.to_string());
            assert_eq!(bed.now(), before.plus_ms(ms), "for everybody else too");
        }
    }
}

async fn racing(bed: &TestBed) -> RunHandle<Clock> {
    let run = bed.workflow::<Clock>("1").tag("clock");
    let run = run.start(("race".into(), 3_600_000)).await.unwrap();
    bed.rest().await;
    run
}

#[tokio::test]
async fn ti1_a_span_takes_exactly_its_time() {
    takes("span", [100, 1_300]).await;
}

#[tokio::test]
async fn ti3_an_instant_is_met_exactly() {
    takes("instant", [200, 2_000]).await;
}

#[tokio::test]
async fn ti5_a_timer_wins_when_no_signal_comes() {
    for bed in beds(kit).await {
        let run = racing(&bed).await;
        assert_eq!(run.result().await.unwrap(), "timer");
    }
}

#[tokio::test]
async fn ti6_a_signal_wins_when_it_comes_in_time() {
    for bed in beds(kit).await {
        let run = racing(&bed).await;
        bed.advance_by(minutes(59)).await;
        run.send(|w| &w.stop, "signal".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "signal");
    }
}

#[tokio::test]
async fn ti7_the_timers_of_a_run_are_completed_by_hand() {
    for bed in beds(kit).await {
        let run = racing(&bed).await;
        let before = bed.now();
        assert_eq!(run.complete_timers(WhichTimers::All).await.unwrap(), 1);
        assert_eq!(run.result().await.unwrap(), "timer");
        assert_eq!(bed.now(), before);
    }
}

#[tokio::test]
async fn ti8_timers_are_completed_by_tag() {
    for bed in beds(kit).await {
        let run = racing(&bed).await;
        let completed = bed
            .client()
            .act_on_tagged("Clock", "clock", Action::CompleteTimers);
        assert_eq!(completed.await.unwrap(), 1);
        assert_eq!(run.result().await.unwrap(), "timer");
    }
}

#[tokio::test]
async fn ti9_only_the_timers_of_the_named_call_are_completed() {
    for bed in beds(kit).await {
        let run = racing(&bed).await;
        let nap = run.call(|w| w.nap(7_200_000)).start().await.unwrap();
        bed.rest().await;
        let wrong = WhichTimers::Call(nap.call() + 1);
        assert_eq!(run.complete_timers(wrong).await.unwrap(), 0);
        let right = WhichTimers::Call(nap.call());
        assert_eq!(run.complete_timers(right).await.unwrap(), 1);
        nap.result().await.unwrap();
        assert_eq!(run.prop(|w| &w.slept).await.unwrap(), Some(1));
        // The timer of the run's own code is still set, so that a signal wins.
        run.send(|w| &w.stop, "signal".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "signal");
    }
}
