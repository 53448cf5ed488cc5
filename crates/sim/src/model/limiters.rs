//! Quotas and the limiter that destinations share: every window of what left is counted, whatever the process went through.

use super::{Checked, Model, broken, decode};
use std::collections::BTreeMap;
use trunkline_core::egress::{Destination, Limiter, LimiterUse, Quota, Rate};
use trunkline_core::ids::ShardId;
use trunkline_core::payload::Name;
use trunkline_core::row::{Keys, Kind};
use trunkline_core::shard::LineRow;
use trunkline_core::time::Timestamp;

/// The limiter that destinations of a world share.
const MARKET: &str = "market";
const RATE: Rate = Rate {
    per_second: 10,
    burst: 3,
};
const QUOTA: Quota = Quota {
    calls: 6,
    per_ms: 1_500,
};
const AT_ONCE: u32 = 3;
/// The quota that a destination may have alone.
const OWN: Quota = Quota {
    calls: 3,
    per_ms: 900,
};
/// Calls that are remembered: more than any window has that is looked at.
const CALLS_MAX: usize = 64;

/// What left, and when, in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Limited {
    /// Under the limiter: each with its cost.
    market: Vec<(Timestamp, u64)>,
    /// Of each destination, since it has had its quota.
    own: BTreeMap<Name, Vec<(Timestamp, u64)>>,
    /// When each destination was last without a quota: what had begun by then counts for none.
    without: BTreeMap<Name, Timestamp>,
}

/// The limiter, always with the same settings, so that all of its windows can be judged.
#[must_use]
pub fn market() -> Limiter {
    Limiter {
        name: Name::from(MARKET),
        rate: Some(RATE),
        quotas: Some(vec![QUOTA]),
        concurrency: Some(AT_ONCE),
    }
}

/// Gives a destination limits, by a number: a quota of its own or none, and the limiter with a cost of 1 or 2, or not.
pub fn limit(destination: &mut Destination, number: u8) {
    if number.is_multiple_of(2) {
        destination.quotas = Some(vec![OWN]);
    }
    let cost = u32::from(number % 3);
    if cost > 0 {
        destination.limiters = Some(vec![LimiterUse {
            limiter: Name::from(MARKET),
            action: None,
            cost,
            shares_patience: true,
        }]);
    }
}

impl Model {
    /// True once no crash can take the limiter away any more.
    #[must_use]
    pub fn has_market(&self) -> bool {
        let key = Keys::new(ShardId(0)).limiter(MARKET);
        self.durable.contains_key(&key)
    }

    /// True if permits are wanted, granted or used by calls that have not ended.
    #[must_use]
    pub fn has_permits_out(&self) -> bool {
        let (from, to) = Keys::new(ShardId(0)).all(Kind::LimiterLine);
        self.live.range(from..to).next().is_some()
    }

    /// The clock is set back: what has left is as long ago as it was.
    pub fn clock_set_back(&mut self, ms: u64) {
        let own = self.limited.own.values_mut().flatten();
        let calls = own.chain(&mut self.limited.market).map(|(at, _)| at);
        for at in calls.chain(self.limited.without.values_mut()) {
            at.0 = at.0.saturating_sub(ms);
        }
    }

    /// What a destination has and wants of the limiter has changed.
    pub(super) fn mark_wait(&mut self, row: Option<&[u8]>) {
        let row: Option<LineRow> = row.map(decode);
        let waits = row.is_some_and(|row| row.wanted > 0);
        self.marks.set_if(waits, "a shared limiter held a job back");
    }

    /// Destinations have had other settings: without a quota, nothing is known any more of what was used of one.
    pub(super) fn note_limits(&mut self, now: Timestamp) {
        for put in self.heard.all_puts().filter(|put| put.quotas.is_none()) {
            self.limited.own.remove(&put.name);
            self.limited.without.insert(put.name.clone(), now);
        }
    }

    /// A call leaves: the quotas and the limiter hold in every window that it is in.
    pub(super) fn check_limits(&mut self, destination: &Destination, at: Timestamp) -> Checked {
        let name = &destination.name;
        let without = self.limited.without.get(name);
        if destination.quotas.is_some() && without.is_none_or(|without| *without < at) {
            let calls = self.limited.own.entry(name.clone()).or_default();
            check(calls, (at, 1), OWN, None)?;
        }
        for it in destination.limiters.iter().flatten() {
            let call = (at, u64::from(it.cost));
            check(&mut self.limited.market, call, QUOTA, Some(RATE))?;
            self.marks
                .set("a call left with a permit of a shared limiter");
        }
        Ok(())
    }
}

/// Adds a call, and looks at every window that it is in.
fn check(
    calls: &mut Vec<(Timestamp, u64)>,
    call: (Timestamp, u64),
    quota: Quota,
    rate: Option<Rate>,
) -> Checked {
    // Shards let calls out at their own times.
    let place = calls.partition_point(|(at, _)| *at <= call.0);
    calls.insert(place, call);
    for first in 0..=place {
        let mut cost: u64 = calls[first..place].iter().map(|(_, cost)| cost).sum();
        for (at, more) in &calls[place..] {
            cost += more;
            let ms = at.since_ms(calls[first].0);
            if ms < quota.per_ms && cost > u64::from(quota.calls) {
                return broken("QUOTA", format!("{cost} within {ms} ms: {quota:?}"));
            }
            let most = |rate: Rate| u64::from(rate.burst) + ms * u64::from(rate.per_second) / 1_000;
            if rate.is_some_and(|rate| cost > most(rate)) {
                return broken("LIMITER-RATE", format!("{cost} within {ms} ms: {rate:?}"));
            }
        }
    }
    if calls.len() > CALLS_MAX {
        calls.remove(0);
    }
    Ok(())
}
