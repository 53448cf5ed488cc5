//! Newest state only: a newer job about an object takes the place of an older one.

use minicbor::{Decode, Encode};

/// A newer job about an object takes the place of an older one that has not left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Coalesce {
    /// An object that has waited for longer than this, in milliseconds, keeps its place: so that one which changes all the time is
    /// delivered too.
    #[n(0)]
    pub within_ms: u32,
}

impl Default for Coalesce {
    fn default() -> Self {
        Self { within_ms: 60_000 }
    }
}
