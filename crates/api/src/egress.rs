//! Egress as users see it: [destinations](destination), their [judging rules](rule) and [jobs](job).

pub mod destination;
pub mod job;
pub mod rule;

pub use destination::{
    DestinationBody, DestinationList, HeadOfLineBody, PutDestination, RateBody, RetryBody,
};
pub use job::{
    JobBody, JobPage, JobQuery, JobsAccepted, JobsOfDestination, NewJobBody, job_id_of, state_of,
    state_text,
};
pub use rule::{RuleBody, VerdictBody};

#[cfg(test)]
mod tests;
