//! Expressions: what users write to say when, which and what.
//!
//! The language is [CEL](https://cel.dev) over JSON: judging rules, lane keys, filters. It always ends, and knows nothing of the
//! outside world. The crate `cel` parses it; the evaluation is ours, because it must be safe to take from strangers:
//!
//! - **Limits** ([`Limits`]): source, nodes, depth and nesting are checked when an expression is [compiled](Program::compile);
//!   steps and the size of the result while it is [evaluated](Program::evaluate). No input panics or runs away.
//! - **Numbers** are normalised: whole numbers of JSON are integers, others are doubles, and both mix. `decimal("0.1")` is exact;
//!   money is never a double.
//! - **Time** is given: `now` is what the caller says, the same on every evaluation of the same input.
//! - **Errors** are typed and name a place in the source ([`Fault`]).
//! - **Predicate trees** ([`Predicate`]), rules as data, become the same programs.
//!
//! What CEL has and this language has not: bytes, unsigned integers as a type of their own, messages, maps with names that are
//! not text, optional values.

#![warn(missing_docs)]

mod check;
mod evaluation;
mod fault;
mod functions;
mod limits;
mod meter;
mod operator;
mod predicate;
mod program;
mod value;

pub use fault::{Fault, FaultKind, Place};
pub use limits::Limits;
pub use predicate::{Comparison, Operand, Predicate};
pub use program::{Inputs, Program};
