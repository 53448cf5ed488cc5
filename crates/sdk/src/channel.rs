//! Signal channels: the typed inboxes of a run.

use crate::cx::Cx;
use crate::error::{Cancelled, Error};
use crate::fault::Report;
use crate::ledger::{Ledger, Settled, WaitId};
use crate::payload;
use crate::timer::Sleep;
use crate::workflow::Field;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A field of a workflow: a durable inbox, buffered from the start of the run. A signal that arrives before anybody
/// receives waits there.
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
        }
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
        self.ledger()
            .take_signal(self.name)
            .map(|signal| payload::decode(&signal).map_err(|f| RecvError::Mismatch(Report(f))))
            .transpose()
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

/// The future of [`Channel::recv`].
#[derive(Debug)]
#[must_use = "nothing is received until it is awaited"]
pub struct Recv<'a, T> {
    channel: &'a Channel<T>,
    wait: Option<WaitId>,
}

impl<T: DeserializeOwned> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ledger = self.channel.ledger();
        if let Some(wait) = self.wait
            && let Poll::Ready(Settled::Cancelled) = ledger.poll_wait(wait, context.waker())
        {
            self.close();
            return Poll::Ready(Err(RecvError::Cancelled));
        }
        match self.channel.try_recv() {
            Ok(Some(value)) => {
                self.close();
                Poll::Ready(Ok(value))
            }
            Err(error) => {
                self.close();
                Poll::Ready(Err(error))
            }
            Ok(None) if self.wait.is_some() => Poll::Pending,
            Ok(None) => {
                let wait = ledger.open_local(Some(self.channel.name));
                self.wait = Some(wait);
                match ledger.poll_wait(wait, context.waker()) {
                    Poll::Ready(Settled::Cancelled) => {
                        self.close();
                        Poll::Ready(Err(RecvError::Cancelled))
                    }
                    Poll::Ready(_) | Poll::Pending => Poll::Pending,
                }
            }
        }
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
