//! Continuing as new: how a run that lives for ever keeps its history short.

use crate::cx::Cx;
use crate::payload;
use crate::workflow::Workflow;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use trunkline_api::core::payload::Payload;

/// The future of [`Cx::continue_as_new`]: it never ends, because the code that awaits it does not go on.
#[must_use = "nothing happens until it is awaited: `return cx.continue_as_new::<Self>(input).await`"]
pub struct ContinueAsNew<W> {
    cx: Cx,
    input: Option<Payload>,
    types: PhantomData<fn() -> W>,
}

impl<W: Workflow> ContinueAsNew<W> {
    pub(crate) fn new(cx: &Cx, input: &W::Input) -> Self {
        let run = cx.run_id();
        assert!(
            W::NAME == &*run.workflow,
            "`{run}` cannot continue as a run of `{}`",
            W::NAME
        );
        let input = payload::encode(input)
            .unwrap_or_else(|failure| panic!("the argument to continue with: {}", failure.message));
        Self {
            cx: cx.clone(),
            input: Some(input),
            types: PhantomData,
        }
    }
}

// Nothing in it points into it.
impl<W> Unpin for ContinueAsNew<W> {}

impl<W: Workflow> Future for ContinueAsNew<W> {
    type Output = Result<W::Output, W::Error>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(input) = self.input.take() {
            self.cx.ledger.continue_as_new(input, Some(W::VERSION));
        }
        Poll::Pending
    }
}

impl<W> fmt::Debug for ContinueAsNew<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContinueAsNew({})", self.cx.run_id())
    }
}
