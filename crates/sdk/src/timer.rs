//! Timers in workflow code.

use crate::cx::Cx;
use crate::error::Cancelled;
use crate::ledger::Settled;
use crate::pending::Pending;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use trunkline_api::core::time::Timestamp;

/// A timer that runs, the future of [`Cx::sleep`]. Dropping it before it fires cancels the timer.
#[derive(Debug)]
#[must_use = "dropping a sleep cancels it"]
pub struct Sleep {
    pending: Pending,
}

impl Sleep {
    pub(crate) fn start(cx: &Cx, at: Timestamp) -> Self {
        let wait = cx.ledger.start_timer(at);
        Self {
            pending: Pending::new(cx, wait),
        }
    }
}

impl Future for Sleep {
    type Output = Result<(), Cancelled>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let settled = ready!(self.pending.poll(context));
        Poll::Ready(match settled {
            Settled::Cancelled => Err(Cancelled),
            _ => Ok(()),
        })
    }
}
