//! Bulk operations: what is asked for, and how one stands.

use super::filter::{Action, RunFilter};
use super::jobs::{JobAction, JobFilter};
use crate::payload::Name;
use crate::time::Timestamp;
use minicbor::decode::{self, Decoder};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

/// Something to do to every run, or every job, that a filter lets through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bulk {
    /// What it is called. A repeat under the same id is the same operation.
    pub id: Name,
    /// What is done, and to what. What it cannot be done to is passed over, and so is what comes later.
    pub work: Work,
    /// At most so many a second; absent: as fast as it goes.
    pub per_second: Option<u32>,
}

/// What a bulk operation does, and to what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// Something to runs.
    Runs {
        /// Which.
        filter: RunFilter,
        /// What.
        action: Action,
    },
    /// Something to jobs.
    Jobs(JobWork),
}

/// Something to do to jobs.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct JobWork {
    /// Which.
    #[n(0)]
    pub filter: JobFilter,
    /// What.
    #[n(1)]
    pub action: JobAction,
    /// True: the filter's destination, which is paused, is enabled once that is done.
    #[n(2)]
    #[cbor(default)]
    pub enables: bool,
}

impl Bulk {
    /// Which runs are meant, and what is done to them; nothing if it is about jobs.
    #[must_use]
    pub fn of_runs(&self) -> Option<(&RunFilter, &Action)> {
        match &self.work {
            Work::Runs { filter, action } => Some((filter, action)),
            Work::Jobs(_) => None,
        }
    }
}

impl Work {
    /// What it is called.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Runs { action, .. } => action.as_str(),
            Self::Jobs(work) => match work.action {
                JobAction::Replay => "replay_jobs",
                JobAction::Cancel => "cancel_jobs",
            },
        }
    }
}

/// How a bulk operation is written: that of runs as it was before there were others.
#[derive(Encode)]
struct Written<'a> {
    #[n(0)]
    id: &'a Name,
    #[n(1)]
    filter: Option<&'a RunFilter>,
    #[n(2)]
    action: Option<&'a Action>,
    #[n(3)]
    per_second: Option<u32>,
    #[n(4)]
    jobs: Option<&'a JobWork>,
}

/// How it is read.
#[derive(Decode)]
struct Read {
    #[n(0)]
    id: Name,
    #[n(1)]
    filter: Option<RunFilter>,
    #[n(2)]
    action: Option<Action>,
    #[n(3)]
    per_second: Option<u32>,
    #[n(4)]
    jobs: Option<JobWork>,
}

impl<C> Encode<C> for Bulk {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        let (filter, action, jobs) = match &self.work {
            Work::Runs { filter, action } => (Some(filter), Some(action), None),
            Work::Jobs(jobs) => (None, None, Some(jobs)),
        };
        let written = Written {
            id: &self.id,
            filter,
            action,
            per_second: self.per_second,
            jobs,
        };
        written.encode(e, context)
    }
}

impl<'b, C> Decode<'b, C> for Bulk {
    fn decode(d: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let read = Read::decode(d, context)?;
        let work = match (read.filter, read.action, read.jobs) {
            (Some(filter), Some(action), None) => Work::Runs { filter, action },
            (None, None, Some(jobs)) => Work::Jobs(jobs),
            _ => {
                return Err(decode::Error::message(
                    "a bulk operation of runs or of jobs",
                ));
            }
        };
        Ok(Self {
            id: read.id,
            work,
            per_second: read.per_second,
        })
    }
}

/// How a bulk operation stands: in one shard, or the sum of all.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct BulkStatus {
    /// What it is called.
    #[n(0)]
    pub id: Name,
    /// What is done.
    #[n(1)]
    pub action: Name,
    /// Whether it goes on.
    #[n(2)]
    pub state: BulkState,
    /// When it began.
    #[n(3)]
    pub started_at: Timestamp,
    /// When it ended.
    #[n(4)]
    pub ended_at: Option<Timestamp>,
    /// Runs or jobs that matched when it began.
    #[n(5)]
    pub expected: u64,
    /// Runs or jobs to which it has been done.
    #[n(6)]
    pub done: u64,
    /// Runs or jobs that refused.
    #[n(7)]
    pub refused: u64,
    /// Why the first of them did.
    #[n(8)]
    pub refusal: Option<Name>,
}

/// Whether a bulk operation goes on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum BulkState {
    /// It goes on.
    #[n(0)]
    Running,
    /// Every run or job has been looked at.
    #[n(1)]
    Done,
    /// It was stopped before.
    #[n(2)]
    Cancelled,
}

impl BulkState {
    /// The state in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}
