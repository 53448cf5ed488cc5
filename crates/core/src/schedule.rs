//! The vocabulary of schedules: what starts runs by the clock, when, and what has come of it.

mod settings;

use crate::payload::{Name, Payload};
use crate::peer::Rejection;
use crate::run::RunStatus;
use crate::time::Timestamp;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

pub use settings::{
    BACKFILLS_MAX, BUFFER, BUFFER_MAX, CATCH_UP_MS, JITTER_MS_MAX, RECENT_MAX, RUNNING_MAX,
    UPCOMING_MAX,
};

/// A schedule as its owner describes it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Schedule {
    /// Its name.
    #[n(0)]
    pub name: Name,
    /// When it fires: at every instant at which one of these rules does.
    #[n(1)]
    pub when: Vec<When>,
    /// The time zone of the rules, by its IANA name.
    #[n(2)]
    pub zone: Name,
    /// The run that a fire starts.
    #[n(3)]
    pub action: Action,
    /// What a fire does while a run of the schedule has not ended.
    #[n(4)]
    pub overlap: Overlap,
    /// How many fires may wait for the end of a run, under the policies that make them wait.
    #[n(5)]
    pub buffer_max: u32,
    /// A fire that is more than this late, in milliseconds, is missed: it starts nothing.
    #[n(6)]
    pub catch_up_ms: u64,
    /// A fire is put off by up to this, in milliseconds, but never past the one after it. By how much is fixed for each
    /// fire by the schedule's name and the instant.
    #[n(7)]
    pub jitter_ms: u64,
    /// It does not fire before this.
    #[n(8)]
    pub starts_at: Option<Timestamp>,
    /// It does not fire at or after this.
    #[n(9)]
    pub ends_at: Option<Timestamp>,
    /// How many runs the clock may start; absent: without end. What is triggered and backfilled does not count.
    #[n(10)]
    pub remaining: Option<u64>,
}

/// One rule of when a schedule fires.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum When {
    /// A cron expression. See [`crate::calendar`].
    #[n(0)]
    Cron(#[n(0)] Name),
    /// Every so often, counted from 1970-01-01T00:00:00Z.
    #[n(1)]
    Every {
        /// The interval in milliseconds.
        #[n(0)]
        every_ms: u64,
        /// Put off by so many milliseconds; shorter than the interval.
        #[n(1)]
        offset_ms: u64,
    },
    /// Fields of local time, all of which must fit.
    #[n(2)]
    Calendar(#[n(0)] CalendarFields),
}

/// Fields of local time, in the grammar of cron's fields. An absent second, minute or hour is 0, any other absent field is
/// `*`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct CalendarFields {
    /// 0 to 59.
    #[n(0)]
    pub second: Option<Name>,
    /// 0 to 59.
    #[n(1)]
    pub minute: Option<Name>,
    /// 0 to 23.
    #[n(2)]
    pub hour: Option<Name>,
    /// 1 to 31, `L`, `L-3`, `LW`, `15W`.
    #[n(3)]
    pub day: Option<Name>,
    /// 1 to 12, or names.
    #[n(4)]
    pub month: Option<Name>,
    /// 0 to 7, or names, `FRIL`, `FRI#2`.
    #[n(5)]
    pub weekday: Option<Name>,
    /// 1970 to 9999.
    #[n(6)]
    pub year: Option<Name>,
}

/// The run that a fire starts.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Action {
    /// The workflow.
    #[n(0)]
    pub workflow: Name,
    /// The run's id. `{time}`, `{date}`, `{schedule}` and `{number}` stand for the fire's instant, its local date, the
    /// schedule's name and a count of its runs.
    #[n(1)]
    pub id: Name,
    /// The version; absent: the newest that a worker has registered when it fires.
    #[n(2)]
    pub version: Option<u32>,
    /// The workflow's argument.
    #[n(3)]
    pub input: Payload,
    /// The run's tags.
    #[n(4)]
    pub tags: Vec<Name>,
    /// How long the run may take, in milliseconds; absent: without end.
    #[n(5)]
    pub timeout_ms: Option<u64>,
}

/// What a fire does while a run of the schedule has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Overlap {
    /// It starts nothing.
    #[default]
    #[n(0)]
    Skip,
    /// It waits; a further one starts nothing.
    #[n(1)]
    BufferOne,
    /// It waits, behind those that wait already.
    #[n(2)]
    BufferAll,
    /// The runs are asked to cancel, and the newest fire starts when they have ended.
    #[n(3)]
    CancelOther,
    /// The runs are terminated, and the newest fire starts when they have ended.
    #[n(4)]
    TerminateOther,
    /// It starts a run beside them.
    #[n(5)]
    AllowAll,
}

impl Overlap {
    /// Every policy.
    pub const ALL: [Self; 6] = [
        Self::Skip,
        Self::BufferOne,
        Self::BufferAll,
        Self::CancelOther,
        Self::TerminateOther,
        Self::AllowAll,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::BufferOne => "buffer_one",
            Self::BufferAll => "buffer_all",
            Self::CancelOther => "cancel_other",
            Self::TerminateOther => "terminate_other",
            Self::AllowAll => "allow_all",
        }
    }
}

/// What made a schedule fire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum Cause {
    /// The clock.
    #[n(0)]
    Clock,
    /// Somebody asked for it to fire now.
    #[n(1)]
    Trigger,
    /// Somebody asked for a range of past fires.
    #[n(2)]
    Backfill,
}

impl Cause {
    /// In lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Trigger => "trigger",
            Self::Backfill => "backfill",
        }
    }
}

/// One fire of a schedule.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Fire {
    /// The instant that it stands for: what `{time}` in the run's id says. A jittered or late fire keeps it.
    #[n(0)]
    pub at: Timestamp,
    /// What made it fire.
    #[n(1)]
    pub cause: Cause,
    /// When it was taken.
    #[n(2)]
    pub taken_at: Timestamp,
    /// The id of the run that it started, or was to start.
    #[n(3)]
    pub run: Option<Name>,
    /// What came of it.
    #[n(4)]
    pub end: FireEnd,
    /// When that was settled.
    #[n(5)]
    pub ended_at: Option<Timestamp>,
}

/// What came of a fire.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum FireEnd {
    /// It waits for the end of a run.
    #[n(0)]
    Waiting,
    /// The start is under way.
    #[n(1)]
    Starting,
    /// Its run has begun and not ended.
    #[n(2)]
    Running,
    /// Its run has ended.
    #[n(3)]
    Ended(#[n(0)] RunStatus),
    /// The start was refused.
    #[n(4)]
    Refused(#[n(0)] Rejection),
    /// It started nothing, because of its overlap policy.
    #[n(5)]
    Skipped,
}

/// A range of past fires that is being worked off.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Backfill {
    /// The next fire stands for the first instant after this.
    #[n(0)]
    pub after: Timestamp,
    /// The last instant.
    #[n(1)]
    pub to: Timestamp,
    /// What a fire does while a run has not ended.
    #[n(2)]
    pub overlap: Overlap,
}

/// Where a schedule stands.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ScheduleState {
    /// When it was made; an update does not change it.
    #[n(0)]
    pub created_at: Timestamp,
    /// When it was made or last updated.
    #[n(1)]
    pub updated_at: Timestamp,
    /// How often it has been put.
    #[n(2)]
    pub revision: u32,
    /// Why it is paused, if it is.
    #[n(3)]
    pub paused: Option<Name>,
    /// Every fire of the clock up to here has been dealt with.
    #[n(4)]
    pub after: Timestamp,
    /// The next fire of the clock.
    #[n(5)]
    pub next: Option<Timestamp>,
    /// When it is taken: `next` and its jitter.
    #[n(6)]
    pub due: Option<Timestamp>,
    /// Runs that the clock may still start.
    #[n(7)]
    pub remaining: Option<u64>,
    /// The number of the last run, as `{number}` says it.
    #[n(8)]
    pub number: u64,
    /// The instant of the last trigger: each has one of its own.
    #[n(9)]
    pub triggered_at: Timestamp,
    /// Fires whose runs have not ended.
    #[n(10)]
    pub running: Vec<Open>,
    /// Fires that wait for the end of a run.
    #[n(11)]
    pub waiting: Vec<Waiting>,
    /// Ranges of past fires that are being worked off.
    #[n(12)]
    pub backfills: Vec<Backfill>,
    /// The last fires, the oldest first.
    #[n(13)]
    pub recent: Vec<Fire>,
    /// Nonces of the last requests that must not be done twice.
    #[n(14)]
    pub nonces: Vec<crate::ids::Nonce>,
    /// What has come of all fires.
    #[n(15)]
    pub counts: FireCounts,
}

/// A fire whose run has not ended.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Open {
    /// The fire's instant.
    #[n(0)]
    pub at: Timestamp,
    /// The run's workflow. An update of the schedule may have changed its own.
    #[n(1)]
    pub workflow: Name,
    /// The run's id.
    #[n(2)]
    pub id: Name,
    /// True once its end has been asked for.
    #[n(3)]
    pub ending: bool,
}

/// A fire that waits for the end of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Waiting {
    /// The fire's instant.
    #[n(0)]
    pub at: Timestamp,
    /// What made it fire.
    #[n(1)]
    pub cause: Cause,
}

/// What has come of a schedule's fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct FireCounts {
    /// Starts that were asked for.
    #[n(0)]
    pub started: u64,
    /// Of them, those that were refused.
    #[n(1)]
    pub refused: u64,
    /// Fires that started nothing because of the overlap policy.
    #[n(2)]
    pub skipped: u64,
    /// Fires that were late by more than the catch-up window.
    #[n(3)]
    pub missed: u64,
}

impl FireCounts {
    /// Adds others.
    pub fn add(&mut self, more: Self) {
        self.started += more.started;
        self.refused += more.refused;
        self.skipped += more.skipped;
        self.missed += more.missed;
    }

    /// What has come to them since they were `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            started: self.started - before.started,
            refused: self.refused - before.refused,
            skipped: self.skipped - before.skipped,
            missed: self.missed - before.missed,
        }
    }
}

/// A schedule, where it stands, and when it fires next.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ScheduleStatus {
    /// What its owner said.
    #[n(0)]
    pub schedule: Schedule,
    /// Where it stands.
    #[n(1)]
    pub state: ScheduleState,
    /// The next fires, without their jitter. Empty while it is paused.
    #[n(2)]
    pub upcoming: Vec<Timestamp>,
}

/// A schedule in a list.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ScheduleSummary {
    /// Its name.
    #[n(0)]
    pub name: Name,
    /// When it fires.
    #[n(1)]
    pub when: Vec<When>,
    /// Its time zone.
    #[n(2)]
    pub zone: Name,
    /// The workflow that it starts.
    #[n(3)]
    pub workflow: Name,
    /// Why it is paused, if it is.
    #[n(4)]
    pub paused: Option<Name>,
    /// The next fire of the clock; absent while it is paused or when there is none.
    #[n(5)]
    pub next: Option<Timestamp>,
    /// The last fire.
    #[n(6)]
    pub last: Option<Fire>,
    /// Runs that have not ended.
    #[n(7)]
    pub running: u32,
    /// What has come of its fires.
    #[n(8)]
    pub counts: FireCounts,
}
