//! The position of a frame in its journal.

use std::fmt;

/// The place of a frame in the order of its journal.
///
/// The first frame has position 1 and each one after it has the next number, so a position also
/// says how many frames were ever written. [`Position::ZERO`] stands before the first frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// Before the first frame: what a checkpoint of an empty state holds.
    pub const ZERO: Self = Self(0);

    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
