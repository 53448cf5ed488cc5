//! What workflow code has in its hand: the handle to its run.

use crate::call::{Call, Stub};
use crate::child::Child;
use crate::continuing::ContinueAsNew;
use crate::egress::JobBuilder;
use crate::error::{Cancelled, Error, Result};
use crate::ledger::{Ledger, Settled, WaitId};
use crate::other::{OtherRun, SendingTagged};
use crate::payload;
use crate::saga::Saga;
use crate::shield::Shield;
use crate::span::whole_ms;
use crate::step::Step;
use crate::timer::Sleep;
use crate::workflow::Workflow;
use futures_util::future::{join_all, try_join_all};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::Name;
use trunkline_api::core::time::Timestamp;

/// The handle of workflow code to its run. Cheap to clone.
///
/// It is not `Send`, so that it cannot get lost in a thread or in a step, where nothing it does could be replayed:
///
/// ```compile_fail
/// # use trunkline::prelude::*;
/// # async fn workflow(cx: Cx) -> Result<()> {
/// tokio::spawn(async move { cx.sleep(secs(1)).await });
/// # Ok(()) }
/// ```
///
/// ```compile_fail,E0277
/// # use trunkline::prelude::*;
/// # async fn workflow(cx: Cx) -> Result<()> {
/// let inner = cx.clone();
/// cx.step("inside", move || async move { Ok(inner.random()) }).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cx {
    pub(crate) ledger: Rc<Ledger>,
}

impl Cx {
    pub(crate) fn new(ledger: Rc<Ledger>) -> Self {
        Self { ledger }
    }

    /// The stub of a service: `cx.service::<PaymentsStub>()`. `#[service]` makes it beside the trait.
    #[must_use]
    pub fn service<S: Stub>(&self) -> S {
        S::bind(self)
    }

    /// Calls a task by name, for services that have no trait here.
    pub fn call<T, E>(
        &self,
        service: impl Into<Name>,
        task: impl Into<Name>,
        input: &(impl Serialize + ?Sized),
    ) -> Call<T, E> {
        Call::new(self, service.into(), task.into(), input)
    }

    /// A child: a run that this one starts and that belongs to it.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # #[workflow] async fn delivery(cx: Cx, label: u32) -> Result<String> { Ok(label.to_string()) }
    /// # async fn workflow(cx: Cx) -> Result<()> {
    /// let parcel = cx.child::<delivery>("dlv-42").timeout(days(3)).start(7);
    /// cx.sleep(secs(1)).await?;
    /// let tracking = parcel.await?;
    /// # Ok(()) }
    /// ```
    pub fn child<W: Workflow>(&self, id: impl Into<Name>) -> Child<W> {
        Child::new(self, id.into())
    }

    /// Another run of the workflow `W`, or this one, whoever started it: to send it signals or ask it to cancel.
    #[must_use]
    pub fn other<W: Workflow>(&self, id: impl Into<Name>) -> OtherRun<W> {
        OtherRun::new(self, RunId::new(W::NAME, id))
    }

    /// The same for a workflow that has no type here.
    #[must_use]
    pub fn other_named(&self, workflow: impl Into<Name>, id: impl Into<Name>) -> OtherRun<()> {
        OtherRun::new(self, RunId::new(workflow, id))
    }

    /// Goes on as if the run had been started anew with `input`: `return cx.continue_as_new::<Self>(input).await`.
    ///
    /// The run keeps its id, tags and properties, who waits for it, and its time-out; its history begins anew, and so do the code's
    /// variables: a [`Prop`](crate::Prop) has no value here until it is set, while clients still read the last one. Signals that were not
    /// received come along. Tasks, timers and steps that are open are dropped, children treated as when a run ends.
    ///
    /// The new generation runs the version of `W`: name a later one to move on to it.
    ///
    /// # Panics
    /// If `W` is another workflow, or the input cannot be written as JSON. The run is then paused.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an argument is handed over, as in a call of the code itself"
    )]
    pub fn continue_as_new<W: Workflow>(&self, input: W::Input) -> ContinueAsNew<W> {
        ContinueAsNew::new(self, &input)
    }

    /// Waits so long, and not a millisecond less, whatever happens to workers and servers meanwhile.
    ///
    /// The timer is set at the call. Dropping the future before it is over cancels the timer.
    pub fn sleep(&self, span: Duration) -> Sleep {
        Sleep::start(self, self.ledger.due_in_ms(whole_ms(span)))
    }

    /// Waits until `at`; if that is over, not at all.
    pub fn sleep_until(&self, at: Timestamp) -> Sleep {
        Sleep::start(self, at)
    }

    /// Runs a closure in the worker, once its turn has come, and journals what it returns.
    ///
    /// It is for small things that need no service: a look-up, a calculation, a call whose repetition does no harm. If the
    /// worker dies on the way, another runs the closure again. The closure must be `Send`: it runs on the worker's tokio
    /// runtime and can wait for anything.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # async fn workflow(cx: Cx) -> Result<()> {
    /// let length = cx.step("measure", || async { Ok(std::fs::metadata("a.csv")?.len()) }).await?;
    /// # Ok(()) }
    /// ```
    pub fn step<T, F, Fut>(&self, name: impl Into<Name>, closure: F) -> Step<T>
    where
        T: Serialize + DeserializeOwned + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T>> + Send + 'static,
    {
        Step::new(self, name.into(), closure)
    }

    /// Begins a job for a destination: the run ships something out.
    pub fn egress(&self, destination: impl Into<Name>) -> JobBuilder {
        JobBuilder::new(self, destination.into())
    }

    /// Sends a signal to every live run of `workflow` that has `tag`, this one included if it has, whichever shards they are
    /// on. Await it for how many got it; each gets it exactly once.
    pub fn send_tagged(
        &self,
        workflow: impl Into<Name>,
        tag: impl Into<Name>,
        channel: impl Into<Name>,
        value: &(impl Serialize + ?Sized),
    ) -> SendingTagged {
        SendingTagged::new(self, (workflow.into(), tag.into()), channel.into(), value)
    }

    /// Adds tags to the run. They are indexed: clients list and find runs by them.
    pub fn add_tags<T: Into<Name>>(&self, tags: impl IntoIterator<Item = T>) {
        let tags: Vec<Name> = tags.into_iter().map(Into::into).collect();
        if !tags.is_empty() {
            self.ledger.add_tags(tags);
        }
    }

    /// Removes tags from the run.
    pub fn remove_tags<T: Into<Name>>(&self, tags: impl IntoIterator<Item = T>) {
        let tags: Vec<Name> = tags.into_iter().map(Into::into).collect();
        if !tags.is_empty() {
            self.ledger.remove_tags(tags);
        }
    }

    /// The tags of the run, sorted: those it was started with, and those that its code has added and not removed.
    #[must_use]
    pub fn tags(&self) -> Vec<Name> {
        self.ledger.tags()
    }

    /// The time: that of the newest thing that came back to the run, the same on every replay.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ledger.now()
    }

    /// A random number, the same on every replay.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.ledger.random()
    }

    /// A random UUID (version 4), the same on every replay.
    #[must_use]
    pub fn uuid(&self) -> String {
        let bits = (u128::from(self.random()) << 64) | u128::from(self.random());
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let (a, b, c, d, e) = (
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        );
        format!("{a}-{b}-{c}-{d}-{e}")
    }

    /// The workflow and the id of the run.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.ledger.identity.id
    }

    /// The version of the workflow that the run is pinned to.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.ledger.identity.version
    }

    /// When the run was accepted, or last continued as new.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.ledger.identity.started_at
    }

    /// Whether the run takes the new way through code that has changed while runs were under way.
    ///
    /// Runs that reach this for the first time with nothing recorded beyond it say yes, and a mark in the history keeps
    /// that; runs that had come past it when the code was changed say no. A run decides once: what it said first, it says
    /// to its end. When no run is left that says no, the old way can be removed, and the call with it.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # #[service] trait Mail { async fn letter(&self, t: &TaskCx) -> Result<()>; async fn parcel(&self, t: &TaskCx) -> Result<()>; }
    /// # async fn workflow(cx: Cx) -> Result<()> {
    /// let mail = cx.service::<MailStub>();
    /// if cx.patched("parcels") {
    ///     mail.parcel().await?;
    /// } else {
    ///     mail.letter().await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn patched(&self, name: impl Into<Name>) -> bool {
        self.ledger.is_patched(name.into())
    }

    /// Waits until somebody asks the run to cancel. Unlike everything else that is awaited, it does not end with an error.
    pub fn cancelled(&self) -> CancelledFuture {
        CancelledFuture {
            cx: self.clone(),
            wait: None,
        }
    }

    /// Why the run was asked to cancel, if it was.
    #[must_use]
    pub fn cancel_reason(&self) -> Option<Name> {
        self.ledger.cancel_reason()
    }

    /// Ends with `Err(Cancelled)` if the run was asked to cancel: for long stretches of code without an await.
    ///
    /// # Errors
    /// [`Cancelled`], from the request on.
    pub fn check_cancelled(&self) -> Result<(), Cancelled> {
        self.cancel_reason().map_or(Ok(()), |_| Err(Cancelled))
    }

    /// Awaits `future` and keeps a request to cancel away from it: for what must not be left half done. If nothing else was
    /// awaited when the request came, the next await behind the shield ends with it.
    pub fn shield<F: IntoFuture>(&self, future: F) -> Shield<F::IntoFuture> {
        Shield::new(self, future.into_future())
    }

    /// Runs `body`; if it ends with an error, a cancellation too, undoes what it has registered with
    /// [`Saga::undo`], the last first.
    ///
    /// ```
    /// # use trunkline::prelude::*;
    /// # #[service] trait Booking {
    /// #   async fn hotel(&self, t: &TaskCx, night: u32) -> Result<String>;
    /// #   async fn cancel_hotel(&self, t: &TaskCx, booking: String) -> Result<()>;
    /// #   async fn flight(&self, t: &TaskCx, day: u32) -> Result<String>; }
    /// # async fn workflow(cx: Cx) -> Result<()> {
    /// let booking = cx.service::<BookingStub>();
    /// let (hotel, flight) = cx
    ///     .saga(async |saga: &Saga| {
    ///         let hotel = booking.hotel(12).await?;
    ///         saga.undo(booking.cancel_hotel(hotel.clone()));
    ///         let flight = booking.flight(11).await?;
    ///         Ok((hotel, flight))
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The body's error. Should a compensation fail for good, the error says so and has it in its causes.
    pub async fn saga<T>(&self, body: impl AsyncFnOnce(&Saga) -> Result<T>) -> Result<T> {
        let saga = Saga::new(self);
        match body(&saga).await {
            Ok(value) => Ok(value),
            Err(error) => Err(saga.rewind(error).await),
        }
    }

    /// Awaits all of them, and gives their results in their order. They begin at once.
    pub async fn join_all<I>(&self, calls: I) -> Vec<<I::Item as IntoFuture>::Output>
    where
        I: IntoIterator<Item: IntoFuture>,
    {
        let futures: Vec<_> = calls.into_iter().map(IntoFuture::into_future).collect();
        join_all(futures).await
    }

    /// Awaits all of them, or the first error. They begin at once.
    ///
    /// # Errors
    /// The first error to arrive.
    pub async fn try_join_all<I, T, E>(&self, calls: I) -> Result<Vec<T>>
    where
        I: IntoIterator<Item: IntoFuture<Output = Result<T, E>>>,
        E: Into<Error>,
    {
        let futures: Vec<_> = calls
            .into_iter()
            .map(IntoFuture::into_future)
            .map(|future| async move { future.await.map_err(Into::into) })
            .collect();
        try_join_all(futures).await
    }

    pub(crate) fn encode(value: &(impl Serialize + ?Sized)) -> Result<crate::Payload> {
        payload::encode(value).map_err(Error::from_failure)
    }
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cx({})", self.run_id())
    }
}

/// The future of [`Cx::cancelled`].
#[derive(Debug)]
#[must_use = "nothing is awaited"]
pub struct CancelledFuture {
    cx: Cx,
    wait: Option<WaitId>,
}

impl Future for CancelledFuture {
    type Output = Name;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Name> {
        if let Some(reason) = self.cx.cancel_reason() {
            return Poll::Ready(reason);
        }
        let ledger = Rc::clone(&self.cx.ledger);
        let wait = *self.wait.get_or_insert_with(|| ledger.open_local(None));
        match ledger.poll_wait(wait, context.waker()) {
            Poll::Ready(Settled::Cancelled) => {
                Poll::Ready(self.cx.cancel_reason().unwrap_or_else(|| Name::from("")))
            }
            Poll::Ready(_) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for CancelledFuture {
    fn drop(&mut self) {
        if let Some(wait) = self.wait {
            self.cx.ledger.close_local(None, wait);
        }
    }
}
