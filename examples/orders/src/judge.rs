//! The judge: reads what the shop wrote down and says whether every promise was kept.
//!
//! What it is not: it has no clock and no network; it is a function of the notes.
//!
//! The rules, each counted by itself:
//!
//! * **Order.** The first delivery of a lane has sequence 1; a later one has the next number, and not before its
//!   predecessor was accepted. A delivery that the shop did not accept (503, 429) keeps the lane where it is.
//! * **Repeats.** What comes again, comes with the same idempotency key, job, content and place in its lane; and no key is
//!   used for two jobs.
//! * **Rate.** In no window of one second do more requests arrive than the rate and the burst together.
//! * **Completeness.** Every expected job was accepted, and no other.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// How many complaints are kept in words.
const REASONS_MAX: usize = 20;

/// What the shop answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// 200, and it is done.
    Accepted,
    /// It is done, but the connection was dropped before the answer.
    Dropped,
    /// 503: not done.
    Unavailable,
    /// 429: not done.
    TooMany,
}

impl Answer {
    /// True if the shop has done what the delivery says.
    fn is_done(self) -> bool {
        matches!(self, Self::Accepted | Self::Dropped)
    }
}

/// One request, as the shop wrote it down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// When it arrived, in microseconds since the shop opened.
    pub at_us: u64,
    /// The lane, as the engine names it.
    pub lane: String,
    /// Its place in the lane.
    pub sequence: u64,
    /// The header `Idempotency-Key`.
    pub key: String,
    /// The job's identity.
    pub job: String,
    /// What it says: [`crate::delivery::Envelope::content`].
    pub content: String,
    /// What the shop answered.
    pub answer: Answer,
}

/// The limits that the shop announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Requests a second in the long run.
    pub rate_per_second: u64,
    /// Requests that may come at once after a pause.
    pub burst: u64,
}

/// What the judge found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// Requests that arrived.
    pub requests: u64,
    /// Distinct jobs that were accepted.
    pub delivered: u64,
    /// Requests for a job that was accepted before.
    pub repeats: u64,
    /// Requests answered 503.
    pub unavailable: u64,
    /// Requests answered 429.
    pub too_many: u64,
    /// Requests that were accepted and not answered.
    pub dropped: u64,
    /// The most requests in any window of one second.
    pub busiest_second: u64,
    /// Expected jobs that were never accepted.
    pub missing: u64,
    /// Accepted jobs that nobody expected.
    pub unexpected: u64,
    /// Broken promises of order, and foreign repeats.
    pub order_violations: u64,
    /// Requests beyond rate and burst within one second.
    pub rate_violations: u64,
    /// Requests that the shop did not understand; it fills this in, because they are not among the notes.
    pub misunderstood: u64,
    /// The first complaints, in words.
    pub reasons: Vec<String>,
}

impl Verdict {
    fn complain(&mut self, reason: impl FnOnce() -> String) {
        if self.reasons.len() < REASONS_MAX {
            self.reasons.push(reason());
        }
    }
}

/// Judges the notes, which are in the order in which the requests arrived. `expected` says how often each content must have
/// been accepted as a job of its own.
#[must_use]
pub fn judge(notes: &[Note], expected: &BTreeMap<String, u64>, limits: Limits) -> Verdict {
    let mut verdict = Verdict {
        requests: notes.len() as u64,
        ..Verdict::default()
    };
    for note in notes {
        match note.answer {
            Answer::Accepted => {}
            Answer::Dropped => verdict.dropped += 1,
            Answer::Unavailable => verdict.unavailable += 1,
            Answer::TooMany => verdict.too_many += 1,
        }
    }
    judge_order(notes, &mut verdict);
    judge_completeness(notes, expected, &mut verdict);
    judge_rate(notes, limits, &mut verdict);
    verdict
}

/// Order and repeats.
fn judge_order<'a>(notes: &'a [Note], verdict: &mut Verdict) {
    /// A lane as far as it has come.
    #[derive(Default)]
    struct Lane<'a> {
        /// The first note of each place in the lane, in order.
        first: Vec<&'a Note>,
        /// How many of them have been accepted.
        accepted: usize,
    }
    let mut lanes: HashMap<&'a str, Lane<'a>> = HashMap::new();
    let mut jobs_of_keys: HashMap<&'a str, &'a str> = HashMap::new();
    for note in notes {
        let job = *jobs_of_keys.entry(&note.key).or_insert(&note.job);
        if job != note.job {
            verdict.order_violations += 1;
            verdict
                .complain(|| format!("key {} is used for jobs {job} and {}", note.key, note.job));
        }
        let lane = lanes.entry(&note.lane).or_default();
        let place = note.sequence as usize;
        if place == 0 || place > lane.accepted + 1 {
            verdict.order_violations += 1;
            let accepted = lane.accepted;
            verdict.complain(|| {
                format!(
                    "lane {}: {place} came after {accepted} was accepted",
                    note.lane
                )
            });
            continue;
        }
        match lane.first.get(place - 1) {
            None => lane.first.push(note),
            Some(first) => {
                let same = (&first.key, &first.job, &first.content);
                if same != (&note.key, &note.job, &note.content) {
                    verdict.order_violations += 1;
                    let first = first.key.clone();
                    verdict.complain(|| {
                        format!("lane {}: {place} came with key {first}, then with key {} or other content", note.lane, note.key)
                    });
                }
            }
        }
        if note.answer.is_done() {
            if place == lane.accepted + 1 {
                lane.accepted += 1;
            } else {
                verdict.repeats += 1;
            }
        }
    }
}

/// Every expected job, and no other.
fn judge_completeness(notes: &[Note], expected: &BTreeMap<String, u64>, verdict: &mut Verdict) {
    let accepted: HashMap<&str, &str> = notes
        .iter()
        .filter(|note| note.answer.is_done())
        .map(|note| (note.job.as_str(), note.content.as_str()))
        .collect();
    verdict.delivered = accepted.len() as u64;
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    for content in accepted.values() {
        *found.entry(content).or_default() += 1;
    }
    for (content, wanted) in expected {
        let count = found.remove(content.as_str()).unwrap_or(0);
        if count < *wanted {
            verdict.missing += wanted - count;
            verdict.complain(|| {
                format!("{content} is expected {wanted} times and came {count} times")
            });
        } else if count > *wanted {
            verdict.unexpected += count - wanted;
            verdict.complain(|| {
                format!("{content} is expected {wanted} times and came {count} times")
            });
        }
    }
    for (content, count) in found {
        verdict.unexpected += count;
        verdict.complain(|| format!("{content} came {count} times and is not expected"));
    }
}

/// No second with more requests than rate and burst together.
fn judge_rate(notes: &[Note], limits: Limits, verdict: &mut Verdict) {
    let mut times: Vec<u64> = notes.iter().map(|note| note.at_us).collect();
    times.sort_unstable();
    let mut oldest = 0;
    for (newest, at_us) in times.iter().enumerate() {
        while times[oldest] + 1_000_000 <= *at_us {
            oldest += 1;
        }
        let within = (newest - oldest + 1) as u64;
        verdict.busiest_second = verdict.busiest_second.max(within);
        if within > limits.rate_per_second + limits.burst {
            verdict.rate_violations += 1;
            verdict.complain(|| format!("{within} requests within the second before {at_us} µs"));
        }
    }
}

#[cfg(test)]
mod tests;
