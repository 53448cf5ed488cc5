//! Requests: what clients and operators ask of the engine. Each is answered by exactly one [`Reply`](super::Reply) or refused.

use super::bulk::Bulk;
use super::egress::EgressOp;
use super::filter::{Action, RunFilter};
use super::jobs::JobsOp;
use super::kept::Keep;
use super::method::{CallMethod, WhichTimers};
use super::query::AskQuery;
use super::start::Start;
use crate::egress::{Destination, JobState, NewJob};
use crate::entry::Outcome;
use crate::feed::ReadEvents;
use crate::ids::{CommandId, JobId, Nonce, RunId, RunKey, TaskId};
use crate::payload::{Name, Payload};
use crate::schedule::{Overlap, Schedule};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// A request.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum Op {
    /// Start a run.
    #[n(0)]
    Start(#[n(0)] Start),
    /// Send a signal to a run. Answered by `Reply::Done`.
    #[n(1)]
    Signal {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The channel.
        #[n(1)]
        channel: Name,
        /// The value.
        #[n(2)]
        payload: Payload,
        /// A repeat with the same nonce is dropped.
        #[n(3)]
        nonce: Nonce,
    },
    /// Answer once the run has ended: `Reply::Outcome`.
    #[n(2)]
    AwaitOutcome {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// Describe a run: `Reply::Run`.
    #[n(3)]
    DescribeRun {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// A run's history, from entry `from` on: `Reply::History`.
    #[n(4)]
    History {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The first entry wanted.
        #[n(1)]
        from: u32,
    },
    /// The value of a property: `Reply::Property`.
    #[n(5)]
    Property {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The property's name.
        #[n(1)]
        name: Name,
    },
    /// Ask a run to cancel: `Reply::Done`.
    #[n(6)]
    Cancel {
        /// The run.
        #[n(0)]
        run: RunId,
        /// Why.
        #[n(1)]
        reason: Name,
    },
    /// End a run without asking its code: `Reply::Done`.
    #[n(7)]
    Terminate {
        /// The run.
        #[n(0)]
        run: RunId,
        /// Why.
        #[n(1)]
        reason: Name,
    },
    /// Hold a run back: `Reply::Done`.
    #[n(8)]
    Pause {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// Let a paused run go on: `Reply::Done`.
    #[n(9)]
    Resume {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// List runs of one shard: `Reply::Runs`. The engine asks shard after shard.
    #[n(10)]
    ListRuns(#[n(0)] Box<RunFilter>),
    /// Create or replace a destination: `Reply::Done`.
    #[n(11)]
    PutDestination {
        /// The destination.
        #[n(0)]
        destination: Box<Destination>,
    },
    /// Describe a destination and its work: `Reply::Destination`.
    #[n(12)]
    DescribeDestination {
        /// Its name.
        #[n(0)]
        name: Name,
    },
    /// All destinations of one shard: `Reply::Destinations`.
    #[n(13)]
    ListDestinations,
    /// Accept jobs for one destination: `Reply::Jobs`. All or none.
    #[n(14)]
    CreateJobs {
        /// The jobs with their identities; one whose identity is known is not accepted twice.
        #[n(0)]
        jobs: Vec<(JobId, NewJob)>,
    },
    /// Describe a job: `Reply::Job`.
    #[n(15)]
    DescribeJob {
        /// Its destination.
        #[n(0)]
        destination: Name,
        /// Its identity.
        #[n(1)]
        job: JobId,
    },
    /// List jobs of a destination: `Reply::JobList`.
    #[n(16)]
    ListJobs {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// Only jobs in this state.
        #[n(1)]
        state: Option<JobState>,
        /// Only jobs of this lane.
        #[n(2)]
        lane: Option<Name>,
        /// Go on after this job.
        #[n(3)]
        after: Option<JobId>,
        /// At most so many.
        #[n(4)]
        limit: u32,
    },
    /// Put a dead letter back to the end of its lane, with all its attempts: `Reply::Done`.
    #[n(17)]
    ReplayJob {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// The dead job.
        #[n(1)]
        job: JobId,
    },
    /// Cancel a pending or dead job: `Reply::Done`.
    #[n(18)]
    CancelJob {
        /// The destination.
        #[n(0)]
        destination: Name,
        /// The job.
        #[n(1)]
        job: JobId,
    },
    /// Counters of one shard: `Reply::Counters`.
    #[n(19)]
    Counters,
    /// Who started a run, and which children of it have not ended: `Reply::Relatives`.
    #[n(47)]
    Relatives {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// What a run waits for: `Reply::Waits`.
    #[n(20)]
    Waits {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// Read the event feed: `Reply::Events`. The engine asks shard after shard.
    #[n(42)]
    ReadEvents(#[n(0)] ReadEvents),
    /// Call a method of a run: `Reply::MethodCalled`, or `Reply::MethodEnded` if the caller waits.
    #[n(26)]
    CallMethod(#[n(0)] CallMethod),
    /// Ask a query of a run: `Reply::Answer`.
    #[n(27)]
    Query(#[n(0)] AskQuery),
    /// Have timers of a run fire now: `Reply::TimersCompleted`.
    #[n(28)]
    CompleteTimers {
        /// The run.
        #[n(0)]
        run: RunId,
        /// Which of them.
        #[n(1)]
        which: WhichTimers,
    },
    /// Answer once a method has ended: `Reply::MethodEnded`.
    #[n(45)]
    AwaitMethod {
        /// The run.
        #[n(0)]
        run: RunId,
        /// The call, as `Reply::MethodCalled` named it.
        #[n(1)]
        call: u32,
        /// The nonce of the call, if the caller knows it: then a later run of the same name is not taken for this one.
        #[n(2)]
        nonce: Option<Nonce>,
    },
    /// Answer a task from outside: `Reply::Done`. An answer that comes while an attempt runs is kept until that ends.
    #[n(21)]
    CompleteTask {
        /// The task.
        #[n(0)]
        task: TaskId,
        /// Its result, or how the present attempt failed.
        #[n(1)]
        outcome: Outcome,
        /// A repeat with the same nonce counts once.
        #[n(2)]
        nonce: Nonce,
    },
    /// Say from outside that a task is being worked on: `Reply::TaskAlive`.
    #[n(22)]
    HeartbeatTask {
        /// The task.
        #[n(0)]
        task: TaskId,
        /// How far it has come; absent: as it was.
        #[n(1)]
        details: Option<Payload>,
    },
    /// End a task as cancelled: `Reply::Done`. An attempt that is under way has its grace.
    #[n(44)]
    CancelTask {
        /// The task.
        #[n(0)]
        task: TaskId,
    },
    /// The tasks of a run that have not ended: `Reply::Tasks`.
    #[n(54)]
    OpenTasks {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// Retry a run that failed, is paused or whose turn a worker sits on: `Reply::Done`.
    #[n(23)]
    RetryRun {
        /// The run.
        #[n(0)]
        run: RunId,
        /// A failed run goes on from before the turn that asked for this; absent: from before its last failure.
        #[n(1)]
        at: Option<CommandId>,
    },
    /// Start a run with the history of another up to a command: `Reply::Started`. The other is not touched.
    #[n(24)]
    Fork {
        /// The run whose history it is.
        #[n(0)]
        run: RunId,
        /// What comes before the turn that asked for this is taken over.
        #[n(1)]
        at: CommandId,
        /// The id of the new run.
        #[n(2)]
        new_id: Name,
        /// A repeat with the same nonce gets the same answer.
        #[n(3)]
        nonce: Nonce,
    },
    /// Forget a run that has ended: `Reply::Done`.
    #[n(25)]
    Purge {
        /// The run.
        #[n(0)]
        run: RunId,
    },
    /// Count runs of one shard: `Reply::Counted`. The engine asks shard after shard.
    #[n(29)]
    Count(#[n(0)] Box<RunFilter>),
    /// Create a schedule, or update it: `Reply::SchedulePut`.
    #[n(35)]
    PutSchedule {
        /// The schedule.
        #[n(0)]
        schedule: Box<Schedule>,
        /// Whether it is paused from now on; absent: as it is.
        #[n(1)]
        paused: Option<bool>,
    },
    /// Describe a schedule: `Reply::Schedule`.
    #[n(36)]
    DescribeSchedule {
        /// Its name.
        #[n(0)]
        name: Name,
        /// How many of the next fires are listed.
        #[n(1)]
        upcoming: u32,
    },
    /// List schedules of one shard, by name: `Reply::Schedules`. The engine asks all shards.
    #[n(37)]
    ListSchedules {
        /// Go on after this name.
        #[n(0)]
        after: Option<Name>,
        /// At most so many.
        #[n(1)]
        limit: u32,
    },
    /// Delete a schedule; its runs go on: `Reply::Done`.
    #[n(38)]
    DeleteSchedule {
        /// Its name.
        #[n(0)]
        name: Name,
    },
    /// Have a schedule fire now: `Reply::Fired`.
    #[n(39)]
    TriggerSchedule {
        /// Its name.
        #[n(0)]
        name: Name,
        /// What it does while a run has not ended; absent: as the schedule says.
        #[n(1)]
        overlap: Option<Overlap>,
        /// A repeat with the same nonce does not fire again.
        #[n(2)]
        nonce: Nonce,
    },
    /// Have a schedule fire for a range of the past: `Reply::Done` when it has begun.
    #[n(40)]
    BackfillSchedule {
        /// Its name.
        #[n(0)]
        name: Name,
        /// The first instant.
        #[n(1)]
        from: Timestamp,
        /// The last instant.
        #[n(2)]
        to: Timestamp,
        /// What a fire does while a run has not ended; absent: it waits.
        #[n(3)]
        overlap: Option<Overlap>,
        /// A repeat with the same nonce does nothing.
        #[n(4)]
        nonce: Nonce,
    },
    /// Hold the clock of a schedule back, or let it go on: `Reply::Done`.
    #[n(41)]
    PauseSchedule {
        /// Its name.
        #[n(0)]
        name: Name,
        /// Why it is held back; absent: it goes on.
        #[n(1)]
        note: Option<Name>,
    },
    /// Begin a bulk operation: `Reply::Bulk`. The engine asks each shard for its part.
    #[n(31)]
    BulkStart {
        /// What, and to which runs or jobs.
        #[n(0)]
        bulk: Box<Bulk>,
        /// Runs or jobs that match now. The engine fills it in.
        #[n(1)]
        expected: u64,
    },
    /// How a bulk operation stands: `Reply::Bulk`.
    #[n(32)]
    BulkShow {
        /// Its id.
        #[n(0)]
        id: Name,
    },
    /// Stop a bulk operation: `Reply::Bulk`.
    #[n(33)]
    BulkCancel {
        /// Its id.
        #[n(0)]
        id: Name,
    },
    /// All bulk operations: `Reply::Bulks`.
    #[n(34)]
    BulkList,
    /// Do something to the live runs of a workflow with a tag: `Reply::Counted`. The engine asks until all have had it.
    #[n(43)]
    Tagged {
        /// The workflow.
        #[n(0)]
        workflow: Name,
        /// The tag.
        #[n(1)]
        tag: Name,
        /// What.
        #[n(2)]
        action: Action,
        /// Go on behind this run.
        #[n(3)]
        after: Option<RunKey>,
    },
    /// What an operator decides about jobs, lanes and destinations.
    #[n(60)]
    Egress(#[n(0)] EgressOp),
    /// What is asked about many jobs, and about lanes and objects.
    #[n(81)]
    Jobs(#[n(0)] JobsOp),
    /// The second half of `Fork`, for the shard of the new run. Only the engine asks for it.
    #[n(46)]
    StartForked {
        /// The new run. Its input is not looked at.
        #[n(0)]
        start: Box<Start>,
        /// The run whose history it is.
        #[n(1)]
        source: RunId,
        /// The command to cut at.
        #[n(2)]
        at: CommandId,
        /// The whole history of the source.
        #[n(3)]
        chunks: Vec<Payload>,
    },
    /// Keep something, or forget it: `Reply::Done`. Only the engine asks for it.
    #[n(80)]
    Keep(#[n(0)] Keep),
}

impl Op {
    /// True if the answer comes only when a run has ended.
    #[must_use]
    pub fn awaits_an_end(&self) -> bool {
        match self {
            Self::AwaitOutcome { .. } | Self::AwaitMethod { .. } => true,
            Self::CallMethod(call) => call.wait,
            Self::Start(start) => start.wait,
            _ => false,
        }
    }
}
