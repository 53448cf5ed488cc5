//! Answers to requests, and refusals.

use super::bulk::BulkStatus;
use super::egress::LimiterStatus;
use super::jobs::{DestinationFigures, JobPlace, LaneStatus};
use super::task::TaskStatus;
use crate::code::Code;
use crate::egress::{Destination, Job, Taken};
use crate::entry::Outcome;
use crate::feed::{Event, FeedCursor};
use crate::ids::{JobId, RunId, RunKey};
use crate::payload::{Name, Payload};
use crate::run::{Origin, Run, RunStatus};
use crate::schedule::{FireCounts, FireEnd, ScheduleStatus, ScheduleSummary};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// The answer to a request.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Reply {
    /// Done, and durable.
    #[n(0)]
    Done,
    /// The run is accepted, and durable.
    #[n(1)]
    Started {
        /// False if the run was there before.
        #[n(0)]
        created: bool,
        /// The version it is pinned to.
        #[n(1)]
        version: u32,
    },
    /// How a run ended.
    #[n(2)]
    Outcome {
        /// Its final status.
        #[n(0)]
        status: RunStatus,
        /// The value or the failure.
        #[n(1)]
        outcome: Outcome,
    },
    /// A run.
    #[n(3)]
    Run(#[n(0)] Box<Run>),
    /// Part of a run's history.
    #[n(4)]
    History {
        /// The index of the first entry in `chunks`.
        #[n(0)]
        from: u32,
        /// Chunks as in [`Turn::chunks`]; the last may be followed by more.
        #[n(1)]
        chunks: Vec<Payload>,
        /// Where to go on; absent at the end.
        #[n(2)]
        next: Option<u32>,
    },
    /// A property's value.
    #[n(5)]
    Property(#[n(0)] Payload),
    /// A page of runs.
    #[n(6)]
    Runs {
        /// The runs, in the order of their keys.
        #[n(0)]
        runs: Vec<Run>,
        /// Where to go on; absent at the end of the shard.
        #[n(1)]
        next: Option<RunKey>,
    },
    /// A destination and its work.
    #[n(7)]
    Destination(#[n(0)] Box<DestinationStatus>),
    /// All destinations of the shard.
    #[n(8)]
    Destinations(#[n(0)] Vec<DestinationStatus>),
    /// The jobs are accepted, and durable.
    #[n(9)]
    Jobs {
        /// Accepted now.
        #[n(0)]
        accepted: u32,
        /// Known before.
        #[n(1)]
        known: u32,
        /// Those that were not simply accepted, by their place in the request; absent: none.
        #[n(2)]
        others: Option<Vec<(u32, Taken)>>,
    },
    /// A job.
    #[n(10)]
    Job {
        /// The job.
        #[n(0)]
        job: Box<Job>,
        /// What it waits for, in words; absent when it waits for nothing or is settled.
        #[n(1)]
        blocked_on: Option<Name>,
    },
    /// A page of jobs.
    #[n(11)]
    JobList {
        /// The jobs.
        #[n(0)]
        jobs: Vec<Job>,
        /// Where to go on; absent at the end.
        #[n(1)]
        next: Option<JobId>,
    },
    /// Counters.
    #[n(12)]
    Counters(#[n(0)] Box<Counters>),
    /// What a run waits for, in words, one line each.
    #[n(13)]
    Waits(#[n(0)] Vec<Name>),
    /// Who started a run, and which children of it have not ended.
    #[n(16)]
    Relatives {
        /// Who started it; absent: a client.
        #[n(0)]
        origin: Option<Origin>,
        /// The children, in the order in which they were asked for.
        #[n(1)]
        children: Vec<RunId>,
        /// True if there are more children than are told of.
        #[n(2)]
        more: bool,
    },
    /// How many runs match, or were acted on, as far as one look went.
    #[n(24)]
    Counted {
        /// So many.
        #[n(0)]
        count: u64,
        /// Where to go on; absent at the end of the shard.
        #[n(1)]
        next: Option<RunKey>,
    },
    /// The method is called, and that is durable.
    #[n(20)]
    MethodCalled {
        /// What names the call within the run.
        #[n(0)]
        call: u32,
        /// False if the call was there before.
        #[n(1)]
        created: bool,
    },
    /// How a method ended.
    #[n(21)]
    MethodEnded {
        /// What names the call within the run.
        #[n(0)]
        call: u32,
        /// The value or the failure.
        #[n(1)]
        outcome: Outcome,
    },
    /// What a query says.
    #[n(23)]
    Answer(#[n(0)] Payload),
    /// Timers were fired before their time.
    #[n(22)]
    TimersCompleted {
        /// How many.
        #[n(0)]
        count: u32,
    },
    /// The heartbeat is noted.
    #[n(14)]
    TaskAlive {
        /// True if the task was asked to end: whoever works on it has until its grace is over.
        #[n(0)]
        cancelling: bool,
    },
    /// Tasks that have not ended.
    #[n(15)]
    Tasks(#[n(0)] Vec<TaskStatus>),
    /// A schedule.
    #[n(32)]
    Schedule(#[n(0)] Box<ScheduleStatus>),
    /// Schedules of the shard, by name.
    #[n(33)]
    Schedules(#[n(0)] Vec<ScheduleSummary>),
    /// What has come of a trigger.
    #[n(34)]
    Fired {
        /// The id of the run that is being started; absent if it waits or was skipped.
        #[n(0)]
        run: Option<Name>,
        /// How far it has come.
        #[n(1)]
        end: FireEnd,
    },
    /// A schedule has been put.
    #[n(35)]
    SchedulePut {
        /// False if it was there before.
        #[n(0)]
        created: bool,
        /// As it is now.
        #[n(1)]
        status: Box<ScheduleStatus>,
    },
    /// How a bulk operation stands.
    #[n(25)]
    Bulk(#[n(0)] BulkStatus),
    /// How all bulk operations stand.
    #[n(26)]
    Bulks(#[n(0)] Vec<BulkStatus>),
    /// How many jobs there are to which something can be done, as far as one look went.
    #[n(54)]
    JobsCounted {
        /// So many.
        #[n(0)]
        count: u64,
        /// Where to go on; absent at the end of the shard.
        #[n(1)]
        next: Option<JobPlace>,
    },
    /// Jobs about an object.
    #[n(55)]
    ObjectJobs {
        /// The jobs. The engine has put them in order.
        #[n(0)]
        jobs: Vec<Job>,
        /// Where to go on; absent at the end of the shard. From the engine: absent.
        #[n(1)]
        next: Option<JobPlace>,
        /// True if there are more. Only from the engine.
        #[n(2)]
        more: bool,
    },
    /// Lanes of a destination.
    #[n(56)]
    Lanes {
        /// The lanes, by name.
        #[n(0)]
        lanes: Vec<LaneStatus>,
        /// Where to go on; absent at the end.
        #[n(1)]
        next: Option<Name>,
    },
    /// Figures of destinations.
    #[n(57)]
    Figures {
        /// Those with the most work, the most first.
        #[n(0)]
        figures: Vec<DestinationFigures>,
        /// How many destinations there are.
        #[n(1)]
        total: u64,
    },
    /// The shared limiters.
    #[n(42)]
    Limiters(#[n(0)] Vec<LimiterStatus>),
    /// Part of the event feed.
    #[n(36)]
    Events {
        /// The events. Those of one run, job or shard are in order.
        #[n(0)]
        events: Vec<Event>,
        /// Where to go on.
        #[n(1)]
        next: FeedCursor,
    },
}

/// A destination and how its work stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct DestinationStatus {
    /// The destination.
    #[n(0)]
    pub destination: Destination,
    /// Jobs waiting.
    #[n(1)]
    pub pending: u64,
    /// Jobs being delivered.
    #[n(2)]
    pub in_flight: u64,
    /// Jobs delivered, since the destination was made.
    #[n(3)]
    pub succeeded: u64,
    /// Dead letters, as they stand now.
    #[n(4)]
    pub dead: u64,
    /// Lanes with work.
    #[n(5)]
    pub lanes: u64,
    /// What holds the whole destination back, in words.
    #[n(6)]
    pub blocked_on: Option<Name>,
    /// Jobs superseded, since the destination was made.
    #[n(10)]
    #[cbor(default)]
    pub superseded: u64,
    /// Jobs expired, since the destination was made.
    #[n(11)]
    #[cbor(default)]
    pub expired: u64,
    /// Lanes whose first job waits for another job, a limiter or an operator.
    #[n(12)]
    #[cbor(default)]
    pub blocked: u64,
    /// When the oldest job was accepted that waits, to the second.
    #[n(13)]
    pub oldest_since: Option<Timestamp>,
    /// True if its breaker is not closed.
    #[n(14)]
    #[cbor(default)]
    pub breaker_open: bool,
}

/// Counters of a shard, or the sum of several.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Counters {
    /// Runs by status, in the order of [`RunStatus::ALL`].
    #[n(0)]
    pub runs: [u64; 7],
    /// Runs ready for a turn and not with a worker.
    #[n(1)]
    pub turns_ready: u64,
    /// Turns with workers.
    #[n(2)]
    pub turns_in_flight: u64,
    /// Tasks ready and not with a worker.
    #[n(3)]
    pub tasks_ready: u64,
    /// Tasks with workers.
    #[n(4)]
    pub tasks_in_flight: u64,
    /// Tasks waiting for their next attempt.
    #[n(5)]
    pub tasks_delayed: u64,
    /// Timers set.
    #[n(6)]
    pub timers: u64,
    /// Jobs waiting.
    #[n(7)]
    pub jobs_pending: u64,
    /// Jobs being delivered.
    #[n(8)]
    pub jobs_in_flight: u64,
    /// Jobs delivered.
    #[n(9)]
    pub jobs_succeeded: u64,
    /// Dead letters.
    #[n(10)]
    pub jobs_dead: u64,
    /// Messages to other shards that wait for their acknowledgement.
    #[n(11)]
    pub outbox: u64,
    /// Permits of shared limiters that are wanted and not granted.
    #[n(30)]
    #[cbor(default)]
    pub permits_waiting: u64,
    /// Lanes whose first job waits for another job, a limiter or an operator.
    #[n(31)]
    #[cbor(default)]
    pub lanes_blocked: u64,
    /// Destinations whose breaker is not closed.
    #[n(32)]
    #[cbor(default)]
    pub breakers_open: u64,
    /// Jobs superseded.
    #[n(33)]
    #[cbor(default)]
    pub jobs_superseded: u64,
    /// Jobs expired.
    #[n(34)]
    #[cbor(default)]
    pub jobs_expired: u64,
    /// Permits of shared limiters with which calls have left, each counted by every limiter that granted it.
    #[n(35)]
    #[cbor(default)]
    pub permits_used: u64,
    /// Schedules.
    #[n(20)]
    pub schedules: u64,
    /// Of them, those that are paused.
    #[n(21)]
    pub schedules_paused: u64,
    /// What has come of the fires of schedules.
    #[n(22)]
    pub fires: FireCounts,
}

/// A request that was refused: nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Rejection {
    /// Which rule refused it.
    #[n(0)]
    pub code: Code,
    /// What exactly, for a person.
    #[n(1)]
    pub detail: Name,
}

impl Rejection {
    /// A refusal under `code`.
    pub fn new(code: Code, detail: impl Into<Name>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}
