//! Destinations and jobs at the door.

use super::{Checked, check_name, check_payload, check_text};
use crate::delivery::rules::{self, RULES_MAX};
use trunkline_core::code::Code;
use trunkline_core::egress::{Destination, Limiter, LimiterUse, NewJob, Quota};
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
    if let Some(why) = destination.quotas.as_deref().and_then(wrong_quotas) {
        return invalid(why.into());
    }
    check_uses(destination.limiters.as_deref().unwrap_or_default())?;
    if destination.rules.len() > RULES_MAX {
        return invalid(format!("a destination has at most {RULES_MAX} rules"));
    }
    if let Some(expression) = &destination.lane_by
        && let Err(fault) = crate::lanes::compile(expression)
    {
        let detail = format!("`lane_by`: {fault}");
        return Err(Rejection::new(Code::LaneInvalid, detail));
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
        // Shared limiters live on the first shard, all of them.
        EgressOp::PutLimiter { .. }
        | EgressOp::ListLimiters
        | EgressOp::DescribeLimiter { .. }
        | EgressOp::DeleteLimiter { .. } => Some(ShardId(0)),
    }
}

/// Quotas of one limiter or destination.
const QUOTAS_MAX: usize = 8;
/// Shared limiters that one destination uses.
const USES_MAX: usize = 16;

fn check_limiter(limiter: &Limiter) -> Checked {
    check_name("the limiter", &limiter.name)?;
    let invalid = |detail: &str| Err(Rejection::new(Code::LimiterInvalid, detail));
    if limiter
        .rate
        .is_some_and(|rate| rate.per_second == 0 || rate.burst == 0)
    {
        return invalid("a rate has at least 1 call a second and a burst of at least 1");
    }
    if limiter.concurrency == Some(0) {
        return invalid("the concurrency is at least 1");
    }
    match limiter.quotas.as_deref().and_then(wrong_quotas) {
        Some(why) => invalid(why),
        None => Ok(()),
    }
}

/// What is wrong with quotas.
fn wrong_quotas(quotas: &[Quota]) -> Option<&'static str> {
    if quotas.len() > QUOTAS_MAX {
        return Some("there are at most 8 quotas");
    }
    if quotas
        .iter()
        .any(|quota| quota.calls == 0 || quota.per_ms == 0)
    {
        return Some("a quota has at least 1 call in at least 1 ms");
    }
    let mut spans: Vec<u64> = quotas.iter().map(|quota| quota.per_ms).collect();
    spans.sort_unstable();
    spans.dedup();
    (spans.len() < quotas.len()).then_some("two quotas have spans of the same length")
}

fn check_uses(uses: &[LimiterUse]) -> Checked {
    let invalid = |detail: &str| Err(Rejection::new(Code::DestinationInvalid, detail));
    if uses.len() > USES_MAX {
        return invalid("a destination uses at most 16 shared limiters");
    }
    for (place, it) in uses.iter().enumerate() {
        check_name("the limiter", &it.limiter)?;
        if let Some(action) = &it.action {
            check_name("the action", action)?;
        }
        if it.cost == 0 {
            return invalid("a call costs at least 1");
        }
        let same = |other: &LimiterUse| {
            other.limiter == it.limiter
                && (other.action == it.action || other.action.is_none() || it.action.is_none())
        };
        if uses[..place].iter().any(same) {
            return invalid("a limiter is used twice by the same jobs");
        }
    }
    Ok(())
}

pub(super) fn check_op(op: &EgressOp) -> Checked {
    match op {
        EgressOp::PutLimiter { limiter } => check_limiter(limiter),
        EgressOp::ListLimiters => Ok(()),
        EgressOp::DescribeLimiter { name } | EgressOp::DeleteLimiter { name } => {
            check_name("the limiter", name)
        }
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
