//! What the program understands of commands about many runs.

use super::PageArgs;
use clap::Args as ClapArgs;

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
