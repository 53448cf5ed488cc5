//! What `trunkline task` understands.

use super::RunArg;
use clap::Subcommand;

#[derive(Subcommand, Debug)]
pub(crate) enum TaskCommand {
    /// List the tasks of a run that have not ended
    List {
        #[command(flatten)]
        run: RunArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Answer a task with a result
    Complete {
        /// The task's id, as `task list` shows it
        task: String,
        /// The result, as JSON
        #[arg(default_value = "null")]
        value: String,
        /// A repeat with the same key counts once
        #[arg(long)]
        key: Option<String>,
    },
    /// Say that a task's attempt has failed; it is retried like any other
    Fail {
        /// The task's id
        task: String,
        /// What happened
        message: String,
        /// The failure's name, for the retry policy [default: Failed]
        #[arg(long)]
        name: Option<String>,
        /// Another attempt cannot help
        #[arg(long)]
        fatal: bool,
    },
    /// Say that somebody works on a task
    Heartbeat {
        /// The task's id
        task: String,
        /// How far it has come, as JSON
        details: Option<String>,
    },
    /// Ask a task to end; an attempt that is under way has its grace
    Cancel {
        /// The task's id
        task: String,
    },
}
