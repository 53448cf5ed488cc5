//! The Rust SDK of Trunkline: workflow code, tasks, workers and clients.
//!
//! A **workflow** is ordinary async Rust whose progress is durable: it survives crashes, restarts and deployments, and
//! goes on where it was. It calls **tasks**, which do the work and are retried; it waits for **signals** and timers, for
//! days if need be, at no cost; it shows its state in **properties**; it ships **jobs** out.
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use trunkline::prelude::*;
//!
//! #[derive(Clone, Debug, Serialize, Deserialize)]
//! pub struct Order { id: u32, cents: u64 }
//!
//! /// The contract of a service. Any worker may implement it, in any process.
//! #[service]
//! pub trait Payments {
//!     async fn charge(&self, t: &TaskCx, order: Order) -> Result<String>;
//!     async fn refund(&self, t: &TaskCx, receipt: String) -> Result<()>;
//! }
//!
//! /// The durable fields of a run.
//! #[derive(Workflow)]
//! pub struct Checkout {
//!     pub status: Prop<String>,
//!     pub approvals: Channel<bool>,
//! }
//!
//! #[workflow(version = 1)]
//! impl Checkout {
//!     #[run]
//!     async fn run(&self, cx: Cx, order: Order) -> Result<String> {
//!         let payments = cx.service::<PaymentsStub>();
//!         let receipt = payments
//!             .charge(order.clone())
//!             .retry(Retry::exponential().attempts(5))
//!             .timeout(secs(30))
//!             .await?;
//!         self.status.set("charged".into());
//!         let granted = select! {
//!             approval = self.approvals.recv() => approval?,
//!             _ = cx.sleep(hours(24)) => false,
//!         };
//!         if !granted {
//!             payments.refund(receipt.clone()).await?;
//!         }
//!         Ok(receipt)
//!     }
//! }
//!
//! struct CardPayments;
//!
//! impl Payments for CardPayments {
//!     async fn charge(&self, t: &TaskCx, order: Order) -> Result<String> {
//!         // The same key on every attempt, so that the payment provider recognises a repeat.
//!         Ok(format!("receipt {} for {} cents", t.idempotency_key(), order.cents))
//!     }
//!     async fn refund(&self, _: &TaskCx, _receipt: String) -> Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let worker = Worker::builder("http://127.0.0.1:7411")
//!         .register(CardPayments.into_service())
//!         .workflow::<Checkout>()
//!         .start()
//!         .await?;
//!
//!     let client = Client::connect("http://127.0.0.1:7411").await?;
//!     let run = client.workflow::<Checkout>("order-42").start(Order { id: 42, cents: 1999 }).await?;
//!     run.send(|w| &w.approvals, true).await?;
//!     let status: Option<String> = run.prop(|w| &w.status).await?;
//!     println!("{status:?}: {}", run.result().await?);
//!     worker.stop().await?;
//!     Ok(())
//! }
//! ```
//!
//! # What makes it durable
//!
//! The engine keeps the run's **history**: what the code asked for, and what came back. To continue a run that is not in
//! memory, a worker runs its code again from the beginning and plays the history to it, so the code must do the same
//! again. In practice:
//!
//! * Await only what this crate gives, and combinations of it: `join!`, `select!`, [`Cx::join_all`], and everything in
//!   `futures` that does not roll dice. Other I/O belongs into tasks and [steps](Cx::step). Awaiting a tokio timer, say, is
//!   found out, and pauses the run with an explanation.
//! * Take time and randomness from [`Cx`].
//! * Move on with versions: a run stays with the version it began with. Code that no longer matches a run's history pauses
//!   the run and says field by field what differs; it never fails it.
//!
//! Every operation is a builder that does nothing until it is awaited or started; then it claims its place in the history.
//! Combinators of other crates take futures: give them `call.start()`.
//!
//! # Errors
//!
//! A task's error type reaches the workflow, as [`TaskError`]; `?` turns it, and every other error, into [`Error`], which
//! keeps its kind, its typed detail and the chain of its causes.
//!
//! # Cancelling
//!
//! A request to cancel ends everything that the code awaits at that moment with an error, once. What it awaits afterwards
//! works, so clean-up can be durable too. Return the error, and the run ends as cancelled.
//!
//! # Library mode
//!
//! With the feature `embedded`, the engine runs in the process: `Client::embedded(&engine)`,
//! `Worker::builder(&engine)`. The code is the same.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate self as trunkline;

mod call;
mod channel;
mod child;
mod child_error;
mod client;
mod continuing;
mod cx;
mod deferred;
mod egress;
mod error;
mod executor;
mod fault;
mod invocation;
mod joining;
mod ledger;
pub mod link;
mod method_call;
mod nonce;
mod other;
mod payload;
mod pending;
mod prop;
mod replay;
mod retry;
mod saga;
mod service;
mod shield;
pub mod span;
mod step;
mod task_cx;
mod task_error;
pub mod testing;
mod time;
mod timer;
mod worker;
mod workflow;

pub use call::{Call, Stub, TaskHandle};
pub use channel::{Channel, Recv, RecvError, RecvTimeout, Signals};
pub use child::{Child, ChildHandle};
pub use child_error::ChildError;
pub use client::{
    CallRun, Client, ClientError, ClientTask, Event, EventCursor, EventStream, Fired, MethodRun,
    PutSchedule, QueryRun, RunError, RunHandle, ScheduleHandle, SendSignal, StartRun, TaskName,
    UntypedCall, UntypedRun,
};
pub use continuing::ContinueAsNew;
pub use cx::{CancelledFuture, Cx};
pub use deferred::Deferred;
pub use egress::JobBuilder;
pub use error::{Cancelled, Error, Result};
pub use fault::{Fault, Report};
pub use invocation::{Invocation, Question};
pub use link::Endpoint;
pub use method_call::{MethodCall, MethodHandle};
pub use other::{AskError, Asking, OtherRun, SendingTagged};
pub use prop::Prop;
pub use retry::Retry;
pub use saga::Saga;
pub use service::{Batch, Item, Service};
pub use shield::Shield;
pub use step::{Step, StepHandle};
pub use task_cx::{Ending, TaskCx};
pub use task_error::TaskError;
pub use timer::Sleep;
pub use trunkline_api::core;
pub use trunkline_api::core::entry::OnParentEnd;
pub use trunkline_api::core::feed::EventType;
pub use trunkline_api::core::ids::TaskId;
pub use trunkline_api::core::payload::{Name, Payload};
pub use trunkline_api::core::peer::WhichTimers;
pub use worker::{RunningWorker, Worker};
pub use workflow::{Field, Fields, NoMethods, Workflow};

/// Awaits several things at once and gives a tuple of their results. They begin, and are polled, in their order.
///
/// ```
/// # use trunkline::prelude::*;
/// # #[service] trait Shipping {
/// #   async fn label(&self, t: &TaskCx, id: u32) -> Result<String>;
/// #   async fn stock(&self, t: &TaskCx, id: u32) -> Result<u32>; }
/// # async fn workflow(cx: Cx) -> Result<()> {
/// let shipping = cx.service::<ShippingStub>();
/// let (label, stock) = join!(shipping.label(1), shipping.stock(1)).await;
/// let (label, stock): (String, u32) = (label?, stock?);
/// # Ok(()) }
/// ```
pub use trunkline_macros::join;

/// Awaits several things at once and gives a tuple of their values, or the first error as [`Error`].
///
/// ```
/// # use trunkline::prelude::*;
/// # #[service] trait Shipping {
/// #   async fn label(&self, t: &TaskCx, id: u32) -> Result<String>;
/// #   async fn stock(&self, t: &TaskCx, id: u32) -> Result<u32>; }
/// # async fn workflow(cx: Cx) -> Result<()> {
/// # let shipping = cx.service::<ShippingStub>();
/// let (label, stock): (String, u32) = try_join!(shipping.label(1), shipping.stock(1)).await?;
/// # Ok(()) }
/// ```
pub use trunkline_macros::try_join;

/// Awaits what comes first, and runs its branch: `pattern = what => expression`. All begin, and are polled, in their
/// order; if two come together, the earlier branch wins. What lost is dropped before the branch runs.
///
/// ```
/// # use trunkline::prelude::*;
/// # async fn workflow(cx: Cx, approvals: &Channel<bool>) -> Result<()> {
/// let granted = select! {
///     approval = approvals.recv() => approval?,
///     _ = cx.sleep(hours(24)) => false,
/// };
/// # Ok(()) }
/// ```
pub use trunkline_macros::select;

/// Makes a trait the contract of a service.
///
/// Every method is a task: `async fn name(&self, t: &TaskCx, …) -> Result<T, E>`. Arguments and results travel as JSON;
/// `E` is an error that serde can write and read, or [`Error`]. The trait gets a method `into_service` for workers, and a
/// stub beside it for workflows: `Payments` gets `PaymentsStub`. `#[service(name = "…")]` names the service; else it has
/// the trait's name.
///
/// The trait is implemented with plain `async fn`s.
///
/// `#[task(…)]` on a method says how its calls behave unless they say otherwise: `attempts`, `initial_ms`, `factor_percent`,
/// `max_ms`, `jitter_percent`, `elapsed_ms` and `never_on` make its retry policy, and there are `timeout_ms`,
/// `total_timeout_ms`, `heartbeat_timeout_ms` and `grace_ms`.
///
/// ```
/// # use trunkline::prelude::*;
/// #[service]
/// trait Payments {
///     #[task(attempts = 5, initial_ms = 200, never_on = "Declined, Expired", timeout_ms = 30_000)]
///     async fn charge(&self, t: &TaskCx, cents: u64) -> Result<String>;
/// }
/// # async fn workflow(cx: Cx) -> Result<()> {
/// let receipt = cx.service::<PaymentsStub>().charge(1999).timeout(secs(5)).await?;
/// # Ok(()) }
/// ```
///
/// What cannot travel does not compile: a task without `t: &TaskCx` as its first argument,
///
/// ```compile_fail
/// # use trunkline::prelude::*;
/// #[service]
/// trait Shipping {
///     async fn label(&self) -> Result<String>;
/// }
/// ```
///
/// or an error that serde cannot write and read.
///
/// ```compile_fail
/// # use trunkline::prelude::*;
/// #[service]
/// trait Shipping {
///     async fn label(&self, t: &TaskCx) -> Result<String, std::io::Error>;
/// }
/// ```
pub use trunkline_macros::service;

/// Makes an impl block, or one async function, the code of a workflow.
///
/// ```
/// use trunkline::prelude::*;
///
/// #[derive(Workflow)]
/// struct Counter {
///     count: Prop<u32>,
/// }
///
/// #[workflow(version = 2)]
/// impl Counter {
///     #[run]
///     async fn run(&self, cx: Cx, upto: u32) -> Result<u32> {
///         while self.count.get() < upto {
///             cx.sleep(secs(1)).await?;
///             self.count.update(|count| *count += 1);
///         }
///         Ok(self.count.get())
///     }
/// }
///
/// /// A small one, without durable fields.
/// #[workflow]
/// async fn reminder(cx: Cx, text: String) -> Result<String> {
///     cx.sleep(days(1)).await?;
///     Ok(text)
/// }
/// ```
///
/// Beside its own code a workflow has methods, which clients and runs call, and queries, which only read. All of them share
/// the one value of the run:
///
/// - A method is an `async fn` like `run`, with [`Cx`]. Any number of them may be under way. What one sets in a property the
///   others see from its next `await` on, or its end; nothing of another runs in between. Clients see it when the turn is
///   committed. The run ends in the turn in which its own code and all its methods have returned, with the result of its own
///   code. A method that fails fails its caller, not the run.
/// - A query is a plain `fn` without `cx`. It sees the run as of its last committed turn, and nothing of it is recorded. One that
///   sets a property or takes a signal panics, and the run never notices.
///
/// ```
/// use trunkline::prelude::*;
///
/// #[derive(Workflow)]
/// struct Delivery {
///     address: Prop<String>,
///     arrived: Channel<()>,
/// }
///
/// #[workflow]
/// impl Delivery {
///     #[run]
///     async fn run(&self, cx: Cx, address: String) -> Result<String> {
///         self.address.set(address);
///         self.arrived.recv().await?;
///         Ok(self.address.get())
///     }
///
///     #[method]
///     async fn redirect(&self, cx: Cx, address: String) -> Result<String> {
///         let before = self.address.get();
///         self.address.set(address);
///         Ok(before)
///     }
///
///     #[query]
///     fn is_to(&self, street: String) -> bool {
///         self.address.get().contains(&street)
///     }
/// }
///
/// # async fn client(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let run = client.workflow::<Delivery>("1").start("Main Street 1".into()).await?;
/// let before = run.call(|w| w.redirect("Side Street 2".into())).await?;
/// # Ok(()) }
/// ```
///
/// `version` is 1 unless said otherwise; `name` is the struct's or the function's. Several versions of one workflow are
/// several types with the same `name`.
pub use trunkline_macros::workflow;

/// Makes a struct the durable fields of a workflow. Fields are [`Prop`] and [`Channel`]; their names are those that
/// clients use.
///
/// What is not durable cannot be a field: it would be lost between turns.
///
/// ```compile_fail
/// # use trunkline::prelude::*;
/// #[derive(Workflow)]
/// struct Forgetful {
///     seen: Vec<u32>,
/// }
/// ```
pub use trunkline_macros::Workflow;

/// What most code needs.
pub mod prelude {
    pub use crate::span::{days, hours, millis, minutes, secs};
    pub use crate::{
        Cancelled, Channel, ChildError, Client, Cx, Error, OnParentEnd, Prop, Result, Retry, Saga,
        Service, TaskCx, TaskError, Worker, Workflow, join, select, service, try_join, workflow,
    };
}

/// What the macros' code needs. Not for users.
#[doc(hidden)]
pub mod __private {
    pub use crate::joining::{fallible, joined};
    pub use crate::ledger::Ledger;
    pub use crate::workflow::{CodeFuture, Field, Fields, MethodFuture, method, query};

    /// The parts of a `Result`.
    #[diagnostic::on_unimplemented(
        message = "a task or workflow returns a `Result`, not `{Self}`",
        note = "`trunkline::Result<T>` has the general error"
    )]
    pub trait ResultParts {
        /// What it is if all is well.
        type Value;
        /// What it is if not.
        type Error;
    }

    impl<T, E> ResultParts for Result<T, E> {
        type Value = T;
        type Error = E;
    }
}
