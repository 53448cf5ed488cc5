//! `trunkline egress jobs cancel|replay`, `job replay` and `destination enable`: what an operator does with jobs.

use super::{destination_path, job_path};
use crate::args::{EnableArgs, JobArg, JobsBulkArgs};
use crate::bulk;
use crate::client::Client;
use crate::failure::Failure;
use crate::run::json_of;
use std::io::Write;
use trunkline_api::core::code::Code;
use trunkline_api::egress::{EnableDestination, JobFilterBody, ReplayJob, Replayed, StartJobBulk};
use trunkline_api::many::BulkBody;

/// `egress jobs cancel`, `egress jobs replay`
pub(super) fn many(
    action: &str,
    args: JobsBulkArgs,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let course = args.course;
    let request = StartJobBulk {
        id: bulk::id_of(&course),
        filter: JobFilterBody {
            destination: args.destination.filter(|_| !args.everywhere),
            lane: args.lane,
            state: args.state,
            object_type: args.object_type,
            object_id: args.object_id,
            action: args.action,
            batch: args.batch,
            created_after: args.created_after,
            created_before: args.created_before,
            error: args.error,
        },
        action: action.to_owned(),
        per_second: course.per_second,
        dry_run: course.dry_run,
    };
    bulk::begin("/v1/egress/jobs/bulk", &request, &course, client, out)
}

/// `egress job replay`
pub(super) fn replay(
    job: &JobArg,
    payload: Option<&str>,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let path = format!("{}/replay", job_path(job));
    let Some(payload) = payload else {
        client.post_nothing(&path)?;
        writeln!(out, "{} stands at the end of its lane", job.id)?;
        return Ok(());
    };
    let body = match payload.strip_prefix('@') {
        None => json_of("--payload", payload)?,
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::new(Code::MalformedJson, format!("--payload: {file}: {error}"))
            })?;
            json_of("--payload", &text)?
        }
    };
    let replayed: Replayed = client
        .post(&path, &ReplayJob { body: Some(body) })?
        .read()?;
    writeln!(
        out,
        "{} takes the place of {}, at the end of its lane",
        replayed.id, job.id
    )?;
    Ok(())
}

/// `egress destination enable`
pub(super) fn enable(
    args: &EnableArgs,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let backlog = match (args.drop, args.replay) {
        (true, _) => Some("drop"),
        (_, true) => Some("replay"),
        (false, false) => None,
    };
    let request = EnableDestination {
        backlog: backlog.map(str::to_owned),
        id: None,
    };
    let path = format!("{}/enable", destination_path(&args.name));
    let answer = client.post(&path, &request)?;
    if backlog.is_none() {
        writeln!(out, "{} is enabled", args.name)?;
        return Ok(());
    }
    let mut bulk: BulkBody = answer.read()?;
    if args.wait {
        bulk = bulk::until_ended(&bulk, client)?.read()?;
    }
    bulk::tell(&bulk, out)
}
