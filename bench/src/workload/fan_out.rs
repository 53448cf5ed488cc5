//! W2: one run with a thousand tasks in parallel.

use super::{Outcome, Stretch};
use crate::bed::Bed;
use crate::measurement::Measurement;
use crate::program::FanOut;

const TASKS: u32 = 1_000;

/// Seconds from the start of the run until its result is there. A small run before it warms everything up.
pub(super) async fn joined(bed: &Bed) -> Outcome<Measurement> {
    one(bed, "w2-warm", 10).await?;
    let stretch = Stretch::begin(bed)?;
    one(bed, "w2", TASKS).await?;
    stretch.end(bed, "W2", u64::from(TASKS))
}

async fn one(bed: &Bed, id: &str, tasks: u32) -> Outcome<()> {
    let run = bed.client().workflow::<FanOut>(id).start(tasks).await?;
    let joined = run.result().await?;
    if joined != tasks {
        return Err(format!("{joined} tasks were joined, not {tasks}").into());
    }
    Ok(())
}
