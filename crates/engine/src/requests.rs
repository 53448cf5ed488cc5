//! The engine's own requests: asked in the name of [`ENGINE`](crate::peers::ENGINE), answered to whoever awaits them.

use hashbrown::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use trunkline_core::ids::RequestId;
use trunkline_core::peer::{Rejection, Reply, ToPeer};

type Answer = Result<Reply, Rejection>;

/// Requests that await their answers.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    next: AtomicU64,
    waiting: Mutex<HashMap<RequestId, oneshot::Sender<Answer>>>,
}

/// A request that awaits its answer; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Pending<'a> {
    pub(crate) id: RequestId,
    answer: oneshot::Receiver<Answer>,
    requests: &'a Requests,
}

impl Requests {
    /// Numbers a request.
    pub(crate) fn begin(&self) -> Pending<'_> {
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let (answered, answer) = oneshot::channel();
        self.lock().insert(id, answered);
        Pending {
            id,
            answer,
            requests: self,
        }
    }

    /// Hands out answers, and leaves none.
    pub(crate) fn answer(&self, messages: &mut Vec<ToPeer>) {
        let mut waiting = self.lock();
        for message in messages.drain(..) {
            if let ToPeer::Reply(id, answer) = message
                && let Some(answered) = waiting.remove(&id)
            {
                // Whoever asked may have let go; then nobody wants to know.
                let _ = answered.send(answer);
            }
        }
    }

    /// Lets go of everyone: there will be no answers any more.
    pub(crate) fn abandon(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending<'_> {
    /// The answer; nothing if there will be none.
    pub(crate) async fn answer(mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.requests.lock().remove(&self.id);
    }
}
