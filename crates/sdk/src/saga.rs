//! Sagas: what has been done is undone, in reverse, when the rest cannot be done.
//!
//! A compensation is recorded when the step it undoes has succeeded. Compensations are ordinary durable calls: they retry
//! as their policy says (without end by default) and survive crashes; a request to cancel does not reach them.

use crate::cx::Cx;
use crate::error::{Error, Result};
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

type Compensation = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<()>>>>>;

/// The compensations of a [`Cx::saga`](crate::Cx::saga), or of one made by hand.
pub struct Saga {
    cx: Cx,
    compensations: RefCell<Vec<Compensation>>,
}

impl Saga {
    /// A saga without compensations, for code that wants to say itself when to rewind.
    #[must_use]
    pub fn new(cx: &Cx) -> Self {
        Self {
            cx: cx.clone(),
            compensations: RefCell::new(Vec::new()),
        }
    }

    /// Registers a call that undoes what has just been done. Nothing is scheduled until the saga rewinds.
    pub fn undo<C, T, E>(&self, call: C)
    where
        C: IntoFuture<Output = Result<T, E>> + 'static,
        E: Into<Error>,
    {
        self.undo_with(move || async move {
            call.into_future().await.map_err(Into::into)?;
            Ok(())
        });
    }

    /// Registers workflow code that undoes what has just been done.
    pub fn undo_with<F, Fut>(&self, compensation: F)
    where
        F: FnOnce() -> Fut + 'static,
        Fut: Future<Output = Result<()>> + 'static,
    {
        self.compensations
            .borrow_mut()
            .push(Box::new(move || Box::pin(compensation())));
    }

    /// Runs the compensations, the last registered first, one after the other, and returns `error`. One that fails for
    /// good does not stop the others; its error becomes part of the causes.
    pub async fn rewind(&self, error: Error) -> Error {
        let mut error = error;
        loop {
            let next = self.compensations.borrow_mut().pop();
            let Some(compensation) = next else {
                return error;
            };
            if let Err(failed) = self.cx.shield(compensation()).await {
                let message = format!("{error}; and a compensation failed: {failed}");
                error = error.context(message);
            }
        }
    }
}

impl fmt::Debug for Saga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Saga({})", self.compensations.borrow().len())
    }
}
