//! Sending a signal, from a client.

use super::{ClientError, UntypedRun};
use crate::nonce::nonce;
use std::fmt;
use std::pin::Pin;
use trunkline_api::core::failure::Failure;
use trunkline_api::core::ids::Nonce;
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::peer::Op;

/// A signal to a run. Await it: it is sent, and durable when that returns.
#[must_use = "nothing is sent until it is awaited"]
pub struct SendSignal {
    run: UntypedRun,
    channel: Name,
    payload: Result<Payload, Failure>,
    nonce: Nonce,
}

impl SendSignal {
    pub(super) fn new(run: &UntypedRun, channel: Name, payload: Result<Payload, Failure>) -> Self {
        Self {
            run: run.clone(),
            channel,
            payload,
            nonce: nonce(),
        }
    }

    /// Names the signal, for instance by the id of the event that it stands for. The run takes one signal of a name, in whichever
    /// channel, and passes over the others, for as long as it lives.
    pub fn id(mut self, id: &str) -> Self {
        self.nonce = Nonce::of_id(id);
        self
    }
}

impl IntoFuture for SendSignal {
    type Output = Result<(), ClientError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let op = Op::Signal {
                run: self.run.id.clone(),
                channel: self.channel,
                payload: self.payload.map_err(ClientError::payload)?,
                nonce: self.nonce,
            };
            self.run.done(op).await
        })
    }
}

impl fmt::Debug for SendSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendSignal({}, {})", self.run.id, self.channel)
    }
}
