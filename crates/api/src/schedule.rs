//! Schedules as users see them: the bodies that put and steer them. What is answered is in [`status`].

pub mod status;

pub use status::{FireBody, OpenBody, ScheduleBody, ScheduleLine, SchedulePage};

use crate::core::code::Code;
use crate::core::payload::{Name, Payload};
use crate::core::schedule::{Action, CalendarFields, Overlap, Schedule, When};
use crate::json::{json_of, payload_of};
use crate::name::{name, tags, workflow};
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `PUT /v1/schedules/{name}`. What is left out has its default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutSchedule {
    /// When it fires: at every instant at which one of the rules does.
    pub when: Vec<RuleBody>,
    /// The time zone of the rules, such as `Europe/Berlin`; absent: `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The run that a fire starts.
    pub run: ActionBody,
    /// What a fire does while a run of the schedule has not ended; absent: `skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<OverlapBody>,
    /// How many fires may wait; absent: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_max: Option<u32>,
    /// A fire that is more than this late, in milliseconds, is missed; absent: a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up_ms: Option<u64>,
    /// A fire is put off by up to this, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u64>,
    /// It does not fire before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Time>,
    /// It does not fire at or after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// How many runs the clock may start; absent: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// Whether it is paused from now on; absent: as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// One rule: exactly one of `cron`, `every_ms` and `calendar`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleBody {
    /// A cron expression, such as `0 9 * * MON-FRI`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An interval in milliseconds, counted from 1970-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    /// Puts the interval off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_ms: Option<u64>,
    /// Fields of local time, all of which must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<CalendarBody>,
}

/// Fields of local time. An absent second, minute or hour is 0, any other absent field is `*`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarBody {
    /// 0 to 59.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// 0 to 59.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minute: Option<String>,
    /// 0 to 23.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<String>,
    /// 1 to 31, `L`, `L-3`, `LW`, `15W`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// 1 to 12, or names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
    /// 0 to 7, or names, `FRIL`, `FRI#2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekday: Option<String>,
    /// 1970 to 9999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<String>,
}

/// The run that a fire starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionBody {
    /// The workflow.
    pub workflow: String,
    /// The run's id, with `{time}`, `{date}`, `{schedule}` and `{number}` filled in; absent: `{schedule}-{time}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The workflow's argument; absent: `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Box<RawValue>>,
    /// The version; absent: the newest when it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How long the run may take, in milliseconds; absent: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What a fire does while a run of the schedule has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlapBody {
    /// It starts nothing.
    Skip,
    /// It waits; a further one starts nothing.
    BufferOne,
    /// It waits, behind those that wait already.
    BufferAll,
    /// The runs are asked to cancel, and the newest fire starts when they have ended.
    CancelOther,
    /// The runs are terminated, and the newest fire starts when they have ended.
    TerminateOther,
    /// It starts a run beside them.
    AllowAll,
}

/// `POST /v1/schedules/{name}/pause`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseSchedule {
    /// Why, for whoever looks at it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `POST /v1/schedules/{name}/trigger`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerSchedule {
    /// What it does while a run has not ended; absent: as the schedule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<OverlapBody>,
}

/// The answer to [`TriggerSchedule`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Triggered {
    /// The id of the run that is being started; absent if it waits or starts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// `starting`, `waiting`, `skipped` or `refused`; in answer to a repeat what has come of it since.
    pub state: String,
}

/// `POST /v1/schedules/{name}/backfill`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillSchedule {
    /// The first instant.
    pub from: Time,
    /// The last instant; not in the future.
    pub to: Time,
    /// What a fire does while a run has not ended; absent: `buffer_all`, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<OverlapBody>,
}

/// `GET /v1/schedules`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleQuery {
    /// At most so many; absent: 100.
    pub limit: Option<u32>,
    /// Go on behind this name.
    pub after: Option<String>,
}

/// `GET /v1/schedules/{name}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShowQuery {
    /// How many of the next fires are listed, up to 100; absent: 5.
    pub fires: Option<u32>,
}

impl From<Overlap> for OverlapBody {
    fn from(overlap: Overlap) -> Self {
        match overlap {
            Overlap::Skip => Self::Skip,
            Overlap::BufferOne => Self::BufferOne,
            Overlap::BufferAll => Self::BufferAll,
            Overlap::CancelOther => Self::CancelOther,
            Overlap::TerminateOther => Self::TerminateOther,
            Overlap::AllowAll => Self::AllowAll,
        }
    }
}

impl From<OverlapBody> for Overlap {
    fn from(overlap: OverlapBody) -> Self {
        match overlap {
            OverlapBody::Skip => Self::Skip,
            OverlapBody::BufferOne => Self::BufferOne,
            OverlapBody::BufferAll => Self::BufferAll,
            OverlapBody::CancelOther => Self::CancelOther,
            OverlapBody::TerminateOther => Self::TerminateOther,
            OverlapBody::AllowAll => Self::AllowAll,
        }
    }
}

impl PutSchedule {
    /// The schedule `called`.
    ///
    /// # Errors
    /// If a name or a payload is none, or a rule is not exactly one.
    pub fn into_schedule(self, called: &str) -> Result<Schedule, Problem> {
        let rules = self.when.into_iter().enumerate();
        let when = rules.map(|(at, rule)| rule.into_when(at));
        let mut schedule = Schedule::new(
            name("name", called)?,
            when.collect::<Result<_, _>>()?,
            self.run.into_action()?,
        );
        if let Some(zone) = self.zone {
            schedule.zone = Name::from(zone);
        }
        schedule.overlap = self.overlap.map_or(Overlap::Skip, Overlap::from);
        schedule.buffer_max = self.buffer_max.unwrap_or(schedule.buffer_max);
        schedule.catch_up_ms = self.catch_up_ms.unwrap_or(schedule.catch_up_ms);
        schedule.jitter_ms = self.jitter_ms.unwrap_or(0);
        schedule.starts_at = self.starts_at.map(|at| at.0);
        schedule.ends_at = self.ends_at.map(|at| at.0);
        schedule.remaining = self.remaining;
        Ok(schedule)
    }
}

impl RuleBody {
    fn into_when(self, at: usize) -> Result<When, Problem> {
        match self {
            Self {
                cron: Some(cron),
                every_ms: None,
                offset_ms: None,
                calendar: None,
            } => Ok(When::Cron(Name::from(cron))),
            Self {
                cron: None,
                every_ms: Some(every_ms),
                offset_ms,
                calendar: None,
            } => Ok(When::Every {
                every_ms,
                offset_ms: offset_ms.unwrap_or(0),
            }),
            Self {
                cron: None,
                every_ms: None,
                offset_ms: None,
                calendar: Some(fields),
            } => Ok(When::Calendar(fields.into())),
            _ => {
                let detail = format!(
                    "`when[{at}]` has exactly one of `cron`, `every_ms` (with an `offset_ms` if wanted) and `calendar`"
                );
                Err(Problem::new(Code::CronInvalid, detail))
            }
        }
    }
}

impl From<&When> for RuleBody {
    fn from(when: &When) -> Self {
        match when {
            When::Cron(text) => Self {
                cron: Some(text.to_string()),
                ..Self::default()
            },
            When::Every {
                every_ms,
                offset_ms,
            } => Self {
                every_ms: Some(*every_ms),
                offset_ms: (*offset_ms > 0).then_some(*offset_ms),
                ..Self::default()
            },
            When::Calendar(fields) => Self {
                calendar: Some(fields.into()),
                ..Self::default()
            },
        }
    }
}

impl From<CalendarBody> for CalendarFields {
    fn from(body: CalendarBody) -> Self {
        Self {
            second: body.second.map(Name::from),
            minute: body.minute.map(Name::from),
            hour: body.hour.map(Name::from),
            day: body.day.map(Name::from),
            month: body.month.map(Name::from),
            weekday: body.weekday.map(Name::from),
            year: body.year.map(Name::from),
        }
    }
}

impl From<&CalendarFields> for CalendarBody {
    fn from(fields: &CalendarFields) -> Self {
        let text = |field: &Option<Name>| field.as_ref().map(Name::to_string);
        Self {
            second: text(&fields.second),
            minute: text(&fields.minute),
            hour: text(&fields.hour),
            day: text(&fields.day),
            month: text(&fields.month),
            weekday: text(&fields.weekday),
            year: text(&fields.year),
        }
    }
}

impl ActionBody {
    fn into_action(self) -> Result<Action, Problem> {
        let id = self.id.as_deref().unwrap_or("{schedule}-{time}");
        Ok(Action {
            workflow: workflow(&self.workflow)?,
            id: name("run.id", id)?,
            version: self.version,
            input: match &self.input {
                Some(input) => payload_of("run.input", input)?,
                None => Payload::null(),
            },
            tags: tags(&self.tags)?,
            timeout_ms: self.timeout_ms,
        })
    }
}

impl From<&Action> for ActionBody {
    fn from(action: &Action) -> Self {
        Self {
            workflow: action.workflow.to_string(),
            id: Some(action.id.to_string()),
            input: Some(json_of(&action.input)),
            version: action.version,
            tags: action.tags.iter().map(Name::to_string).collect(),
            timeout_ms: action.timeout_ms,
        }
    }
}

#[cfg(test)]
mod tests;
