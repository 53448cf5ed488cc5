//! Allowance: how often something may leave, by a rate and by quotas of spans of time, with what survives a restart.
//!
//! A quota holds in *every* span of its length, wherever it begins. What is used is counted in parts of a 32nd of the span, and a
//! part counts until it has left the span whole, and one part longer: so what is under way to the receiver for a part's time cannot
//! meet there with what left a span later.
//!
//! What is *reserved* (granted to somebody who has not yet said whether it was used) counts as if it were used at the worst moment.
//! So what is granted and used later never exceeds a limit, whenever that is.

use crate::egress::{Quota, Rate};
use crate::gcra::Gcra;
use crate::time::Timestamp;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Parts of a span that are counted together.
const PARTS: u64 = 32;
/// Not by time alone: something that is reserved has to be reported first, or the cost is more than there ever is.
pub const NOT_BY_TIME: Timestamp = Timestamp(u64::MAX);

/// A rate and quotas, and how much of them is used.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allowance {
    rate: Option<Gcra>,
    spans: Vec<Span>,
}

/// A quota and what is used of it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Span {
    quota: Quota,
    /// The number of the oldest part, counted from 1970.
    first: u64,
    /// What was used in it and in those after it.
    parts: VecDeque<u64>,
}

/// What was used of a quota, as it survives.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Used {
    /// The length of the span, in milliseconds: which quota this is of.
    #[n(0)]
    pub per_ms: u64,
    /// The number of the oldest part, counted from 1970.
    #[n(1)]
    pub first: u64,
    /// How much was used in it and in those after it.
    #[n(2)]
    pub parts: Vec<u64>,
}

impl Span {
    fn part_ms(&self) -> u64 {
        self.quota.per_ms.div_ceil(PARTS).max(1)
    }

    /// When what was used in a part counts no more.
    fn clear_at(&self, part: u64) -> Timestamp {
        let end_ms = part.saturating_add(2).saturating_mul(self.part_ms());
        Timestamp(end_ms.saturating_add(self.quota.per_ms))
    }

    /// The parts that count at `now`, those from the future too: a clock that was set back gives nothing away.
    fn counting(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, u64)> {
        let parts = self.parts.iter().zip(self.first..);
        let counting = parts.map(|(used, part)| (self.clear_at(part), *used));
        counting.filter(move |(clear_at, _)| *clear_at > now)
    }

    fn wait_until(&self, now: Timestamp, reserved: u64, cost: u64) -> Option<Timestamp> {
        let most = u64::from(self.quota.calls);
        let used: u64 = self.counting(now).map(|(_, used)| used).sum();
        let mut over = used
            .saturating_add(reserved)
            .saturating_add(cost)
            .checked_sub(most)
            .filter(|over| *over > 0)?;
        for (clear_at, used) in self.counting(now) {
            match over.checked_sub(used) {
                Some(rest) if rest > 0 => over = rest,
                _ => return Some(clear_at),
            }
        }
        Some(NOT_BY_TIME)
    }

    fn count(&mut self, at: Timestamp, cost: u64) {
        let part = at.0 / self.part_ms();
        while !self.parts.is_empty() && self.clear_at(self.first) <= at {
            self.parts.pop_front();
            self.first += 1;
        }
        if self.parts.is_empty() {
            self.first = part;
        }
        // What is reported later than what came after it counts as late as that.
        let place = part.saturating_sub(self.first) as usize;
        while self.parts.len() <= place {
            self.parts.push_back(0);
        }
        self.parts[place] += cost;
    }
}

impl Allowance {
    /// An allowance whose rate is due at `due_us`, and of whose quotas this much is used.
    #[must_use]
    pub fn new(rate: Option<Rate>, quotas: &[Quota], due_us: u64, used: &[Used]) -> Self {
        let span = |quota: &Quota| {
            let used = used.iter().find(|used| used.per_ms == quota.per_ms);
            Span {
                quota: *quota,
                first: used.map_or(0, |used| used.first),
                parts: used.map_or_else(VecDeque::new, |used| used.parts.iter().copied().collect()),
            }
        };
        Self {
            rate: rate.map(|rate| Gcra::new(rate, due_us)),
            spans: quotas.iter().map(span).collect(),
        }
    }

    /// True if there is no limit.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.rate.is_none() && self.spans.is_empty()
    }

    /// Where the rate stands: see [`Gcra::due_us`].
    #[must_use]
    pub fn due_us(&self) -> Option<u64> {
        self.rate.map(|rate| rate.due_us())
    }

    /// What is used of the quotas.
    #[must_use]
    pub fn used(&self) -> Vec<Used> {
        let used = |span: &Span| Used {
            per_ms: span.quota.per_ms,
            first: span.first,
            parts: span.parts.iter().copied().collect(),
        };
        self.spans.iter().map(used).collect()
    }

    /// When something of this `cost` is admitted, if not now, while `reserved` is out; [`NOT_BY_TIME`] if time alone does not do it.
    /// Nothing may become of what is reserved, so it may be earlier. What costs more than a burst is admitted when nothing is
    /// reserved, and paid for afterwards; what costs more than a quota never is.
    #[must_use]
    pub fn wait_until(&self, now: Timestamp, reserved: u64, cost: u64) -> Option<Timestamp> {
        let rate = self.rate.and_then(|rate| {
            let calls = reserved.saturating_add(cost.min(rate.burst()));
            if calls > rate.burst() {
                return Some(NOT_BY_TIME);
            }
            rate.wait_until_all(now, calls)
        });
        let spans = self.spans.iter();
        let spans = spans.filter_map(|span| span.wait_until(now, reserved, cost));
        rate.into_iter().chain(spans).max()
    }

    /// The quota that keeps something of this `cost` back, if one does.
    #[must_use]
    pub fn exhausted(&self, now: Timestamp, reserved: u64, cost: u64) -> Option<Quota> {
        let spans = self.spans.iter();
        let waiting = spans.filter_map(|span| {
            let until = span.wait_until(now, reserved, cost)?;
            Some((until, span.quota))
        });
        waiting
            .max_by_key(|(until, _)| *until)
            .map(|(_, quota)| quota)
    }

    /// Counts something of this `cost` that left at `at`.
    pub fn count(&mut self, at: Timestamp, cost: u64) {
        if let Some(rate) = &mut self.rate {
            rate.count(at, cost);
        }
        for span in &mut self.spans {
            span.count(at, cost);
        }
    }
}

#[cfg(test)]
mod tests;
