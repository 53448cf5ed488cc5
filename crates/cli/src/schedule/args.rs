//! What `trunkline schedule` understands on its command line.

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use trunkline_api::schedule::OverlapBody;

#[derive(Subcommand, Debug)]
pub(crate) enum ScheduleCommand {
    /// Create a schedule, or update it
    Put(Box<PutArgs>),
    /// List schedules
    List {
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Go on behind this name
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a schedule: when it fires next, and its last fires
    Show {
        /// The schedule
        name: String,
        /// How many of the next fires
        #[arg(long, default_value_t = 3)]
        fires: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Hold the clock of a schedule back
    Pause {
        /// The schedule
        name: String,
        /// Why, for whoever looks at it later
        #[arg(long)]
        note: Option<String>,
    },
    /// Let the clock go on
    Resume {
        /// The schedule
        name: String,
    },
    /// Fire now, also while it is paused
    Trigger {
        /// The schedule
        name: String,
        /// What it does while a run has not ended [default: as the schedule says]
        #[arg(long, value_enum)]
        overlap: Option<OverlapArg>,
    },
    /// Fire for a range of the past
    Backfill {
        /// The schedule
        name: String,
        /// The first instant, such as 2026-11-21T14:00:00Z
        #[arg(long, value_name = "TIME")]
        from: String,
        /// The last instant
        #[arg(long, value_name = "TIME")]
        to: String,
        /// What a fire does while a run has not ended [default: buffer_all, one after the other]
        #[arg(long, value_enum)]
        overlap: Option<OverlapArg>,
    },
    /// Delete a schedule; its runs go on
    Delete {
        /// The schedule
        name: String,
    },
}

#[derive(ClapArgs, Debug)]
#[command(group(clap::ArgGroup::new("rules").required(true).multiple(true).args(["cron", "every_ms", "calendar"])))]
pub(crate) struct PutArgs {
    /// The schedule's name
    pub(crate) name: String,
    /// The workflow to start
    #[arg(long)]
    pub(crate) workflow: String,
    /// A cron expression, such as "0 9 * * MON-FRI"; may be given several times
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) cron: Vec<String>,
    /// An interval in milliseconds, counted from 1970-01-01T00:00:00Z
    #[arg(long, value_name = "MS")]
    pub(crate) every_ms: Option<u64>,
    /// Puts the interval off, in milliseconds
    #[arg(long, value_name = "MS", requires = "every_ms")]
    pub(crate) offset_ms: Option<u64>,
    /// Fields of local time as JSON, such as {"hour":"18","day":"LW"}; may be given several times
    #[arg(long, value_name = "JSON")]
    pub(crate) calendar: Vec<String>,
    /// The time zone, such as Europe/Berlin [default: UTC]
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// The runs' ids, with {time}, {date}, {schedule}, {number} filled in [default: {schedule}-{time}]
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) id: Option<String>,
    /// The workflow's argument, as JSON; "-" reads it from standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    pub(crate) input: String,
    /// The version [default: the newest when it fires]
    #[arg(long = "workflow-version", value_name = "VERSION")]
    pub(crate) version: Option<u32>,
    /// A tag of the runs; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// How long a run may take, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) run_timeout_ms: Option<u64>,
    /// What a fire does while a run has not ended [default: skip]
    #[arg(long, value_enum)]
    pub(crate) overlap: Option<OverlapArg>,
    /// How many fires may wait [default: 100]
    #[arg(long, value_name = "COUNT")]
    pub(crate) buffer_max: Option<u32>,
    /// A fire that is more than this late, in milliseconds, is missed [default: a year]
    #[arg(long, value_name = "MS")]
    pub(crate) catch_up_ms: Option<u64>,
    /// Put each fire off by up to this, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) jitter_ms: Option<u64>,
    /// Not before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) starts_at: Option<String>,
    /// Not at or after this time
    #[arg(long, value_name = "TIME")]
    pub(crate) ends_at: Option<String>,
    /// How many runs the clock may start [default: without end]
    #[arg(long, value_name = "COUNT")]
    pub(crate) remaining: Option<u64>,
    /// Pause it
    #[arg(long)]
    pub(crate) paused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum OverlapArg {
    /// Start nothing
    Skip,
    /// Wait; a further one starts nothing
    BufferOne,
    /// Wait, behind those that wait
    BufferAll,
    /// Have the runs cancelled, and start when they have ended
    CancelOther,
    /// Have the runs terminated, and start when they have ended
    TerminateOther,
    /// Start beside them
    AllowAll,
}

/// The policy as the API says it.
pub(crate) fn overlap_of(overlap: OverlapArg) -> OverlapBody {
    match overlap {
        OverlapArg::Skip => OverlapBody::Skip,
        OverlapArg::BufferOne => OverlapBody::BufferOne,
        OverlapArg::BufferAll => OverlapBody::BufferAll,
        OverlapArg::CancelOther => OverlapBody::CancelOther,
        OverlapArg::TerminateOther => OverlapBody::TerminateOther,
        OverlapArg::AllowAll => OverlapBody::AllowAll,
    }
}
