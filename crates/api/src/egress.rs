//! Egress as users see it: [destinations](destination), their [judging rules](rule), what makes them [connectors](connector), [jobs](job), and
//! what is done to [many of them](bulk).

pub mod bulk;
pub mod care;
pub mod connector;
pub mod destination;
pub mod job;
pub mod limiter;
pub mod rule;
pub mod taken;

pub use bulk::{
    EnableDestination, JobFilterBody, LaneBody, LanePage, LaneQuery, ObjectHistory, ObjectQuery,
    ReplayJob, Replayed, StartJobBulk,
};
pub use care::{BreakerBody, CoalesceBody, Switch};
pub use connector::{BATCH_MAX, ConnectorBody, ResolveBody};
pub use destination::{
    DestinationBody, DestinationList, HeadOfLineBody, PutDestination, RateBody, RetryBody,
};
pub use job::{
    AttemptBody, JobBody, JobPage, JobQuery, NewJobBody, ObjectBody, ReleaseLane, Released,
    job_id_of, state_of,
};
pub use limiter::{LimiterBody, LimiterList, LimiterUseBody, PutLimiter, QuotaBody};
pub use rule::{RuleBody, VerdictBody};
pub use taken::{JobTaken, JobsAccepted, JobsOfDestination};

#[cfg(test)]
mod tests;
