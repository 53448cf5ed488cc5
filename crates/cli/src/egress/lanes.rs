//! `trunkline egress lanes` and `egress object`: where work stands, and what happened to an object.

use super::destination_path;
use crate::args::PageArgs;
use crate::client::{Client, encoded, query};
use crate::failure::Failure;
use crate::numbers::{date, grouped, shortened};
use crate::table::Table;
use std::io::Write;
use trunkline_api::egress::{JobBody, LanePage, ObjectHistory};

/// `egress lanes`
pub(super) fn lanes(
    destination: &str,
    (after, limit): (Option<&str>, u32),
    json: bool,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let limit = limit.to_string();
    let parameters = query(&[("after", after), ("limit", Some(&limit))]);
    let answer = client.get(&format!(
        "{}/lanes{parameters}",
        destination_path(destination)
    ))?;
    if json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let page: LanePage = answer.read()?;
    let mut table = Table::new(["LANE", "JOBS", "FIRST", "SINCE", "ATTEMPTS", "WAITS FOR"]);
    for lane in &page.lanes {
        let waits_for = match (&lane.blocked_on, lane.in_flight) {
            (_, true) => "is under way".to_owned(),
            (Some(why), false) => why.clone(),
            (None, false) => String::new(),
        };
        table.row([
            lane.lane.clone(),
            grouped(lane.depth),
            lane.head.clone(),
            date(lane.head_since),
            lane.attempts.to_string(),
            waits_for,
        ]);
    }
    table.write("no lane has work", out)?;
    if let Some(after) = page.next_after {
        writeln!(out, "more: add --after {after}")?;
    }
    Ok(())
}

/// `egress object`
pub(super) fn object(
    (object_type, object_id): (&str, &str),
    destination: Option<&str>,
    page: &PageArgs,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let limit = page.limit.to_string();
    let answer = client.get(&format!(
        "/v1/egress/objects/{}/{}{}",
        encoded(object_type),
        encoded(object_id),
        query(&[
            ("destination", destination),
            ("limit", Some(&limit)),
            ("cursor", page.cursor.as_deref()),
        ])
    ))?;
    if page.json {
        writeln!(out, "{}", answer.text())?;
        return Ok(());
    }
    let history: ObjectHistory = answer.read()?;
    if history.jobs.is_empty() {
        writeln!(out, "no job about it is kept")?;
    }
    for job in &history.jobs {
        tell(job, out)?;
    }
    if let Some(cursor) = history.next_cursor {
        writeln!(out, "more: add --cursor {cursor}")?;
    }
    Ok(())
}

/// A job, with its attempts and its end.
fn tell(job: &JobBody, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(
        out,
        "{} UTC  {}  {}, number {} of lane {} to {}",
        date(job.created_at),
        job.id,
        job.action,
        grouped(job.lane_sequence),
        job.lane,
        job.destination
    )?;
    if let Some(first) = &job.replay_of {
        writeln!(out, "    instead of {first}, with another body")?;
    }
    for attempt in &job.failed_attempts {
        let status = attempt
            .status
            .map_or("no answer".to_owned(), |status| status.to_string());
        writeln!(
            out,
            "    {} UTC  attempt {} failed: {status}  {}",
            date(attempt.at),
            attempt.number,
            shortened(&attempt.error, 100)
        )?;
    }
    let by = match &job.superseded_by {
        Some(other) => format!(" by {other}"),
        None => String::new(),
    };
    let attempts = match job.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    match job.settled_at {
        Some(at) => writeln!(out, "    {} UTC  {}{by}, {attempts}", date(at), job.state)?,
        None => writeln!(out, "    {}, {attempts}", job.state)?,
    }
    Ok(())
}
