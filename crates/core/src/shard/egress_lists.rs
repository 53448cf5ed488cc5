//! Lists of egress: what ever happened to an object, the lanes that have work, and figures of destinations.

use super::Shard;
use super::destination::Target;
use crate::egress::{Job, ObjectRef};
use crate::io::Io;
use crate::limits::PAGE_MAX;
use crate::payload::Name;
use crate::peer::{
    BreakerState, DestinationFigures, JobPlace, LaneStatus, Moment, Rejection, Reply,
};
use crate::time::Timestamp;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// A look at the jobs of an object ends when their bodies have so many bytes.
const LOOK_BYTES: usize = 1 << 20;

impl Shard {
    /// The jobs about an object, in the order of their rows, as far as one look goes.
    pub(super) fn jobs_of_object(
        &self,
        io: &Io<'_>,
        object: &ObjectRef,
        destination: Option<&Name>,
        (after, behind): (Option<&JobPlace>, Option<&Moment>),
        limit: u32,
    ) -> Reply {
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        let next = self.look_at_jobs(io, destination, after, &mut |job| {
            let is_wanted = job.new.object_type == object.object_type
                && job.new.object_ids.contains(&object.object_id)
                && behind.is_none_or(|behind| Moment::of(&job) > *behind);
            if is_wanted {
                bytes += job.new.body.len();
                jobs.push(job);
            }
            jobs.len() < limit && bytes < LOOK_BYTES
        });
        Reply::ObjectJobs {
            jobs,
            next,
            more: false,
        }
    }

    /// The lanes of a destination that have work, by name.
    pub(super) fn list_lanes(
        &self,
        io: &Io<'_>,
        name: &Name,
        after: Option<&Name>,
        limit: u32,
    ) -> Result<Reply, Rejection> {
        let target = self.target(name)?;
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let mut lanes: Vec<LaneStatus> = Vec::new();
        let mut next = None;
        for (lane, depth, head) in target.queue.lines_behind(after) {
            if lanes.len() == limit {
                next = lanes.last().map(|lane| lane.lane.clone());
                break;
            }
            let Some(job) = io.get::<Job>(&self.keys.job(name, head)) else {
                continue;
            };
            let in_flight = target.queue.leased(head).is_some();
            lanes.push(LaneStatus {
                lane: lane.clone(),
                depth: depth as u64,
                head,
                in_flight,
                head_since: job.created_at,
                attempts: job.attempts,
                blocked_on: self.job_blocked_on(io, target, &job),
            });
        }
        Ok(Reply::Lanes { lanes, next })
    }

    /// Figures of the `limit` destinations with the most work: jobs that wait or are under way, then dead letters, then by name.
    pub(super) fn figures(&self, now: Timestamp, limit: u32) -> Reply {
        let mut targets: Vec<&Target> = self.egress.targets.values().collect();
        let total = targets.len() as u64;
        let limit = limit as usize;
        if targets.len() > limit {
            targets.sort_by_cached_key(|target| {
                let (waiting, leased) = target.queue.waiting_and_leased();
                Reverse((waiting + leased, target.row.dead))
            });
            targets.truncate(limit);
        }
        Reply::Figures {
            figures: targets.iter().map(|target| target.figures(now)).collect(),
            total,
        }
    }
}

impl Target {
    fn figures(&self, now: Timestamp) -> DestinationFigures {
        let (waiting, leased) = self.queue.waiting_and_leased();
        DestinationFigures {
            name: self.row.destination.name.clone(),
            pending: waiting as u64,
            in_flight: leased as u64,
            lanes: self.queue.groups() as u64,
            blocked: self.queue.aside() as u64,
            oldest_since: self.oldest_since(),
            succeeded: self.row.succeeded,
            dead: self.row.dead,
            failed: self.tally.failed,
            retried: self.tally.retried,
            paused: self.row.destination.paused,
            breaker: match &self.row.tripped {
                None => BreakerState::Closed,
                Some(tripped) if tripped.until > now => BreakerState::Open,
                Some(_) => BreakerState::HalfOpen,
            },
        }
    }
}
