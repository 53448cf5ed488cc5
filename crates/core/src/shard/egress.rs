//! Egress: destinations, their lanes and jobs. A destination lives on one shard, with all its lanes and its limits.
//!
//! A destination is a [`Queue`] whose groups are the lanes: one job of a lane is under way at a time, in the order of their
//! creation, and the limits admit a job before it leaves. Attempts are counted only for real answers and transport failures.
//! Jobs are read from their rows when they leave, so that a backlog costs little memory.

use super::Shard;
use super::feed::cut;
use super::judging::judge;
use crate::code::Code;
use crate::effect::Effect;
use crate::egress::{Delivery, Destination, HeadOfLine, Job, JobState, Verdict};
use crate::feed::Mark;
use crate::gcra::Gcra;
use crate::ids::{JobId, PeerId, Token};
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::Name;
use crate::peer::{Counters, DestinationStatus, Rejection, Reply};
use crate::queue::Queue;
use crate::row::Kind;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// The destinations of a shard.
#[derive(Debug, Default)]
pub(crate) struct Egress {
    pub(super) targets: BTreeMap<Name, Target>,
    /// Destinations whose row has to be written.
    pub(super) changed: BTreeSet<Name>,
}

/// A destination with its queue.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) row: DestinationRow,
    pub(super) queue: Queue<JobId>,
    /// The last number given out in each lane that has been used since the shard was opened.
    pub(super) lanes: BTreeMap<Name, u64>,
}

/// What must survive of a destination, its jobs and lanes aside.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct DestinationRow {
    /// The destination.
    #[n(0)]
    pub destination: Destination,
    /// Where the rate limit stands: see [`Gcra::due_us`].
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
}

/// Leases of deliveries belong to no peer: the engine has them.
const ENGINE: PeerId = PeerId(0);
/// The engine always reports in time; if it does not, the delivery counts as unanswered this long after its time-out.
const LEASE_GRACE_MS: u64 = 30_000;

impl Target {
    fn new(row: DestinationRow) -> Self {
        let mut target = Self {
            row,
            queue: Queue::default(),
            lanes: BTreeMap::new(),
        };
        target.limit();
        target
    }

    /// Brings the queue's limits in line with the destination.
    fn limit(&mut self) {
        let destination = &self.row.destination;
        let rate = destination
            .rate
            .map(|rate| Gcra::new(rate, self.row.due_us));
        let concurrency = if self.is_usable() {
            destination.concurrency as usize
        } else {
            0
        };
        self.queue.limit(rate, concurrency);
        self.queue.hold(self.row.held_until);
    }

    /// True if jobs may leave at all.
    pub(super) fn is_usable(&self) -> bool {
        !self.row.destination.paused && !self.row.destination.url.is_empty()
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
        if !self.queue.has_ready() {
            return None;
        }
        let (_, leased) = self.queue.waiting_and_leased();
        if leased >= destination.concurrency as usize {
            return Some(Name::from(format!(
                "the concurrency limit of {}",
                destination.concurrency
            )));
        }
        let until = self.queue.limited_until(now)?;
        let reason = if self.queue.held_until() > now {
            "patience asked for"
        } else {
            "rate limit"
        };
        Some(Name::from(format!(
            "the {reason}, next slot in {} ms",
            until.since_ms(now)
        )))
    }

    fn status(&self, now: Timestamp) -> DestinationStatus {
        let (waiting, leased) = self.queue.waiting_and_leased();
        DestinationStatus {
            destination: self.row.destination.clone(),
            pending: waiting as u64,
            in_flight: leased as u64,
            succeeded: self.row.succeeded,
            dead: self.row.dead,
            lanes: self.queue.groups() as u64,
            blocked_on: self.blocked_on(now),
        }
    }
}

impl Egress {
    pub(crate) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.targets
            .values()
            .filter_map(|target| target.queue.next_deadline(now))
            .min()
    }

    pub(crate) fn count(&self, counters: &mut Counters) {
        for target in self.targets.values() {
            let (waiting, leased) = target.queue.waiting_and_leased();
            counters.jobs_pending += waiting as u64;
            counters.jobs_in_flight += leased as u64;
            counters.jobs_succeeded += target.row.succeeded;
            counters.jobs_dead += target.row.dead;
        }
    }

    /// Accepted = delivered + dead + cancelled + waiting, for every destination.
    pub(crate) fn check(&self) -> Result<(), alloc::string::String> {
        for (name, target) in &self.targets {
            target.queue.check()?;
            let (waiting, leased) = target.queue.waiting_and_leased();
            let row = &target.row;
            let known = row.succeeded + row.dead + row.cancelled + (waiting + leased) as u64;
            if row.accepted != known {
                return Err(format!(
                    "`{name}` accepted {} jobs and knows of {known}",
                    row.accepted
                ));
            }
        }
        Ok(())
    }
}

impl Shard {
    pub(super) fn open_egress(&mut self, io: &mut Io<'_>) {
        let (from, to) = self.keys.all(Kind::Destination);
        io.scan((&from, &to), &mut |_, value| {
            let mut row: DestinationRow = decode(value);
            if mutant::is(Mutant::LimiterReset) {
                row.due_us = 0;
            }
            if mutant::is(Mutant::PatienceLost) {
                row.held_until = Timestamp(0);
            }
            self.egress
                .targets
                .insert(row.destination.name.clone(), Target::new(row));
            true
        });
        let names: Vec<Name> = self.egress.targets.keys().cloned().collect();
        for name in &names {
            let (from, to) = self.keys.jobs(name);
            let mut pending = Vec::new();
            io.scan((&from, &to), &mut |_, value| {
                let job: Job = decode(value);
                if job.state == JobState::Pending {
                    pending.push((job.lane_sequence, job.id, job.new.lane, job.ready_at));
                } else if let Some(settled_at) = job.settled_at.filter(|_| job.state.expires()) {
                    self.sweep.expect(settled_at, self.settings.retention_ms);
                }
                true
            });
            // Lanes in the order of their numbers; between lanes the oldest first would need more than rows hold.
            pending.sort_unstable_by_key(|(sequence, id, ..)| (*sequence, *id));
            let target = self.egress.targets.get_mut(name).expect("just listed");
            for (_, id, lane, ready_at) in pending {
                target.queue.push(io.now, id, Some(lane), ready_at);
            }
        }
        for name in &names {
            self.pump(io, name);
        }
    }

    pub(super) fn put_destination(
        &mut self,
        io: &mut Io<'_>,
        destination: Destination,
    ) -> Result<Reply, Rejection> {
        let invalid = |detail: &str| Err(Rejection::new(Code::DestinationInvalid, detail));
        if !destination.url.starts_with("http://") {
            return invalid("the URL must begin with http:// (this version has no TLS)");
        }
        if destination.concurrency == 0 || destination.timeout_ms == 0 {
            return invalid("concurrency and timeout must be at least 1");
        }
        if destination
            .rate
            .is_some_and(|rate| rate.per_second == 0 || rate.burst == 0)
        {
            return invalid("a rate needs at least 1 call a second and a burst of at least 1");
        }
        let name = destination.name.clone();
        let target = self
            .egress
            .targets
            .entry(name.clone())
            .or_insert_with(unconfigured(&name));
        target.row.destination = destination;
        target.limit();
        self.egress.changed.insert(name.clone());
        self.pump(io, &name);
        Ok(Reply::Done)
    }

    pub(super) fn target(&self, name: &Name) -> Result<&Target, Rejection> {
        self.egress.targets.get(name).ok_or_else(|| {
            Rejection::new(
                Code::DestinationNotFound,
                format!("there is no destination `{name}`"),
            )
        })
    }

    pub(super) fn describe_destination(
        &self,
        io: &Io<'_>,
        name: &Name,
    ) -> Result<Reply, Rejection> {
        Ok(Reply::Destination(self.target(name)?.status(io.now)))
    }

    pub(super) fn list_destinations(&self, io: &Io<'_>) -> Reply {
        let all = self
            .egress
            .targets
            .values()
            .map(|target| target.status(io.now));
        Reply::Destinations(all.collect())
    }

    /// Sends what the limits of a destination admit.
    pub(super) fn pump(&mut self, io: &mut Io<'_>, name: &Name) {
        loop {
            let token = self.next_token();
            let Some(target) = self.egress.targets.get_mut(name) else {
                return;
            };
            let destination = &target.row.destination;
            let deadline = io
                .now
                .plus_ms(destination.timeout_ms.saturating_add(LEASE_GRACE_MS));
            let Some(id) = target.queue.take(io.now, ENGINE, token, deadline) else {
                return;
            };
            let job: Job = io
                .get(&self.keys.job(name, id))
                .expect("what is queued has a row");
            if let Some(rate) = target.queue.rate() {
                target.row.due_us = rate.due_us();
                self.egress.changed.insert(name.clone());
            }
            let attempt = job.attempts + 1;
            let destination = Box::new(destination.clone());
            io.effect(Effect::Deliver {
                destination,
                job: Box::new(job),
                attempt,
                token,
            });
        }
    }

    pub(super) fn delivered(
        &mut self,
        io: &mut Io<'_>,
        name: &Name,
        id: JobId,
        token: Token,
        delivery: &Delivery,
    ) {
        let Some(target) = self.egress.targets.get_mut(name) else {
            return;
        };
        if target.queue.lease(id, token).is_none() {
            return;
        }
        let job_key = self.keys.job(name, id);
        let Some(mut job) = io.get::<Job>(&job_key) else {
            return;
        };
        let judgement = judge(delivery, &job.new.action);
        if let Some(ms) = judgement.patience_ms {
            target.row.held_until = target.row.held_until.max(io.now.plus_ms(ms));
            target.queue.hold(target.row.held_until);
        }
        if judgement.verdict != Verdict::Pause {
            job.attempts += 1;
        }
        if judgement.verdict != Verdict::Succeed {
            job.last_error = Some(judgement.reason);
        }
        let destination = &mut target.row.destination;
        let retry_at = match judgement.verdict {
            Verdict::Retry { after_ms } if destination.head_of_line == HeadOfLine::Block => {
                let delay_ms = destination.retry.delay_ms(job.attempts, id.0 as u64);
                // A rule's own delay replaces that of the policy, not its end.
                delay_ms.map(|ms| io.now.plus_ms(after_ms.unwrap_or(ms)))
            }
            Verdict::Pause => {
                destination.paused = true;
                target.limit();
                Some(io.now)
            }
            Verdict::Retry { .. } | Verdict::Succeed | Verdict::Fail => None,
        };
        self.feed_job(name, id, &mark_of(&job, judgement.verdict, retry_at));
        let target = self.egress.targets.get_mut(name).expect("seen above");
        match (judgement.verdict, retry_at) {
            (Verdict::Succeed, _) => {
                job.state = JobState::Succeeded;
                target.row.succeeded += 1;
            }
            (_, Some(at)) => {
                job.ready_at = at;
                target.queue.retry(io.now, id, at);
            }
            (_, None) => {
                job.state = JobState::Dead;
                target.row.dead += 1;
            }
        }
        if job.state != JobState::Pending {
            job.settled_at = Some(io.now);
            target.queue.remove(io.now, id);
            if job.state.expires() {
                self.sweep.expect(io.now, self.settings.retention_ms);
            }
        }
        io.put(&job_key, &job);
        self.egress.changed.insert(name.clone());
        self.pump(io, name);
    }

    /// Deliveries of which the engine never reported count as unanswered; and what the time has admitted leaves.
    pub(super) fn lapse_deliveries(&mut self, io: &mut Io<'_>) {
        let names: Vec<Name> = self.egress.targets.keys().cloned().collect();
        for name in names {
            let target = self.egress.targets.get(&name).expect("just listed");
            for (id, lease) in target.queue.lapsed(io.now) {
                let reason = Name::from("no report of the delivery");
                let delivery = Delivery::Unanswered {
                    reason,
                    verdict: None,
                };
                self.delivered(io, &name, id, lease.token, &delivery);
            }
            self.pump(io, &name);
        }
    }

    /// Writes the rows of destinations that have changed.
    pub(super) fn seal_egress(&mut self, io: &mut Io<'_>) {
        for name in core::mem::take(&mut self.egress.changed) {
            if let Some(target) = self.egress.targets.get(&name) {
                io.put(&self.keys.destination(&name), &target.row);
            }
        }
    }
}

/// A destination that jobs name and nobody has configured.
pub(super) fn unconfigured(name: &Name) -> impl FnOnce() -> Target {
    let name = name.clone();
    move || {
        Target::new(DestinationRow {
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
        })
    }
}

/// What the feed tells of a delivery that was judged.
fn mark_of(job: &Job, verdict: Verdict, retry_at: Option<Timestamp>) -> Mark {
    let attempt = job.attempts;
    let reason = cut(job.last_error.as_ref().unwrap_or(&Name::from("")));
    match (verdict, retry_at) {
        (Verdict::Succeed, _) => Mark::JobDelivered { attempt },
        (_, Some(retry_at)) => Mark::JobAttemptFailed {
            attempt,
            retry_at,
            reason,
        },
        (_, None) => Mark::JobDead { attempt, reason },
    }
}
