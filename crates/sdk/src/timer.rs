//! Timers in workflow code.

use crate::cx::Cx;
use crate::error::Cancelled;
use crate::ledger::{Settled, WaitId};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use trunkline_api::core::time::Timestamp;

/// A timer that runs, the future of [`Cx::sleep`]. Dropping it before it fires cancels the timer.
#[derive(Debug)]
#[must_use = "dropping a sleep cancels it"]
pub struct Sleep {
    cx: Cx,
    wait: Option<WaitId>,
}

impl Sleep {
    pub(crate) fn start(cx: &Cx, at: Timestamp) -> Self {
        let wait = Some(cx.ledger.start_timer(at));
        Self {
            cx: cx.clone(),
            wait,
        }
    }
}

impl Future for Sleep {
    type Output = Result<(), Cancelled>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(wait) = self.wait else {
            return Poll::Pending;
        };
        let Poll::Ready(settled) = self.cx.ledger.poll_wait(wait, context.waker()) else {
            return Poll::Pending;
        };
        self.wait = None;
        Poll::Ready(match settled {
            Settled::Cancelled => Err(Cancelled),
            _ => Ok(()),
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(wait) = self.wait {
            self.cx.ledger.let_go(wait);
        }
    }
}
