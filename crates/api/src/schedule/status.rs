//! Schedules as they stand: one in full, several in lines, and their fires.

use super::{ActionBody, OverlapBody, RuleBody};
use crate::core::payload::Name;
use crate::core::schedule::{Fire, FireCounts, FireEnd, ScheduleStatus, ScheduleSummary};
use crate::core::time::Timestamp;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};

/// A schedule, where it stands, and when it fires next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScheduleBody {
    /// Its name.
    pub name: String,
    /// When it fires.
    pub when: Vec<RuleBody>,
    /// The time zone of the rules.
    pub zone: String,
    /// The run that a fire starts.
    pub run: ActionBody,
    /// What a fire does while a run has not ended.
    pub overlap: OverlapBody,
    /// How many fires may wait.
    pub buffer_max: u32,
    /// A fire that is more than this late, in milliseconds, is missed.
    pub catch_up_ms: u64,
    /// A fire is put off by up to this, in milliseconds.
    pub jitter_ms: u64,
    /// It does not fire before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Time>,
    /// It does not fire at or after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// Runs that the clock may still start; absent: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// When it was made.
    pub created_at: Time,
    /// When it was made or last changed.
    pub updated_at: Time,
    /// How often it has been made or changed.
    pub revision: u32,
    /// True while the clock is held back.
    pub paused: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The next fires of the clock, without their jitter; empty while it is paused.
    pub next: Vec<Time>,
    /// When the first of them is taken, with its jitter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Time>,
    /// Runs that have not ended.
    pub running: Vec<OpenBody>,
    /// The instants of fires that wait for the end of a run.
    pub waiting: Vec<Time>,
    /// Ranges of the past that are being worked off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backfills: Vec<BackfillBody>,
    /// The last fires, the newest first.
    pub recent: Vec<FireBody>,
    /// What has come of all fires.
    pub counts: CountsBody,
}

/// A run of a schedule that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenBody {
    /// The workflow.
    pub workflow: String,
    /// The run's id.
    pub id: String,
    /// The instant that it stands for.
    pub at: Time,
}

/// A range of the past that is being worked off.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackfillBody {
    /// What is worked off is up to here.
    pub after: Time,
    /// The last instant.
    pub to: Time,
    /// What a fire does while a run has not ended.
    pub overlap: OverlapBody,
}

/// A fire.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FireBody {
    /// The instant that it stands for.
    pub at: Time,
    /// What made it fire: `clock`, `trigger` or `backfill`.
    pub cause: String,
    /// When it was taken.
    pub taken_at: Time,
    /// The id of its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// `waiting`, `skipped`, `starting`, `refused`, or the status of its run.
    pub state: String,
    /// The code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The refusal in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When that was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
}

/// What has come of fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CountsBody {
    /// Starts that were asked for.
    pub started: u64,
    /// Of them, those that were refused.
    pub refused: u64,
    /// Fires that started nothing because of the overlap policy.
    pub skipped: u64,
    /// Fires that were late by more than the catch-up window.
    pub missed: u64,
}

/// A page of schedules, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SchedulePage {
    /// The schedules.
    pub schedules: Vec<ScheduleLine>,
    /// What to say as `after` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<String>,
}

/// A schedule in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScheduleLine {
    /// Its name.
    pub name: String,
    /// When it fires.
    pub when: Vec<RuleBody>,
    /// The time zone of the rules.
    pub zone: String,
    /// The workflow that it starts.
    pub workflow: String,
    /// True while the clock is held back.
    pub paused: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The next fire of the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,
    /// The last fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<FireBody>,
    /// Runs that have not ended.
    pub running: u32,
    /// What has come of all fires.
    pub counts: CountsBody,
}

impl From<&ScheduleStatus> for ScheduleBody {
    fn from(status: &ScheduleStatus) -> Self {
        let (schedule, state) = (&status.schedule, &status.state);
        let paused = state.paused.is_some();
        Self {
            name: schedule.name.to_string(),
            when: schedule.when.iter().map(RuleBody::from).collect(),
            zone: schedule.zone.to_string(),
            run: ActionBody::from(&schedule.action),
            overlap: schedule.overlap.into(),
            buffer_max: schedule.buffer_max,
            catch_up_ms: schedule.catch_up_ms,
            jitter_ms: schedule.jitter_ms,
            starts_at: schedule.starts_at.map(Time),
            ends_at: schedule.ends_at.map(Time),
            remaining: state.remaining,
            created_at: Time(state.created_at),
            updated_at: Time(state.updated_at),
            revision: state.revision,
            paused,
            note: state.paused.as_ref().map(Name::to_string),
            next: times(&status.upcoming),
            due_at: state.due.filter(|_| !paused).map(Time),
            running: state
                .running
                .iter()
                .map(|open| OpenBody {
                    workflow: open.workflow.to_string(),
                    id: open.id.to_string(),
                    at: Time(open.at),
                })
                .collect(),
            waiting: state.waiting.iter().map(|fire| Time(fire.at)).collect(),
            backfills: state
                .backfills
                .iter()
                .map(|backfill| BackfillBody {
                    after: Time(backfill.after),
                    to: Time(backfill.to),
                    overlap: backfill.overlap.into(),
                })
                .collect(),
            recent: state.recent.iter().rev().map(FireBody::from).collect(),
            counts: state.counts.into(),
        }
    }
}

impl From<&ScheduleSummary> for ScheduleLine {
    fn from(summary: &ScheduleSummary) -> Self {
        Self {
            name: summary.name.to_string(),
            when: summary.when.iter().map(RuleBody::from).collect(),
            zone: summary.zone.to_string(),
            workflow: summary.workflow.to_string(),
            paused: summary.paused.is_some(),
            note: summary.paused.as_ref().map(Name::to_string),
            next: summary.next.map(Time),
            last: summary.last.as_ref().map(FireBody::from),
            running: summary.running,
            counts: summary.counts.into(),
        }
    }
}

impl From<&Fire> for FireBody {
    fn from(fire: &Fire) -> Self {
        let refused = match &fire.end {
            FireEnd::Refused(rejection) => Some(rejection),
            _ => None,
        };
        Self {
            at: Time(fire.at),
            cause: fire.cause.as_str().to_owned(),
            taken_at: Time(fire.taken_at),
            run: fire.run.as_ref().map(Name::to_string),
            state: state_text(&fire.end).to_owned(),
            code: refused.map(|rejection| rejection.code.to_string()),
            detail: refused.map(|rejection| rejection.detail.to_string()),
            ended_at: fire.ended_at.map(Time),
        }
    }
}

impl From<FireCounts> for CountsBody {
    fn from(counts: FireCounts) -> Self {
        let FireCounts {
            started,
            refused,
            skipped,
            missed,
        } = counts;
        Self {
            started,
            refused,
            skipped,
            missed,
        }
    }
}

/// What has come of a fire, in a word.
#[must_use]
pub fn state_text(end: &FireEnd) -> &'static str {
    match end {
        FireEnd::Waiting => "waiting",
        FireEnd::Starting => "starting",
        FireEnd::Running => "running",
        FireEnd::Ended(status) => status.as_str(),
        FireEnd::Refused(_) => "refused",
        FireEnd::Skipped => "skipped",
    }
}

fn times(instants: &[Timestamp]) -> Vec<Time> {
    instants.iter().copied().map(Time).collect()
}
