//! Deferred results: something that was begun, whose result may be awaited later, more than once, and asked for without
//! awaiting it.
//!
//! What is behind a handle counts as awaited, for a request to cancel, while somebody awaits one of its handles, and at no
//! other time: not because it was begun, looked at, or awaited in a race that something else has won.

use crate::cx::Cx;
use crate::ledger::{Ledger, WaitId};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

impl Cx {
    /// Begins something now, and gives a handle that may be cloned and awaited again: each await gives the same value.
    ///
    /// A result that may fail must have an error that can be cloned, as all errors of this crate can. A block of several
    /// operations begins with its first, and goes on while somebody awaits it or asks whether it is done.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # async fn workflow(cx: Cx) -> Result<()> {
    /// let late = cx.defer(cx.sleep(hours(1)));
    /// cx.sleep(secs(1)).await?;
    /// if !late.is_done() {
    ///     late.clone().await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It is no argument and no property, because it cannot travel; its value can.
    ///
    /// ```compile_fail,E0277
    /// # use trunkline::prelude::*;
    /// # #[service] trait Mail { async fn send(&self, t: &TaskCx, text: String) -> Result<()>; }
    /// # async fn workflow(cx: Cx) -> Result<()> {
    /// let late = cx.defer(cx.sleep(hours(1)));
    /// cx.call::<(), trunkline::Error>("Mail", "send", &late).await?;
    /// # Ok(()) }
    /// ```
    pub fn defer<F>(&self, future: F) -> Deferred<F::Output>
    where
        F: IntoFuture<Output: Clone, IntoFuture: 'static>,
    {
        let future = future.into_future();
        let deferred = Deferred {
            shared: future.boxed_local().shared(),
            begun: Rc::new(Begun {
                ledger: Rc::clone(&self.ledger),
                waits: RefCell::default(),
                awaiting: Cell::new(0),
            }),
            is_awaiting: false,
        };
        // So that a block begins too.
        let _ = deferred.peek();
        deferred
    }
}

/// What the handles of one deferred result share.
struct Begun {
    ledger: Rc<Ledger>,
    /// What it has waited for.
    waits: RefCell<BTreeSet<WaitId>>,
    /// How many handles are awaited.
    awaiting: Cell<usize>,
}

/// The handle of [`Cx::defer`].
#[must_use = "what was begun goes on, and its result is lost"]
pub struct Deferred<T: Clone> {
    shared: Shared<LocalBoxFuture<'static, T>>,
    begun: Rc<Begun>,
    /// True while this handle has been polled and has not ended.
    is_awaiting: bool,
}

impl<T: Clone> Deferred<T> {
    /// True if the result is there. The same on every replay.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.peek().is_some()
    }

    /// The result, if it is there.
    #[must_use]
    pub fn peek(&self) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        // Who looks does not wait: a request to cancel is for those who do.
        let is_look = self.begun.awaiting.get() == 0;
        match poll(&mut self.shared.clone(), &self.begun, is_look, &mut context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn stop_awaiting(&mut self) {
        if std::mem::take(&mut self.is_awaiting) {
            let left = self.begun.awaiting.get() - 1;
            self.begun.awaiting.set(left);
            if left == 0 {
                let waits = self.begun.waits.borrow();
                self.begun.ledger.look_only(&waits);
            }
        }
    }
}

fn poll<T: Clone>(
    shared: &mut Shared<LocalBoxFuture<'static, T>>,
    begun: &Begun,
    is_look: bool,
    context: &mut Context<'_>,
) -> Poll<T> {
    // Ended also if the code inside panics: the run is over then, but its ledger must not be left in a lie.
    struct Watched<'a>(&'a Begun, bool);
    impl Drop for Watched<'_> {
        fn drop(&mut self) {
            let waits = self.0.ledger.end_watch();
            self.0.waits.borrow_mut().extend(waits);
            if self.1 {
                self.0.ledger.end_look();
            }
        }
    }
    if is_look {
        begun.ledger.begin_look();
    }
    begun.ledger.begin_watch();
    let _watched = Watched(begun, is_look);
    shared.poll_unpin(context)
}

impl<T: Clone> Future for Deferred<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        if let Some(value) = this.shared.peek() {
            let value = value.clone();
            this.stop_awaiting();
            return Poll::Ready(value);
        }
        if !this.is_awaiting {
            this.is_awaiting = true;
            this.begun.awaiting.set(this.begun.awaiting.get() + 1);
        }
        // A clone stays behind, so that this handle can be awaited again.
        let behind = this.shared.clone();
        let polled = poll(&mut this.shared, &this.begun, false, context);
        if polled.is_ready() {
            this.shared = behind;
            this.stop_awaiting();
        }
        polled
    }
}

impl<T: Clone> Drop for Deferred<T> {
    fn drop(&mut self) {
        self.stop_awaiting();
    }
}

impl<T: Clone> Clone for Deferred<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            begun: Rc::clone(&self.begun),
            is_awaiting: false,
        }
    }
}

impl<T: Clone> fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deferred")
    }
}
