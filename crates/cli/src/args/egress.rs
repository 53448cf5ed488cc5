//! What the program understands of commands about destinations, jobs and dead letters.

use super::PageArgs;
use super::jobs::{EnableArgs, JobCommand, JobsArgs};
use clap::{Args as ClapArgs, Subcommand};
use trunkline_api::egress::{LimiterUseBody, QuotaBody, RuleBody};

#[derive(Subcommand, Debug)]
pub(crate) enum EgressCommand {
    /// Create, list and show destinations
    #[command(subcommand)]
    Destination(DestinationCommand),
    /// List jobs of a destination, replay or cancel many
    Jobs(Box<JobsArgs>),
    /// List the lanes of a destination that have work, and what their first jobs wait for
    Lanes {
        /// The destination
        destination: String,
        /// Go on behind this lane
        #[arg(long, value_name = "LANE")]
        after: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what happened to an object: all jobs about it that are kept, in order
    Object {
        /// What kind of object
        object_type: String,
        /// Which
        object_id: String,
        /// Only of this destination
        #[arg(long)]
        destination: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Limiters that destinations share
    #[command(subcommand)]
    Limiter(LimiterCommand),
    /// Let something go on that waits for an operator
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Open or close the breaker of a destination
    Breaker {
        /// The destination
        destination: String,
        /// `open`: nothing leaves until it is closed; `close`
        #[arg(value_parser = ["open", "close"])]
        to: String,
    },
    /// Show a job, or replay it
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Job {
        #[command(subcommand)]
        command: Option<JobCommand>,
        #[command(flatten)]
        job: Option<JobArg>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum LimiterCommand {
    /// Make a limiter, or replace its settings
    Set {
        /// The limiter's name
        name: String,
        /// Calls a second [default: without limit]
        #[arg(long, value_name = "PER_SECOND")]
        rate: Option<u32>,
        /// Calls that may leave at once after a pause
        #[arg(long, value_name = "COUNT", requires = "rate", default_value_t = 1)]
        burst: u32,
        /// Calls in a span of time, as CALLS/SECONDS; may be given several times
        #[arg(long = "quota", value_name = "CALLS/SECONDS", value_parser = crate::egress::quota)]
        quotas: Vec<QuotaBody>,
        /// Calls under way at once [default: without limit]
        #[arg(long, value_name = "COUNT")]
        concurrency: Option<u32>,
    },
    /// Show a limiter and how it stands
    Show {
        /// The limiter's name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List limiters and how they stand
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a limiter that no job needs
    Rm {
        /// The limiter's name
        name: String,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum ReleaseCommand {
    /// A lane that stands still behind a job that failed for good: the job is tried again
    Lane {
        /// The destination
        destination: String,
        /// The lane
        lane: String,
        /// Make the job a dead letter instead
        #[arg(long)]
        give_up: bool,
    },
    /// A job that waits for others
    Job(JobArg),
    /// All jobs of a batch that wait for others of it
    Batch {
        /// The destination
        destination: String,
        /// The batch
        batch: String,
    },
}

/// A job on the command line.
#[derive(ClapArgs, Debug, Default)]
pub(crate) struct JobArg {
    /// The destination
    pub(crate) destination: String,
    /// The job's identity
    pub(crate) id: String,
}

#[derive(Subcommand, Debug)]
pub(crate) enum DestinationCommand {
    /// Create a destination, or replace its settings
    Put(Box<DestinationArgs>),
    /// List destinations
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a paused destination be called again
    Enable(EnableArgs),
    /// Show a destination and how its work stands
    Show {
        /// The destination
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct DestinationArgs {
    /// The destination's name
    pub(crate) name: String,
    /// Where jobs are sent: an http:// or https:// URL
    #[arg(long)]
    pub(crate) url: String,
    /// Calls a second [default: as fast as it answers]
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) rate: Option<u32>,
    /// Calls that may leave at once after a pause
    #[arg(long, value_name = "COUNT", requires = "rate", default_value_t = 1)]
    pub(crate) burst: u32,
    /// Calls under way at once [default: 16]
    #[arg(long, value_name = "COUNT")]
    pub(crate) concurrency: Option<u32>,
    /// How long a call may take, in milliseconds [default: 30000]
    #[arg(long, value_name = "MS")]
    pub(crate) timeout_ms: Option<u64>,
    /// Attempts in all; 0 is without end [default: 20]
    #[arg(long, value_name = "COUNT")]
    pub(crate) attempts: Option<u32>,
    /// Delay before the second attempt, in milliseconds [default: 500]
    #[arg(long, value_name = "MS")]
    pub(crate) retry_initial_ms: Option<u64>,
    /// Longest delay between attempts, in milliseconds [default: 60000]
    #[arg(long, value_name = "MS")]
    pub(crate) retry_max_ms: Option<u64>,
    /// After a failure go on with the lane's next job, instead of holding the lane
    #[arg(long)]
    pub(crate) skip: bool,
    /// Once a job has failed for good, have its lane stand still until somebody releases it
    #[arg(long, conflicts_with = "skip")]
    pub(crate) park: bool,
    /// No attempt begins later than this after the first has failed, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) retry_elapsed_ms: Option<u64>,
    /// Stop calling for a while when too many calls fail
    #[arg(long)]
    pub(crate) breaker: bool,
    /// A newer update of an object takes the place of an older one that has not left
    #[arg(long)]
    pub(crate) coalesce: bool,
    /// Which lane a job has that names none: an expression over `job`, such as `job.object_ids[0]` [default: the lane `default`]
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) lane_by: Option<String>,
    /// Calls in a span of time, as CALLS/SECONDS; may be given several times
    #[arg(long = "quota", value_name = "CALLS/SECONDS", value_parser = crate::egress::quota)]
    pub(crate) quotas: Vec<QuotaBody>,
    /// A limiter that it shares with others, perhaps for jobs with one action only, and what a call costs; may be given several
    /// times
    #[arg(long = "limiter", value_name = "NAME[:ACTION][=COST]", value_parser = crate::egress::limiter_use)]
    pub(crate) limiters: Vec<LimiterUseBody>,
    /// Hold everything back
    #[arg(long)]
    pub(crate) paused: bool,
    /// What an answer means: `succeed`, `retry`, `retry 5000` (milliseconds), `fail`, `pause` or `refresh` (the credential), a colon, and when: an expression, or
    /// statuses such as `>=500, 408, !501`. The first that holds decides
    #[arg(long = "rule", value_name = "THEN: WHEN", value_parser = crate::egress::rule)]
    pub(crate) rules: Vec<RuleBody>,
    /// The credential that authenticates the calls
    #[arg(long, value_name = "ID")]
    pub(crate) credential: Option<String>,
    #[command(flatten)]
    pub(crate) contract: ContractArgs,
}

/// What makes a destination a connector, and where bodies come from.
#[derive(ClapArgs, Debug)]
pub(crate) struct ContractArgs {
    /// The destination is a connector: its manifest says how many jobs a call takes, how long it may take, and how often
    #[arg(long)]
    pub(crate) connector: bool,
    /// Jobs of one call [default: as many as the manifest says]
    #[arg(long, value_name = "COUNT", requires = "connector")]
    pub(crate) batch: Option<u32>,
    /// The connector's settings, as JSON
    #[arg(long, value_name = "JSON", requires = "connector", value_parser = crate::connector::json)]
    pub(crate) settings: Option<serde_json::Value>,
    /// The metadata API that bodies come from that jobs do not carry
    #[arg(long, value_name = "URL")]
    pub(crate) resolve: Option<String>,
    /// How long its answers may be used again, in milliseconds
    #[arg(long, value_name = "MS", requires = "resolve", default_value_t = 1_000)]
    pub(crate) resolve_ttl_ms: u64,
}

#[derive(Subcommand, Debug)]
pub(crate) enum DeadLettersCommand {
    /// List dead letters of a destination
    List {
        /// The destination
        destination: String,
        /// Only of this lane
        #[arg(long)]
        lane: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Put a dead letter back to the end of its lane, with all its attempts
    Replay(JobArg),
    /// Put all dead letters of a destination back
    ReplayAll {
        /// The destination
        destination: String,
        /// Only of this lane
        #[arg(long)]
        lane: Option<String>,
        /// Only say how many there are
        #[arg(long)]
        dry_run: bool,
    },
    /// Give a dead letter up for good
    Cancel(JobArg),
}
