//! Schedules with real workers: runs by the clock, over a network and in the process, through crashes.

use crate::bridge::Bridge;
use crate::house::{House, MODES};
use std::time::Duration;
use trunkline::core::code::Code;
use trunkline::core::schedule::{FireEnd, Overlap, ScheduleStatus};
use trunkline::core::time::Timestamp;
use trunkline::prelude::*;
use trunkline::testing::{BEGINNING, TestKit};
use trunkline::{ClientError, RunHandle, ScheduleHandle};

const HOUR_MS: u64 = 3_600_000;

/// Says what it was asked for, and when.
#[workflow]
async fn report(cx: Cx, about: String) -> Result<String> {
    cx.sleep(millis(1)).await?;
    Ok(format!("{about} at {}", cx.now().0))
}

/// Waits until it is cancelled.
#[workflow]
async fn endless(cx: Cx) -> Result<()> {
    cx.sleep(days(10_000)).await?;
    Ok(())
}

/// Waits until the schedule has come to it.
async fn reached(
    schedule: &ScheduleHandle,
    until: impl Fn(&ScheduleStatus) -> bool,
) -> ScheduleStatus {
    for _ in 0..3_000 {
        let status = schedule.describe().await.unwrap();
        if until(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to it: {:?}", schedule.describe().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_starts_runs_by_the_clock_over_a_network() {
    for mode in MODES {
        let house = House::without_worker().await;
        let bridge = Bridge::open(&house.engine).await;
        let worker = Worker::builder(bridge.url().as_str())
            .workflow::<report>()
            .cache_runs(mode)
            .start()
            .await
            .unwrap();
        let client = Client::connect(bridge.url().as_str()).await.unwrap();
        let schedule = client.schedule("often");
        let put = schedule
            .starts::<report>(&"stock".into())
            .every(millis(200))
            .id("report-{number}")
            .tag("by:clock")
            .overlap(Overlap::BufferAll)
            .remaining(3);
        let status = put.put().await.unwrap();
        assert_eq!(status.state.revision, 1);
        let done = reached(&schedule, |status| {
            let mut recent = status.state.recent.iter();
            status.state.counts.started == 3
                && recent.all(|fire| matches!(fire.end, FireEnd::Ended(_)))
        });
        let done = done.await;
        assert_eq!(done.state.next, None, "three were wanted");
        for (number, fire) in (1..).zip(&done.state.recent) {
            let run: RunHandle<report> = client.run(format!("report-{number}"));
            assert!(run.result().await.unwrap().starts_with("stock at "));
            assert_eq!(fire.run.as_deref(), Some(&*run.id().id));
            let tags = run.describe().await.unwrap().tags;
            assert_eq!(
                tags.iter().map(|tag| &**tag).collect::<Vec<_>>(),
                ["by:clock"]
            );
        }
        // A trigger is answered with the run, whose result can be waited for. Cut off, the client asks again, once.
        bridge.cut();
        let fired = schedule.trigger().await.unwrap();
        let said: String = fired
            .run
            .expect("nothing else runs")
            .result()
            .await
            .unwrap();
        assert!(said.starts_with("stock at "));
        let status = schedule.describe().await.unwrap();
        assert_eq!(status.state.counts.started, 4);
        schedule.delete().await.unwrap();
        let gone = schedule.describe().await.unwrap_err();
        assert_eq!(gone.code(), Code::ScheduleNotFound);
        client.close().await;
        worker.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_nightly_report_runs_once_each_night_through_crashes_and_turned_clocks() {
    // 2026-03-27 12:00 UTC; on the 29th clocks are turned forward in Berlin.
    let noon = Timestamp(1_774_612_800_000);
    let mut bed = TestKit::new()
        .workflow::<report>()
        .beginning(noon)
        .evict_after_every_turn()
        .start()
        .await;
    let schedule = bed.client().schedule("nightly");
    let put = schedule
        .starts::<report>(&"night".into())
        .cron("30 2 * * *")
        .zone("Europe/Berlin")
        .overlap(Overlap::AllowAll);
    put.put().await.unwrap();
    let mut ends = Vec::new();
    for night in 1..=4 {
        for _ in 0..24 {
            bed.advance_by(Duration::from_millis(HOUR_MS)).await;
        }
        bed.rest().await;
        let schedule = bed.client().schedule("nightly");
        let status = schedule.describe().await.unwrap();
        assert_eq!(status.state.counts.started, night);
        ends.push(status.state.recent.last().map(|fire| fire.at.0 - noon.0));
        bed.crash().await;
    }
    // 01:30 UTC on the 28th; the end of the gap, 01:00 UTC, on the 29th; 00:30 UTC from then on.
    let half = HOUR_MS / 2;
    let expected = [
        13 * HOUR_MS + half,
        37 * HOUR_MS,
        60 * HOUR_MS + half,
        84 * HOUR_MS + half,
    ];
    assert_eq!(ends, expected.map(Some));
}

#[tokio::test]
async fn what_fires_while_no_worker_is_there_runs_one_after_the_other_when_one_is() {
    let mut bed = TestKit::new().workflow::<report>().start().await;
    let schedule = bed.client().schedule("nightly");
    let put = schedule
        .starts::<report>(&"night".into())
        .cron("@daily")
        .overlap(Overlap::BufferAll);
    put.put().await.unwrap();
    bed.stop_worker(0).await;
    bed.advance_by(days(7)).await;
    assert_eq!(bed.now(), BEGINNING.plus_ms(7 * 24 * HOUR_MS));
    bed.crash().await;
    let state = schedule.describe().await.unwrap().state;
    assert_eq!((state.running.len(), state.waiting.len()), (1, 6));
    bed.start_worker(0).await;
    bed.advance_by(secs(10)).await;
    let state = schedule.describe().await.unwrap().state;
    assert_eq!((state.running.len(), state.waiting.len()), (0, 0));
    assert_eq!(state.counts.started, 7);
    let done =
        |fire: &FireEnd| matches!(fire, FireEnd::Ended(status) if status.as_str() == "completed");
    assert!(state.recent.iter().all(|fire| done(&fire.end)), "{state:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_other_lets_the_run_clean_up_before_the_next_begins() {
    for mode in MODES {
        let house = House::without_worker().await;
        let worker = Worker::builder(&house.engine)
            .workflow::<endless>()
            .cache_runs(mode)
            .start()
            .await
            .unwrap();
        let schedule = house.client.schedule("newest-only");
        let put = schedule
            .starts::<endless>(&())
            .cron("@yearly")
            .overlap(Overlap::CancelOther);
        put.put().await.unwrap();
        let first = schedule.trigger().await.unwrap().run.expect("it starts");
        reached(&schedule, |status| {
            status.state.recent[0].end == FireEnd::Running
        })
        .await;
        let second = schedule.trigger().await.unwrap();
        assert_eq!(second.end, FireEnd::Waiting);
        let status = reached(&schedule, |status| status.state.counts.started == 2).await;
        let cancelled = first.describe().await.unwrap();
        assert_eq!(cancelled.status.as_str(), "cancelled");
        assert_eq!(status.state.running.len(), 1);
        worker.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_schedule_that_is_none_is_refused_with_its_place() {
    let house = House::without_worker().await;
    let worker = Worker::builder(&house.engine).workflow::<report>();
    let worker = worker.start().await.unwrap();
    let schedule = house.client.schedule("x");
    let starts = || schedule.starts::<report>(&"x".into());
    let refused = |error: ClientError, code: Code, says: &str| {
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(says), "{error}");
    };
    let bad = starts().cron("0 9 * * MOO").put().await.unwrap_err();
    refused(
        bad,
        Code::CronInvalid,
        "`when[0].cron`, character 9: `MOO` is no weekday",
    );
    let bad = starts()
        .cron("@daily")
        .zone("Berlin")
        .put()
        .await
        .unwrap_err();
    refused(bad, Code::ZoneUnknown, "`Berlin`");
    let bad = starts().put().await.unwrap_err();
    refused(bad, Code::ScheduleInvalid, "1 to 100 rules");
    let bad = house
        .client
        .schedule("y")
        .starts::<endless>(&())
        .cron("@daily")
        .put()
        .await;
    refused(bad.unwrap_err(), Code::UnknownWorkflow, "endless");
    worker.stop().await.unwrap();
}
