//! What a workflow is: a struct of durable fields, and code that runs on them.
//!
//! Users do not implement these traits; `#[derive(Workflow)]` and `#[workflow]` do.

use crate::cx::Cx;
use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::payload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::payload::Payload;

/// A durable field of a workflow: [`Prop`](crate::Prop) or [`Channel`](crate::Channel).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a durable field",
    note = "the fields of a workflow are `Prop<T>` and `Channel<T>`; everything else belongs into variables of `run`"
)]
pub trait Field {
    /// The field called `name` of one run; without a ledger, only its name.
    #[doc(hidden)]
    fn bind(name: &'static str, ledger: Option<&Rc<Ledger>>) -> Self;
}

/// The struct of a workflow's durable fields. Derived: `#[derive(Workflow)]`.
pub trait Fields: 'static {
    /// The fields of one run; without a ledger, only their names.
    #[doc(hidden)]
    fn bind(ledger: Option<&Rc<Ledger>>) -> Self;
}

/// A workflow: its name, version, types and code. Made by `#[workflow]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    note = "put `#[workflow]` on an impl block of it, with one method marked `#[run]`"
)]
pub trait Workflow: Fields + Sized {
    /// Its name.
    const NAME: &'static str;
    /// Its version. Runs stay with the version they began with.
    const VERSION: u32;
    /// Its argument.
    type Input: Serialize + DeserializeOwned + 'static;
    /// What it returns.
    type Output: Serialize + DeserializeOwned + 'static;
    /// The error it ends with.
    type Error: Fault;

    /// Its code.
    #[doc(hidden)]
    fn start(self, cx: Cx, input: Self::Input) -> CodeFuture<Self>;
}

/// The future of a workflow's code.
pub type CodeFuture<W> =
    Pin<Box<dyn Future<Output = Result<<W as Workflow>::Output, <W as Workflow>::Error>>>>;

/// The fields as names alone, for clients.
pub(crate) fn names<W: Fields>() -> W {
    W::bind(None)
}

/// The future of a run's code, with its types erased.
pub(crate) type RunFuture = Pin<Box<dyn Future<Output = Outcome>>>;

/// A workflow with its types erased.
pub(crate) trait Definition: Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> u32;
    fn begin(&self, ledger: &Rc<Ledger>, input: &Payload) -> RunFuture;
}

impl fmt::Debug for dyn Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.name(), self.version())
    }
}

/// The definition of `W`.
pub(crate) struct Typed<W>(PhantomData<fn() -> W>);

impl<W> Typed<W> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<W: Workflow> Definition for Typed<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn version(&self) -> u32 {
        W::VERSION
    }

    fn begin(&self, ledger: &Rc<Ledger>, input: &Payload) -> RunFuture {
        let input: W::Input = match payload::decode(input) {
            Ok(input) => input,
            Err(failure) => return Box::pin(std::future::ready(Outcome::Failed(failure))),
        };
        let code = W::bind(Some(ledger)).start(Cx::new(Rc::clone(ledger)), input);
        Box::pin(async move {
            match code.await {
                Ok(output) => match payload::encode(&output) {
                    Ok(output) => Outcome::Completed(output),
                    Err(failure) => Outcome::Failed(failure),
                },
                Err(error) => Outcome::Failed(error.into_failure()),
            }
        })
    }
}
