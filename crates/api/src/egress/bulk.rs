//! What is done to many jobs, what happened to an object, and the lanes of a destination: bodies and queries.

use super::job::{JobBody, state_of};
use crate::core::code::Code;
use crate::core::egress::{Job, ObjectRef};
use crate::core::ids::JobId;
use crate::core::payload::Name;
use crate::core::peer::{Backlog, Bulk, JobAction, JobFilter, JobWork, LaneStatus, Moment, Work};
use crate::core::time::Timestamp;
use crate::cursor;
use crate::name::name;
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Which jobs are meant. All that is given must match.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobFilterBody {
    /// Only of this destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Only of this lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Only in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only about objects of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_type: Option<String>,
    /// Only about this object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Only with this action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only of this batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Only if accepted at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Time>,
    /// Only if accepted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Time>,
    /// Only if the last error has this in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl JobFilterBody {
    /// The engine's filter.
    ///
    /// # Errors
    /// If a name is none, or there is no such state.
    pub fn filter(&self) -> Result<JobFilter, Problem> {
        let read = |field: &str, text: &Option<String>| {
            text.as_deref().map(|text| name(field, text)).transpose()
        };
        Ok(JobFilter {
            destination: read("destination", &self.destination)?,
            lane: read("lane", &self.lane)?,
            state: self.state.as_deref().map(state_of).transpose()?,
            object_type: read("object_type", &self.object_type)?,
            object_id: read("object_id", &self.object_id)?,
            action: read("action", &self.action)?,
            batch: read("batch", &self.batch)?,
            created_after: self.created_after.map(|time| time.0),
            created_before: self.created_before.map(|time| time.0),
            error: self.error.as_deref().map(Name::from),
        })
    }
}

/// `POST /v1/egress/jobs/bulk`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartJobBulk {
    /// What it is called; a repeat with the same id is the same operation.
    pub id: String,
    /// Which jobs.
    #[serde(default)]
    pub filter: JobFilterBody,
    /// `replay` or `cancel`.
    pub action: String,
    /// At most so many jobs a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// True: nothing is done; the answer says to how many jobs it would be.
    #[serde(default)]
    pub dry_run: bool,
}

impl StartJobBulk {
    /// What is done, and to which jobs.
    ///
    /// # Errors
    /// If the filter or the action is not usable.
    pub fn meant(&self) -> Result<(JobFilter, JobAction), Problem> {
        let action = match self.action.as_str() {
            "replay" => JobAction::Replay,
            "cancel" => JobAction::Cancel,
            other => {
                let detail = format!("`action` is `{other}`; it is one of replay, cancel");
                return Err(Problem::new(Code::WrongType, detail));
            }
        };
        Ok((self.filter.filter()?, action))
    }

    /// The engine's request.
    ///
    /// # Errors
    /// If a name, the filter or the action is not usable.
    pub fn bulk(&self) -> Result<Bulk, Problem> {
        let (filter, action) = self.meant()?;
        Ok(Bulk {
            id: name("id", &self.id)?,
            work: Work::Jobs(JobWork {
                filter,
                action,
                enables: false,
            }),
            per_second: self.per_second,
        })
    }
}

/// `POST …/jobs/{id}/replay`; it may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayJob {
    /// Another body: then another job takes the place of the dead letter. `null` is a body too.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub body: Option<Box<RawValue>>,
}

/// A field that is there, whatever its value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// The answer to a replay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replayed {
    /// The job that is delivered: the same, or another if it has another body.
    pub id: String,
}

/// `POST /v1/egress/destinations/{name}/enable`; it may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnableDestination {
    /// What becomes of its jobs: `resume` (absent), `drop` or `replay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<String>,
    /// What the bulk operation is called that does it; absent: it gets an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl EnableDestination {
    /// What becomes of its jobs.
    ///
    /// # Errors
    /// `TL0003` if it is none of the words.
    pub fn backlog(&self) -> Result<Backlog, Problem> {
        match self.backlog.as_deref() {
            None | Some("resume") => Ok(Backlog::Resume),
            Some("drop") => Ok(Backlog::Drop),
            Some("replay") => Ok(Backlog::Replay),
            Some(other) => {
                let detail = format!("`backlog` is `{other}`; it is one of resume, drop, replay");
                Err(Problem::new(Code::WrongType, detail))
            }
        }
    }
}

/// The query of `GET /v1/egress/objects/{type}/{id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectQuery {
    /// Only of this destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// At most so many; absent: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What happened to an object: its jobs in the order of their acceptance, those of a lane in that of the lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObjectHistory {
    /// What kind of object.
    pub object_type: String,
    /// Which.
    pub object_id: String,
    /// The jobs.
    pub jobs: Vec<JobBody>,
    /// Where to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The query of `GET …/lanes`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneQuery {
    /// Go on behind this lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many; absent: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl ObjectQuery {
    /// What the list's cursors are good for.
    fn filters<'a>(&'a self, object: &'a ObjectRef) -> [Option<&'a str>; 3] {
        [
            Some(object.object_type.as_str()),
            Some(object.object_id.as_str()),
            self.destination.as_deref(),
        ]
    }

    /// Behind which job the list goes on; absent: from the beginning.
    ///
    /// # Errors
    /// `TL0030` if the cursor is none of this list.
    pub fn behind(&self, object: &ObjectRef) -> Result<Option<Moment>, Problem> {
        let Some(text) = &self.cursor else {
            return Ok(None);
        };
        let (place, job) = cursor::read_pair(text, &self.filters(object))?;
        Ok(Some(Moment {
            created_at: Timestamp((place >> 64) as u64),
            lane_sequence: place as u64,
            job: JobId(job),
        }))
    }

    /// The page of these jobs.
    #[must_use]
    pub fn page(&self, object: &ObjectRef, jobs: &[Job], more: bool) -> ObjectHistory {
        let next = jobs.last().filter(|_| more).map(|job| {
            let at = Moment::of(job);
            let place = u128::from(at.created_at.0) << 64 | u128::from(at.lane_sequence);
            cursor::write_pair((place, at.job.0), &self.filters(object))
        });
        ObjectHistory {
            object_type: object.object_type.to_string(),
            object_id: object.object_id.to_string(),
            jobs: jobs.iter().map(JobBody::from).collect(),
            next_cursor: next,
        }
    }
}

/// A lane that has work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaneBody {
    /// Its name.
    pub lane: String,
    /// Jobs in it.
    pub depth: u64,
    /// The first of them.
    pub head: String,
    /// True if that is under way.
    pub in_flight: bool,
    /// When it was accepted.
    pub head_since: Time,
    /// Its attempts so far.
    pub attempts: u32,
    /// What it waits for, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_on: Option<String>,
}

impl From<&LaneStatus> for LaneBody {
    fn from(status: &LaneStatus) -> Self {
        Self {
            lane: status.lane.to_string(),
            depth: status.depth,
            head: status.head.to_string(),
            in_flight: status.in_flight,
            head_since: Time(status.head_since),
            attempts: status.attempts,
            blocked_on: status.blocked_on.as_ref().map(Name::to_string),
        }
    }
}

/// Lanes that have work, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LanePage {
    /// The lanes.
    pub lanes: Vec<LaneBody>,
    /// Behind which lane to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_after: Option<String>,
}
