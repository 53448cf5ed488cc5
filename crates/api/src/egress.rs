//! Egress as users see it: [destinations](destination), their [judging rules](rule) and [jobs](job).

pub mod care;
pub mod destination;
pub mod job;
pub mod rule;
pub mod taken;

pub use care::{BreakerBody, CoalesceBody, Switch};
pub use destination::{
    DestinationBody, DestinationList, HeadOfLineBody, PutDestination, RateBody, RetryBody,
};
pub use job::{
    AttemptBody, JobBody, JobPage, JobQuery, NewJobBody, ObjectBody, ReleaseLane, Released,
    job_id_of, state_of,
};
pub use rule::{RuleBody, VerdictBody};
pub use taken::{JobTaken, JobsAccepted, JobsOfDestination};

#[cfg(test)]
mod tests;
