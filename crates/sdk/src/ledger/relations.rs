//! What the ledger knows of other runs: children, and what was asked of runs that are not.

use super::{By, Inner, Kind, Ledger, Settled, Wait, WaitId, Waiter, command_of};
use std::task::{Poll, Waker};
use trunkline_api::core::entry::{Command, Notification};
use trunkline_api::core::ids::{CommandId, RunId};
use trunkline_api::core::payload::Payload;

/// How the run is to go on as new.
#[derive(Debug)]
pub(super) struct Continuing {
    input: Payload,
    version: Option<u32>,
    /// Entries that came after the code had decided.
    unseen: Vec<u32>,
}

impl Ledger {
    /// Starts a child. `is_cancelled_too`: a request to cancel that ends the wait for it goes on to the child.
    pub(crate) fn start_child(
        &self,
        is_cancelled_too: bool,
        command: impl FnOnce(CommandId) -> Command,
    ) -> WaitId {
        self.ask(Kind::Child(is_cancelled_too), command)
    }

    /// Asks something of another run.
    pub(crate) fn ask_other(&self, command: impl FnOnce(CommandId) -> Command) -> WaitId {
        self.ask(Kind::Task, command)
    }

    /// Calls a method of a run. The run's own code may end before a call of its own methods has reached it, and the run must not.
    pub(crate) fn call_method(
        &self,
        of: &RunId,
        command: impl FnOnce(CommandId) -> Command,
    ) -> WaitId {
        let id = self.ask(Kind::Task, command);
        let mut inner = self.inner.borrow_mut();
        if *of == self.identity.id && !inner.closed {
            inner.self_calls.insert(id);
        }
        id
    }

    /// True if the run has called a method of its own that has not returned.
    pub(crate) fn has_called_itself(&self) -> bool {
        !self.inner.borrow().self_calls.is_empty()
    }

    /// Waits for a child to be accepted: ready once it is, or has ended, with a failure if it never was.
    pub(crate) fn poll_started(&self, id: WaitId, waker: &Waker) -> Poll<Option<Settled>> {
        let mut inner = self.inner.borrow_mut();
        if let Some(wait) = inner.waits.get_mut(&id) {
            match &wait.waiter {
                Waiter::Settled(Settled::Ready) => {
                    wait.waiter = Waiter::Idle;
                    return Poll::Ready(None);
                }
                // It has ended meanwhile, so it has begun. The handle finds the end.
                Waiter::Settled(Settled::Completed(_)) => return Poll::Ready(None),
                _ => {}
            }
        }
        drop(inner);
        self.poll_wait(id, waker).map(Some)
    }

    /// A child has been accepted.
    pub(super) fn child_started(&self, command: CommandId) {
        let mut inner = self.inner.borrow_mut();
        let Some(wait) = inner.waits.get_mut(&WaitId::from(command.0)) else {
            return;
        };
        if !matches!(wait.waiter, Waiter::Idle | Waiter::Awaited { .. }) {
            return;
        }
        let before = std::mem::replace(&mut wait.waiter, Waiter::Settled(Settled::Ready));
        drop(inner);
        if let Waiter::Awaited { waker, .. } = before {
            waker.wake();
        }
    }

    /// The run's own code wants to go on as new. It does when its methods have returned.
    pub(crate) fn continue_as_new(&self, input: Payload, version: Option<u32>) {
        let mut inner = self.inner.borrow_mut();
        assert!(
            inner.branch.is_none(),
            "a method cannot continue its run as new; only the run's own code can"
        );
        inner.continuing = Some(Continuing {
            input,
            version,
            unseen: Vec::new(),
        });
    }

    /// Says which entry is taken in next.
    pub(crate) fn set_index(&self, index: u32) {
        self.inner.borrow_mut().index = index;
    }

    /// True once the code wants to go on as new.
    pub(crate) fn is_continuing(&self) -> bool {
        self.inner.borrow().continuing.is_some()
    }

    /// Notes what comes in after the code has decided to go on as new: the next generation gets it. Signals are in their
    /// channels.
    pub(super) fn note_unseen(&self, notification: &Notification) {
        let mut inner = self.inner.borrow_mut();
        let index = inner.index;
        if let Some(continuing) = &mut inner.continuing
            && notification.is_from_outside()
            && !matches!(notification, Notification::Signal { .. })
        {
            continuing.unseen.push(index);
        }
    }

    /// The command with which the run goes on as new, at the end of the turn: it carries what nobody has received.
    pub(crate) fn continuation(&self) -> Option<Command> {
        let mut inner = self.inner.borrow_mut();
        let continuing = inner.continuing.take()?;
        let mut carry = inner.inboxes.entries();
        carry.extend(continuing.unseen);
        carry.sort_unstable();
        Some(Command::ContinueAsNew {
            input: continuing.input,
            version: continuing.version,
            carry,
        })
    }
}

impl Inner {
    /// A request to cancel goes on to the children that are awaited, apart from those that are to be left alone.
    pub(super) fn cancel_children(&mut self) {
        let awaited = self
            .waits
            .iter()
            .filter(|(_, wait)| matches!(wait.waiter, Waiter::Awaited { by: By::Await, .. }));
        let awaited: Vec<WaitId> = awaited.map(|(id, _)| *id).collect();
        for id in awaited {
            self.cancel_child(id);
        }
    }

    /// The same for one wait, whatever it is for.
    pub(super) fn cancel_child(&mut self, id: WaitId) {
        let is_child = |wait: &Wait| wait.open && wait.kind == Kind::Child(true);
        if !self.closed && self.waits.get(&id).is_some_and(is_child) {
            let target = CommandId(command_of(id));
            self.commands.push(Command::CancelChild { target });
        }
    }

    /// The code has seen how a wait ended. It may wait again for a child that has not ended: until that has cleaned up.
    pub(super) fn looked_at(&mut self, id: WaitId) {
        match self.waits.get_mut(&id) {
            Some(wait) if wait.open && matches!(wait.kind, Kind::Child(_)) => {
                wait.waiter = Waiter::Idle;
            }
            _ => self.let_go(id),
        }
    }
}
