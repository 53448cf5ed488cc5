//! The answer to `POST /v1/egress/jobs`: what became of each job.

use crate::core::egress::Taken;
use serde::{Deserialize, Serialize};

/// One identity for each job, in the order of the request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobsAccepted {
    /// The jobs' identities.
    pub ids: Vec<String>,
    /// How each destination took its jobs.
    pub destinations: Vec<JobsOfDestination>,
    /// The jobs that were not simply accepted. What is not here was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<JobTaken>,
}

/// How one destination took its jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobsOfDestination {
    /// The destination.
    pub destination: String,
    /// Jobs accepted now.
    pub accepted: u32,
    /// Jobs that were known before.
    pub known: u32,
    /// The code, if its jobs were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Why they were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of a job that was not simply accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobTaken {
    /// Its identity.
    pub id: String,
    /// `known`: it is the same as one that was there. `merged`: accepted, and an older one about the object is superseded.
    /// `cancelled_out`: it and the creation of the object are both needless. `refused`.
    pub outcome: String,
    /// The other job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// The code, if it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl JobTaken {
    /// What became of the job `id`.
    #[must_use]
    pub fn new(id: String, taken: &Taken) -> Self {
        let (outcome, other, rejection) = match taken {
            Taken::Known => ("known", None, None),
            Taken::Superseding(other) => ("merged", Some(other), None),
            Taken::CancelledOut(other) => ("cancelled_out", Some(other), None),
            Taken::Refused(rejection) => ("refused", None, Some(rejection)),
        };
        Self {
            id,
            outcome: outcome.to_owned(),
            other: other.map(ToString::to_string),
            refused: rejection.map(|rejection| rejection.code.to_string()),
            detail: rejection.map(|rejection| rejection.detail.to_string()),
        }
    }
}
