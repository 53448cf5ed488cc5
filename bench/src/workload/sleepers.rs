//! W1d: runs that sleep five seconds. How late does the client hear of their end?

use super::{Outcome, Stretch};
use crate::bed::Bed;
use crate::measurement::Measurement;
use crate::percentiles::Durations;
use crate::program::Sleeper;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

const SLEEPERS: u32 = 10_000;
const SLEEP_MS: u64 = 5_000;

/// The lag is the client's clock when the result arrives, less the time at which the timer was due by the engine's clock. Both
/// are the same machine's.
pub(super) async fn lag(bed: &Bed) -> Outcome<Measurement> {
    let stretch = Stretch::begin(bed)?;
    let mut runs = JoinSet::new();
    for number in 0..SLEEPERS {
        let client = bed.client().clone();
        runs.spawn(async move {
            let run = client
                .workflow::<Sleeper>(format!("w1d-{number}"))
                .start(SLEEP_MS)
                .await?;
            let due = UNIX_EPOCH + Duration::from_millis(run.result().await?);
            let lag = SystemTime::now()
                .duration_since(due)
                .map_err(|_| "a sleeper woke up before it was due")?;
            Outcome::Ok(lag)
        });
    }
    let mut lags = Durations::default();
    while let Some(run) = runs.join_next().await {
        lags.add(run??);
    }
    let mut measurement = stretch.end(bed, "W1d", u64::from(SLEEPERS))?;
    // How many a second is decided by the sleep, and says nothing.
    measurement.per_s = None;
    measurement.p50_ms = lags.percentile_ms(50.0);
    measurement.p99_ms = lags.percentile_ms(99.0);
    Ok(measurement)
}
