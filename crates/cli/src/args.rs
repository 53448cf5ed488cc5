//! What the program understands on its command line.

mod egress;
mod jobs;
mod many;
mod reach;
mod replay;
mod task;

pub(crate) use egress::{
    ContractArgs, DeadLettersCommand, DestinationArgs, DestinationCommand, EgressCommand, JobArg,
    LimiterCommand, ReleaseCommand,
};
pub(crate) use jobs::{EnableArgs, JobCommand, JobsBulkArgs, JobsCommand};
pub(crate) use many::{
    ActionArgs, BulkCommand, BulkStartArgs, CourseArgs, FilterArgs, ForkArgs, RetryArgs,
    RunCountArgs, RunListArgs, TaggedArgs,
};
pub(crate) use reach::{DevReachArgs, ReachArgs};
pub(crate) use replay::ReplayArgs;
pub(crate) use task::TaskCommand;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use trunkline_api::timestamp::Time;

/// Durable workflows and ordered deliveries.
#[derive(Parser, Debug)]
#[command(name = "trunkline", disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) server: ServerAddress,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the server is.
#[derive(ClapArgs, Debug)]
pub(crate) struct ServerAddress {
    /// The server to talk to
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TRUNKLINE_SERVER",
        default_value = "http://127.0.0.1:7411"
    )]
    pub(crate) server: String,
    /// A file with the API token to use; without it, the variable TRUNKLINE_TOKEN has it, if a token is needed
    #[arg(long, global = true, value_name = "FILE", env = "TRUNKLINE_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a server for development, with its data in ./trunkline-data
    Dev(DevArgs),
    /// Run a server
    Server(ServerArgs),
    /// Start, show and steer runs
    #[command(subcommand)]
    Run(RunCommand),
    /// Do something to many runs
    #[command(subcommand)]
    Bulk(BulkCommand),
    /// Runs by the clock
    #[command(subcommand)]
    Schedule(crate::schedule::ScheduleCommand),
    /// Look at the tasks of a run, and answer one
    #[command(subcommand)]
    Task(TaskCommand),
    /// Destinations and jobs
    #[command(subcommand)]
    Egress(EgressCommand),
    /// What authenticates deliveries
    #[command(subcommand)]
    Credential(crate::credential::CredentialCommand),
    /// The keys that protect credentials
    #[command(subcommand)]
    Keys(crate::credential::KeysCommand),
    /// API tokens: who may do what
    #[command(subcommand)]
    Token(crate::token::TokenCommand),
    /// Tenants: customers that know nothing of each other
    #[command(subcommand)]
    Tenant(crate::tenant::TenantCommand),
    /// Look at a connector, and check that it keeps the contract
    #[command(subcommand)]
    Connector(crate::connector::ConnectorCommand),
    /// Jobs that used up their attempts
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Print what happens: the events of runs, tasks and jobs
    Events(EventsArgs),
    /// Explain an error code
    Explain {
        /// The code, such as TL0042
        code: String,
    },
    /// Examine a data folder (changes nothing), or a server
    Doctor {
        /// The data folder; without it the server is examined
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Play exported histories to a build of a worker, and say what differs
    Replay(ReplayArgs),
    /// Print the version
    Version,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct DevArgs {
    /// The data folder
    #[arg(long, value_name = "FOLDER", default_value = "./trunkline-data")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7411")]
    pub(crate) listen: SocketAddr,
    /// The file with the keys that protect credentials; it is made if it is missing [default: the data folder's name and .key]
    #[arg(long, value_name = "FILE", env = "TRUNKLINE_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reach: DevReachArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct ServerArgs {
    /// The data folder; it is made if it is missing
    #[arg(long, value_name = "FOLDER", env = "TRUNKLINE_DATA")]
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 takes any free one
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "TRUNKLINE_LISTEN",
        default_value = "127.0.0.1:7411"
    )]
    pub(crate) listen: SocketAddr,
    /// The file with the keys that protect credentials, as `trunkline keys create` makes it; without it there can be none
    #[arg(long, value_name = "FILE", env = "TRUNKLINE_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Answer nothing without an API token, but whether the process lives
    #[arg(long, env = "TRUNKLINE_REQUIRE_TOKENS", conflicts_with = "open")]
    pub(crate) require_tokens: bool,
    /// Let everybody do everything who reaches an address that is not this machine's own
    #[arg(long)]
    pub(crate) open: bool,
    /// A file with a token that has every scope; it is made if it is missing
    #[arg(long, value_name = "FILE", env = "TRUNKLINE_ADMIN_TOKEN_FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// How many tenants there may be beside the default one
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub(crate) tenants_max: usize,
    /// Shard threads, each with a journal; fixed when the folder is made [default: half the cores]
    #[arg(long, value_name = "COUNT")]
    pub(crate) threads: Option<u16>,
    /// Shards; fixed when the folder is made [default: 16]
    #[arg(long, value_name = "COUNT")]
    pub(crate) shards: Option<u16>,
    /// How long finished runs and settled jobs are kept, in milliseconds [default: one day]
    #[arg(long, value_name = "MS")]
    pub(crate) retention_ms: Option<u64>,
    /// How long events are kept, in milliseconds; 0 keeps none [default: one day]
    #[arg(long, value_name = "MS")]
    pub(crate) events_retention_ms: Option<u64>,
    /// Bytes that events may take; beyond that the oldest go [default: 1 GiB]
    #[arg(long, value_name = "BYTES")]
    pub(crate) events_bytes_max: Option<u64>,
    /// The size of a journal's segments, in bytes [default: 64 MiB]
    #[arg(long, value_name = "BYTES")]
    pub(crate) segment_bytes: Option<u64>,
    /// Destinations that have metrics of their own, 12 series each: those with the most work
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(crate) metrics_destinations: usize,
    /// How long what is under way may take after SIGTERM, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub(crate) grace_ms: u64,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct LogArgs {
    /// How the log on standard error is written
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "TRUNKLINE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// The least important lines that are written
    #[arg(long, value_enum, default_value_t = LogLevel::Info, env = "TRUNKLINE_LOG_LEVEL")]
    pub(crate) log_level: LogLevel,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct EventsArgs {
    /// Go on with what happens from now on, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only about runs of this workflow
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Only about the run with this id
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Only of this type, or group of types, such as run.completed or task.*; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Where to begin: oldest, newest, or a time such as 2026-11-21T14:03:07Z [default: oldest]
    #[arg(long, conflicts_with = "cursor")]
    pub(crate) since: Option<String>,
    /// Where to go on: printed at the end
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    /// At most so many [default: all that there are]
    #[arg(long)]
    pub(crate) limit: Option<u64>,
    /// Print each as a CloudEvent in JSON, one in a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// A run on the command line.
#[derive(ClapArgs, Debug)]
pub(crate) struct RunArg {
    /// The run, as WORKFLOW/ID, or its id alone if no other workflow has it
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
}

#[derive(Subcommand, Debug)]
pub(crate) enum RunCommand {
    /// Start a run
    Start(StartArgs),
    /// List runs
    List(RunListArgs),
    /// Count runs
    Count(RunCountArgs),
    /// Show a run: where it stands, what happened, what it waits for
    Show {
        #[command(flatten)]
        run: RunArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What a run and its children wait for
    Tree {
        #[command(flatten)]
        run: RunArg,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a run's history
    History {
        #[command(flatten)]
        run: RunArg,
        /// The first entry to print
        #[arg(long, default_value_t = 0)]
        from: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a run's result
    Result {
        #[command(flatten)]
        run: RunArg,
        /// How long to wait for the end, in milliseconds
        #[arg(long, value_name = "MS", default_value_t = 0)]
        wait_ms: u64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a property of a run, as JSON
    Property {
        #[command(flatten)]
        run: RunArg,
        /// The property's name
        name: String,
    },
    /// Send a signal to a run
    Signal {
        #[command(flatten)]
        run: RunArg,
        /// The signal channel
        channel: String,
        /// The value, as JSON
        #[arg(default_value = "null")]
        value: String,
        /// A repeat with the same key is not delivered again
        #[arg(long)]
        key: Option<String>,
    },
    /// Call a method of a run, and wait until it has returned
    Call {
        #[command(flatten)]
        run: RunArg,
        /// The method
        method: String,
        /// Its argument, as JSON
        #[arg(default_value = "null")]
        argument: String,
        /// A repeat with the same key gets the answer of the first call
        #[arg(long)]
        key: Option<String>,
        /// Only call it: the answer is the number of the call
        #[arg(long)]
        no_wait: bool,
    },
    /// Ask a query of a run; nothing is recorded
    Query {
        #[command(flatten)]
        run: RunArg,
        /// The query
        query: String,
        /// Its argument, as JSON
        #[arg(default_value = "null")]
        argument: String,
    },
    /// Have timers of a run fire now: all, or some
    CompleteTimers {
        #[command(flatten)]
        run: RunArg,
        /// Only those that the method of this call has set
        #[arg(long, conflicts_with_all = ["timer", "main"])]
        call: Option<u32>,
        /// Only this one: the number of its command
        #[arg(long, conflicts_with = "main")]
        timer: Option<u32>,
        /// Only those that the run's own code has set
        #[arg(long)]
        main: bool,
    },
    /// Ask a run to cancel; its code may clean up
    Cancel(StopArgs),
    /// End a run without asking its code
    Terminate(StopArgs),
    /// Hold a run back
    Pause(RunArg),
    /// Let a paused run go on
    Resume(RunArg),
    /// Let a failed run go on from before its last failure; a paused or stalled one go on
    Retry(RetryArgs),
    /// Start a run with the history of another up to a command
    Fork(ForkArgs),
    /// Forget a run that has ended
    Purge(RunArg),
    /// Do something to all runs with a tag
    Tagged(TaggedArgs),
    /// Write a run's whole history to standard output, for `trunkline replay`
    Export(RunArg),
}

#[derive(ClapArgs, Debug)]
pub(crate) struct StartArgs {
    /// The workflow
    pub(crate) workflow: String,
    /// The run's id, unique within the workflow
    pub(crate) id: String,
    /// The workflow's argument, as JSON; "-" reads it from standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    pub(crate) input: String,
    /// The version [default: the newest that a worker registered]
    #[arg(long = "workflow-version", value_name = "VERSION")]
    pub(crate) version: Option<u32>,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// If the id is taken, answer for the run that has it
    #[arg(long)]
    pub(crate) attach: bool,
    /// If the id is taken, terminate the run that has it and start the new one in its place
    #[arg(long, conflicts_with = "attach")]
    pub(crate) replace: bool,
    /// End the run with the status timed_out if it takes longer than this, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) timeout_ms: Option<u64>,
    /// Accept the run now and have it begin at this time, such as 2030-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) start_at: Option<Time>,
    /// Wait for the end, and print the result
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A time as it is written in requests.
fn time(text: &str) -> Result<Time, String> {
    let time = trunkline_api::timestamp::parse(text).map(Time);
    time.ok_or_else(|| "it is not a time such as 2030-01-31T08:00:00Z".to_owned())
}

#[derive(ClapArgs, Debug)]
pub(crate) struct PageArgs {
    /// At most so many
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
    /// Where to go on: printed at the end of the page before
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(ClapArgs, Debug)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    pub(crate) run: RunArg,
    /// Why, for whoever looks at the run later
    #[arg(long)]
    pub(crate) reason: Option<String>,
}
