//! Timers that need not be waited for.

use super::{ClientError, RunHandle, UntypedRun};
use trunkline_api::core::peer::{Op, Reply, WhichTimers};

impl UntypedRun {
    /// Has timers of the run fire now, whatever their time, and says how many.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because the run has ended.
    pub async fn complete_timers(&self, which: WhichTimers) -> Result<u32, ClientError> {
        let op = Op::CompleteTimers {
            run: self.id.clone(),
            which,
        };
        match self.client.request(op).await? {
            Reply::TimersCompleted { count } => Ok(count),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

impl<W> RunHandle<W> {
    /// Has timers of the run fire now, whatever their time, and says how many:
    /// `run.complete_timers(WhichTimers::All)`.
    ///
    /// # Errors
    /// A refusal by the engine, for instance because the run has ended.
    pub async fn complete_timers(&self, which: WhichTimers) -> Result<u32, ClientError> {
        self.untyped().complete_timers(which).await
    }
}
