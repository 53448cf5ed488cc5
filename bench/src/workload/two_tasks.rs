//! W1a, W1b, W1c: runs with two tasks, one after the other.

use super::{Outcome, Stretch};
use crate::bed::Bed;
use crate::measurement::Measurement;
use crate::options::Options;
use crate::percentiles::Durations;
use crate::program::TwoTasks;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use trunkline::Client;

/// Runs of W1c.
const BURST: u32 = 20_000;
/// Time to warm up, before anything is counted.
const WARM_UP: Duration = Duration::from_secs(2);

/// The argument: 100 bytes.
fn argument() -> String {
    "x".repeat(100)
}

async fn one(client: &Client, id: String) -> Outcome<()> {
    check(&client.workflow::<TwoTasks>(id).execute(argument()).await?)
}

fn check(result: &str) -> Outcome<()> {
    if result.len() != argument().len() + 2 * "-done".len() {
        return Err(format!("a run returned {result:?}").into());
    }
    Ok(())
}

/// W1a: so many in flight all the time, counted between a warm-up and the end.
pub(super) async fn saturated(bed: &Bed, options: &Options) -> Outcome<Measurement> {
    let done = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let counting = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..options.in_flight {
        let client = bed.client().clone();
        let (done, stop, counting) = (done.clone(), stop.clone(), counting.clone());
        callers.spawn(async move {
            let mut took = Durations::default();
            for number in 0_u64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let began = Instant::now();
                one(&client, format!("w1a-{caller}-{number}")).await?;
                if counting.load(Ordering::Relaxed) {
                    took.add(began.elapsed());
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Ok(took)
        });
    }
    tokio::time::sleep(WARM_UP).await;
    counting.store(true, Ordering::Relaxed);
    let before = done.load(Ordering::Relaxed);
    let stretch = Stretch::begin(bed)?;
    tokio::time::sleep(options.duration()).await;
    let count = done.load(Ordering::Relaxed) - before;
    let mut measurement = stretch.end(bed, "W1a", count)?;
    stop.store(true, Ordering::Relaxed);
    let mut took = Durations::default();
    while let Some(caller) = callers.join_next().await {
        took.extend(caller??);
    }
    if took.count() == 0 {
        return Err("no run was completed".into());
    }
    measurement.p50_ms = took.percentile_ms(50.0);
    measurement.p99_ms = took.percentile_ms(99.0);
    Ok(measurement)
}

/// W1b: the next begins when the one before has ended.
pub(super) async fn one_by_one(bed: &Bed, options: &Options) -> Outcome<Measurement> {
    for number in 0..100 {
        one(bed.client(), format!("w1b-warm-{number}")).await?;
    }
    let mut took = Durations::default();
    let stretch = Stretch::begin(bed)?;
    let end = Instant::now() + options.duration();
    for number in 0_u64.. {
        let began = Instant::now();
        if began >= end {
            break;
        }
        one(bed.client(), format!("w1b-{number}")).await?;
        took.add(began.elapsed());
    }
    let mut measurement = stretch.end(bed, "W1b", took.count() as u64)?;
    measurement.p50_ms = took.percentile_ms(50.0);
    measurement.p99_ms = took.percentile_ms(99.0);
    Ok(measurement)
}

/// W1c: all are started at once; counted until the last result is there.
pub(super) async fn burst(bed: &Bed) -> Outcome<Measurement> {
    let stretch = Stretch::begin(bed)?;
    let mut runs = JoinSet::new();
    for number in 0..BURST {
        let client = bed.client().clone();
        runs.spawn(async move {
            let run = client.workflow::<TwoTasks>(format!("w1c-{number}"));
            check(&run.start(argument()).await?.result().await?)
        });
    }
    while let Some(run) = runs.join_next().await {
        run??;
    }
    stretch.end(bed, "W1c", u64::from(BURST))
}
