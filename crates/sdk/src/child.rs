//! Children: runs that a run starts and that belong to it.
//!
//! A [`Child`] is a description: nothing happens until it is [started](Child::start). Then it claims the run's next command number
//! and becomes a [`ChildHandle`], which is the future of the child's result.

use crate::channel::Channel;
use crate::child_error::ChildError;
use crate::cx::Cx;
use crate::fault::cancelled_failure;
use crate::ledger::Settled;
use crate::other::Asking;
use crate::payload;
use crate::pending::Pending;
use crate::span::whole_ms;
use crate::workflow::{Workflow, names};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use trunkline_api::core::entry::{ChildOptions, Command, OnParentEnd};
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::OnConflict;

/// A child to be started.
#[must_use = "nothing happens until the child is started"]
pub struct Child<W> {
    cx: Cx,
    run: RunId,
    version: Option<u32>,
    options: ChildOptions,
    types: PhantomData<fn() -> W>,
}

impl<W: Workflow> Child<W> {
    pub(crate) fn new(cx: &Cx, id: Name) -> Self {
        Self {
            cx: cx.clone(),
            run: RunId::new(W::NAME, id),
            version: None,
            options: ChildOptions::default(),
            types: PhantomData,
        }
    }

    /// Adds a tag, `key:value` by habit.
    pub fn tag(mut self, tag: impl Into<Name>) -> Self {
        self.options.tags.push(tag.into());
        self
    }

    /// Adds tags.
    pub fn tags<T: Into<Name>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.options.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// If there is a run with this id, waits for that; else the start is refused with `TL0011`. A run that somebody else has
    /// started is left alone when this one ends or is cancelled.
    pub fn attach(mut self) -> Self {
        self.options.on_conflict = OnConflict::Attach;
        self
    }

    /// If there is a run with this id, it is terminated and the child takes its place.
    pub fn replace(mut self) -> Self {
        self.options.on_conflict = OnConflict::Replace;
        self
    }

    /// What becomes of the child if this run ends, or continues as new, before it: it is asked to cancel unless said otherwise.
    pub fn on_parent_end(mut self, what: OnParentEnd) -> Self {
        self.options.on_parent_end = what;
        self
    }

    /// How long the child may take. Then it is ended, without asking its code, and that is a failure here.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout_ms = Some(whole_ms(timeout));
        self
    }

    /// Pins the child to a version; else it is the newest that a worker has registered.
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// Starts the child, and gives a handle to await its result with. It is started when the turn is committed; a refusal is
    /// what the handle then ends with.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an argument is handed over, as in a call of the code itself"
    )]
    pub fn start(self, input: W::Input) -> ChildHandle<W> {
        let (run, version, options) = (self.run.clone(), self.version, self.options);
        let pending = Pending::asking(&self.cx, payload::encode(&input), |input| {
            let is_cancelled_too = options.on_parent_end != OnParentEnd::Abandon;
            let command = |command| Command::StartChild {
                command,
                run,
                version,
                input,
                options,
            };
            self.cx.ledger.start_child(is_cancelled_too, command)
        });
        ChildHandle {
            run: self.run,
            pending,
            types: PhantomData,
        }
    }

    /// Starts the child and waits until it is accepted: for a child that is to go on by itself, and whose refusal matters.
    ///
    /// # Errors
    /// [`ChildError::Refused`], or [`ChildError::Cancelled`] if this run was asked to cancel meanwhile.
    pub async fn confirm(
        mut self,
        input: W::Input,
    ) -> Result<ChildHandle<W>, ChildError<W::Error>> {
        self.options.announce = Some(true);
        let mut handle = self.start(input);
        let begun = match handle.pending.wait() {
            Some(wait) => {
                let ledger = &handle.pending.cx().ledger;
                poll_fn(|context| ledger.poll_started(wait, context.waker())).await
            }
            None => poll_fn(|context| handle.pending.poll_on(context).map(Some)).await,
        };
        match begun {
            Some(Settled::Failed(failure)) => {
                handle.pending.end();
                Err(ChildError::new(failure))
            }
            Some(Settled::Cancelled) => Err(ChildError::new(cancelled_failure())),
            None | Some(Settled::Completed(_) | Settled::Ready | Settled::Signal(_)) => Ok(handle),
        }
    }
}

impl<W> fmt::Debug for Child<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({})", self.run)
    }
}

/// A child that has been started: the future of its result. Dropping the handle lets the child go on, until this run ends.
///
/// If this run is asked to cancel while it awaits the child, the await ends with [`ChildError::Cancelled`], and the child is asked to
/// cancel too, unless it is to be abandoned. The handle can then be awaited again (`(&mut child).await`), until the child has cleaned up.
#[must_use = "the child goes on, and its result is lost; call `detach` to say that this is meant"]
pub struct ChildHandle<W> {
    run: RunId,
    pending: Pending,
    types: PhantomData<fn() -> W>,
}

impl<W> ChildHandle<W> {
    /// The workflow and the id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.run
    }

    /// Asks the child to cancel. It answers for itself: the handle then ends with [`ChildError::Cancelled`] or whatever the child makes
    /// of it.
    pub fn cancel(&self, reason: impl Into<Name>) -> Asking {
        Asking::cancel(self.pending.cx(), &self.run, reason.into())
    }

    /// Lets the child go: its result is not looked at.
    pub fn detach(self) {
        drop(self);
    }
}

impl<W: Workflow> ChildHandle<W> {
    /// Sends a signal to one of the child's channels: `child.send(|w| &w.approvals, approval).await?`.
    pub fn send<T: Serialize + DeserializeOwned>(
        &self,
        channel: impl FnOnce(&W) -> &Channel<T>,
        value: &T,
    ) -> Asking {
        let name = channel(&names::<W>()).name();
        Asking::signal(self.pending.cx(), &self.run, Name::from(name), value)
    }
}

impl<W: Workflow> Future for ChildHandle<W> {
    type Output = Result<W::Output, ChildError<W::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let settled = ready!(self.pending.poll_on(context));
        match settled {
            // It can be awaited on, until the child has cleaned up.
            Settled::Cancelled => {}
            Settled::Ready | Settled::Signal(_) => {
                // Its beginning, which only `confirm` asks for.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Settled::Completed(_) | Settled::Failed(_) => self.pending.end(),
        }
        let result = settled
            .into_result()
            .and_then(|value| payload::decode(&value));
        Poll::Ready(result.map_err(ChildError::new))
    }
}

impl<W> fmt::Debug for ChildHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChildHandle({})", self.run)
    }
}
