//! `trunkline tenant …`: customers that know nothing of each other.

use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::table::Table;
use clap::{Args as ClapArgs, Subcommand};
use std::io::{self, Write};
use trunkline_api::access::{PutTenant, TenantBody, TenantLimits, TenantList};

#[derive(Subcommand, Debug)]
pub(crate) enum TenantCommand {
    /// Make a tenant; if it is there, nothing changes but the limits that are given
    Create(PutArgs),
    /// Set all limits of a tenant; what is not given has none
    Set(PutArgs),
    /// List tenants
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a tenant: its limits, and what it has
    Show {
        /// The tenant
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a tenant with its tokens; one that is not empty only with --force
    Remove {
        /// The tenant
        name: String,
        /// Delete its runs, jobs, schedules, destinations and credentials for good
        #[arg(long)]
        force: bool,
    },
}

#[derive(ClapArgs, Debug)]
pub(crate) struct PutArgs {
    /// The tenant: 1 to 40 of a to z, 0 to 9, and - between them
    name: String,
    /// Requests in a second at most
    #[arg(long, value_name = "COUNT")]
    requests_per_second: Option<u32>,
    /// Runs that have not ended, at most
    #[arg(long, value_name = "COUNT")]
    open_runs: Option<u64>,
    /// Jobs that are not settled, at most
    #[arg(long, value_name = "COUNT")]
    open_jobs: Option<u64>,
    /// Bytes on the disk at most
    #[arg(long, value_name = "BYTES")]
    disk_bytes: Option<u64>,
}

impl PutArgs {
    fn limits(&self) -> TenantLimits {
        TenantLimits {
            requests_per_second: self.requests_per_second,
            open_runs: self.open_runs,
            open_jobs: self.open_jobs,
            disk_bytes: self.disk_bytes,
        }
    }
}

/// Does what the command says.
pub(crate) fn carry_out(
    command: TenantCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        TenantCommand::Create(args) => {
            let limits = args.limits();
            let limits = (limits != TenantLimits::default()).then_some(limits);
            put(&args.name, limits, client, out)
        }
        TenantCommand::Set(args) => put(&args.name, Some(args.limits()), client, out),
        TenantCommand::List { json } => list(json, client, out),
        TenantCommand::Show { name, json } => {
            let answer = client.get(&path_of(&name))?;
            if json {
                writeln!(out, "{}", answer.text())?;
            } else {
                describe(&answer.read()?, out)?;
            }
            Ok(())
        }
        TenantCommand::Remove { name, force } => {
            client.delete(&format!("{}?force={force}", path_of(&name)))?;
            writeln!(out, "{name} is removed, and its data is deleted")?;
            Ok(())
        }
    }
}

fn path_of(name: &str) -> String {
    format!("/v1/tenants/{}", encoded(name))
}

fn put(
    name: &str,
    limits: Option<TenantLimits>,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let answer = client.put(&path_of(name), &PutTenant { limits })?;
    describe(&answer.read()?, out)?;
    Ok(())
}

fn list(json: bool, client: &Client, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = client.get("/v1/tenants")?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let list: TenantList = answer.read()?;
    let mut table = Table::new([
        "TENANT",
        "STATE",
        "TOKENS",
        "OPEN RUNS",
        "OPEN JOBS",
        "BYTES ON DISK",
    ]);
    for one in list.tenants {
        let usage = one.usage.unwrap_or_default();
        table.row([
            one.name,
            one.state,
            one.tokens.to_string(),
            usage.open_runs.to_string(),
            usage.open_jobs.to_string(),
            usage.disk_bytes.to_string(),
        ]);
    }
    table.write("no tenants", out)?;
    Ok(())
}

fn describe(tenant: &TenantBody, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}", tenant.name, tenant.state)?;
    if let Some(reason) = &tenant.reason {
        writeln!(out, "  because              {reason}")?;
    }
    writeln!(out, "  tokens               {}", tenant.tokens)?;
    let limits = &tenant.limits;
    let usage = tenant.usage;
    let lines = [
        (
            "open runs",
            usage.map(|usage| usage.open_runs),
            limits.open_runs,
        ),
        (
            "open jobs",
            usage.map(|usage| usage.open_jobs),
            limits.open_jobs,
        ),
        (
            "bytes on the disk",
            usage.map(|usage| usage.disk_bytes),
            limits.disk_bytes,
        ),
        (
            "requests per second",
            None,
            limits.requests_per_second.map(u64::from),
        ),
    ];
    for (what, there, limit) in lines {
        let there = there.map(|there| there.to_string());
        let limit = limit.map(|limit| format!("at most {limit}"));
        let limit = limit.unwrap_or_else(|| "no limit".to_owned());
        let parts: Vec<String> = there.into_iter().chain([limit]).collect();
        writeln!(out, "  {what:<20} {}", parts.join(", "))?;
    }
    Ok(())
}
