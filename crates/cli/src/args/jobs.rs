//! What the program understands of commands about many jobs, and about what becomes of them.

use super::egress::JobArg;
use super::many::CourseArgs;
use super::{PageArgs, time};
use clap::{Args as ClapArgs, Subcommand};
use trunkline_api::timestamp::Time;

#[derive(ClapArgs, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<JobsCommand>,
    /// The destination
    #[arg(required = true)]
    pub(crate) destination: Option<String>,
    /// Only in this state: pending, succeeded, dead, cancelled, superseded, expired or parked
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only of this lane
    #[arg(long)]
    pub(crate) lane: Option<String>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum JobsCommand {
    /// Cancel every job that a filter lets through: those that wait, or dead letters with `--state dead`
    Cancel(JobsBulkArgs),
    /// Put every dead letter that a filter lets through back to the end of its lane
    Replay(JobsBulkArgs),
}

#[derive(Subcommand, Debug)]
pub(crate) enum JobCommand {
    /// Put a dead letter back to the end of its lane
    Replay {
        #[command(flatten)]
        job: JobArg,
        /// Another body, as JSON, or a file with it: `@body.json`. Then another job takes the place of the dead letter
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct JobsBulkArgs {
    /// Only of this destination
    #[arg(long, required_unless_present = "everywhere")]
    pub(crate) destination: Option<String>,
    /// Of all destinations
    #[arg(long, conflicts_with = "destination")]
    pub(crate) everywhere: bool,
    /// Only of this lane
    #[arg(long)]
    pub(crate) lane: Option<String>,
    /// Only in this state
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only about objects of this type
    #[arg(long, value_name = "TYPE")]
    pub(crate) object_type: Option<String>,
    /// Only about this object
    #[arg(long, value_name = "ID")]
    pub(crate) object_id: Option<String>,
    /// Only with this action
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only of this batch
    #[arg(long)]
    pub(crate) batch: Option<String>,
    /// Only if accepted at this time or later, such as 2026-11-21T14:03:07Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) created_after: Option<Time>,
    /// Only if accepted before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) created_before: Option<Time>,
    /// Only if the last error has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
    #[command(flatten)]
    pub(crate) course: CourseArgs,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct EnableArgs {
    /// The destination
    pub(crate) name: String,
    /// Cancel what waits first
    #[arg(long)]
    pub(crate) drop: bool,
    /// Replay its dead letters too
    #[arg(long, conflicts_with = "drop")]
    pub(crate) replay: bool,
    /// Show the progress of that until it has ended
    #[arg(long)]
    pub(crate) wait: bool,
}
