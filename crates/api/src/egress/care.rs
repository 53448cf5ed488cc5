//! How a destination is cared for: its breaker, and jobs that take the place of others.

use crate::core::egress::{Breaker, Coalesce};
use serde::{Deserialize, Serialize};

/// A setting that is on, off, or on with settings of its own: `true`, `false` or an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Switch<T> {
    /// On with the defaults, or off.
    Is(bool),
    /// On, with these.
    With(T),
}

impl<T> Switch<T> {
    /// The settings, if it is on.
    fn on<U: Default + From<T>>(self) -> Option<U> {
        match self {
            Self::Is(on) => on.then(U::default),
            Self::With(settings) => Some(settings.into()),
        }
    }
}

/// When a destination that fails is left alone. What is left out has its default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerBody {
    /// Calls that ended within this span are looked at, in milliseconds.
    pub window_ms: u32,
    /// It opens when at least so many in a hundred of them have failed.
    pub failed_percent: u8,
    /// And there were at least so many.
    pub calls_min: u32,
    /// How long it stays open before one call is tried, in milliseconds.
    pub open_ms: u32,
    /// After so many openings without a success between them the destination is paused; 0: never.
    pub trips_max: u32,
}

impl Default for BreakerBody {
    fn default() -> Self {
        Breaker::default().into()
    }
}

impl From<Breaker> for BreakerBody {
    fn from(breaker: Breaker) -> Self {
        Self {
            window_ms: breaker.window_ms,
            failed_percent: breaker.failed_percent,
            calls_min: breaker.calls_min,
            open_ms: breaker.open_ms,
            trips_max: breaker.trips_max,
        }
    }
}

impl From<BreakerBody> for Breaker {
    fn from(body: BreakerBody) -> Self {
        Self {
            window_ms: body.window_ms,
            failed_percent: body.failed_percent,
            calls_min: body.calls_min,
            open_ms: body.open_ms,
            trips_max: body.trips_max,
        }
    }
}

/// How long an object that changes may wait for its newest state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoalesceBody {
    /// An object that has waited for longer than this, in milliseconds, keeps its place.
    pub within_ms: u32,
}

impl Default for CoalesceBody {
    fn default() -> Self {
        Coalesce::default().into()
    }
}

impl From<Coalesce> for CoalesceBody {
    fn from(coalesce: Coalesce) -> Self {
        Self {
            within_ms: coalesce.within_ms,
        }
    }
}

impl From<CoalesceBody> for Coalesce {
    fn from(body: CoalesceBody) -> Self {
        Self {
            within_ms: body.within_ms,
        }
    }
}

/// The breaker that a request asks for; absent: none.
pub(super) fn breaker(asked: Option<Switch<BreakerBody>>) -> Option<Breaker> {
    asked.unwrap_or(Switch::Is(false)).on()
}

/// The coalescing that a request asks for; absent: none.
pub(super) fn coalesce(asked: Option<Switch<CoalesceBody>>) -> Option<Coalesce> {
    asked.unwrap_or(Switch::Is(false)).on()
}

/// How a destination has it, in its answer.
pub(super) fn shown<U: Copy, T: From<U>>(settings: Option<U>) -> Switch<T> {
    settings.map_or(Switch::Is(false), |settings| Switch::With(settings.into()))
}
