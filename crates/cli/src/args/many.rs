//! What the program understands of commands about many runs.

use super::{PageArgs, RunArg};
use clap::{Args as ClapArgs, Subcommand};

/// Which runs are meant.
#[derive(ClapArgs, Debug)]
pub(crate) struct FilterArgs {
    /// Only of this workflow
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Only in this status: running, paused, completed, failed, cancelled, terminated or timed_out; of the running ones
    /// only the scheduled or the suspended
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only with this tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Only with this id
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Only with an id that begins so
    #[arg(long, value_name = "PREFIX")]
    pub(crate) id_prefix: Option<String>,
    /// Only if started at this time or later, such as 2026-11-21T14:03:07Z
    #[arg(long, value_name = "TIME")]
    pub(crate) started_after: Option<String>,
    /// Only if started before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) started_before: Option<String>,
    /// Only if ended at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) finished_after: Option<String>,
    /// Only if ended before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) finished_before: Option<String>,
    /// Only if a property has this value; may be given several times
    #[arg(long = "property", value_name = "NAME=VALUE")]
    pub(crate) properties: Vec<String>,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct RunListArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct RunCountArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    pub(crate) run: RunArg,
    /// Go on from before the turn that asked for this command [default: from before the last failure]
    #[arg(long, value_name = "COMMAND")]
    pub(crate) at: Option<u32>,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct ForkArgs {
    #[command(flatten)]
    pub(crate) run: RunArg,
    /// Take over what comes before the turn that asked for this command
    #[arg(long, value_name = "COMMAND")]
    pub(crate) at: u32,
    /// The id of the new run
    #[arg(long, value_name = "ID")]
    pub(crate) new_id: String,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct TaggedArgs {
    /// The workflow
    pub(crate) workflow: String,
    /// The tag
    pub(crate) tag: String,
    #[command(flatten)]
    pub(crate) action: ActionArgs,
}

/// Something to do to runs.
#[derive(ClapArgs, Debug)]
pub(crate) struct ActionArgs {
    /// What to do: signal, cancel, terminate, pause, resume, retry, purge or complete_timers
    pub(crate) action: String,
    /// cancel, terminate: why, for whoever looks at the runs later
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// signal: the channel
    #[arg(long)]
    pub(crate) channel: Option<String>,
    /// signal: the value, as JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) value: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum BulkCommand {
    /// Do something to every run that a filter lets through
    Start(Box<BulkStartArgs>),
    /// Show how a bulk operation stands
    Show {
        /// Its id
        id: String,
        /// Show its progress until it has ended
        #[arg(long)]
        wait: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List bulk operations
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop a bulk operation; what is done stays done
    Cancel {
        /// Its id
        id: String,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct BulkStartArgs {
    #[command(flatten)]
    pub(crate) action: ActionArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) course: CourseArgs,
}

/// How a bulk operation is gone about.
#[derive(ClapArgs, Debug)]
pub(crate) struct CourseArgs {
    /// What the operation is called; a repeat under the same name is the same operation
    #[arg(long, value_name = "NAME", required_unless_present = "dry_run")]
    pub(crate) name: Option<String>,
    /// At most so many a second
    #[arg(long, value_name = "COUNT")]
    pub(crate) per_second: Option<u32>,
    /// Only say how many there are
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show its progress until it has ended
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
