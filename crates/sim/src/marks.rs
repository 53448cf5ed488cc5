//! Marks: rare things that must happen sometimes, or the world is too tame.
//!
//! Each is set where the world or the model sees it. A suite over many seeds fails if one was never reached.

use std::collections::BTreeMap;

/// What was seen, and how often.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks(BTreeMap<&'static str, u64>);

/// Everything that must be seen over many seeds.
pub const MARKS: &[&str] = &[
    "a power failure with commits that were not durable",
    "commits that were not durable survived a power failure",
    "an incomplete tail was cut",
    "a power failure during recovery",
    "a killed process",
    "a write or sync failed, and the process stopped",
    "a sync failed and lost what it should have written",
    "a keeper met a full disk",
    "a full disk healed",
    "a checkpoint was written",
    "a checkpoint was under way in a power failure",
    "recovery began from a checkpoint",
    "a client did not learn what became of its request",
    "a repeated request got an answer",
    "a repeated signal was dropped",
    "a request was refused",
    "a run waited for a signal",
    "a run was cancelled",
    "a run was terminated",
    "a finished run was purged",
    "an id was used again after its run was purged",
    "a failed run was retried",
    "a run was forked",
    "an operator had a run forgotten",
    "a bulk operation came to its end",
    "a bulk operation was stopped",
    "a bulk operation went on after a crash",
    "a run heard of the end of its child",
    "a child was refused",
    "a child was cancelled",
    "a child was asked to end with its parent",
    "a child outlived its parent",
    "a run continued as new",
    "a signal came along into a new generation",
    "a method was called",
    "a signal by tag has been everywhere",
    "a query was answered",
    "a history was replayed for a query",
    "a schedule fired",
    "a schedule caught up",
    "a schedule missed fires",
    "a schedule was backfilled",
    "a fire waited",
    "a fire was skipped",
    "a task was delegated",
    "a task was answered from outside",
    "an answer was kept until its attempt ends",
    "a task was asked to end",
    "a worker said that it is at work",
    "a turn was refused",
    "a late answer of a task was refused",
    "a turn behind a result was taken",
    "a turn was continued from a held future",
    "a future was lost",
    "an attempt of a task failed",
    "an attempt of a task lapsed",
    "a task failed for good",
    "a worker died with work",
    "a timer came due while the process was down",
    "a timer was cancelled",
    "a job was sent again after a power failure",
    "a job was tried again",
    "a job became a dead letter",
    "a dead letter was corrected",
    "a job waited for a dead letter's correction",
    "jobs shared a call to a connector",
    "a call to a connector carried all that it takes",
    "a dead letter was replayed",
    "a job was cancelled",
    "a delivery was never reported",
    "a destination asked for patience",
    "a rate held a job back",
    "a shared limiter held a job back",
    "a call left with a permit of a shared limiter",
    "a lane was parked",
    "a parked lane was released",
    "a parked job was given up",
    "a breaker opened",
    "a breaker opened again after its probe",
    "a breaker closed",
    "a breaker paused a destination",
    "an operator opened a breaker",
    "a rule paused a destination",
    "a paused destination was enabled",
    "a job waited because a call could not be made",
    "a job waited for its belt",
    "a job was blocked by one that failed",
    "a job was released from its belt",
    "a job was superseded",
    "a creation and a deletion cancelled out",
    "a job expired",
    "a bulk operation on jobs came to its end",
    "a bulk operation on jobs was stopped",
    "a bulk operation on jobs went on after a crash",
    "a page of events was full",
    "a message crossed from shard to shard",
    "a message was sent again after a power failure",
    "the clock jumped",
    "the clock was set back between two lives",
    "a copy recovered to the same rows",
    "a flipped bit was refused",
];

impl Marks {
    /// It happened.
    pub fn set(&mut self, mark: &'static str) {
        debug_assert!(MARKS.contains(&mark), "`{mark}` is not in the list");
        *self.0.entry(mark).or_insert(0) += 1;
    }

    /// It happened, if `seen`.
    pub fn set_if(&mut self, seen: bool, mark: &'static str) {
        if seen {
            self.set(mark);
        }
    }

    /// Adds what another world has seen.
    pub fn add(&mut self, other: &Self) {
        for (mark, count) in &other.0 {
            *self.0.entry(mark).or_insert(0) += count;
        }
    }

    /// How often it happened.
    #[must_use]
    pub fn count(&self, mark: &str) -> u64 {
        self.0.get(mark).copied().unwrap_or(0)
    }

    /// What was never seen.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let seen = |mark: &&&str| self.count(mark) == 0;
        MARKS.iter().filter(seen).copied().collect()
    }
}
