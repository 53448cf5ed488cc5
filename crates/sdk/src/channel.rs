//! Signal channels: the typed inboxes of a run.

use crate::cx::Cx;
use crate::error::{Cancelled, Error};
use crate::fault::Report;
use crate::ledger::{Accepts, Ledger, Settled, WaitId};
use crate::payload;
use crate::timer::Sleep;
use crate::workflow::Field;
use futures_util::Stream;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use trunkline_api::core::payload::Payload;

/// A field of a workflow: a durable inbox, buffered from the start of the run. A signal that arrives before anybody
/// receives waits there, and is never lost while the run exists.
///
/// Each signal goes to one receiver. If several wait, it goes to that which began to wait first among those that accept it
/// ([`recv_where`](Self::recv_where)); a receiver that comes later takes the oldest signal that nobody has accepted. How
/// many signals wait ([`len`](Self::len)) is, like everything here, the same on every replay.
///
/// Signals are bounded with the run's history, of which they are part: one that no longer fits is refused with `TL0015`.
pub struct Channel<T> {
    name: &'static str,
    ledger: Option<Rc<Ledger>>,
    types: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Channel<T> {
    /// Waits for the next signal.
    pub fn recv(&self) -> Recv<'_, T> {
        Recv {
            channel: self,
            wait: None,
            accepts: None,
        }
    }

    /// Waits for the next signal that `accepts` says yes to. Others, and those that are not a `T`, stay in the channel.
    ///
    /// The predicate sees signals as they come: it must not depend on anything but the signal.
    pub fn recv_where(&self, accepts: impl Fn(&T) -> bool + 'static) -> Recv<'_, T> {
        Recv {
            channel: self,
            wait: None,
            accepts: Some(accepting(accepts)),
        }
    }

    /// All signals that come, as a stream: for `while let Some(signal) = signals.next().await`. It ends only with an error.
    pub fn signals(&self) -> Signals<'_, T> {
        Signals { recv: self.recv() }
    }

    /// Waits for the next signal, at most so long: then it is `None`. If a signal is there, no timer is set.
    pub fn recv_timeout(&self, span: Duration) -> RecvTimeout<'_, T> {
        RecvTimeout {
            recv: self.recv(),
            span,
            sleep: None,
        }
    }

    /// The next signal, if there is one.
    ///
    /// # Errors
    /// [`RecvError::Mismatch`] if it is not a `T`; it is taken from the channel nevertheless.
    pub fn try_recv(&self) -> Result<Option<T>, RecvError> {
        self.take(None)
    }

    /// The next signal that `accepts` says yes to, if there is one.
    #[must_use]
    pub fn try_recv_where(&self, accepts: impl Fn(&T) -> bool + 'static) -> Option<T> {
        self.take(Some(&accepting(accepts))).ok().flatten()
    }

    fn take(&self, accepts: Option<&Accepts>) -> Result<Option<T>, RecvError> {
        let taken = self.ledger().take_signal(self.name, accepts);
        taken.map(|signal| decoded(&signal)).transpose()
    }

    /// How many signals wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ledger().signals(self.name)
    }

    /// True if no signal waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if a signal waits, so that [`recv`](Self::recv) would not.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_empty()
    }
}

fn decoded<T: DeserializeOwned>(signal: &Payload) -> Result<T, RecvError> {
    payload::decode(signal).map_err(|f| RecvError::Mismatch(Report(f)))
}

fn accepting<T: DeserializeOwned>(accepts: impl Fn(&T) -> bool + 'static) -> Accepts {
    Rc::new(move |signal| payload::decode(signal).is_ok_and(|value| accepts(&value)))
}

impl<T> Channel<T> {
    /// The channel's name: that of the field.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn ledger(&self) -> &Rc<Ledger> {
        self.ledger
            .as_ref()
            .expect("only the code of a run receives; clients see the name alone")
    }
}

impl<T> Field for Channel<T> {
    fn bind(name: &'static str, ledger: Option<&Rc<Ledger>>) -> Self {
        Self {
            name,
            ledger: ledger.cloned(),
            types: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", self.name)
    }
}

/// Why there is no signal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecvError {
    /// The run was asked to cancel.
    Cancelled,
    /// A signal arrived that is not of the channel's type. It is gone from the channel; the next receive sees the next.
    Mismatch(Report),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => Cancelled.fmt(f),
            Self::Mismatch(report) => report.fmt(f),
        }
    }
}

impl std::error::Error for RecvError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Cancelled => Some(&Cancelled),
            Self::Mismatch(report) => Some(report),
        }
    }
}

impl RecvError {
    /// The same as the general error.
    #[must_use]
    pub fn into_error(self) -> Error {
        self.into()
    }
}

/// The future of [`Channel::recv`] and [`Channel::recv_where`].
#[must_use = "nothing is received until it is awaited"]
pub struct Recv<'a, T> {
    channel: &'a Channel<T>,
    wait: Option<WaitId>,
    accepts: Option<Accepts>,
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recv({})", self.channel.name)
    }
}

impl<T: DeserializeOwned> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ledger = self.channel.ledger();
        if self.wait.is_none() {
            if let Some(taken) = self.channel.take(self.accepts.as_ref()).transpose() {
                return Poll::Ready(taken);
            }
            let receiver = (self.channel.name, self.accepts.clone());
            self.wait = Some(ledger.open_local(Some(receiver)));
        }
        let Some(wait) = self.wait else {
            return Poll::Pending;
        };
        let Poll::Ready(settled) = ledger.poll_wait(wait, context.waker()) else {
            return Poll::Pending;
        };
        self.close();
        Poll::Ready(match settled {
            Settled::Signal(signal) => decoded(&signal.payload),
            _ => Err(RecvError::Cancelled),
        })
    }
}

impl<T> Recv<'_, T> {
    fn close(&mut self) {
        if let Some(wait) = self.wait.take() {
            let name = self.channel.name;
            self.channel.ledger().close_local(Some(name), wait);
        }
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        self.close();
    }
}

/// The signals of a channel, one after the other: [`Channel::signals`].
#[derive(Debug)]
#[must_use = "nothing is received until it is asked for the next"]
pub struct Signals<'a, T> {
    recv: Recv<'a, T>,
}

impl<T: DeserializeOwned> Signals<'_, T> {
    /// Waits for the next signal. For loops without `futures::StreamExt`.
    pub async fn next(&mut self) -> Option<Result<T, RecvError>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T: DeserializeOwned> Stream for Signals<'_, T> {
    type Item = Result<T, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let channel = self.recv.channel;
        Pin::new(&mut self.recv).poll(context).map(|received| {
            self.recv = channel.recv();
            Some(received)
        })
    }
}

/// The future of [`Channel::recv_timeout`].
#[derive(Debug)]
#[must_use = "nothing is received until it is awaited"]
pub struct RecvTimeout<'a, T> {
    recv: Recv<'a, T>,
    span: Duration,
    sleep: Option<Sleep>,
}

impl<T: DeserializeOwned> Future for RecvTimeout<'_, T> {
    type Output = Result<Option<T>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(signal) = Pin::new(&mut self.recv).poll(context) {
            return Poll::Ready(signal.map(Some));
        }
        let Self { recv, span, sleep } = &mut *self;
        let start = || Cx::new(Rc::clone(recv.channel.ledger())).sleep(*span);
        let sleep = sleep.get_or_insert_with(start);
        Pin::new(sleep).poll(context).map(|fired| {
            fired
                .map(|()| None)
                .map_err(|Cancelled| RecvError::Cancelled)
        })
    }
}
