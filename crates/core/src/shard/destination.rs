//! A destination in memory: its row, its queue, and what is known of its jobs beyond their rows.

use super::belts::Belts;
use super::breaking::{Breaking, FOR_EVER, Tripped};
use super::objects::Objects;
use super::permits::{Permits, PermitsRow};
use crate::allowance::{Allowance, Used};
use crate::egress::{Destination, Job, JobState, NewJob};
use crate::ids::JobId;
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::DestinationStatus;
use crate::queue::Queue;
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// A destination with its queue.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) row: DestinationRow,
    pub(super) queue: Queue<JobId>,
    /// The last number given out in each lane that has been used since the shard was opened.
    pub(super) lanes: BTreeMap<Name, u64>,
    /// When the time of waiting jobs is over. Those under way are looked at when they come back.
    pub(super) expiries: BTreeSet<(Timestamp, JobId)>,
    /// Waiting jobs by the second in which they were accepted: the oldest is the first.
    ages: BTreeMap<u64, u32>,
    pub(super) breaking: Breaking,
    pub(super) belts: Belts,
    /// Jobs by the objects that they are about; absent until somebody wants to know.
    pub(super) objects: Option<Objects>,
    pub(super) permits: Permits,
    pub(super) tally: Tally,
}

/// Deliveries counted since the shard was opened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Those that failed.
    pub(super) failed: u64,
    /// Of them, those that are tried again.
    pub(super) retried: u64,
}

/// What must survive of a destination, its jobs and lanes aside.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct DestinationRow {
    /// The destination.
    #[n(0)]
    pub destination: Destination,
    /// Where the rate limit stands: see [`Allowance::due_us`].
    #[n(1)]
    pub due_us: u64,
    /// The destination asked for patience until then.
    #[n(2)]
    pub held_until: Timestamp,
    /// Jobs delivered so far.
    #[n(3)]
    pub succeeded: u64,
    /// Dead letters now.
    #[n(4)]
    pub dead: u64,
    /// Jobs accepted so far.
    #[n(5)]
    pub accepted: u64,
    /// Jobs cancelled so far.
    #[n(6)]
    pub cancelled: u64,
    /// Jobs superseded so far.
    #[n(7)]
    #[cbor(default)]
    pub superseded: u64,
    /// Jobs expired so far.
    #[n(8)]
    #[cbor(default)]
    pub expired: u64,
    /// Its breaker, unless that is closed.
    #[n(9)]
    pub tripped: Option<Tripped>,
    /// What is used of its quotas.
    #[n(10)]
    pub used: Option<Vec<Used>>,
    /// Its permits of shared limiters.
    #[n(11)]
    pub permits: Option<Vec<PermitsRow>>,
}

impl Target {
    pub(super) fn new(row: DestinationRow, now: Timestamp) -> Self {
        let mut target = Self {
            permits: Permits::of(row.permits.as_ref()),
            row,
            queue: Queue::default(),
            lanes: BTreeMap::new(),
            expiries: BTreeSet::new(),
            ages: BTreeMap::new(),
            breaking: Breaking::default(),
            belts: Belts::default(),
            objects: None,
            tally: Tally::default(),
        };
        target.limit(now);
        target
    }

    /// Brings the queue's limits in line with the destination and its breaker.
    pub(super) fn limit(&mut self, now: Timestamp) {
        let destination = &self.row.destination;
        let quotas = destination.quotas.as_deref().unwrap_or_default();
        let used = self.row.used.as_deref().unwrap_or_default();
        let allowance = Allowance::new(destination.rate, quotas, self.row.due_us, used);
        let concurrency = match &self.row.tripped {
            _ if !self.is_usable() => 0,
            None => destination.concurrency as usize,
            Some(tripped) if tripped.until > now => 0,
            // One call shows whether the destination is well again.
            Some(_) => 1,
        };
        self.queue.limit(allowance, concurrency);
        self.queue.hold(self.row.held_until);
    }

    /// True if jobs may leave at all.
    pub(super) fn is_usable(&self) -> bool {
        !self.row.destination.paused && !self.row.destination.url.is_empty()
    }

    /// Takes a waiting job into the queue and the indexes.
    pub(super) fn enqueue(&mut self, now: Timestamp, job: &Job) {
        let lane = Some(job.new.lane.clone());
        self.queue.push(now, job.id, lane, job.ready_at);
        if job.state == JobState::Parked && !mutant::is(Mutant::ParkedGoesOn) {
            self.queue.set_aside(job.id);
        }
        if let Some(at) = job.new.expires_at {
            self.expiries.insert((at, job.id));
        }
        *self.ages.entry(job.created_at.0 / 1_000).or_insert(0) += 1;
        self.belts.open(job);
    }

    /// Takes a job out of the queue and of what is known of waiting jobs.
    pub(super) fn dequeue(&mut self, now: Timestamp, job: &Job) {
        if self.permits.are_in_use() {
            self.permits.forget(job.id);
            self.end_permit(job.id);
        }
        self.queue.remove(now, job.id);
        if let Some(at) = job.new.expires_at {
            self.expiries.remove(&(at, job.id));
        }
        let second = job.created_at.0 / 1_000;
        if let Some(count) = self.ages.get_mut(&second) {
            *count -= 1;
            if *count == 0 {
                self.ages.remove(&second);
            }
        }
    }

    /// When something happens here by itself.
    pub(super) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let expiry = self.expiries.first().map(|(at, _)| *at);
        let closing = self.row.tripped.as_ref().map(|tripped| tripped.until);
        let closing = closing.filter(|at| {
            *at > now
                && *at != FOR_EVER
                && (self.queue.has_ready() || self.permits.are_in_use())
                && self.is_usable()
        });
        let permits = self.permits.next_deadline(now);
        [self.queue.next_deadline(now), expiry, closing, permits]
            .into_iter()
            .flatten()
            .min()
    }

    /// True if nothing can happen here by itself.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.waiting_and_leased() == (0, 0) && !self.permits.are_in_use()
    }

    /// What holds the whole destination back, in words.
    pub(super) fn blocked_on(&self, now: Timestamp) -> Option<Name> {
        let destination = &self.row.destination;
        if destination.url.is_empty() {
            return Some(Name::from(
                "its settings: nobody has configured the destination",
            ));
        }
        if destination.paused {
            return Some(Name::from("an operator: the destination is paused"));
        }
        if let Some(tripped) = &self.row.tripped {
            return Some(tripped.in_words(now));
        }
        if !self.queue.has_ready() {
            return None;
        }
        if self.queue.calls() >= destination.concurrency as usize {
            return Some(Name::from(format!(
                "the concurrency limit of {}",
                destination.concurrency
            )));
        }
        let until = self.queue.limited_until(now)?;
        let reason = if self.queue.held_until() > now {
            "patience asked for"
        } else if destination.quotas.is_some() {
            "rate limit or a quota"
        } else {
            "rate limit"
        };
        Some(Name::from(format!(
            "the {reason}, next slot in {} ms",
            until.since_ms(now)
        )))
    }

    pub(super) fn status(&self, now: Timestamp) -> DestinationStatus {
        let (waiting, leased) = self.queue.waiting_and_leased();
        DestinationStatus {
            destination: self.row.destination.clone(),
            pending: waiting as u64,
            in_flight: leased as u64,
            succeeded: self.row.succeeded,
            dead: self.row.dead,
            lanes: self.queue.groups() as u64,
            blocked_on: self.blocked_on(now),
            superseded: self.row.superseded,
            expired: self.row.expired,
            blocked: self.queue.aside() as u64,
            oldest_since: self.oldest_since(),
            breaker_open: self.row.tripped.is_some(),
        }
    }

    /// When the oldest job was accepted that waits, to the second.
    pub(super) fn oldest_since(&self) -> Option<Timestamp> {
        let (second, _) = self.ages.first_key_value()?;
        Some(Timestamp(second * 1_000))
    }

    /// Accepted = delivered + dead + cancelled + superseded + expired + waiting.
    pub(super) fn check(&self) -> Result<(), alloc::string::String> {
        self.queue.check()?;
        let (waiting, leased) = self.queue.waiting_and_leased();
        let row = &self.row;
        let known = row.succeeded
            + row.dead
            + row.cancelled
            + row.superseded
            + row.expired
            + (waiting + leased) as u64;
        if row.accepted != known {
            return Err(format!(
                "accepted {} jobs and knows of {known}",
                row.accepted
            ));
        }
        let aged: u64 = self.ages.values().map(|count| u64::from(*count)).sum();
        if aged != (waiting + leased) as u64 {
            return Err(format!("knows the age of {aged} jobs"));
        }
        self.belts.check(&self.queue)
    }
}

impl Job {
    /// A job as it is when it is accepted.
    pub(super) fn accepted(id: JobId, new: NewJob, lane_sequence: u64, now: Timestamp) -> Self {
        Self {
            id,
            lane_sequence,
            ready_at: new.not_before.unwrap_or(now),
            new,
            created_at: now,
            attempts: 0,
            state: JobState::Pending,
            last_error: None,
            settled_at: None,
            source: None,
            failed: None,
            superseded_by: None,
            replay_of: None,
            number: None,
            waits_for: None,
            released: None,
            object_since: None,
            tried_since: None,
        }
    }
}

/// A destination that jobs name and nobody has configured.
pub(super) fn unconfigured(name: &Name) -> impl FnOnce() -> Target {
    let name = name.clone();
    move || {
        let row = DestinationRow {
            destination: Destination {
                name,
                ..Destination::default()
            },
            due_us: 0,
            held_until: Timestamp(0),
            succeeded: 0,
            dead: 0,
            accepted: 0,
            cancelled: 0,
            superseded: 0,
            expired: 0,
            tripped: None,
            used: None,
            permits: None,
        };
        Target::new(row, Timestamp(0))
    }
}
