//! `trunkline dead-letters …`: jobs that used up their attempts. They are never dropped; a person decides.

use crate::args::DeadLettersCommand;
use crate::bulk;
use crate::client::Client;
use crate::egress::{DEAD, job_path, list_jobs};
use crate::failure::Failure;
use crate::numbers::grouped;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use trunkline_api::egress::{JobFilterBody, StartJobBulk};
use trunkline_api::many::BulkBody;

/// Does what the command says.
pub(crate) fn carry_out(
    command: DeadLettersCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        DeadLettersCommand::List {
            destination,
            lane,
            page,
        } => list_jobs(
            &destination,
            Some(DEAD),
            lane.as_deref(),
            &page,
            client,
            out,
        ),
        DeadLettersCommand::Replay(job) => {
            client.post_nothing(&format!("{}/replay", job_path(&job)))?;
            writeln!(out, "{} will be delivered again", job.id)?;
            Ok(())
        }
        DeadLettersCommand::ReplayAll {
            destination,
            lane,
            dry_run,
        } => replay_all(&destination, lane.as_deref(), dry_run, client, out),
        DeadLettersCommand::Cancel(job) => {
            client.post_nothing(&format!("{}/cancel", job_path(&job)))?;
            writeln!(out, "{} is cancelled", job.id)?;
            Ok(())
        }
    }
}

/// One bulk operation under a name of its own, watched until its end.
fn replay_all(
    destination: &str,
    lane: Option<&str>,
    dry_run: bool,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_us = now.map_or(0, |since| since.as_micros());
    let request = StartJobBulk {
        id: format!("replay-all-{destination}-{now_us}-{}", std::process::id()),
        filter: JobFilterBody {
            destination: Some(destination.to_owned()),
            lane: lane.map(str::to_owned),
            ..JobFilterBody::default()
        },
        action: "replay".to_owned(),
        per_second: None,
        dry_run,
    };
    let begun: BulkBody = client.post("/v1/egress/jobs/bulk", &request)?.read()?;
    if dry_run {
        writeln!(out, "{} dead letters", grouped(begun.expected))?;
        return Ok(());
    }
    let ended: BulkBody = bulk::until_ended(&begun, client)?.read()?;
    writeln!(
        out,
        "{} dead letters will be delivered again",
        grouped(ended.done)
    )?;
    Ok(())
}
