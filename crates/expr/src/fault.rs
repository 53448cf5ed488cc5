//! What is wrong with an expression, or was when it was evaluated, and where.

use std::fmt;

/// An expression that is refused, or an evaluation that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What class of fault it is. Policies go by this.
    pub kind: FaultKind,
    /// What exactly, for a person.
    pub message: String,
    /// Where in the source; absent if it is about the whole.
    pub place: Option<Place>,
}

/// The class of a [`Fault`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// The source is not an expression.
    Syntax,
    /// It is more, or would cost more, than the limits allow.
    Limit,
    /// It names a variable or function that there is not.
    UnknownName,
    /// It selects a field or an index that the value does not have.
    Missing,
    /// An operator or function does not take values of these types.
    Type,
    /// Division by zero, overflow, text that is no number or time.
    Value,
}

/// A place in a source: line and column from 1, the column in characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of the character with index `offset` of `source`.
    pub(crate) fn at(source: &str, offset: usize) -> Self {
        let (mut line, mut column) = (1, 1);
        for character in source.chars().take(offset) {
            if character == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        Self { line, column }
    }
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            place: None,
        }
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
