//! Other runs, as workflow code reaches them: by workflow and id, whoever started them.
//!
//! What is asked of them is part of the run's history and answered there. It takes effect exactly once, and the answer always comes:
//! also if there is no such run, or it has ended.

use crate::channel::Channel;
use crate::cx::Cx;
use crate::fault::{Report, cancelled_failure, code_of};
use crate::ledger::Settled;
use crate::payload;
use crate::pending::Pending;
use crate::workflow::{Workflow, names};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::Command;
use trunkline_api::core::failure::Failure;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::{Name, Payload};

/// Another run, or this one, seen from workflow code. It holds nothing of the run but its name.
#[derive(Clone)]
pub struct OtherRun<W> {
    cx: Cx,
    run: RunId,
    types: PhantomData<fn() -> W>,
}

impl<W> OtherRun<W> {
    pub(crate) fn new(cx: &Cx, run: RunId) -> Self {
        Self {
            cx: cx.clone(),
            run,
            types: PhantomData,
        }
    }

    /// The workflow and the id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.run
    }

    /// Asks the run to cancel: what it waits for ends with an error, and its clean-up runs.
    pub fn cancel(&self, reason: impl Into<Name>) -> Asking {
        Asking::cancel(&self.cx, &self.run, reason.into())
    }

    /// Sends a signal to a channel by name, for workflows that have no type here.
    pub fn send_to(&self, channel: impl Into<Name>, value: &(impl Serialize + ?Sized)) -> Asking {
        Asking::signal(&self.cx, &self.run, channel.into(), value)
    }
}

impl<W: Workflow> OtherRun<W> {
    /// Sends a signal to one of the run's channels: `other.send(|w| &w.approvals, &approval).await?`.
    pub fn send<T: Serialize + DeserializeOwned>(
        &self,
        channel: impl FnOnce(&W) -> &Channel<T>,
        value: &T,
    ) -> Asking {
        let name = channel(&names::<W>()).name();
        Asking::signal(&self.cx, &self.run, Name::from(name), value)
    }
}

impl<W> fmt::Debug for OtherRun<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OtherRun({})", self.run)
    }
}

/// Something asked of another run. It is asked at the call; await it for the answer, or [`detach`](Self::detach) it.
#[must_use = "it is asked, and the answer is lost; call `detach` to say that this is meant"]
#[derive(Debug)]
pub struct Asking {
    pending: Pending,
}

impl Asking {
    pub(crate) fn signal(
        cx: &Cx,
        run: &RunId,
        channel: Name,
        value: &(impl Serialize + ?Sized),
    ) -> Self {
        let run = run.clone();
        let pending = Pending::asking(cx, payload::encode(value), |payload| {
            cx.ledger.ask_other(|command| Command::SignalRun {
                command,
                run,
                channel,
                payload,
            })
        });
        Self { pending }
    }

    pub(crate) fn cancel(cx: &Cx, run: &RunId, reason: Name) -> Self {
        let run = run.clone();
        let wait = cx.ledger.ask_other(|command| Command::CancelRun {
            command,
            run,
            reason,
        });
        Self {
            pending: Pending::new(cx, wait),
        }
    }

    /// Does not wait for the answer.
    pub fn detach(self) {
        drop(self);
    }
}

impl Asking {
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Payload, AskError>> {
        Poll::Ready(match ready!(self.pending.poll(context)) {
            Settled::Completed(value) => Ok(value),
            Settled::Ready | Settled::Signal(_) => Ok(Payload::null()),
            Settled::Failed(failure) => Err(AskError::Refused(Report(failure))),
            Settled::Cancelled => Err(AskError::Cancelled(Report(cancelled_failure()))),
        })
    }

    fn tagged(
        cx: &Cx,
        workflow: Name,
        tag: Name,
        channel: Name,
        value: Result<Payload, Failure>,
    ) -> Self {
        let pending = Pending::asking(cx, value, |payload| {
            cx.ledger.ask_other(|command| Command::SignalTagged {
                command,
                workflow,
                tag,
                channel,
                payload,
            })
        });
        Self { pending }
    }
}

impl Future for Asking {
    type Output = Result<(), AskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_answer(context).map_ok(|_| ())
    }
}

/// A signal to all runs with a tag. It is sent at the call; await it for how many runs got it.
#[must_use = "it is sent, and the count is lost; call `detach` to say that this is meant"]
#[derive(Debug)]
pub struct SendingTagged(Asking);

impl SendingTagged {
    pub(crate) fn new(
        cx: &Cx,
        (workflow, tag): (Name, Name),
        channel: Name,
        value: &(impl Serialize + ?Sized),
    ) -> Self {
        Self(Asking::tagged(
            cx,
            workflow,
            tag,
            channel,
            payload::encode(value),
        ))
    }

    /// Does not wait for the count.
    pub fn detach(self) {
        drop(self);
    }
}

impl Future for SendingTagged {
    type Output = Result<u64, AskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_answer(context).map(|answer| {
            let count = answer?;
            payload::decode(&count).map_err(|failure| AskError::Refused(Report(failure)))
        })
    }
}

/// Why what was asked of another run was not done.
#[derive(Clone, PartialEq, Eq)]
pub enum AskError {
    /// It was refused; [`code`](Self::code) says why.
    Refused(Report),
    /// This run was asked to cancel while its code waited for the answer. It may have been done.
    Cancelled(Report),
}

impl AskError {
    /// Why: [`Code::RunNotFound`], [`Code::RunFinished`] and their like.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        code_of(self.report().failure())
    }

    fn report(&self) -> &Report {
        match self {
            Self::Refused(report) | Self::Cancelled(report) => report,
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.report(), f)
    }
}

impl fmt::Debug for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AskError({}: {self})", self.report().failure().name)
    }
}

impl StdError for AskError {
    /// The report, so that nothing is lost when the error is passed on.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.report())
    }
}
