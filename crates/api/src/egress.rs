//! Egress as users see it: [destinations](destination) and [jobs](job).

pub mod destination;
pub mod job;

pub use destination::{
    DestinationBody, DestinationList, HeadOfLineBody, PutDestination, RateBody, RetryBody,
};
pub use job::{
    JobBody, JobPage, JobQuery, JobsAccepted, JobsOfDestination, NewJobBody, job_id_of, state_of,
    state_text,
};

#[cfg(test)]
mod tests;
