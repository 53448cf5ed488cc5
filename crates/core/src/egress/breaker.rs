//! The breaker of a destination: when calls stop because too many fail.

use minicbor::{Decode, Encode};

/// When a destination that fails is left alone. The numbers of [`Breaker::default`] are those of Convoy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Breaker {
    /// Calls that ended within this span are looked at, in milliseconds.
    #[n(0)]
    pub window_ms: u32,
    /// It opens when at least so many in a hundred of them have failed.
    #[n(1)]
    pub failed_percent: u8,
    /// And there were at least so many.
    #[n(2)]
    pub calls_min: u32,
    /// How long it stays open before one call is tried, in milliseconds.
    #[n(3)]
    pub open_ms: u32,
    /// After so many openings without a success between them the destination is paused; 0: never.
    #[n(4)]
    pub trips_max: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            window_ms: 30_000,
            failed_percent: 70,
            calls_min: 10,
            open_ms: 30_000,
            trips_max: 10,
        }
    }
}
