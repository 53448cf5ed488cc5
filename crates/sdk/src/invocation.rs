//! What the stub of a workflow makes: a method with its argument, or a query with its.
//!
//! Neither does anything. A client or a run calls it: [`RunHandle::call`](crate::RunHandle::call).

use crate::payload;
use serde::Serialize;
use std::fmt;
use std::marker::PhantomData;
use trunkline_api::core::failure::Failure;
use trunkline_api::core::payload::Payload;

/// A method of a workflow with its argument, to be called on a run.
#[must_use = "nothing is called yet: give it to `call`"]
pub struct Invocation<T, E> {
    pub(crate) method: &'static str,
    pub(crate) input: Result<Payload, Failure>,
    types: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Invocation<T, E> {
    /// The method `method` with the argument `input`.
    pub fn new(method: &'static str, input: &(impl Serialize + ?Sized)) -> Self {
        Self {
            method,
            input: payload::encode(input),
            types: PhantomData,
        }
    }
}

impl<T, E> fmt::Debug for Invocation<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invocation({})", self.method)
    }
}

/// A query of a workflow with its argument, to be asked of a run.
#[must_use = "nothing is asked yet: give it to `query`"]
pub struct Question<T> {
    pub(crate) query: &'static str,
    pub(crate) input: Result<Payload, Failure>,
    types: PhantomData<fn() -> T>,
}

impl<T> Question<T> {
    /// The query `query` with the argument `input`.
    pub fn new(query: &'static str, input: &(impl Serialize + ?Sized)) -> Self {
        Self {
            query,
            input: payload::encode(input),
            types: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Question<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({})", self.query)
    }
}
