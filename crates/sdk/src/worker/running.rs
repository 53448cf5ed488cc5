//! A worker in the background.

use crate::client::ClientError;
use std::fmt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trunkline_api::core::code::Code;
use trunkline_api::core::peer::Rejection;

/// A worker that runs in the background, as [`Worker::start`](super::Worker::start) gives it. Dropping it stops the worker.
#[must_use = "dropping it stops the worker"]
pub struct RunningWorker {
    pub(super) stop: oneshot::Sender<()>,
    pub(super) ended: JoinHandle<Result<(), ClientError>>,
}

impl RunningWorker {
    /// Stops the worker: it takes no new work, finishes what it has, and is gone when this returns.
    ///
    /// # Errors
    /// Why the worker had ended before.
    pub async fn stop(self) -> Result<(), ClientError> {
        drop(self.stop);
        ended(self.ended.await)
    }

    /// Waits until the worker ends by itself.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn wait(self) -> Result<(), ClientError> {
        let ended_by_itself = ended(self.ended.await);
        drop(self.stop);
        ended_by_itself
    }
}

pub(super) fn ended(
    result: Result<Result<(), ClientError>, tokio::task::JoinError>,
) -> Result<(), ClientError> {
    result.unwrap_or_else(|error| {
        Err(Rejection::new(Code::Internal, format!("the worker is gone: {error}")).into())
    })
}

impl fmt::Debug for RunningWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunningWorker(ended: {})", self.ended.is_finished())
    }
}
