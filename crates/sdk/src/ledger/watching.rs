//! In which way waits are polled, and which something polls: so that a deferred result can say later that nobody awaits it any more.

use super::{Inner, Ledger, WaitId, Waiter};
use std::collections::BTreeSet;

/// In which way a future is polled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// Somebody waits for it.
    Await,
    /// The same; a request to cancel passes it by.
    Shield,
    /// Somebody has looked whether it is done, and nobody waits for it.
    Look,
}

impl Inner {
    /// In which way futures are polled at this moment.
    pub(super) fn by(&self) -> By {
        match (self.looks, self.shields) {
            (0, 0) => By::Await,
            (0, _) => By::Shield,
            _ => By::Look,
        }
    }
}

impl Ledger {
    /// From now on who polls only looks. Looks nest.
    pub(crate) fn begin_look(&self) {
        self.inner.borrow_mut().looks += 1;
    }

    pub(crate) fn end_look(&self) {
        self.inner.borrow_mut().looks -= 1;
    }

    /// From now on waits that are polled are noted, until [`end_watch`](Self::end_watch). Watches nest.
    pub(crate) fn begin_watch(&self) {
        self.inner.borrow_mut().watches.push(Vec::new());
    }

    /// The waits that were polled since the watch began.
    pub(crate) fn end_watch(&self) -> Vec<WaitId> {
        let mut inner = self.inner.borrow_mut();
        let polled = inner.watches.pop().unwrap_or_default();
        if let Some(outer) = inner.watches.last_mut() {
            outer.extend_from_slice(&polled);
        }
        polled
    }

    /// Nobody awaits these any more; who did looks at them again at most. A request to cancel passes them by.
    pub(crate) fn look_only(&self, waits: &BTreeSet<WaitId>) {
        let mut inner = self.inner.borrow_mut();
        for id in waits {
            if let Some(wait) = inner.waits.get_mut(id)
                && let Waiter::Awaited { by, .. } = &mut wait.waiter
            {
                *by = By::Look;
            }
        }
    }
}
