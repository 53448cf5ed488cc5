//! The signals of a run: a buffer for each channel, and those who wait for the next one.
//!
//! Each signal goes to one receiver: to that which has waited longest among those that accept it. A signal that nobody
//! accepts waits in its channel. One that was given to a receiver that is dropped before it looked goes back to its place
//! in the channel, and is offered again.

use super::{Kind, Ledger, Settled, Wait, WaitId, Waiter};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::task::Waker;
use trunkline_api::core::payload::{Name, Payload};

/// Whether a receiver wants a signal.
pub(crate) type Accepts = Rc<dyn Fn(&Payload) -> bool>;

/// A signal, with its place among all signals of the run.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    place: u64,
    /// The index of its entry.
    index: u32,
    pub(crate) payload: Payload,
}

#[derive(Default)]
pub(super) struct Inboxes {
    by_channel: BTreeMap<Name, Inbox>,
    next: u64,
}

#[derive(Default)]
struct Inbox {
    signals: VecDeque<Signal>,
    receivers: Vec<Receiver>,
}

#[derive(Clone)]
struct Receiver {
    wait: WaitId,
    /// Absent: it takes every signal.
    accepts: Option<Accepts>,
}

impl Inboxes {
    /// An estimate of the bytes that the signals take.
    pub(super) fn bytes(&self) -> usize {
        self.by_channel
            .values()
            .flat_map(|inbox| &inbox.signals)
            .map(|signal| signal.payload.len() + 32)
            .sum()
    }

    /// The entries of the signals that nobody has received.
    pub(super) fn entries(&self) -> Vec<u32> {
        let signals = self.by_channel.values().flat_map(|inbox| &inbox.signals);
        signals.map(|signal| signal.index).collect()
    }

    fn inbox(&mut self, channel: &str) -> &mut Inbox {
        if !self.by_channel.contains_key(channel) {
            self.by_channel
                .insert(Name::from(channel), Inbox::default());
        }
        self.by_channel.get_mut(channel).expect("inserted above")
    }
}

impl Inbox {
    fn put(&mut self, signal: Signal) {
        let at = self.signals.partition_point(|s| s.place < signal.place);
        self.signals.insert(at, signal);
    }
}

impl Ledger {
    /// The oldest signal of a channel that is accepted.
    pub(crate) fn take_signal(&self, channel: &str, accepts: Option<&Accepts>) -> Option<Payload> {
        self.about_to("take a signal");
        let Some(accepts) = accepts else {
            let mut inner = self.inner.borrow_mut();
            let inbox = inner.inboxes.by_channel.get_mut(channel)?;
            return inbox.signals.pop_front().map(|signal| signal.payload);
        };
        // The code of the receiver is called with the ledger unlocked.
        let waiting: Vec<Payload> = {
            let inner = self.inner.borrow();
            let inbox = inner.inboxes.by_channel.get(channel)?;
            inbox.signals.iter().map(|s| s.payload.clone()).collect()
        };
        let at = waiting.iter().position(|payload| accepts(payload))?;
        let mut inner = self.inner.borrow_mut();
        let inbox = inner.inboxes.by_channel.get_mut(channel)?;
        inbox.signals.remove(at).map(|signal| signal.payload)
    }

    pub(crate) fn signals(&self, channel: &str) -> usize {
        let inner = self.inner.borrow();
        let inbox = inner.inboxes.by_channel.get(channel);
        inbox.map_or(0, |inbox| inbox.signals.len())
    }

    /// Opens a wait for cancellation, or for a signal of a channel.
    pub(crate) fn open_local(&self, receiver: Option<(&str, Option<Accepts>)>) -> WaitId {
        let mut inner = self.inner.borrow_mut();
        let id = inner.next_local;
        inner.next_local += 1;
        let wait = Wait {
            kind: Kind::Local,
            open: false,
            waiter: Waiter::Idle,
        };
        inner.waits.insert(id, wait);
        if let Some((channel, accepts)) = receiver {
            let receiver = Receiver { wait: id, accepts };
            inner.inboxes.inbox(channel).receivers.push(receiver);
        }
        id
    }

    /// Closes a wait of [`Ledger::open_local`]. A signal that it was given and did not look at goes back.
    pub(crate) fn close_local(&self, channel: Option<&str>, id: WaitId) {
        let mut inner = self.inner.borrow_mut();
        let wait = inner.waits.remove(&id);
        let Some(channel) = channel else {
            return;
        };
        let closed = inner.closed;
        let inbox = inner.inboxes.inbox(channel);
        inbox.receivers.retain(|receiver| receiver.wait != id);
        if let Some(Wait {
            waiter: Waiter::Settled(Settled::Signal(signal)),
            ..
        }) = wait
            && !closed
        {
            drop(inner);
            self.offer(channel, signal);
        }
    }

    /// A signal has arrived.
    pub(super) fn signal(&self, channel: &Name, payload: Payload) {
        let signal = {
            let mut inner = self.inner.borrow_mut();
            inner.inboxes.next += 1;
            Signal {
                place: inner.inboxes.next,
                index: inner.index,
                payload,
            }
        };
        self.offer(channel, signal);
    }

    /// Gives a signal to the first receiver that wants it, or keeps it.
    fn offer(&self, channel: &str, signal: Signal) {
        let receivers = self
            .inner
            .borrow_mut()
            .inboxes
            .inbox(channel)
            .receivers
            .clone();
        for receiver in receivers {
            // The code of the receiver is called with the ledger unlocked.
            let wanted = receiver
                .accepts
                .is_none_or(|accepts| accepts(&signal.payload));
            if !wanted {
                continue;
            }
            let mut inner = self.inner.borrow_mut();
            let Some(wait) = inner.waits.get_mut(&receiver.wait) else {
                continue;
            };
            if !matches!(wait.waiter, Waiter::Idle | Waiter::Awaited { .. }) {
                continue;
            }
            let settled = Waiter::Settled(Settled::Signal(signal));
            let before = std::mem::replace(&mut wait.waiter, settled);
            let inbox = inner.inboxes.inbox(channel);
            inbox.receivers.retain(|other| other.wait != receiver.wait);
            drop(inner);
            if let Waiter::Awaited { waker, .. } = before {
                Waker::wake(waker);
            }
            return;
        }
        self.inner.borrow_mut().inboxes.inbox(channel).put(signal);
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({})", self.wait)
    }
}
