//! Links to an engine in the same process: nothing is encoded.

use super::{Boxed, Connect, Inbound, Link, Outbound};
use std::sync::Arc;
use trunkline_api::core::peer::{FromPeer, Rejection, ToPeer};
use trunkline_engine::{Engine, Mailbox, Session};

pub(super) struct Embedded(Engine);

impl Embedded {
    pub(super) fn new(engine: &Engine) -> Self {
        Self(engine.clone())
    }
}

impl Connect for Embedded {
    fn connect(&self) -> Boxed<'_, Result<Link, Rejection>> {
        let (session, mailbox) = self.0.connect();
        Box::pin(std::future::ready(Ok(Link {
            outbound: Arc::new(Sender(session)),
            inbound: Box::new(Receiver(mailbox)),
        })))
    }
}

struct Sender(Session);

impl Outbound for Sender {
    fn send(&self, batch: Vec<FromPeer>) {
        self.0.send(batch);
    }

    fn close(&self) -> Boxed<'_, ()> {
        // The engine has what was sent.
        Box::pin(std::future::ready(()))
    }
}

struct Receiver(Mailbox);

impl Inbound for Receiver {
    fn recv(&mut self) -> Boxed<'_, Option<Vec<ToPeer>>> {
        Box::pin(self.0.recv())
    }
}
