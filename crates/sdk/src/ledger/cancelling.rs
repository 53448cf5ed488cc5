//! What ends because the run was asked to cancel, or its code no longer wants it.

use super::{By, Inner, Kind, Ledger, Settled, WaitId, Waiter, command_of};
use std::task::Waker;
use trunkline_api::core::entry::Command;
use trunkline_api::core::ids::CommandId;
use trunkline_api::core::payload::Name;

impl Inner {
    /// Has a task end, if it has not.
    pub(super) fn cancel_task(&mut self, id: WaitId) {
        let wait = self.waits.get(&id);
        if !self.closed && wait.is_some_and(|wait| wait.open && matches!(wait.kind, Kind::Task)) {
            let target = CommandId(command_of(id));
            self.commands.push(Command::CancelTask { target });
        }
    }
}

impl Ledger {
    /// Has a task end: the code no longer wants it.
    pub(crate) fn cancel_task(&self, id: WaitId) {
        self.inner.borrow_mut().cancel_task(id);
    }

    /// Ends what is awaited at this moment, once.
    pub(super) fn cancel(&self, reason: Name) {
        let mut inner = self.inner.borrow_mut();
        inner.cancel_reason.get_or_insert(reason);
        inner.cancel_children();
        let mut wakers = Vec::new();
        let (mut told, mut shielded) = (Vec::new(), Vec::new());
        let mut ended = Vec::new();
        for (id, wait) in &mut inner.waits {
            match &wait.waiter {
                Waiter::Awaited { by: By::Await, .. } => {}
                Waiter::Awaited {
                    by: By::Shield,
                    branch,
                    ..
                } => {
                    shielded.push(*branch);
                    continue;
                }
                _ => continue,
            }
            let settled = Waiter::Settled(Settled::Cancelled);
            if let Waiter::Awaited { waker, branch, .. } =
                std::mem::replace(&mut wait.waiter, settled)
            {
                wakers.push(waker);
                told.push(branch);
                ended.push(*id);
            }
        }
        for id in ended {
            inner.cancel_task(id);
        }
        shielded.sort_unstable();
        shielded.dedup();
        shielded.retain(|branch| !told.contains(branch));
        inner.cancel_owed = shielded;
        drop(inner);
        wakers.into_iter().for_each(Waker::wake);
    }
}
