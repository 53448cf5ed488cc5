//! Requests about many jobs of destinations, and about lanes and objects.

use crate::egress::{Job, JobState, ObjectRef};
use crate::ids::JobId;
use crate::payload::{Name, Payload};
use crate::time::Timestamp;
use alloc::boxed::Box;
use minicbor::{Decode, Encode};

/// What is asked about jobs beyond one by one.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum JobsOp {
    /// Put another job in the place of a dead letter, with a body of its own: `Reply::Done`. The dead letter is superseded by it.
    #[n(0)]
    Correct {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// The dead letter.
        #[n(1)]
        job: JobId,
        /// The identity of the new job. A repeat with the same one does nothing.
        #[n(2)]
        id: JobId,
        /// Its body.
        #[n(3)]
        body: Payload,
    },
    /// Let a paused destination be called again: `Reply::Done`, or `Reply::Bulk` if there is something to do before or after.
    #[n(1)]
    Enable {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// What becomes of its jobs.
        #[n(1)]
        backlog: Backlog,
        /// What the bulk operation is called that does it.
        #[n(2)]
        bulk: Name,
    },
    /// Count the jobs of one shard to which something can be done: `Reply::JobsCounted`. The engine asks shard after shard.
    #[n(2)]
    Count {
        /// Which jobs.
        #[n(0)]
        filter: Box<JobFilter>,
        /// What.
        #[n(1)]
        action: JobAction,
        /// Go on behind this job.
        #[n(2)]
        after: Option<JobPlace>,
    },
    /// The jobs about an object: `Reply::ObjectJobs`. The engine asks shard after shard, and puts them in order.
    #[n(3)]
    OfObject {
        /// The object.
        #[n(0)]
        object: Box<ObjectRef>,
        /// Only of this destination.
        #[n(1)]
        destination: Option<Name>,
        /// Go on behind this job, in the order of the rows.
        #[n(2)]
        after: Option<JobPlace>,
        /// Only what came behind this, in the order of time.
        #[n(3)]
        behind: Option<Moment>,
        /// At most so many.
        #[n(4)]
        limit: u32,
    },
    /// The lanes of a destination that have work: `Reply::Lanes`.
    #[n(4)]
    Lanes {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// Go on behind this lane.
        #[n(1)]
        after: Option<Name>,
        /// At most so many.
        #[n(2)]
        limit: u32,
    },
    /// Figures of the destinations of one shard: `Reply::Figures`. The engine asks all shards.
    #[n(5)]
    Figures {
        /// Of so many destinations: those with the most work.
        #[n(0)]
        limit: u32,
    },
}

/// What becomes of the jobs of a destination that is enabled again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Backlog {
    /// What waits is delivered.
    #[n(0)]
    Resume,
    /// What waits is cancelled first.
    #[n(1)]
    Drop,
    /// What waits is delivered, and dead letters once more.
    #[n(2)]
    Replay,
}

/// A job among the rows of a shard.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct JobPlace {
    /// Its destination.
    #[n(0)]
    pub destination: Name,
    /// The job.
    #[n(1)]
    pub job: JobId,
}

/// A job in the order of time: jobs are in the order of their acceptance, those of one millisecond in that of their lane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct Moment {
    /// When it was accepted.
    #[n(0)]
    pub created_at: Timestamp,
    /// Its place in its lane.
    #[n(1)]
    pub lane_sequence: u64,
    /// The job.
    #[n(2)]
    pub job: JobId,
}

impl Moment {
    /// That of a job.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        Self {
            created_at: job.created_at,
            lane_sequence: job.lane_sequence,
            job: job.id,
        }
    }
}

/// Which jobs are meant. What is absent is not looked at; all that is given must match.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct JobFilter {
    /// Only of this destination.
    #[n(0)]
    pub destination: Option<Name>,
    /// Only of this lane.
    #[n(1)]
    pub lane: Option<Name>,
    /// Only in this state.
    #[n(2)]
    pub state: Option<JobState>,
    /// Only about objects of this type.
    #[n(3)]
    pub object_type: Option<Name>,
    /// Only about this object.
    #[n(4)]
    pub object_id: Option<Name>,
    /// Only with this action.
    #[n(5)]
    pub action: Option<Name>,
    /// Only of this batch.
    #[n(6)]
    pub batch: Option<Name>,
    /// Only if accepted at this time or later.
    #[n(7)]
    pub created_after: Option<Timestamp>,
    /// Only if accepted before this time.
    #[n(8)]
    pub created_before: Option<Timestamp>,
    /// Only if the last error has this in it.
    #[n(9)]
    pub error: Option<Name>,
}

impl JobFilter {
    /// True if everything fits.
    #[must_use]
    pub fn matches(&self, job: &Job) -> bool {
        let is = |wanted: &Option<Name>, is: &Name| wanted.as_ref().is_none_or(|name| name == is);
        is(&self.destination, &job.new.destination)
            && is(&self.lane, &job.new.lane)
            && is(&self.object_type, &job.new.object_type)
            && is(&self.action, &job.new.action)
            && self.state.is_none_or(|state| state == job.state)
            && self
                .object_id
                .as_ref()
                .is_none_or(|id| job.new.object_ids.contains(id))
            && (self.batch.is_none() || self.batch == job.new.batch)
            && self.created_after.is_none_or(|at| job.created_at >= at)
            && self.created_before.is_none_or(|at| job.created_at < at)
            && self.error.as_ref().is_none_or(|text| {
                let error = job.last_error.as_ref();
                error.is_some_and(|error| error.contains(text.as_str()))
            })
    }
}

/// What is done to many jobs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum JobAction {
    /// Deliver a dead letter again, at the end of its lane.
    #[n(0)]
    Replay,
    /// End it. A dead letter only if that state is asked for.
    #[n(1)]
    Cancel,
}

impl JobAction {
    /// True if it can be done to a job that `filter` lets through.
    #[must_use]
    pub fn fits(self, filter: &JobFilter, job: &Job) -> bool {
        let fits = match self {
            Self::Replay => job.state == JobState::Dead,
            Self::Cancel => {
                job.state.is_waiting()
                    || job.state == JobState::Dead && filter.state == Some(JobState::Dead)
            }
        };
        fits && filter.matches(job)
    }
}

/// A lane that has work.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LaneStatus {
    /// Its name.
    #[n(0)]
    pub lane: Name,
    /// Jobs in it.
    #[n(1)]
    pub depth: u64,
    /// The first of them.
    #[n(2)]
    pub head: JobId,
    /// True if that is under way.
    #[n(3)]
    pub in_flight: bool,
    /// When it was accepted.
    #[n(4)]
    pub head_since: Timestamp,
    /// Its attempts that have failed.
    #[n(5)]
    pub attempts: u32,
    /// What it waits for, in words; absent: for nothing.
    #[n(6)]
    pub blocked_on: Option<Name>,
}

/// Figures of a destination, for a scrape.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct DestinationFigures {
    /// Its name.
    #[n(0)]
    pub name: Name,
    /// Jobs waiting.
    #[n(1)]
    pub pending: u64,
    /// Jobs being delivered.
    #[n(2)]
    pub in_flight: u64,
    /// Lanes with work.
    #[n(3)]
    pub lanes: u64,
    /// Of them, those whose first job waits for another job, a limiter or an operator.
    #[n(4)]
    pub blocked: u64,
    /// When the oldest job was accepted that waits, to the second.
    #[n(5)]
    pub oldest_since: Option<Timestamp>,
    /// Jobs delivered.
    #[n(6)]
    pub succeeded: u64,
    /// Dead letters.
    #[n(7)]
    pub dead: u64,
    /// Deliveries that failed since the process began.
    #[n(8)]
    pub failed: u64,
    /// Of them, those that are tried again.
    #[n(9)]
    pub retried: u64,
    /// True while it is held back.
    #[n(10)]
    pub paused: bool,
    /// Its breaker.
    #[n(11)]
    pub breaker: BreakerState,
}

/// Where a breaker stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum BreakerState {
    /// Everything may leave.
    #[n(0)]
    Closed,
    /// One call at a time shows whether the destination is well again.
    #[n(1)]
    HalfOpen,
    /// Nothing leaves.
    #[n(2)]
    Open,
}
