//! W4: a million parked runs, a kill -9, and the time until the server answers for one of them again.

use super::{Outcome, Stretch};
use crate::bed::Bed;
use crate::measurement::Measurement;
use crate::options::Options;
use crate::program::Parked;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Starts that are on their way at once.
const IN_FLIGHT: usize = 2_000;
/// Time for the last turns and a checkpoint, before anything is weighed.
const SETTLE: Duration = Duration::from_secs(5);

/// Parks the runs, weighs server and data folder, kills the server and asks the next one for the result of a run that gets
/// its signal then.
pub(super) async fn reopened(bed: &mut Bed, options: &Options) -> Outcome<Measurement> {
    let empty = bed.spent()?.server.unwrap_or_default();
    let stretch = Stretch::begin(bed)?;
    let mut starts = JoinSet::new();
    for number in 0..options.parked {
        if starts.len() >= IN_FLIGHT
            && let Some(start) = starts.join_next().await
        {
            start??;
        }
        let client = bed.client().clone();
        starts.spawn(async move {
            let run = client.workflow::<Parked>(format!("w4-{number}"));
            run.start(String::new()).await?;
            Outcome::Ok(())
        });
    }
    while let Some(start) = starts.join_next().await {
        start??;
    }
    let mut measurement = stretch.end(bed, "W4", u64::from(options.parked))?;
    tokio::time::sleep(SETTLE).await;
    let runs = f64::from(options.parked);
    let full = bed.spent()?.server.unwrap_or_default();
    measurement.server_rss_mib = Some(full.rss_bytes as f64 / f64::from(1 << 20));
    measurement.bytes_memory_per =
        Some(full.rss_bytes.saturating_sub(empty.rss_bytes) as f64 / runs);
    measurement.bytes_disk_per = Some(bed.disk_bytes()? as f64 / runs);

    let killed = Instant::now();
    bed.kill_and_restart_server()?;
    let client = bed.connect().await?;
    client.run::<Parked>("w4-0").describe().await?;
    measurement.reopen_s = Some(killed.elapsed().as_secs_f64());

    // Not measured, but a reopened run that does not move on would be no use.
    let run = client.run::<Parked>("w4-1");
    run.send(|parked| &parked.wake, "go".to_owned()).await?;
    if run.result().await? != "go" {
        return Err("a reopened run returned something else".into());
    }
    Ok(measurement)
}
