//! Lanes that follow from jobs: a destination may say by an expression which lane a job has that names none.
//!
//! The core carries the expression, and asks whoever opened the shard for its value. That must depend on nothing but the
//! expression, the job and the time: the same job accepted at the same time gets the same lane.

use super::NewJob;
use crate::payload::Name;
use crate::time::Timestamp;
use core::fmt::Debug;

/// The lane of a job that names none, unless its destination says otherwise.
pub const NO_LANE: &str = "default";

/// Evaluates the expressions of destinations.
pub trait LaneBy: Debug + Send + Sync {
    /// The lane that `expression` gives `job`, which is accepted at `now`.
    ///
    /// # Errors
    /// Why it gives none, for a person.
    fn lane(&self, expression: &Name, job: &NewJob, now: Timestamp) -> Result<Name, Name>;
}

/// Evaluates nothing: for shards whose destinations have no expressions.
#[derive(Clone, Copy, Debug)]
pub struct NoLanes;

impl LaneBy for NoLanes {
    fn lane(&self, _: &Name, _: &NewJob, _: Timestamp) -> Result<Name, Name> {
        Err(Name::from("nothing here evaluates expressions"))
    }
}
