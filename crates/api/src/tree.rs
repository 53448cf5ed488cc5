//! Runs and their relatives: who started a run, and the tree of what it waits for.

use crate::core::run::{Origin, Run};
use crate::timestamp::Time;
use serde::{Deserialize, Serialize};

/// Who started a run, if it was not a client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartedBy {
    /// A run: this one is its child.
    Run {
        /// The parent's workflow.
        workflow: String,
        /// The parent's id.
        id: String,
    },
    /// A schedule.
    Schedule {
        /// Its name.
        name: String,
        /// The instant that the run stands for.
        at: Time,
    },
}

impl From<&Origin> for StartedBy {
    fn from(origin: &Origin) -> Self {
        match origin {
            Origin::Run { run, .. } => Self::Run {
                workflow: run.workflow.to_string(),
                id: run.id.to_string(),
            },
            Origin::Schedule { name, at } => Self::Schedule {
                name: name.to_string(),
                at: Time(*at),
            },
        }
    }
}

/// Runs of one tree that an answer shows.
pub const TREE_RUNS_MAX: usize = 200;

/// `GET /v1/workflows/{workflow}/runs/{id}/tree`: a run with what it waits for, and its children that have not ended, each
/// the same way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunTree {
    /// The workflow.
    pub workflow: String,
    /// The id.
    pub id: String,
    /// Its status; absent: it has not been accepted yet, or is already forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `scheduled` or `suspended`, if it is `running` and not at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// What it waits for, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<String>,
    /// Its children that have not ended, in the order in which they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
    /// True if there are more children than are shown.
    pub more: bool,
}

impl RunTree {
    /// A run of which nothing is known but its name.
    #[must_use]
    pub fn unknown(workflow: &str, id: &str) -> Self {
        Self {
            workflow: workflow.to_owned(),
            id: id.to_owned(),
            status: None,
            phase: None,
            waits: Vec::new(),
            children: Vec::new(),
            more: false,
        }
    }

    /// The same, with its status.
    #[must_use]
    pub fn described(mut self, run: &Run) -> Self {
        self.status = Some(run.status_shown().to_owned());
        self.phase = run.phase().map(|phase| phase.as_str().to_owned());
        self
    }
}
