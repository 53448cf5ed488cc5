//! W3: a thousand runs, each of which receives a hundred signals in order.

use super::{Outcome, Stretch};
use crate::bed::Bed;
use crate::measurement::Measurement;
use crate::program::Listener;
use tokio::task::JoinSet;

const RUNS: u32 = 1_000;
const SIGNALS: u32 = 100;

/// Each signal is sent when the one before is acknowledged; the runs check the order.
pub(super) async fn in_order(bed: &Bed) -> Outcome<Measurement> {
    let mut started = Vec::new();
    for number in 0..RUNS {
        let run = bed.client().workflow::<Listener>(format!("w3-{number}"));
        started.push(run.start(SIGNALS).await?);
    }
    let stretch = Stretch::begin(bed)?;
    let mut runs = JoinSet::new();
    for run in started {
        runs.spawn(async move {
            for number in 0..SIGNALS {
                run.send(|listener| &listener.numbers, number).await?;
            }
            let received = run.result().await?;
            if received != SIGNALS {
                return Err(format!("a run received {received} signals").into());
            }
            Outcome::Ok(())
        });
    }
    while let Some(run) = runs.join_next().await {
        run??;
    }
    stretch.end(bed, "W3", u64::from(RUNS * SIGNALS))
}
