//! The worker under load: a process of its own in remote mode, a task of this one in embedded mode.

use crate::program::{AtOnce, Echo as _, FanOut, Listener, Parked, Sleeper, TwoTasks};
use crate::workload::Outcome;
use trunkline::{Endpoint, Worker};

/// A worker for the engine at `endpoint`, with everything that the workloads need. Slots for all runs of a workload, so that
/// the engine's dispatch is what limits.
pub(crate) fn worker(endpoint: impl Into<Endpoint>) -> Worker {
    Worker::builder(endpoint)
        .name("bench")
        .register(AtOnce.into_service())
        .workflow::<TwoTasks>()
        .workflow::<Sleeper>()
        .workflow::<FanOut>()
        .workflow::<Listener>()
        .workflow::<Parked>()
        .task_slots(4_096)
        .turn_slots(4_096)
}

/// Works until the process is killed.
pub(crate) async fn work(url: &str) -> Outcome<()> {
    Ok(worker(url).run().await?)
}
