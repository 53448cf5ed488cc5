//! The breaker of a destination: it opens when too many calls fail, and one call closes it again or opens it anew.
//!
//! ```text
//! closed ──too many failures──▶ open ──its time is over──▶ half-open: one call at a time
//!    ▲                           ▲                            │
//!    └──────────a success────────┼────────────────────────────┤
//!                                └──────────a failure─────────┘
//! ```
//!
//! That it is open survives a restart; the calls that it looked at do not. A call that failed counts against it if the destination
//! may be ill: no answer, or one that is worth a retry without saying when. A refusal is an answer of somebody who is well.

use super::Shard;
use crate::code::Code;
use crate::egress::Breaker;
use crate::feed::Mark;
use crate::io::Io;
use crate::payload::Name;
use crate::peer::{Rejection, Reply};
use crate::time::Timestamp;
use alloc::collections::VecDeque;
use alloc::format;
use minicbor::{Decode, Encode};

/// A breaker that is not closed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Tripped {
    /// Nothing leaves before this time; then one call at a time. The far end of time: an operator opened it.
    #[n(0)]
    pub until: Timestamp,
    /// How often it has opened since the last success.
    #[n(1)]
    pub trips: u32,
}

/// The far end of time: no clock gets there.
pub(super) const FOR_EVER: Timestamp = Timestamp(u64::MAX);
/// Parts of the window that are counted together.
const PARTS: u64 = 10;

impl Tripped {
    pub(super) fn in_words(&self, now: Timestamp) -> Name {
        if self.until == FOR_EVER {
            return Name::from("the breaker: an operator opened it");
        }
        let ms = self.until.since_ms(now);
        Name::from(if ms == 0 {
            "the breaker: one call shows whether the destination is well again".into()
        } else {
            format!("the breaker: too many calls failed, one is tried in {ms} ms")
        })
    }
}

/// The calls that a breaker looks at.
#[derive(Debug, Default)]
pub(super) struct Breaking {
    /// Calls and failures of the parts of the window, by the number of the part.
    parts: VecDeque<(u64, u32, u32)>,
}

impl Breaking {
    /// Counts a call that has ended; true if too many have failed.
    fn count(&mut self, breaker: &Breaker, now: Timestamp, failed: bool) -> bool {
        let part = now.0 / (u64::from(breaker.window_ms) / PARTS).max(1);
        while self
            .parts
            .front()
            .is_some_and(|(of, ..)| of + PARTS <= part)
        {
            self.parts.pop_front();
        }
        match self.parts.back_mut() {
            Some((of, calls, failures)) if *of == part => {
                *calls += 1;
                *failures += u32::from(failed);
            }
            _ => self.parts.push_back((part, 1, u32::from(failed))),
        }
        let (calls, failures) = self.parts.iter().fold((0_u64, 0_u64), |sum, part| {
            (sum.0 + u64::from(part.1), sum.1 + u64::from(part.2))
        });
        failed
            && calls >= u64::from(breaker.calls_min)
            && failures * 100 >= calls * u64::from(breaker.failed_percent)
    }
}

impl Shard {
    /// A call has ended: the breaker may open or close.
    pub(super) fn count_for_breaker(&mut self, io: &mut Io<'_>, name: &Name, failed: bool) {
        let Some(target) = self.egress.targets.get_mut(name) else {
            return;
        };
        let Some(breaker) = target.row.destination.breaker else {
            return;
        };
        let trips = match &target.row.tripped {
            // What left before it opened says nothing new.
            Some(tripped) if tripped.until > io.now => return,
            Some(_) if !failed => {
                target.row.tripped = None;
                target.breaking = Breaking::default();
                target.limit(io.now);
                return self.feed_destination(name, &Mark::DestinationRecovered);
            }
            Some(tripped) => tripped.trips + 1,
            None if target.breaking.count(&breaker, io.now, failed) => 1,
            None => return,
        };
        target.breaking = Breaking::default();
        if breaker.trips_max > 0 && trips >= breaker.trips_max {
            target.row.tripped = None;
            target.row.destination.paused = true;
            target.limit(io.now);
            let reason = format!("its breaker opened {trips} times without a success between");
            let reason = Name::from(reason);
            return self.feed_destination(name, &Mark::DestinationDisabled { reason });
        }
        let until = io.now.plus_ms(breaker.open_ms.into());
        target.row.tripped = Some(Tripped { until, trips });
        target.limit(io.now);
        self.feed_destination(name, &Mark::DestinationFailing { until, trips });
    }

    /// An operator opens the breaker of a destination, until somebody closes it; or closes it.
    pub(super) fn set_breaker(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        open: bool,
    ) -> Result<Reply, Rejection> {
        self.target(name)?;
        let target = self.egress.targets.get_mut(name).expect("just seen");
        if open {
            target.row.tripped = Some(Tripped {
                until: FOR_EVER,
                trips: 0,
            });
        } else if target.row.tripped.take().is_none() {
            let detail = format!("the breaker of `{name}` is closed");
            return Err(Rejection::new(Code::BreakerClosed, detail));
        }
        target.breaking = Breaking::default();
        target.limit(io.now);
        let mark = if open {
            Mark::DestinationFailing {
                until: FOR_EVER,
                trips: 0,
            }
        } else {
            Mark::DestinationRecovered
        };
        self.feed_destination(name, &mark);
        self.egress.changed.insert(name.clone());
        self.pump(io, name);
        Ok(Reply::Done)
    }
}
