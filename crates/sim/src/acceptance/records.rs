//! What a connector has seen, written down by itself, and what follows from it.
//!
//! The judge believes nothing that Trunkline says: it looks only at which calls arrived, when, with what in them, and what the
//! connector did with each. Everything it checks takes one pass.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What the connector did with a job that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Accepted, and answered so.
    Accepted,
    /// Accepted, and nobody was told: the connection was dropped, or the answer did not mention it.
    Lost,
    /// Not accepted.
    Failed,
}

/// A job that arrived.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its place in its lane, as its creator numbered it, from 1.
    pub place: u64,
    /// Its number in the lane, as Trunkline says.
    pub sequence: u64,
    /// Its idempotency key.
    pub key: String,
    /// What became of it.
    pub end: End,
}

/// A call that arrived. It counts once for the limits, whatever is in it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// When, from the beginning of the records.
    pub at: Duration,
    /// Until when it asked for patience, if it did.
    pub patience_until: Option<Duration>,
}

/// Everything that one destination was called with.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Calls, in the order of their arrival.
    pub calls: Vec<Call>,
    /// Jobs by lane, in the order of their arrival.
    pub lanes: BTreeMap<String, Vec<Arrival>>,
    /// Which jobs were accepted.
    accepted: BTreeSet<(String, u64)>,
}

/// The records of a connector.
#[derive(Debug)]
pub struct Records {
    began: Instant,
    /// By destination.
    pub seen: BTreeMap<String, Seen>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            seen: BTreeMap::new(),
        }
    }
}

/// What a destination was to get, and how fast.
#[derive(Clone, Debug)]
pub struct Expected {
    /// How many jobs each lane has.
    pub lanes: BTreeMap<String, u64>,
    /// Calls a second, and at once.
    pub per_second: u32,
    /// Calls at once after a pause.
    pub burst: u32,
    /// Calls under way at once.
    pub concurrency: u32,
    /// Jobs that may come again although they were answered.
    pub told_twice_max: u64,
    /// When the sender was killed.
    pub kills: Vec<Duration>,
}

/// What the records say in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Calls.
    pub calls: u64,
    /// Arrivals of jobs.
    pub arrivals: u64,
    /// Different jobs accepted.
    pub accepted: u64,
    /// Arrivals that were not accepted.
    pub failed: u64,
    /// Acceptances that nobody was told of.
    pub lost: u64,
    /// Arrivals of jobs that had been accepted before.
    pub duplicates: u64,
    /// Of these, after an acceptance that was answered.
    pub told_twice: u64,
    /// Calls answered with 429.
    pub patience: u64,
}

impl Records {
    /// The time of the records.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes a call down.
    pub fn call(&mut self, destination: &str, patience_until: Option<Duration>) {
        let at = self.now();
        let seen = self.seen.entry(destination.to_owned()).or_default();
        seen.calls.push(Call { at, patience_until });
    }

    /// Writes a job down.
    pub fn arrival(&mut self, destination: &str, lane: &str, arrival: Arrival) {
        let seen = self.seen.entry(destination.to_owned()).or_default();
        if arrival.end != End::Failed {
            seen.accepted.insert((lane.to_owned(), arrival.place));
        }
        seen.lanes.entry(lane.to_owned()).or_default().push(arrival);
    }

    /// Different jobs of a destination that were accepted.
    #[must_use]
    pub fn accepted(&self, destination: &str) -> u64 {
        let seen = self.seen.get(destination);
        seen.map_or(0, |seen| seen.accepted.len() as u64)
    }
}

impl Records {
    /// What they say of a destination in numbers, and everything that is not as promised.
    #[must_use]
    pub fn judge(&self, destination: &str, expected: &Expected) -> (Tally, Vec<String>) {
        let (tally, wrong) = match self.seen.get(destination) {
            Some(seen) => seen.judge(expected),
            None => Seen::default().judge(expected),
        };
        let wrong = wrong.into_iter();
        (
            tally,
            wrong
                .map(|wrong| format!("{destination}: {wrong}"))
                .collect(),
        )
    }
}

impl Seen {
    /// What the records say in numbers, and everything that is not as promised.
    #[must_use]
    pub fn judge(&self, expected: &Expected) -> (Tally, Vec<String>) {
        let mut tally = Tally {
            calls: self.calls.len() as u64,
            accepted: self.accepted.len() as u64,
            patience: self
                .calls
                .iter()
                .filter_map(|call| call.patience_until)
                .count() as u64,
            ..Tally::default()
        };
        let mut wrong = Vec::new();
        self.judge_lanes(expected, &mut tally, &mut wrong);
        self.judge_rate(expected, &mut wrong);
        self.judge_patience(expected, &mut wrong);
        let most = expected.told_twice_max;
        if tally.told_twice > most {
            wrong.push(format!(
                "{} jobs came again after they were answered; {most} may",
                tally.told_twice
            ));
        }
        (tally, wrong)
    }

    /// Per lane: every job, in order, the next not before the one before is accepted, and each under one key of its own.
    fn judge_lanes(&self, expected: &Expected, tally: &mut Tally, wrong: &mut Vec<String>) {
        let mut keys: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
        for (lane, jobs) in &expected.lanes {
            let arrivals = self.lanes.get(lane).map_or(&[][..], Vec::as_slice);
            // The last place that was accepted, and whether that was answered.
            let (mut accepted, mut answered) = (0, BTreeSet::new());
            let mut key_of: BTreeMap<u64, &str> = BTreeMap::new();
            for arrival in arrivals {
                let place = arrival.place;
                tally.arrivals += 1;
                if place > accepted + 1 {
                    wrong.push(format!(
                        "lane {lane}: job {place} came when {accepted} was the last that was accepted"
                    ));
                }
                if arrival.sequence != place {
                    wrong.push(format!(
                        "lane {lane}: job {place} came as number {}",
                        arrival.sequence
                    ));
                }
                if *key_of.entry(place).or_insert(&arrival.key) != arrival.key {
                    wrong.push(format!("lane {lane}: job {place} came under two keys"));
                }
                if *keys.entry(&arrival.key).or_insert((lane, place)) != (lane, place) {
                    wrong.push(format!("key {} is of two jobs", arrival.key));
                }
                if place <= accepted {
                    tally.duplicates += 1;
                    tally.told_twice += u64::from(answered.contains(&place));
                }
                match arrival.end {
                    End::Failed => tally.failed += 1,
                    End::Lost => tally.lost += 1,
                    End::Accepted => {
                        answered.insert(place);
                    }
                }
                if arrival.end != End::Failed {
                    accepted = accepted.max(place);
                }
            }
            if accepted != *jobs {
                wrong.push(format!("lane {lane}: {accepted} of {jobs} jobs arrived"));
            }
        }
        for lane in self.lanes.keys() {
            if !expected.lanes.contains_key(lane) {
                wrong.push(format!("nobody has created lane {lane}"));
            }
        }
    }

    /// In every window no more calls than the rate and the burst admit. A bucket that leaks at the rate says it of all windows
    /// at once. A call may arrive later than it was admitted, but only so many are under way, and that is the slack; the
    /// twentieth of a second is what two clocks may differ by.
    fn judge_rate(&self, expected: &Expected, wrong: &mut Vec<String>) {
        let rate = f64::from(expected.per_second);
        let most = f64::from(expected.burst) + f64::from(expected.concurrency) + rate / 20.0;
        let (mut level, mut last, mut highest) = (0.0_f64, Duration::ZERO, 0.0_f64);
        for call in &self.calls {
            let passed = call.at.saturating_sub(last).as_secs_f64();
            level = (level - rate * passed).max(0.0) + 1.0;
            highest = highest.max(level);
            last = call.at;
        }
        if highest > most {
            wrong.push(format!(
                "{highest:.0} calls beyond {rate} a second came in some window; {most:.0} may"
            ));
        }
    }

    /// Who is asked for patience has it. What was under way when it was asked for may still come, so only the second half of the
    /// time is looked at; and a kill in the first half may have taken the answer along.
    fn judge_patience(&self, expected: &Expected, wrong: &mut Vec<String>) {
        for (index, asked) in self.calls.iter().enumerate() {
            let Some(until) = asked.patience_until else {
                continue;
            };
            let half = asked.at + until.saturating_sub(asked.at) / 2;
            if expected
                .kills
                .iter()
                .any(|kill| (asked.at..half).contains(kill))
            {
                continue;
            }
            let early = self.calls[index + 1..]
                .iter()
                .take_while(|call| call.at < until)
                .filter(|call| call.at >= half)
                .count();
            if early > 0 {
                wrong.push(format!(
                    "{early} calls came before the patience was over that was asked for at {:?}",
                    asked.at
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests;
