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

    /// What calls its methods and asks its queries.
    type Stub: Default;

    /// Its code.
    #[doc(hidden)]
    fn start(self: Rc<Self>, cx: Cx, input: Self::Input) -> CodeFuture<Self>;

    /// The code of a method; nothing if there is no such method.
    #[doc(hidden)]
    fn method(self: Rc<Self>, name: &str, cx: Cx, input: &Payload) -> Option<MethodFuture> {
        let _ = (name, cx, input);
        None
    }

    /// The answer of a query; nothing if there is no such query.
    #[doc(hidden)]
    fn query(&self, name: &str, input: &Payload) -> Option<Outcome> {
        let _ = (name, input);
        None
    }
}

/// The stub of a workflow without methods and queries.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMethods;

/// The future of a workflow's code.
pub type CodeFuture<W> =
    Pin<Box<dyn Future<Output = Result<<W as Workflow>::Output, <W as Workflow>::Error>>>>;

/// The fields as names alone, for clients.
pub(crate) fn names<W: Fields>() -> W {
    W::bind(None)
}

/// The future of a method's code, with its types erased.
pub type MethodFuture = Pin<Box<dyn Future<Output = Outcome>>>;

/// The future of a run's code, with its types erased.
pub(crate) type RunFuture = MethodFuture;

/// The code of a method with its types erased.
pub fn method<I, T, E, F, Fut>(input: &Payload, code: F) -> MethodFuture
where
    I: DeserializeOwned,
    T: Serialize,
    E: Fault,
    F: FnOnce(I) -> Fut,
    Fut: Future<Output = Result<T, E>> + 'static,
{
    match payload::decode(input) {
        Ok(input) => {
            let code = code(input);
            Box::pin(async move { outcome(code.await) })
        }
        Err(failure) => Box::pin(std::future::ready(Outcome::Failed(failure))),
    }
}

/// The answer of a query with its types erased.
pub fn query<I, T, F>(input: &Payload, code: F) -> Outcome
where
    I: DeserializeOwned,
    T: Serialize,
    F: FnOnce(I) -> T,
{
    match payload::decode(input).and_then(|input| payload::encode(&code(input))) {
        Ok(answer) => Outcome::Completed(answer),
        Err(failure) => Outcome::Failed(failure),
    }
}

fn outcome<T: Serialize, E: Fault>(returned: Result<T, E>) -> Outcome {
    match returned {
        Ok(output) => match payload::encode(&output) {
            Ok(output) => Outcome::Completed(output),
            Err(failure) => Outcome::Failed(failure),
        },
        Err(error) => Outcome::Failed(error.into_failure()),
    }
}

/// A workflow with its types erased.
pub(crate) trait Definition: Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> u32;
    /// The workflow's value for one run.
    fn bind(&self, ledger: &Rc<Ledger>) -> Box<dyn Instance>;
}

/// The value of a workflow for one run, which its own code and its methods share; with its types erased.
pub(crate) trait Instance {
    /// The run's own code.
    fn run(&self, input: &Payload) -> RunFuture;
    /// The code of a method; nothing if there is no such method.
    fn method(&self, name: &str, input: &Payload) -> Option<MethodFuture>;
    /// The answer of a query; nothing if there is no such query.
    fn query(&self, name: &str, input: &Payload) -> Option<Outcome>;
}

struct TypedInstance<W> {
    workflow: Rc<W>,
    cx: Cx,
}

impl<W: Workflow> Instance for TypedInstance<W> {
    fn run(&self, input: &Payload) -> RunFuture {
        method(input, |input| {
            Rc::clone(&self.workflow).start(self.cx.clone(), input)
        })
    }

    fn method(&self, name: &str, input: &Payload) -> Option<MethodFuture> {
        Rc::clone(&self.workflow).method(name, self.cx.clone(), input)
    }

    fn query(&self, name: &str, input: &Payload) -> Option<Outcome> {
        self.workflow.query(name, input)
    }
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

    fn bind(&self, ledger: &Rc<Ledger>) -> Box<dyn Instance> {
        Box::new(TypedInstance {
            workflow: Rc::new(W::bind(Some(ledger))),
            cx: Cx::new(Rc::clone(ledger)),
        })
    }
}
