//! Patches and timers: changed code, and waits that are cut short.

use crate::house::{House, MODES};
use std::time::Duration;
use trunkline::core::ids::CommandId;
use trunkline::prelude::*;
use trunkline::{WhichTimers, Worker};

mod before {
    use trunkline::prelude::*;

    #[workflow(name = "letters")]
    pub(super) async fn letters(cx: Cx) -> Result<String> {
        cx.sleep(millis(1)).await?;
        cx.sleep(hours(1)).await?;
        Ok("letter".into())
    }
}

#[workflow(name = "letters")]
async fn letters(cx: Cx) -> Result<String> {
    cx.sleep(millis(1)).await?;
    let new = cx.patched("parcels");
    cx.sleep(hours(1)).await?;
    // What was decided first holds to the end.
    Ok(format!("{new} {}", cx.patched("parcels")))
}

async fn rests(run: &trunkline::UntypedRun) {
    while run.describe().await.unwrap().open_timers == 0
        || run.describe().await.unwrap().entries < 6
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v2_a_run_that_had_come_past_a_patch_goes_the_old_way_and_a_new_one_the_new() {
    for mode in MODES {
        let mut house = House::without_worker().await;
        let worker = Worker::builder(&house.engine).workflow::<before::letters>();
        house.employ(worker).await;
        let old = house.client.workflow::<letters>("old").start(()).await;
        let old = old.unwrap();
        rests(old.untyped()).await;
        house.dismiss().await;
        let worker = Worker::builder(&house.engine).workflow::<letters>();
        house.employ(worker.cache_runs(mode)).await;
        let new = house.client.workflow::<letters>("new").start(()).await;
        let new = new.unwrap();
        rests(new.untyped()).await;
        assert_eq!(old.complete_timers(WhichTimers::All).await.unwrap(), 1);
        assert_eq!(old.result().await.unwrap(), "false false");
        assert_eq!(new.complete_timers(WhichTimers::All).await.unwrap(), 1);
        assert_eq!(new.result().await.unwrap(), "true true");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ti7_timers_are_completed_by_name_and_others_are_left_alone() {
    for mode in MODES {
        let mut house = House::without_worker().await;
        let worker = Worker::builder(&house.engine).workflow::<letters>();
        house.employ(worker.cache_runs(mode)).await;
        let run = house.client.workflow::<letters>("1").start(()).await;
        let run = run.unwrap();
        rests(run.untyped()).await;
        let wrong = run.complete_timers(WhichTimers::Call(4)).await;
        assert_eq!(wrong.unwrap(), 0);
        let fired = WhichTimers::Timer(CommandId(0));
        assert_eq!(run.complete_timers(fired).await.unwrap(), 0);
        let right = WhichTimers::Timer(CommandId(1));
        assert_eq!(run.complete_timers(right).await.unwrap(), 1);
        run.result().await.unwrap();
    }
}
