//! `trunkline dead-letters …`: jobs that used up their attempts. They are never dropped; a person decides.

use crate::args::DeadLettersCommand;
use crate::client::{Client, encoded, query};
use crate::egress::{DEAD, destination_path, job_path, jobs};
use crate::failure::Failure;
use crate::numbers::grouped;
use std::io::Write;
use trunkline_api::core::code::Code;
use trunkline_api::egress::JobPage;

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
        } => jobs(
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

fn replay_all(
    destination: &str,
    lane: Option<&str>,
    dry_run: bool,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // All of them first: the list changes while they are replayed, and one may be dead again soon.
    let path = format!("{}/jobs", destination_path(destination));
    let mut dead = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let filter = query(&[
            ("state", Some(DEAD)),
            ("lane", lane),
            ("limit", Some("1000")),
            ("cursor", cursor.as_deref()),
        ]);
        let page: JobPage = client.get(&format!("{path}{filter}"))?.read()?;
        let jobs = page.jobs.into_iter();
        dead.extend(jobs.map(|job| (job.lane, job.lane_sequence, job.id)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if dry_run {
        writeln!(out, "{} dead letters", grouped(dead.len() as u64))?;
        return Ok(());
    }
    // Within a lane they go back in their old order.
    dead.sort();
    let mut replayed = 0;
    for (_, _, id) in &dead {
        match client.post_nothing(&format!("{path}/{}/replay", encoded(id))) {
            Ok(_) => replayed += 1,
            // Somebody else was faster, which is as good.
            Err(Failure::Coded {
                code: Code::JobNotDead | Code::JobNotFound | Code::JobSettled,
                ..
            }) => {}
            Err(failure) => {
                writeln!(out, "{} replayed before that", grouped(replayed))?;
                return Err(failure);
            }
        }
    }
    writeln!(
        out,
        "{} dead letters will be delivered again",
        grouped(replayed)
    )?;
    Ok(())
}
