//! Awaiting without being cancelled.

use crate::cx::Cx;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The future of [`Cx::shield`](crate::Cx::shield): a request to cancel does not end what is awaited inside.
#[derive(Debug)]
#[must_use = "nothing happens until it is awaited"]
pub struct Shield<F> {
    cx: Cx,
    future: Pin<Box<F>>,
}

impl<F> Shield<F> {
    pub(crate) fn new(cx: &Cx, future: F) -> Self {
        Self {
            cx: cx.clone(),
            future: Box::pin(future),
        }
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Lowered also if the code inside panics: the run is over then, but its ledger must not be left in a lie.
        struct Raised<'a>(&'a Cx);
        impl Drop for Raised<'_> {
            fn drop(&mut self) {
                self.0.ledger.lower_shield();
            }
        }
        let Self { cx, future } = &mut *self;
        cx.ledger.raise_shield();
        let raised = Raised(cx);
        let polled = future.as_mut().poll(context);
        drop(raised);
        polled
    }
}
