//! What a handle in workflow code holds: a wait that has not ended, or the reason why nothing was asked for.

use crate::cx::Cx;
use crate::fault::cancelled_failure;
use crate::ledger::{Settled, WaitId};
use std::fmt;
use std::task::{Context, Poll, ready};
use trunkline_api::core::failure::Failure;
use trunkline_api::core::payload::Payload;

/// The state of a handle. Dropped before its end, it lets the wait go.
pub(crate) struct Pending {
    cx: Cx,
    state: State,
}

enum State {
    Waiting(WaitId),
    /// The argument could not be written, so that nothing was asked for.
    Refused(Failure),
    Done,
}

impl Pending {
    pub(crate) fn new(cx: &Cx, wait: WaitId) -> Self {
        Self {
            cx: cx.clone(),
            state: State::Waiting(wait),
        }
    }

    /// Asks with an argument, if that could be written.
    pub(crate) fn asking(
        cx: &Cx,
        argument: Result<Payload, Failure>,
        ask: impl FnOnce(Payload) -> WaitId,
    ) -> Self {
        let state = match argument {
            Ok(argument) => State::Waiting(ask(argument)),
            Err(failure) => State::Refused(failure),
        };
        Self {
            cx: cx.clone(),
            state,
        }
    }

    pub(crate) fn cx(&self) -> &Cx {
        &self.cx
    }

    /// What is waited for, as long as it is.
    pub(crate) fn wait(&self) -> Option<WaitId> {
        match self.state {
            State::Waiting(wait) => Some(wait),
            State::Refused(_) | State::Done => None,
        }
    }

    /// How it ended; the handle is used up then. A finished future that is polled again stays silent.
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Settled> {
        let settled = ready!(self.poll_on(context));
        self.end();
        Poll::Ready(settled)
    }

    /// The same for a handle that may be awaited on, which says itself when it has [ended](Self::end).
    pub(crate) fn poll_on(&self, context: &Context<'_>) -> Poll<Settled> {
        match &self.state {
            State::Waiting(wait) => self.cx.ledger.poll_wait(*wait, context.waker()),
            State::Refused(failure) => Poll::Ready(Settled::Failed(failure.clone())),
            State::Done => Poll::Pending,
        }
    }

    /// It is over, and nothing is left to let go.
    pub(crate) fn end(&mut self) {
        self.state = State::Done;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(wait) = self.wait() {
            self.cx.ledger.let_go(wait);
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Waiting(wait) => write!(f, "{wait}"),
            State::Refused(_) => f.write_str("refused"),
            State::Done => f.write_str("done"),
        }
    }
}

impl Settled {
    /// The result, for whom only results matter: a request to cancel is a failure then.
    pub(crate) fn into_result(self) -> Result<Payload, Failure> {
        match self {
            Self::Completed(value) => Ok(value),
            Self::Failed(failure) => Err(failure),
            Self::Cancelled | Self::Ready | Self::Signal(_) => Err(cancelled_failure()),
        }
    }
}
