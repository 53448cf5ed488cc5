//! Methods, queries and timers of runs as users see them.

use crate::core::code::Code;
use crate::core::entry::Outcome;
use crate::core::ids::CommandId;
use crate::core::peer::WhichTimers;
use crate::failure::FailureBody;
use crate::json::json_of;
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A call of a method of a run: the answer to `POST …/methods/{method}` and `GET …/calls/{call}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallBody {
    /// What names the call within the run: the index of its entry in the history.
    pub call: u32,
    /// `open`, `completed` or `failed`; if it is open, there is neither a result nor a failure.
    pub status: String,
    /// False if the call was there before; only in the answer to a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// Why it did not return a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureBody>,
}

impl CallBody {
    /// A call that has not returned.
    #[must_use]
    pub fn open(call: u32) -> Self {
        Self {
            call,
            status: "open".to_owned(),
            created: None,
            result: None,
            failure: None,
        }
    }

    /// A call that has returned.
    #[must_use]
    pub fn returned(call: u32, outcome: &Outcome) -> Self {
        let open = Self::open(call);
        match outcome {
            Outcome::Completed(value) => Self {
                status: "completed".to_owned(),
                result: Some(json_of(value)),
                ..open
            },
            Outcome::Failed(failure) => Self {
                status: "failed".to_owned(),
                failure: Some(FailureBody::from(failure)),
                ..open
            },
        }
    }

    /// True if the call has returned.
    #[must_use]
    pub fn has_returned(&self) -> bool {
        self.result.is_some() || self.failure.is_some()
    }
}

/// The query of `POST …/methods/{method}` and `GET …/calls/{call}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// How long to wait until the method has returned, in milliseconds.
    pub wait_ms: Option<u64>,
}

/// The query of `…/queries/{query}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskQuery {
    /// How long to wait for a worker, in milliseconds; absent: ten seconds.
    pub timeout_ms: Option<u64>,
}

/// The body of `POST …/complete-timers`; it may be left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompleteTimers {
    /// Only those that the method of this call has set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u32>,
    /// Only this one: the number of its command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<u32>,
    /// True: only those that the run's own code has set.
    #[serde(default)]
    pub main: bool,
}

impl CompleteTimers {
    /// Which timers are meant.
    ///
    /// # Errors
    /// `TL0003` if it says more than one thing.
    pub fn which(&self) -> Result<WhichTimers, Problem> {
        match (self.call, self.timer, self.main) {
            (None, None, false) => Ok(WhichTimers::All),
            (None, None, true) => Ok(WhichTimers::Main),
            (Some(call), None, false) => Ok(WhichTimers::Call(call)),
            (None, Some(timer), false) => Ok(WhichTimers::Timer(CommandId(timer))),
            _ => Err(Problem::new(
                Code::WrongType,
                "at most one of `call`, `timer` and `main` is given",
            )),
        }
    }
}

/// The answer to [`CompleteTimers`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct TimersCompleted {
    /// How many timers were set and have fired now.
    pub completed: u32,
}
