//! Schedules: what starts runs by the clock.

use super::{Client, ClientError, UntypedRun};
use crate::nonce::nonce;
use crate::payload;
use crate::span::whole_ms;
use crate::workflow::Workflow;
use std::fmt;
use std::time::Duration;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::core::schedule::{
    Action, CalendarFields, FireEnd, Overlap, Schedule, ScheduleStatus, When,
};
use trunkline_api::core::time::Timestamp;

/// A handle to a schedule, whether it exists or not.
#[derive(Clone)]
pub struct ScheduleHandle {
    client: Client,
    name: Name,
}

/// What has come of a trigger.
#[derive(Clone, Debug)]
pub struct Fired {
    /// The run that is being started; none if the fire waits for another, or was skipped.
    pub run: Option<UntypedRun>,
    /// How far it has come.
    pub end: FireEnd,
}

impl ScheduleHandle {
    pub(super) fn new(client: Client, name: Name) -> Self {
        Self { client, name }
    }

    /// Begins to describe the schedule: it starts runs of `W` with this input, and ids `NAME-TIME` unless said otherwise.
    /// Say when with [`cron`](PutSchedule::cron) or its like, and [`put`](PutSchedule::put) it.
    pub fn starts<W: Workflow>(&self, input: &W::Input) -> PutSchedule {
        let (input, broken) = match payload::encode(input) {
            Ok(input) => (input, None),
            Err(failure) => (crate::Payload::null(), Some(ClientError::payload(failure))),
        };
        let action = Action {
            workflow: Name::from(W::NAME),
            id: Name::from("{schedule}-{time}"),
            version: None,
            input,
            tags: Vec::new(),
            timeout_ms: None,
        };
        PutSchedule {
            handle: self.clone(),
            schedule: Schedule::new(self.name.clone(), Vec::new(), action),
            paused: None,
            broken,
        }
    }

    /// The schedule, where it stands, and its next fires.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn describe(&self) -> Result<ScheduleStatus, ClientError> {
        let name = self.name.clone();
        let op = Op::DescribeSchedule { name, upcoming: 5 };
        match self.client.request(op).await? {
            Reply::Schedule(status) => Ok(*status),
            other => Err(ClientError::unexpected(&other)),
        }
    }

    /// Holds the clock back. What would have fired during the pause does not fire afterwards.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn pause(&self, note: impl Into<Name>) -> Result<(), ClientError> {
        let (name, note) = (self.name.clone(), Some(note.into()));
        self.tell(Op::PauseSchedule { name, note }).await
    }

    /// Lets the clock go on.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn resume(&self) -> Result<(), ClientError> {
        let (name, note) = (self.name.clone(), None);
        self.tell(Op::PauseSchedule { name, note }).await
    }

    /// Fires now, under the schedule's own policy, also while it is paused.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn trigger(&self) -> Result<Fired, ClientError> {
        self.fire(None).await
    }

    /// Fires now, under another policy.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn trigger_with(&self, overlap: Overlap) -> Result<Fired, ClientError> {
        self.fire(Some(overlap)).await
    }

    async fn fire(&self, overlap: Option<Overlap>) -> Result<Fired, ClientError> {
        // The workflow is asked for first: the answer has the run's id only.
        let workflow = self.describe().await?.schedule.action.workflow;
        let op = Op::TriggerSchedule {
            name: self.name.clone(),
            overlap,
            nonce: nonce(),
        };
        match self.client.request(op).await? {
            Reply::Fired { run, end } => {
                let run = run.map(|id| self.client.untyped(workflow, id));
                Ok(Fired { run, end })
            }
            other => Err(ClientError::unexpected(&other)),
        }
    }

    /// Fires for each instant from `from` to `to`, which must be past, in order and one after the other.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn backfill(&self, from: Timestamp, to: Timestamp) -> Result<(), ClientError> {
        self.backfill_with(from, to, Overlap::BufferAll).await
    }

    /// The same under another policy.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn backfill_with(
        &self,
        from: Timestamp,
        to: Timestamp,
        overlap: Overlap,
    ) -> Result<(), ClientError> {
        let op = Op::BackfillSchedule {
            name: self.name.clone(),
            from,
            to,
            overlap: Some(overlap),
            nonce: nonce(),
        };
        self.tell(op).await
    }

    /// Deletes the schedule. Its runs go on.
    ///
    /// # Errors
    /// A refusal by the engine, or a lost connection.
    pub async fn delete(&self) -> Result<(), ClientError> {
        let name = self.name.clone();
        self.tell(Op::DeleteSchedule { name }).await
    }

    async fn tell(&self, op: Op) -> Result<(), ClientError> {
        match self.client.request(op).await? {
            Reply::Done => Ok(()),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}

impl fmt::Debug for ScheduleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScheduleHandle({})", self.name)
    }
}

/// A schedule that is being described. Nothing happens until [`put`](Self::put).
#[derive(Debug)]
#[must_use = "nothing happens until `put`"]
pub struct PutSchedule {
    handle: ScheduleHandle,
    schedule: Schedule,
    paused: Option<bool>,
    broken: Option<ClientError>,
}

impl PutSchedule {
    /// Fires by a cron expression: `minute hour day month weekday`, with a second before and a year behind if wanted.
    /// Several rules add up.
    pub fn cron(mut self, expression: impl Into<Name>) -> Self {
        self.schedule.when.push(When::Cron(expression.into()));
        self
    }

    /// Fires every so often, counted from 1970-01-01T00:00:00Z.
    pub fn every(self, interval: Duration) -> Self {
        self.every_from(interval, Duration::ZERO)
    }

    /// The same, put off by `offset`.
    pub fn every_from(mut self, interval: Duration, offset: Duration) -> Self {
        self.schedule.when.push(When::Every {
            every_ms: whole_ms(interval),
            offset_ms: whole_ms(offset),
        });
        self
    }

    /// Fires when all of these fields fit.
    pub fn calendar(mut self, fields: CalendarFields) -> Self {
        self.schedule.when.push(When::Calendar(fields));
        self
    }

    /// The time zone of the rules, such as `Europe/Berlin`; else it is `UTC`.
    pub fn zone(mut self, zone: impl Into<Name>) -> Self {
        self.schedule.zone = zone.into();
        self
    }

    /// The ids of the runs, with `{time}`, `{date}`, `{schedule}` and `{number}` filled in.
    pub fn id(mut self, template: impl Into<Name>) -> Self {
        self.schedule.action.id = template.into();
        self
    }

    /// Adds a tag to the runs.
    pub fn tag(mut self, tag: impl Into<Name>) -> Self {
        self.schedule.action.tags.push(tag.into());
        self
    }

    /// Pins the runs to a version; else it is the newest when it fires.
    pub fn version(mut self, version: u32) -> Self {
        self.schedule.action.version = Some(version);
        self
    }

    /// How long a run may take.
    pub fn run_timeout(mut self, span: Duration) -> Self {
        self.schedule.action.timeout_ms = Some(whole_ms(span));
        self
    }

    /// What a fire does while a run of the schedule has not ended; else it starts nothing.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.schedule.overlap = overlap;
        self
    }

    /// How many fires may wait under [`Overlap::BufferAll`]; else it is 100.
    pub fn buffer_max(mut self, fires: u32) -> Self {
        self.schedule.buffer_max = fires;
        self
    }

    /// A fire that is more than this late is missed; else it is a year.
    pub fn catch_up(mut self, window: Duration) -> Self {
        self.schedule.catch_up_ms = whole_ms(window);
        self
    }

    /// Puts each fire off by up to this, by an amount of its own that is always the same.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.schedule.jitter_ms = whole_ms(jitter);
        self
    }

    /// It does not fire before this.
    pub fn starts_at(mut self, at: Timestamp) -> Self {
        self.schedule.starts_at = Some(at);
        self
    }

    /// It does not fire at or after this.
    pub fn ends_at(mut self, at: Timestamp) -> Self {
        self.schedule.ends_at = Some(at);
        self
    }

    /// How many runs the clock may start.
    pub fn remaining(mut self, runs: u64) -> Self {
        self.schedule.remaining = Some(runs);
        self
    }

    /// Whether it is paused from now on; else it stays as it is.
    pub fn paused(mut self, paused: bool) -> Self {
        self.paused = Some(paused);
        self
    }

    /// Creates the schedule, or updates the one of this name: what has happened and what runs stays. The same again changes
    /// nothing, so a program may put its schedules whenever it starts.
    ///
    /// # Errors
    /// A refusal by the engine: `TL0086` names the rule and the character, `TL0087` the zone, `TL0088` the setting.
    pub async fn put(self) -> Result<ScheduleStatus, ClientError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let op = Op::PutSchedule {
            schedule: Box::new(self.schedule),
            paused: self.paused,
        };
        match self.handle.client.request(op).await? {
            Reply::SchedulePut { status, .. } => Ok(*status),
            other => Err(ClientError::unexpected(&other)),
        }
    }
}
