//! What is done to many runs, by tag or in bulk: bodies of the requests and of their answers.

use crate::core::code::Code;
use crate::core::ids::Nonce;
use crate::core::payload::{Name, Payload};
use crate::core::peer::{Action, Bulk, BulkStatus, RunFilter, Work};
use crate::filter::FilterBody;
use crate::json::payload_of;
use crate::name;
use crate::problem::Problem;
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Something to do to runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionBody {
    /// `signal`, `cancel`, `terminate`, `pause`, `resume`, `retry`, `purge` or `complete_timers`.
    pub action: String,
    /// `cancel`, `terminate`: why, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `signal`: the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// `signal`: the value; absent: `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
}

/// What actions are called.
const ACTIONS: &str = "signal, cancel, terminate, pause, resume, retry, purge, complete_timers";

impl ActionBody {
    /// The engine's action. A signal has `nonce`.
    ///
    /// # Errors
    /// If the action is not known, or has a field that does not belong to it.
    pub fn action(&self, nonce: Nonce) -> Result<Action, Problem> {
        let is_signal = self.action == "signal";
        let is_end = matches!(self.action.as_str(), "cancel" | "terminate");
        let stray = [
            ("channel", self.channel.is_some() && !is_signal),
            ("value", self.value.is_some() && !is_signal),
            ("reason", self.reason.is_some() && !is_end),
        ];
        if let Some((field, _)) = stray.into_iter().find(|(_, is_stray)| *is_stray) {
            let detail = format!("`{}` has no `{field}`", self.action);
            return Err(Problem::new(Code::UnknownField, detail));
        }
        let reason = match &self.reason {
            Some(reason) => name::name("reason", reason)?,
            None => Name::from("asked for over the API"),
        };
        Ok(match self.action.as_str() {
            "signal" => Action::Signal {
                channel: name::name("channel", self.channel.as_deref().unwrap_or_default())?,
                payload: match &self.value {
                    Some(value) => payload_of("the signal", value)?,
                    None => Payload::null(),
                },
                nonce,
            },
            "cancel" => Action::Cancel { reason },
            "terminate" => Action::Terminate { reason },
            "pause" => Action::Pause,
            "resume" => Action::Resume,
            "retry" => Action::Retry,
            "purge" => Action::Purge,
            "complete_timers" => Action::CompleteTimers,
            other => {
                let detail = format!("`action` is `{other}`; it is one of {ACTIONS}");
                return Err(Problem::new(Code::WrongType, detail));
            }
        })
    }
}

/// `POST /v1/workflows/{workflow}/tags/{tag}`: the answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ActedOn {
    /// So many runs.
    pub count: u64,
}

/// `POST /v1/workflows/{workflow}/runs/{id}/retry`; it may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRun {
    /// A failed run goes on from before the turn that asked for this command; absent: from before its last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u32>,
}

/// `POST /v1/workflows/{workflow}/runs/{id}/fork`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForkRun {
    /// What comes before the turn that asked for this command is taken over.
    pub at: u32,
    /// The id of the new run.
    pub new_id: String,
}

/// `POST /v1/bulk`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartBulk {
    /// What it is called; a repeat with the same id is the same operation.
    pub id: String,
    /// Which runs.
    #[serde(default)]
    pub filter: FilterBody,
    /// What is done.
    pub run: ActionBody,
    /// At most so many runs a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// True: nothing is done; the answer says to how many runs it would be.
    #[serde(default)]
    pub dry_run: bool,
}

impl StartBulk {
    /// The engine's request.
    ///
    /// # Errors
    /// If a name, the filter or the action is not usable.
    pub fn bulk(&self) -> Result<Bulk, Problem> {
        Ok(Bulk {
            id: name::name("id", &self.id)?,
            work: Work::Runs {
                filter: self.filter.filter()?,
                // The id is as good as a nonce: whatever is repeated under it is the same.
                action: self.run.action(nonce_of(&self.id))?,
            },
            per_second: self.per_second,
        })
    }

    /// The runs to which it can be done.
    ///
    /// # Errors
    /// If the filter or the action is not usable.
    pub fn meant(&self) -> Result<RunFilter, Problem> {
        Ok(RunFilter {
            fit_for: Some(self.run.action(Nonce(0))?.fitness()),
            ..self.filter.filter()?
        })
    }
}

/// The nonce of the signals of a bulk operation.
fn nonce_of(id: &str) -> Nonce {
    Nonce(crate::core::ids::tag_hash(&format!("bulk operation {id}")))
}

/// How a bulk operation stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BulkBody {
    /// What it is called.
    pub id: String,
    /// What is done.
    pub action: String,
    /// `running`, `done` or `cancelled`; `dry_run` if nothing was begun.
    pub state: String,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Runs or jobs that matched when it began.
    pub expected: u64,
    /// Runs or jobs to which it has been done.
    pub done: u64,
    /// Runs or jobs that refused.
    pub refused: u64,
    /// Why the first of them did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

impl BulkBody {
    /// One that was not begun.
    #[must_use]
    pub fn dry(id: &str, action: &str, count: u64) -> Self {
        Self {
            id: id.to_owned(),
            action: action.to_owned(),
            state: "dry_run".to_owned(),
            started_at: None,
            ended_at: None,
            expected: count,
            done: 0,
            refused: 0,
            refusal: None,
        }
    }
}

impl From<&BulkStatus> for BulkBody {
    fn from(status: &BulkStatus) -> Self {
        Self {
            id: status.id.to_string(),
            action: status.action.to_string(),
            state: status.state.as_str().to_owned(),
            started_at: Some(Time(status.started_at)),
            ended_at: status.ended_at.map(Time),
            expected: status.expected,
            done: status.done,
            refused: status.refused,
            refusal: status.refusal.as_ref().map(ToString::to_string),
        }
    }
}

/// All bulk operations, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BulkList {
    /// The operations.
    pub bulk: Vec<BulkBody>,
}
