//! The requests of a client: sent in batches, matched with their answers, sent again when the connection broke.
//!
//! Everything here may be repeated: starts and signals carry a nonce, the rest asks or sets.

use super::ClientError;
use crate::link::{Endpoint, Link};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::RequestId;
use trunkline_api::core::peer::{FromPeer, Op, Rejection, Reply, ToPeer};

const RECONNECT_MAX: Duration = Duration::from_secs(1);

type Answer = oneshot::Sender<Result<Reply, Rejection>>;

pub(super) struct Requests {
    shared: Arc<Shared>,
    connected: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    table: Mutex<Table>,
    wake: Notify,
    closing: Notify,
}

#[derive(Default)]
struct Table {
    next: u64,
    waiting: HashMap<u64, (Op, Answer)>,
    /// What has not been handed to a link yet.
    queue: Vec<FromPeer>,
    closed: bool,
    /// What was in the queue is being handed to a link.
    #[cfg(feature = "testing")]
    sending: bool,
}

impl Requests {
    pub(super) async fn connect(endpoint: Endpoint) -> Result<Self, ClientError> {
        let link = endpoint.connect().await?;
        let shared = Arc::new(Shared::default());
        let connected = tokio::spawn(keep_connected(endpoint, link, Arc::clone(&shared)));
        Ok(Self {
            shared,
            connected: Mutex::new(Some(connected)),
        })
    }

    /// Sends what is queued, closes the connection, and refuses what is not answered.
    pub(super) async fn close(&self) {
        self.shared.close();
        let connected = self
            .connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(connected) = connected {
            // A task that panicked has closed the connection too.
            let _ = connected.await;
        }
    }

    /// True if somebody waits for the end of a run, and the engine knows everything that was asked.
    #[cfg(feature = "testing")]
    pub(super) fn await_an_end(&self) -> bool {
        let table = self.shared.lock();
        let mut waiting = table.waiting.values();
        table.queue.is_empty() && !table.sending && waiting.any(|(op, _)| op.awaits_an_end())
    }

    pub(super) async fn ask(&self, op: Op) -> Result<Reply, ClientError> {
        let answer = {
            let mut table = self.shared.lock();
            if table.closed {
                return Err(ClientError::closed());
            }
            let id = table.next;
            table.next += 1;
            let (sender, answer) = oneshot::channel();
            table.waiting.insert(id, (op.clone(), sender));
            let was_empty = table.queue.is_empty();
            table.queue.push(FromPeer::Request(RequestId(id), op));
            drop(table);
            if was_empty {
                self.shared.wake.notify_one();
            }
            Unanswered {
                shared: &self.shared,
                id,
                answer,
            }
        };
        answer.wait().await
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.shared.lock().waiting.len())
    }
}

/// A request that waits for its answer. Dropped before, the answer will not be missed.
struct Unanswered<'a> {
    shared: &'a Shared,
    id: u64,
    answer: oneshot::Receiver<Result<Reply, Rejection>>,
}

impl Unanswered<'_> {
    async fn wait(mut self) -> Result<Reply, ClientError> {
        match (&mut self.answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(ClientError::closed()),
        }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.shared.lock().waiting.remove(&self.id);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
        self.closing.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Puts everything that has no answer into the queue, in its first order.
    fn queue_again(&self) {
        let mut table = self.lock();
        let mut again: Vec<(u64, Op)> = table
            .waiting
            .iter()
            .map(|(id, (op, _))| (*id, op.clone()))
            .collect();
        again.sort_unstable_by_key(|(id, _)| *id);
        table.queue = again
            .into_iter()
            .map(|(id, op)| FromPeer::Request(RequestId(id), op))
            .collect();
    }

    fn answer(&self, batch: Vec<ToPeer>) {
        let mut table = self.lock();
        let mut answered = Vec::with_capacity(batch.len());
        for message in batch {
            if let ToPeer::Reply(id, reply) = message
                && let Some((_, answer)) = table.waiting.remove(&id.0)
            {
                answered.push((answer, reply));
            }
        }
        drop(table);
        for (answer, reply) in answered {
            // Who asked may have stopped waiting.
            let _ = answer.send(reply);
        }
    }
}

impl Shared {
    /// Tells all who wait that they are not let in any more. Waiting does not help against that.
    fn refuse_all(&self, rejection: &Rejection) {
        let waiting = {
            let mut table = self.lock();
            table.queue.clear();
            std::mem::take(&mut table.waiting)
        };
        for (_, answer) in waiting.into_values() {
            // Who asked may have stopped waiting.
            let _ = answer.send(Err(rejection.clone()));
        }
    }
}

async fn keep_connected(endpoint: Endpoint, link: Link, shared: Arc<Shared>) {
    stay_connected(&endpoint, link, &shared).await;
    // Who still waits hears that nothing will come.
    shared.lock().waiting.clear();
}

async fn stay_connected(endpoint: &Endpoint, link: Link, shared: &Shared) {
    let mut link = Some(link);
    let mut delay = endpoint.patience();
    while !shared.is_closed() {
        let connected = match link.take() {
            Some(link) => Ok(link),
            None => endpoint.connect().await,
        };
        match connected {
            Ok(link) => {
                shared.queue_again();
                if serve(link, shared).await {
                    delay = endpoint.patience();
                }
                if shared.is_closed() {
                    return;
                }
                tracing::warn!(?endpoint, "the connection is gone; connecting again");
            }
            Err(rejection) => {
                tracing::warn!(reason = %rejection.detail, "cannot connect; trying again");
                if rejection.code == Code::Unauthenticated {
                    shared.refuse_all(&rejection);
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shared.closing.notified() => return,
        }
        delay = (delay * 2).min(RECONNECT_MAX);
    }
}

/// Serves one link until it breaks or the client is dropped. True if anything came back on it.
async fn serve(link: Link, shared: &Shared) -> bool {
    let Link {
        outbound,
        mut inbound,
    } = link;
    let mut heard = false;
    loop {
        let (batch, closed) = {
            let mut table = shared.lock();
            #[cfg(feature = "testing")]
            {
                table.sending = !table.queue.is_empty();
            }
            (std::mem::take(&mut table.queue), table.closed)
        };
        if !batch.is_empty() {
            outbound.send(batch);
            #[cfg(feature = "testing")]
            {
                shared.lock().sending = false;
            }
        }
        if closed {
            outbound.close().await;
            return heard;
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            batch = inbound.recv() => match batch {
                Some(batch) => {
                    heard = true;
                    shared.answer(batch);
                }
                None => return heard,
            },
        }
    }
}
