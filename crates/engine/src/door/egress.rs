//! Destinations and jobs at the door.

use super::{Checked, check_name, check_payload, check_text};
use crate::delivery::rules::{self, RULES_MAX};
use trunkline_core::code::Code;
use trunkline_core::egress::{Destination, NewJob};
use trunkline_core::ids::{ShardId, destination_shard};
use trunkline_core::limits::{JOBS_PER_REQUEST_MAX, PAYLOAD_BYTES_MAX};
use trunkline_core::peer::{EgressOp, Rejection, WhichJobs};

/// Object ids of one job.
const OBJECT_IDS_MAX: usize = 1_000;

pub(super) fn check_destination(destination: &Destination) -> Checked {
    check_name("the destination", &destination.name)?;
    let invalid = |detail: String| Err(Rejection::new(Code::DestinationInvalid, detail));
    check_text("the URL", &destination.url)?;
    if let Err(reason) = crate::delivery::check_url(&destination.url) {
        return invalid(reason);
    }
    if let Some(connector) = &destination.connector {
        check_payload("the connector's settings", &connector.settings)?;
        if connector.batch_max == 0 {
            return invalid("a connector takes at least 1 job a call".into());
        }
    }
    if let Some(resolve) = &destination.resolve {
        check_text("the URL of the metadata API", &resolve.url)?;
        if let Err(reason) = crate::delivery::check_url(&resolve.url) {
            return invalid(format!("the metadata API: {reason}"));
        }
    }
    if let Some(rate) = destination.rate
        && (rate.per_second == 0 || rate.burst == 0)
    {
        return invalid("a rate has at least 1 call a second and a burst of at least 1".into());
    }
    if destination.concurrency == 0 {
        return invalid(
            "the concurrency is at least 1; pause the destination to hold it back".into(),
        );
    }
    if destination.timeout_ms == 0 {
        return invalid("the time-out is at least 1 ms".into());
    }
    if destination.rules.len() > RULES_MAX {
        return invalid(format!("a destination has at most {RULES_MAX} rules"));
    }
    for (place, rule) in destination.rules.iter().enumerate() {
        if let Err(fault) = rules::compile(&rule.when) {
            return invalid(format!("rule {}: {fault}", place + 1));
        }
    }
    Ok(())
}

/// The shard that an operator's decision is for.
pub(super) fn shard_of(op: &EgressOp, shards: u16) -> Option<ShardId> {
    match op {
        EgressOp::ReleaseLane { destination, .. }
        | EgressOp::ReleaseJobs { destination, .. }
        | EgressOp::SetBreaker { destination, .. } => Some(destination_shard(destination, shards)),
    }
}

pub(super) fn check_op(op: &EgressOp) -> Checked {
    match op {
        EgressOp::SetBreaker { destination, .. } => check_name("the destination", destination),
        EgressOp::ReleaseLane {
            destination, lane, ..
        } => {
            check_name("the destination", destination)?;
            check_name("the lane", lane)
        }
        EgressOp::ReleaseJobs { destination, which } => {
            check_name("the destination", destination)?;
            match which {
                WhichJobs::Job(_) => Ok(()),
                WhichJobs::Batch(batch) => check_name("the batch", batch),
            }
        }
    }
}

pub(super) fn check_jobs<'a>(jobs: impl ExactSizeIterator<Item = &'a NewJob> + Clone) -> Checked {
    if jobs.len() == 0 || jobs.len() > JOBS_PER_REQUEST_MAX {
        let detail = format!(
            "a request has 1 to {JOBS_PER_REQUEST_MAX} jobs, not {}",
            jobs.len()
        );
        return Err(Rejection::new(Code::TooManyItems, detail));
    }
    let mut bytes = 0;
    let first = jobs.clone().next().map(|job| &job.destination);
    for job in jobs {
        check_job(job)?;
        bytes += job.body.len();
        if Some(&job.destination) != first {
            let detail = "the jobs of one request go to one destination";
            return Err(Rejection::new(Code::DestinationInvalid, detail));
        }
    }
    if bytes > PAYLOAD_BYTES_MAX {
        let detail = format!("the bodies have {bytes} bytes, the limit is {PAYLOAD_BYTES_MAX}");
        return Err(Rejection::new(Code::PayloadTooLarge, detail));
    }
    Ok(())
}

pub(super) fn check_job(job: &NewJob) -> Checked {
    check_name("the destination", &job.destination)?;
    check_name("the lane", &job.lane)?;
    check_name("the object type", &job.object_type)?;
    check_name("the action", &job.action)?;
    if job.object_ids.len() > OBJECT_IDS_MAX {
        let detail = format!("a job has at most {OBJECT_IDS_MAX} object ids");
        return Err(Rejection::new(Code::TooManyItems, detail));
    }
    for id in &job.object_ids {
        check_name("an object id", id)?;
    }
    if let Some(batch) = &job.batch {
        check_name("the batch", batch)?;
    }
    let depends_on = job.depends_on.as_deref().unwrap_or_default();
    if depends_on.len() > OBJECT_IDS_MAX {
        let detail = format!("a job depends on at most {OBJECT_IDS_MAX} objects");
        return Err(Rejection::new(Code::TooManyItems, detail));
    }
    for object in depends_on {
        check_name("an object type", &object.object_type)?;
        check_name("an object id", &object.object_id)?;
    }
    check_payload("the body", &job.body)
}
