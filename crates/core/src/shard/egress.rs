//! Egress: destinations, their lanes and jobs. A destination lives on one shard, with all its lanes and its limits.
//!
//! A destination is a [`Queue`] whose groups are the lanes: one job of a lane is under way at a time, in the order of their
//! creation, and the limits admit a job before it leaves. Attempts are counted only for real answers and transport failures.
//! Jobs are read from their rows when they leave, so that a backlog costs little memory.

use super::Shard;
use super::belts::may_wait;
use super::destination::DestinationRow;
use super::destination::{Target, unconfigured};
use super::feed::cut;
use super::job_ends::dead;
use super::judging::judge;
use crate::code::Code;
use crate::effect::Effect;
use crate::egress::{Delivery, Destination, HeadOfLine, Job, JobState, Verdict};
use crate::feed::Mark;
use crate::ids::{JobId, PeerId, Token};
use crate::io::{Io, decode};
use crate::mutant::{self, Mutant};
use crate::payload::{Name, Payload};
use crate::peer::{Counters, Rejection, Reply};
use crate::policy::RetryPolicy;
use crate::row::Kind;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

mod batching;

/// The destinations of a shard.
#[derive(Debug, Default)]
pub(crate) struct Egress {
    pub(super) targets: BTreeMap<Name, Target>,
    /// Destinations whose row has to be written.
    pub(super) changed: BTreeSet<Name>,
    /// Destinations with jobs that wait or are under way. The others cost nothing.
    awake: BTreeSet<Name>,
    /// True while the shard is being opened: what wants messages waits for the first tick.
    pub(super) opening: bool,
}

/// Leases of deliveries belong to no peer: the engine has them.
const ENGINE: PeerId = PeerId(0);
/// The engine always reports in time; if it does not, the delivery counts as unanswered this long after its time-out.
const LEASE_GRACE_MS: u64 = 30_000;

impl Egress {
    pub(crate) fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        self.awake
            .iter()
            .filter_map(|name| self.targets.get(name)?.next_deadline(now))
            .min()
    }

    pub(crate) fn count(&self, counters: &mut Counters) {
        for target in self.targets.values() {
            let (waiting, leased) = target.queue.waiting_and_leased();
            counters.jobs_pending += waiting as u64;
            counters.jobs_in_flight += leased as u64;
            counters.jobs_succeeded += target.row.succeeded;
            counters.jobs_dead += target.row.dead;
            counters.jobs_superseded += target.row.superseded;
            counters.jobs_expired += target.row.expired;
            counters.lanes_blocked += target.queue.aside() as u64;
            counters.breakers_open += u64::from(target.row.tripped.is_some());
        }
    }

    /// What [`Target::check`] says of every destination.
    pub(crate) fn check(&self) -> Result<(), alloc::string::String> {
        for (name, target) in &self.targets {
            target.check().map_err(|what| format!("`{name}` {what}"))?;
            if !target.is_idle() && !self.awake.contains(name) {
                return Err(format!("`{name}` has jobs and sleeps"));
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
            if mutant::is(Mutant::BreakerForgotten) {
                row.tripped = None;
            }
            row.destination.paused &= !mutant::is(Mutant::PauseForgotten);
            let target = Target::new(row, io.now);
            self.egress
                .targets
                .insert(target.row.destination.name.clone(), target);
            true
        });
        let names: Vec<Name> = self.egress.targets.keys().cloned().collect();
        for name in &names {
            let (from, to) = self.keys.jobs(name);
            let (mut pending, mut failed) = (Vec::new(), Vec::new());
            io.scan((&from, &to), &mut |_, value| {
                let mut job: Job = decode(value);
                if job.state.is_waiting() {
                    job.new.body = Payload::null();
                    pending.push(job);
                    return true;
                }
                if let Some(settled_at) = job.settled_at.filter(|_| job.state.expires()) {
                    self.sweep.expect(settled_at, self.settings.retention_ms);
                }
                if matches!(job.state, JobState::Dead | JobState::Expired) {
                    failed.push(job);
                }
                true
            });
            // Lanes in the order of their numbers; between lanes the oldest first would need more than rows hold.
            pending.sort_unstable_by_key(|job| (job.lane_sequence, job.id));
            let target = self.egress.targets.get_mut(name).expect("just listed");
            for job in &failed {
                target.belts.recall_failed(job);
            }
            for job in &pending {
                target.enqueue(io.now, job);
            }
            if target.row.destination.coalesce.is_some() {
                self.index_objects(io, name);
            }
        }
        self.egress.opening = true;
        for name in &names {
            self.pump(io, name);
        }
        self.egress.opening = false;
    }

    pub(super) fn put_destination(
        &mut self,
        io: &mut Io<'_>,
        destination: Destination,
    ) -> Result<Reply, Rejection> {
        let invalid = |detail: &str| Err(Rejection::new(Code::DestinationInvalid, detail));
        let scheme = ["http://", "https://"];
        if !scheme
            .iter()
            .any(|scheme| destination.url.starts_with(scheme))
        {
            return invalid("the URL must begin with http:// or https://");
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
        if destination.breaker.is_none() {
            target.row.tripped = None;
        }
        if target.row.destination.limiters != destination.limiters {
            target.change_limiters();
        }
        target.row.destination = destination;
        target.limit(io.now);
        let coalesces = target.row.destination.coalesce.is_some();
        if coalesces {
            self.index_objects(io, &name);
        }
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
        let status = self.target(name)?.status(io.now);
        Ok(Reply::Destination(Box::new(status)))
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
        if let Some(target) = self.egress.targets.get_mut(name)
            && target.row.tripped.is_some()
        {
            target.limit(io.now);
        }
        while self.send_next(io, name) {}
        let target = self.egress.targets.get(name);
        let mut idle = target.is_none_or(Target::is_idle);
        if target.is_some_and(|target| target.permits.are_in_use()) {
            self.settle_permits(io, name);
            idle = self.egress.targets.get(name).is_none_or(Target::is_idle);
        }
        if idle {
            self.egress.awake.remove(name);
        } else if !self.egress.awake.contains(name) {
            self.egress.awake.insert(name.clone());
        }
    }

    /// Sees to the next job that the limits admit: sends it, or finds that it must not go. False if there is none.
    fn send_next(&mut self, io: &mut Io<'_>, name: &Name) -> bool {
        let Some(target) = self.egress.targets.get_mut(name) else {
            return false;
        };
        if !target.queue.admits(io.now) {
            return false;
        }
        let id = target.queue.peek().expect("one is ready");
        let shares = target.row.destination.limiters.is_some();
        let mut job: Job = io
            .get(&self.keys.job(name, id))
            .expect("what is queued has a row");
        let is_over = job.new.expires_at.is_some_and(|at| at <= io.now);
        if is_over && !mutant::is(Mutant::ExpiryIgnored) {
            self.settle_job(io, &mut job, JobState::Expired);
            self.feed_job(name, id, &Mark::JobExpired);
            return true;
        }
        if may_wait(&job) {
            let target = self.egress.targets.get(name).expect("seen above");
            if let Some((_, other)) = self.obstacle(io, target, &job) {
                let target = self.egress.targets.get_mut(name).expect("seen above");
                Self::set_aside(target, &job, other);
                return true;
            }
        }
        if shares {
            let target = self.egress.targets.get_mut(name).expect("seen above");
            if !target.take_permit(&job) {
                return true;
            }
        }
        let token = self.next_token();
        let target = self.egress.targets.get_mut(name).expect("seen above");
        let destination = &target.row.destination;
        let deadline = io
            .now
            .plus_ms(destination.timeout_ms.saturating_add(LEASE_GRACE_MS));
        let taken = target.queue.take(io.now, ENGINE, token, deadline);
        debug_assert_eq!(taken, Some(id), "the limits have admitted it");
        let allowance = target.queue.allowance();
        if !allowance.is_unlimited() {
            target.row.due_us = allowance.due_us().unwrap_or(target.row.due_us);
            let quotas = target.row.destination.quotas.as_ref();
            target.row.used = quotas.map(|_| allowance.used());
            self.egress.changed.insert(name.clone());
        }
        if let Some(objects) = &mut target.objects {
            objects.sent(&job);
        }
        if target.row.destination.connector.is_some() {
            self.send_batch(io, name, (job, token), (ENGINE, deadline));
            return true;
        }
        io.effect(Effect::Deliver {
            destination: Box::new(target.row.destination.clone()),
            attempt: job.attempts + 1,
            job: Box::new(job),
            token,
        });
        true
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
        let verdict = judgement.verdict;
        if let Some(ms) = judgement.patience_ms {
            target.row.held_until = target.row.held_until.max(io.now.plus_ms(ms));
            target.queue.hold(target.row.held_until);
        }
        if matches!(verdict, Verdict::Retry { .. })
            && let Some(ms) = judgement.patience_ms
        {
            target.share_patience(&job.new.action, io.now.plus_ms(ms));
        }
        target.end_permit(id);
        if !matches!(verdict, Verdict::Pause | Verdict::Wait { .. }) {
            job.attempts += 1;
        }
        if verdict != Verdict::Succeed {
            // What waits has not been tried.
            if !matches!(verdict, Verdict::Wait { .. }) {
                job.remember(io.now, delivery, &judgement.reason);
                job.tried_since.get_or_insert(io.now);
            }
            job.last_error = Some(judgement.reason);
        }
        let destination = &mut target.row.destination;
        let retry_at = match verdict {
            Verdict::Retry { after_ms } if destination.head_of_line != HeadOfLine::Skip => {
                retry_at(&destination.retry, &job, after_ms, io.now)
            }
            Verdict::Pause => Some(io.now),
            Verdict::Wait { after_ms } => Some(io.now.plus_ms(after_ms)),
            Verdict::Retry { .. }
            | Verdict::Succeed
            | Verdict::Fail
            | Verdict::RefreshCredential => None,
        };
        if !matches!(verdict, Verdict::Succeed | Verdict::Wait { .. }) {
            target.tally.failed += 1;
            target.tally.retried += u64::from(retry_at.is_some());
        }
        match (verdict, retry_at) {
            (Verdict::Succeed, _) => {
                let attempt = job.attempts;
                self.feed_job(name, id, &Mark::JobDelivered { attempt });
                self.settle_job(io, &mut job, JobState::Succeeded);
            }
            (_, Some(at)) => {
                job.ready_at = at;
                target.queue.retry(io.now, id, at);
                if let Some(at) = job.new.expires_at {
                    target.expiries.insert((at, id));
                }
                io.put(&job_key, &job);
                self.feed_job(name, id, &failed_once(&job));
            }
            (_, None) if destination.head_of_line == HeadOfLine::Park => {
                self.feed_job(name, id, &parked(&job));
                self.park(io, &mut job);
            }
            (_, None) => {
                self.feed_job(name, id, &dead(&job));
                self.settle_job(io, &mut job, JobState::Dead);
            }
        }
        if verdict == Verdict::Pause {
            self.disable(io, name, &job);
        } else if !matches!(verdict, Verdict::Wait { .. }) {
            let is_retry = matches!(verdict, Verdict::Retry { .. });
            self.count_for_breaker(io, name, is_retry && judgement.patience_ms.is_none());
        }
        self.egress.changed.insert(name.clone());
        self.pump(io, name);
    }

    /// An answer says that the destination is not to be called any more.
    fn disable(&mut self, io: &Io<'_>, name: &Name, job: &Job) {
        let target = self.egress.targets.get_mut(name).expect("it was called");
        target.row.destination.paused = true;
        target.limit(io.now);
        let reason = cut(job.last_error.as_ref().unwrap_or(&Name::from("")));
        self.feed_destination(name, &Mark::DestinationDisabled { reason });
    }

    /// Deliveries of which the engine never reported count as unanswered; and what the time has admitted leaves.
    pub(super) fn lapse_deliveries(&mut self, io: &mut Io<'_>) {
        let names: Vec<Name> = self.egress.awake.iter().cloned().collect();
        for name in names {
            self.expire_jobs(io, &name);
            let target = self
                .egress
                .targets
                .get(&name)
                .expect("what is awake is there");
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

/// When a job is tried again, if it is.
fn retry_at(
    policy: &RetryPolicy,
    job: &Job,
    after_ms: Option<u64>,
    now: Timestamp,
) -> Option<Timestamp> {
    let delay_ms = policy.delay_ms(job.attempts, job.id.0 as u64)?;
    // A rule's own delay replaces that of the policy, not its end.
    let at = now.plus_ms(after_ms.unwrap_or(delay_ms));
    let since = job.tried_since.unwrap_or(now);
    let in_time = |elapsed_ms| at.since_ms(since) <= elapsed_ms;
    policy.elapsed_ms.is_none_or(in_time).then_some(at)
}

fn failed_once(job: &Job) -> Mark {
    Mark::JobAttemptFailed {
        attempt: job.attempts,
        retry_at: job.ready_at,
        reason: cut(job.last_error.as_ref().unwrap_or(&Name::from(""))),
    }
}

fn parked(job: &Job) -> Mark {
    Mark::LaneBlocked {
        attempt: job.attempts,
        reason: cut(job.last_error.as_ref().unwrap_or(&Name::from(""))),
    }
}
