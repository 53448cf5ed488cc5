//! The switchboard of a test bed: it connects clients and workers with the engine of the moment, and breaks connections.

use crate::link::{Boxed, Connect, Endpoint, Inbound, Link, Outbound};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use trunkline_api::core::peer::{FromPeer, Rejection, ToPeer};
use trunkline_engine::Engine;

/// Who has a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Party {
    Client,
    Worker(usize),
}

/// See the module.
#[derive(Default)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    engine: Option<Engine>,
    lines: Vec<(Party, Arc<Line>)>,
}

impl Board {
    /// The engine that new lines lead to; without one they wait. The lines that are there are broken.
    pub(super) fn serve(&self, engine: Option<Engine>) {
        let (old, lines) = {
            let mut state = self.lock();
            let old = std::mem::replace(&mut state.engine, engine);
            (old, std::mem::take(&mut state.lines))
        };
        for (_, line) in lines {
            line.sever();
        }
        drop(old);
        self.changed.notify_waiters();
    }

    /// Breaks the lines of one party: what is on its way is lost.
    pub(super) fn sever(&self, party: Party) {
        let (severed, kept) = std::mem::take(&mut self.lock().lines)
            .into_iter()
            .partition::<Vec<_>, _>(|(of, _)| *of == party);
        self.lock().lines.extend(kept);
        for (_, line) in severed {
            line.sever();
        }
    }

    /// Where a party connects.
    pub(super) fn endpoint(self: &Arc<Self>, party: Party) -> Endpoint {
        Endpoint::new("test bed", Socket(Arc::clone(self), party))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where one party connects.
struct Socket(Arc<Board>, Party);

impl Socket {
    async fn open(&self) -> Result<Link, Rejection> {
        loop {
            // Before the look, or the change could be missed.
            let changed = self.0.changed.notified();
            let engine = self.0.lock().engine.clone();
            if let Some(engine) = engine.filter(|engine| !engine.has_ended()) {
                let link = Endpoint::embedded(&engine).connect().await?;
                let (severed, is_severed) = watch::channel(false);
                let line = Arc::new(Line {
                    outbound: Mutex::new(Some(link.outbound)),
                    severed,
                });
                self.0.lock().lines.push((self.1, Arc::clone(&line)));
                return Ok(Link {
                    outbound: line,
                    inbound: Box::new(LineInbound {
                        inbound: link.inbound,
                        is_severed,
                    }),
                });
            }
            // An engine that fails by itself is replaced later.
            let _ = tokio::time::timeout(Duration::from_millis(20), changed).await;
        }
    }
}

impl Connect for Socket {
    fn connect(&self) -> Boxed<'_, Result<Link, Rejection>> {
        Box::pin(self.open())
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

/// A line: a link that can be broken.
struct Line {
    outbound: Mutex<Option<Arc<dyn Outbound>>>,
    severed: watch::Sender<bool>,
}

impl Line {
    fn sever(&self) {
        self.severed.send_replace(true);
        // With it goes the session: the engine knows at once.
        drop(self.outbound().take());
    }

    fn outbound(&self) -> MutexGuard<'_, Option<Arc<dyn Outbound>>> {
        self.outbound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbound for Line {
    fn send(&self, batch: Vec<FromPeer>) {
        let outbound = self.outbound().clone();
        if let Some(outbound) = outbound {
            outbound.send(batch);
        }
    }

    fn close(&self) -> Boxed<'_, ()> {
        self.sever();
        Box::pin(std::future::ready(()))
    }
}

struct LineInbound {
    inbound: Box<dyn Inbound>,
    is_severed: watch::Receiver<bool>,
}

impl Inbound for LineInbound {
    fn recv(&mut self) -> Boxed<'_, Option<Vec<ToPeer>>> {
        Box::pin(async move {
            let Self {
                inbound,
                is_severed,
            } = self;
            tokio::select! {
                biased;
                // An error means that the line is gone.
                _ = is_severed.wait_for(|severed| *severed) => None,
                batch = inbound.recv() => batch,
            }
        })
    }
}
