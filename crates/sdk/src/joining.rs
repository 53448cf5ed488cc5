//! What `join!` and `try_join!` are made of.

use crate::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that keeps its result until all others are done.
pub struct Joined<F: Future> {
    future: Option<Pin<Box<F>>>,
    result: Option<F::Output>,
}

/// Wraps a future of `join!`.
pub fn joined<F: Future>(future: F) -> Joined<F> {
    Joined {
        future: Some(Box::pin(future)),
        result: None,
    }
}

impl<F: Future> Unpin for Joined<F> {}

impl<F: Future> fmt::Debug for Joined<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Joined(done: {})", self.result.is_some())
    }
}

impl<F: Future> Joined<F> {
    /// Polls the future if it is not done.
    pub fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.future else {
            return Poll::Ready(());
        };
        let Poll::Ready(result) = future.as_mut().poll(context) else {
            return Poll::Pending;
        };
        // Dropped at once, as an await would.
        self.future = None;
        self.result = Some(result);
        Poll::Ready(())
    }

    /// The result, once.
    ///
    /// # Panics
    /// If the future is not done.
    pub fn take(mut self: Pin<&mut Self>) -> F::Output {
        self.result.take().expect("taken once, when all are done")
    }
}

/// The same for futures that may fail.
pub struct Fallible<F: Future>(Joined<F>);

/// Wraps a future of `try_join!`.
pub fn fallible<T, E: Into<Error>, F: Future<Output = Result<T, E>>>(future: F) -> Fallible<F> {
    Fallible(joined(future))
}

impl<F: Future> fmt::Debug for Fallible<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T, E: Into<Error>, F: Future<Output = Result<T, E>>> Fallible<F> {
    /// Polls the future if it is not done, and gives its error.
    pub fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Error>> {
        if Pin::new(&mut self.0).poll(context).is_pending() {
            return Poll::Pending;
        }
        match self.0.result.take() {
            Some(Err(error)) => Poll::Ready(Some(error.into())),
            ok => {
                self.0.result = ok;
                Poll::Ready(None)
            }
        }
    }

    /// The value, once.
    ///
    /// # Panics
    /// If the future is not done.
    pub fn take(mut self: Pin<&mut Self>) -> T {
        match self.0.result.take() {
            Some(Ok(value)) => value,
            _ => unreachable!("taken once, when all are done and none has failed"),
        }
    }
}
