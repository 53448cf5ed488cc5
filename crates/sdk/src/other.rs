//! Other runs, as workflow code reaches them: by workflow and id, whoever started them.
//!
//! What is asked of them is part of the run's history and answered there. It takes effect exactly once, and the answer always comes:
//! also if there is no such run, or it has ended.

use crate::channel::Channel;
use crate::cx::Cx;
use crate::fault::{Report, code_of};
use crate::ledger::{Settled, WaitId};
use crate::payload;
use crate::workflow::{Workflow, names};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
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
pub struct Asking {
    cx: Cx,
    state: State,
}

enum State {
    Waiting(WaitId),
    /// The value could not be written, so that nothing was asked.
    Refused(Failure),
    Done,
}

impl Asking {
    pub(crate) fn signal(
        cx: &Cx,
        run: &RunId,
        channel: Name,
        value: &(impl Serialize + ?Sized),
    ) -> Self {
        let run = run.clone();
        let state = match payload::encode(value) {
            Err(failure) => State::Refused(failure),
            Ok(payload) => State::Waiting(cx.ledger.ask_other(|command| Command::SignalRun {
                command,
                run,
                channel,
                payload,
            })),
        };
        Self {
            cx: cx.clone(),
            state,
        }
    }

    pub(crate) fn cancel(cx: &Cx, run: &RunId, reason: Name) -> Self {
        let run = run.clone();
        let wait = cx.ledger.ask_other(|command| Command::CancelRun {
            command,
            run,
            reason,
        });
        Self {
            cx: cx.clone(),
            state: State::Waiting(wait),
        }
    }

    /// Does not wait for the answer.
    pub fn detach(self) {
        drop(self);
    }
}

impl Asking {
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Payload, AskError>> {
        let answer = match &self.state {
            State::Waiting(wait) => match self.cx.ledger.poll_wait(*wait, context.waker()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Settled::Completed(value)) => Ok(value),
                Poll::Ready(Settled::Ready | Settled::Signal(_)) => Ok(Payload::null()),
                Poll::Ready(Settled::Failed(failure)) => Err(AskError::Refused(Report(failure))),
                Poll::Ready(Settled::Cancelled) => {
                    let failure = crate::fault::cancelled_failure();
                    Err(AskError::Cancelled(Report(failure)))
                }
            },
            State::Refused(failure) => Err(AskError::Refused(Report(failure.clone()))),
            // A finished future that is polled again stays silent.
            State::Done => return Poll::Pending,
        };
        self.state = State::Done;
        Poll::Ready(answer)
    }

    fn tagged(
        cx: &Cx,
        workflow: Name,
        tag: Name,
        channel: Name,
        value: Result<Payload, Failure>,
    ) -> Self {
        let state = match value {
            Err(failure) => State::Refused(failure),
            Ok(payload) => State::Waiting(cx.ledger.ask_other(|command| Command::SignalTagged {
                command,
                workflow,
                tag,
                channel,
                payload,
            })),
        };
        Self {
            cx: cx.clone(),
            state,
        }
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

impl Drop for Asking {
    fn drop(&mut self) {
        if let State::Waiting(wait) = self.state {
            self.cx.ledger.let_go(wait);
        }
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Waiting(wait) => write!(f, "Asking({wait})"),
            State::Refused(_) => f.write_str("Asking(refused)"),
            State::Done => f.write_str("Asking(done)"),
        }
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
