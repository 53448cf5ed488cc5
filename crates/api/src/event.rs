//! Events as users see them: CloudEvents 1.0 in JSON.
//!
//! An event is complete in itself: what it is about, when it was, and what the history says of it. Its `data` has the fields that a
//! history entry of the same kind has (see [`history`](crate::history)), or those of what no history holds. `id` and `source`
//! together are unique, and the same whenever the event is read; a reader who has seen an event recognises it by them.

pub mod cursor;
mod query;

use crate::core::entry::Entry;
use crate::core::feed::{About, Answered, Event, EventType, Mark, What};
use crate::core::schedule::FireEnd;
use crate::failure::FailureBody;
use crate::history::EntryBody;
use crate::timestamp::Time;
use serde::Serialize;

pub use query::EventQuery;

/// The media type of one event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// The media type of a page of events.
pub const BATCH_CONTENT_TYPE: &str = "application/cloudevents-batch+json";
/// The header of a page that says where the next one begins.
pub const CURSOR_HEADER: &str = "trunkline-cursor";

/// A CloudEvent, in the structured mode.
#[derive(Clone, Debug, Serialize)]
pub struct CloudEvent {
    /// The version of the specification.
    pub specversion: &'static str,
    /// Unique among the events of the source.
    pub id: String,
    /// The data folder that it comes from.
    pub source: String,
    /// What happened: one of [`EventType`].
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it is about: a run as `workflow/id`, a job as `destination/id`, anything else by its name.
    pub subject: String,
    /// When.
    pub time: Time,
    /// The media type of `data`.
    pub datacontenttype: &'static str,
    /// The particulars.
    pub data: EventData,
}

macro_rules! event_data {
    ($( $(#[$doc:meta])* $field:ident: $type:ty, )*) => {
        /// The particulars of an event. Which fields there are depends on its type.
        #[derive(Clone, Debug, Default, Serialize)]
        pub struct EventData {
            $( $(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>, )*
            /// What the run's history says, with the fields of [`EntryBody`].
            #[serde(flatten)]
            pub entry: Option<EntryBody>,
        }
    };
}

event_data! {
    /// The run's workflow.
    workflow: String,
    /// The run's id.
    run: String,
    /// The version of the workflow that the run is pinned to.
    version: u32,
    /// When the run was accepted: tells apart runs that had the same id one after the other.
    run_started_at: Time,
    /// The command of the task.
    command: u32,
    /// The task's service.
    service: String,
    /// The task.
    task: String,
    /// The other run: the one whose method was called, as `workflow/id`.
    other_run: String,
    /// Which attempt, from 1.
    attempt: u32,
    /// When the next attempt may begin.
    retry_at: Time,
    /// The run's status at its end.
    status: String,
    /// Why it failed.
    failure: FailureBody,
    /// Why.
    reason: String,
    /// Turns and commands that were dropped.
    dropped: u32,
    /// The run whose history it has, as `workflow/id`.
    forked_from: String,
    /// The job.
    job: String,
    /// The job's destination.
    destination: String,
    /// The job's lane.
    lane: String,
    /// The job's place in its lane.
    sequence: u64,
    /// The kind of object that the job is about.
    object_type: String,
    /// What happened to it.
    action: String,
    /// Which objects.
    object_ids: Vec<String>,
    /// The run that created the job, as `workflow/id`.
    created_by: String,
    /// The job that took the place of the job.
    superseded_by: String,
    /// How often the destination's breaker has opened since the last success.
    trips: u32,
    /// The credential.
    credential: String,
    /// Which version of the credential.
    credential_version: u32,
    /// The schedule.
    schedule: String,
    /// The instant that a fire stands for.
    fires_at: Time,
    /// Why the schedule fired: `clock`, `trigger` or `backfill`.
    cause: String,
    /// What has come of a fire so far: `starting`, `waiting`, `skipped` or `refused`.
    state: String,
    /// The code under which something was refused.
    code: String,
}

impl CloudEvent {
    /// An event of the feed `of`.
    #[must_use]
    pub fn new(of: u64, event: &Event) -> Self {
        let mut data = EventData::of_what(&event.what);
        let subject = data.say_what_about(&event.about);
        Self {
            specversion: "1.0",
            id: event.id(),
            source: format!("urn:trunkline:{of:016x}"),
            kind: event.kind.as_str(),
            subject,
            time: Time(event.time),
            datacontenttype: "application/json",
            data,
        }
    }
}

impl EventData {
    /// Adds what the event is about, and gives back its name.
    fn say_what_about(&mut self, about: &About) -> String {
        match about {
            About::Run {
                id,
                version,
                started_at,
            } => {
                self.workflow = Some(id.workflow.to_string());
                self.run = Some(id.id.to_string());
                self.version = Some(*version);
                self.run_started_at = Some(Time(*started_at));
                id.to_string()
            }
            About::Job(job) => {
                self.job = Some(job.id.to_string());
                self.destination = Some(job.destination.to_string());
                self.lane = Some(job.lane.to_string());
                self.object_type = Some(job.object_type.to_string());
                self.action = Some(job.action.to_string());
                self.object_ids = Some(job.object_ids.iter().map(ToString::to_string).collect());
                self.created_by = job.source.as_ref().map(ToString::to_string);
                format!("{}/{}", job.destination, job.id)
            }
            About::Destination { name } => {
                self.destination = Some(name.to_string());
                name.to_string()
            }
            About::Credential { name } => {
                self.credential = Some(name.to_string());
                name.to_string()
            }
            About::Schedule { name } => {
                self.schedule = Some(name.to_string());
                name.to_string()
            }
        }
    }

    fn of_what(what: &What) -> Self {
        match what {
            What::Entry {
                index,
                entry,
                answers,
            } => Self::of_entry(*index, entry, answers.as_ref()),
            What::Mark { mark, answers } => {
                let mut data = Self::of_mark(mark);
                if let Some(Answered { service, name, .. }) = answers {
                    data.service = service.as_ref().map(ToString::to_string);
                    data.task = name.as_ref().map(ToString::to_string);
                }
                data
            }
        }
    }

    fn of_entry(index: u32, entry: &Entry, answers: Option<&Answered>) -> Self {
        let mut body = EntryBody::of(index, entry);
        let mut other_run = None;
        // A task has a service; a step has only its name.
        if let Some(Answered { service, name, run }) = answers {
            other_run = run.as_ref().map(ToString::to_string);
            let name = name.as_ref().map(ToString::to_string);
            if let Some(service) = service {
                body.service = Some(service.to_string());
                body.task = name;
            } else {
                body.name = name;
            }
        }
        Self {
            entry: Some(body),
            other_run,
            ..Self::default()
        }
    }

    fn of_mark(mark: &Mark) -> Self {
        let none = Self::default();
        match mark {
            Mark::AttemptStarted { command, attempt }
            | Mark::TaskDelegated { command, attempt } => Self {
                command: Some(command.0),
                attempt: Some(*attempt),
                ..none
            },
            Mark::AttemptFailed {
                command,
                attempt,
                retry_at,
                failure,
            } => Self {
                command: Some(command.0),
                attempt: Some(*attempt),
                retry_at: Some(Time(*retry_at)),
                failure: Some(failure.into()),
                ..none
            },
            Mark::Rewound { dropped, source } => Self {
                dropped: Some(*dropped),
                forked_from: source.as_ref().map(ToString::to_string),
                ..none
            },
            Mark::Paused { reason } | Mark::SchedulePaused { reason } => Self {
                reason: Some(reason.to_string()),
                ..none
            },
            Mark::Ended { status, failure } => Self {
                status: Some(status.as_str().to_owned()),
                failure: failure.as_ref().map(FailureBody::from),
                ..none
            },
            Mark::JobAccepted { sequence } | Mark::JobReplayed { sequence } => Self {
                sequence: Some(*sequence),
                ..none
            },
            Mark::JobAttemptFailed {
                attempt,
                retry_at,
                reason,
            } => Self {
                attempt: Some(*attempt),
                retry_at: Some(Time(*retry_at)),
                reason: Some(reason.to_string()),
                ..none
            },
            Mark::JobDelivered { attempt } => Self {
                attempt: Some(*attempt),
                ..none
            },
            Mark::JobSuperseded { by } => Self {
                superseded_by: Some(by.to_string()),
                ..none
            },
            Mark::JobBlocked { reason } | Mark::DestinationDisabled { reason } => Self {
                reason: Some(reason.to_string()),
                ..none
            },
            Mark::CredentialRefreshFailed { version, reason } => Self {
                credential_version: Some(*version),
                reason: Some(reason.to_string()),
                ..none
            },
            Mark::CredentialRefreshRecovered { version } => Self {
                credential_version: Some(*version),
                ..none
            },
            Mark::DestinationFailing { until, trips } => Self {
                // An operator who opens a breaker says no end.
                retry_at: (until.0 != u64::MAX).then_some(Time(*until)),
                trips: Some(*trips),
                ..none
            },
            Mark::JobDead { attempt, reason } | Mark::LaneBlocked { attempt, reason } => Self {
                attempt: Some(*attempt),
                reason: Some(reason.to_string()),
                ..none
            },
            Mark::ScheduleFired {
                at,
                cause,
                end,
                run,
            } => Self {
                fires_at: Some(Time(*at)),
                cause: Some(cause.as_str().to_owned()),
                state: Some(state_of(end).to_owned()),
                run: run.as_ref().map(ToString::to_string),
                ..none
            },
            Mark::ScheduleRefused { run, rejection } => Self {
                run: Some(run.to_string()),
                code: Some(rejection.code.to_string()),
                reason: Some(rejection.detail.to_string()),
                ..none
            },
            Mark::Resumed
            | Mark::Parted
            | Mark::Purged
            | Mark::Found { .. }
            | Mark::ScheduleCreated
            | Mark::ScheduleUpdated
            | Mark::ScheduleDeleted
            | Mark::ScheduleResumed
            | Mark::JobCancelled
            | Mark::JobExpired
            | Mark::JobReleased
            | Mark::LaneReleased
            | Mark::DestinationRecovered => none,
        }
    }
}

/// What has come of a fire when it is told.
fn state_of(end: &FireEnd) -> &'static str {
    match end {
        FireEnd::Waiting => "waiting",
        FireEnd::Starting => "starting",
        FireEnd::Running => "running",
        FireEnd::Ended(_) => "ended",
        FireEnd::Refused(_) => "refused",
        FireEnd::Skipped => "skipped",
    }
}

/// The types that a text names: one, or a group such as `task.*`; with or without `io.trunkline.`.
#[must_use]
pub fn types_named(text: &str) -> Vec<EventType> {
    let Some(group) = text.strip_suffix(".*") else {
        return EventType::named(text).into_iter().collect();
    };
    let group = group.strip_prefix("io.trunkline.").unwrap_or(group);
    let belongs = |kind: &&EventType| {
        let name = kind.as_str().strip_prefix("io.trunkline.");
        name.and_then(|name| name.split_once('.'))
            .is_some_and(|(first, _)| first == group)
    };
    EventType::ALL.iter().filter(belongs).copied().collect()
}

#[cfg(test)]
mod tests;
