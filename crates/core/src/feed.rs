//! The vocabulary of the event feed: what happened to runs, tasks, jobs and their like, in order, for whoever listens.
//!
//! A shard writes one feed row a batch. It does not repeat what histories hold: an item of it points at entries of a run's
//! history, and only what no history holds (an attempt has begun, a run is paused, a job is delivered) is in the row itself, as a
//! [`Mark`]. The rows are turned into [`Event`]s when somebody reads them: see `shard::feed`.
//!
//! An event has a place: its shard, the sequence of its row and a slot in that. The place never changes, so it makes the event's
//! identity; and a reader who keeps the place behind the last event it has seen goes on exactly there.

mod event_type;
mod mark;

use crate::entry::{Command, Entry, Notification, Outcome};
use crate::ids::{JobId, RunId, ShardId};
use crate::payload::Name;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

pub use event_type::EventType;
pub use mark::Mark;

/// How a shard keeps its feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedSettings {
    /// How long events are kept, in milliseconds; zero: no feed is kept at all.
    pub retention_ms: u64,
    /// Bytes of feed rows of one shard: beyond that the oldest go, however young they are.
    pub bytes_max: u64,
}

impl Default for FeedSettings {
    fn default() -> Self {
        Self {
            retention_ms: 24 * 3_600_000,
            bytes_max: 64 << 20,
        }
    }
}

/// A place in the feed of a shard: the next slot to be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug, Encode, Decode)]
pub struct FeedPosition {
    /// The row.
    #[n(0)]
    pub sequence: u64,
    /// The slot in it.
    #[n(1)]
    pub slot: u32,
}

/// Where reading begins.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum FeedFrom {
    /// With the oldest event that is kept.
    #[n(0)]
    Oldest,
    /// With what comes from now on.
    #[n(1)]
    Newest,
    /// With the first event of this time or later.
    #[n(2)]
    Since(#[n(0)] Timestamp),
    /// Where an earlier reading ended. The engine has one place for each shard; a shard is asked with its own.
    #[n(3)]
    At(#[n(0)] FeedCursor),
}

/// Where a reading of the whole feed stands.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct FeedCursor {
    /// The identity of the feed: that of the data folder. A cursor of another one is refused.
    #[n(0)]
    pub of: u64,
    /// The place in each shard's feed.
    #[n(1)]
    pub positions: Vec<FeedPosition>,
}

/// Which events are wanted. What is absent or empty lets everything through.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct EventFilter {
    /// Only about runs of this workflow.
    #[n(0)]
    pub workflow: Option<Name>,
    /// Only about the run with this id.
    #[n(1)]
    pub id: Option<Name>,
    /// Only of these types.
    #[n(2)]
    pub types: Vec<EventType>,
}

/// A request to read the feed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ReadEvents {
    /// Where to begin.
    #[n(0)]
    pub from: FeedFrom,
    /// Which events.
    #[n(1)]
    pub filter: EventFilter,
    /// About how many at most. A page may be short, or even empty, and there may still be more.
    #[n(2)]
    pub limit: u32,
    /// How long to wait, in milliseconds, if there is nothing yet.
    #[n(3)]
    pub wait_ms: u64,
    /// The engine asks one shard after the other; absent in what clients send.
    #[n(4)]
    pub shard: Option<ShardId>,
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Event {
    /// In which shard.
    #[n(0)]
    pub shard: ShardId,
    /// Its place in the shard's feed. Shard and place are the event's identity.
    #[n(1)]
    pub at: FeedPosition,
    /// When.
    #[n(2)]
    pub time: Timestamp,
    /// Of which type.
    #[n(3)]
    pub kind: EventType,
    /// To what.
    #[n(4)]
    pub about: About,
    /// What exactly.
    #[n(5)]
    pub what: What,
}

/// What an event is about.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum About {
    /// A run, with everything in it.
    #[n(0)]
    Run {
        /// Workflow and id.
        #[n(0)]
        id: RunId,
        /// The version that it is pinned to.
        #[n(1)]
        version: u32,
        /// When it was accepted.
        #[n(2)]
        started_at: Timestamp,
    },
    /// An egress job.
    #[n(1)]
    Job(#[n(0)] Box<JobFacts>),
    /// A schedule.
    #[n(2)]
    Schedule {
        /// Its name.
        #[n(0)]
        name: Name,
    },
    /// A destination.
    #[n(10)]
    Destination {
        /// Its name.
        #[n(0)]
        name: Name,
    },
    /// A credential.
    #[n(11)]
    Credential {
        /// Its id.
        #[n(0)]
        name: Name,
    },
}

/// What does not change about a job.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct JobFacts {
    /// Its identity.
    #[n(0)]
    pub id: JobId,
    /// Its destination.
    #[n(1)]
    pub destination: Name,
    /// Its lane.
    #[n(2)]
    pub lane: Name,
    /// The kind of object.
    #[n(3)]
    pub object_type: Name,
    /// What happened to it.
    #[n(4)]
    pub action: Name,
    /// Which objects.
    #[n(5)]
    pub object_ids: Vec<Name>,
    /// The run that created it, as `workflow/id`.
    #[n(6)]
    pub source: Option<Name>,
}

/// What exactly happened.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum What {
    /// An entry came into the run's history.
    #[n(0)]
    Entry {
        /// Its place in the history.
        #[n(0)]
        index: u32,
        /// The entry.
        #[n(1)]
        entry: Entry,
        /// The command that it answers, without its payload: which task, which step.
        #[n(2)]
        answers: Option<Answered>,
    },
    /// Something that no history holds.
    #[n(1)]
    Mark {
        /// What.
        #[n(0)]
        mark: Mark,
        /// The command that it belongs to: which task.
        #[n(1)]
        answers: Option<Answered>,
    },
}

/// The names in a command, for what answers it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Answered {
    /// The service of a task.
    #[n(0)]
    pub service: Option<Name>,
    /// The name of a task, step or method.
    #[n(1)]
    pub name: Option<Name>,
    /// The other run.
    #[n(2)]
    pub run: Option<RunId>,
}

impl Event {
    /// The place behind this event, where a reader who has seen it goes on.
    #[must_use]
    pub fn behind(&self) -> FeedPosition {
        FeedPosition {
            slot: self.at.slot + 1,
            ..self.at
        }
    }

    /// The event's identity within its feed: `shard-sequence-slot`. It is the same whenever the event is read.
    #[must_use]
    pub fn id(&self) -> alloc::string::String {
        alloc::format!("{}-{}-{}", self.shard.0, self.at.sequence, self.at.slot)
    }
}

impl What {
    /// About how many bytes it takes, mostly those of its payload.
    #[must_use]
    pub fn bytes(&self) -> usize {
        /// What an event takes beside its payload.
        const BASE_BYTES: usize = 256;
        let of_outcome = |outcome: &Outcome| match outcome {
            Outcome::Completed(value) => value.len(),
            Outcome::Failed(failure) => {
                failure.message.len() + failure.detail.as_ref().map_or(0, |detail| detail.len())
            }
        };
        let payload = match self {
            Self::Entry { entry, .. } => match entry {
                Entry::Notification(_, notification) => match notification {
                    Notification::Started { input, .. } => input.len(),
                    Notification::TaskCompleted { result, .. } => result.len(),
                    Notification::Signal { payload, .. } => payload.len(),
                    Notification::StepDone { outcome, .. }
                    | Notification::MethodEnded { outcome, .. }
                    | Notification::ChildEnded { outcome, .. }
                    | Notification::Answered { outcome, .. } => of_outcome(outcome),
                    Notification::MethodCalled { input, .. } => input.len(),
                    _ => 0,
                },
                Entry::Command(command) => match command {
                    Command::ScheduleTask { input, .. } => input.len(),
                    Command::SetProperty { value, .. } => value.len(),
                    Command::CreateJob { job, .. } => job.body.len(),
                    Command::CallMethod { input, .. }
                    | Command::StartChild { input, .. }
                    | Command::ContinueAsNew { input, .. } => input.len(),
                    Command::SignalRun { payload, .. } | Command::SignalTagged { payload, .. } => {
                        payload.len()
                    }
                    Command::Finish { outcome } | Command::MethodReturned { outcome, .. } => {
                        of_outcome(outcome)
                    }
                    _ => 0,
                },
                Entry::Turn { .. } => 0,
            },
            Self::Mark { .. } => 0,
        };
        BASE_BYTES + payload
    }
}

impl EventFilter {
    /// True if events of this type are wanted.
    #[must_use]
    pub fn wants(&self, kind: EventType) -> bool {
        self.types.is_empty() || self.types.contains(&kind)
    }

    /// True if events about this run are wanted.
    #[must_use]
    pub fn wants_run(&self, run: &RunId) -> bool {
        self.workflow
            .as_ref()
            .is_none_or(|workflow| *workflow == run.workflow)
            && self.id.as_ref().is_none_or(|id| *id == run.id)
    }

    /// True if only events about runs are wanted.
    #[must_use]
    pub fn wants_only_runs(&self) -> bool {
        self.workflow.is_some() || self.id.is_some()
    }
}
