//! Requests about jobs of many destinations: what is done to them, what happened to an object, and figures.

use crate::list::{ask, ask_each, unexpected};
use crate::node::Node;
use std::cmp::Reverse;
use trunkline_core::egress::{Job, ObjectRef};
use trunkline_core::ids::{ShardId, destination_shard};
use trunkline_core::limits::PAGE_MAX;
use trunkline_core::payload::Name;
use trunkline_core::peer::{
    DestinationFigures, JobAction, JobFilter, JobsOp, Moment, Op, Rejection, Reply,
};

type Answer = Result<Reply, Rejection>;

/// Answers a request that concerns several shards.
pub(crate) async fn ask_all(node: &Node, op: JobsOp) -> Answer {
    match op {
        JobsOp::Count { filter, action, .. } => {
            let mut count = 0;
            for shard in shards_of(node, filter.destination.as_ref()) {
                count += count_in(node, shard, &filter, action).await?;
            }
            Ok(Reply::JobsCounted { count, next: None })
        }
        JobsOp::OfObject {
            object,
            destination,
            behind,
            limit,
            ..
        } => of_object(node, *object, destination, behind, limit).await,
        JobsOp::Figures { limit } => figures(node, limit).await,
        JobsOp::Correct { .. } | JobsOp::Enable { .. } | JobsOp::Lanes { .. } => Err(unexpected()),
    }
}

/// The shards with jobs of a destination, or of any.
pub(crate) fn shards_of(node: &Node, destination: Option<&Name>) -> Vec<ShardId> {
    match destination {
        Some(name) => vec![destination_shard(name, node.shards)],
        None => (0..node.shards).map(ShardId).collect(),
    }
}

/// Counts the jobs of a shard to which `action` can be done.
pub(crate) async fn count_in(
    node: &Node,
    shard: ShardId,
    filter: &JobFilter,
    action: JobAction,
) -> Result<u64, Rejection> {
    let (mut total, mut after) = (0, None);
    loop {
        let op = JobsOp::Count {
            filter: Box::new(filter.clone()),
            action,
            after,
        };
        let Reply::JobsCounted { count, next } = ask(node, shard, Op::Jobs(op)).await? else {
            return Err(unexpected());
        };
        total += count;
        if next.is_none() {
            return Ok(total);
        }
        after = next;
    }
}

/// A page of the jobs about an object, in the order of time.
///
/// There is no index of objects: what is not asked for is to cost nothing. Every page looks through the rows of jobs, some thousand
/// at a time, and keeps the first that it wants.
async fn of_object(
    node: &Node,
    object: ObjectRef,
    destination: Option<Name>,
    behind: Option<Moment>,
    limit: u32,
) -> Answer {
    let limit = limit.clamp(1, PAGE_MAX) as usize;
    let mut first: Vec<(Moment, Job)> = Vec::new();
    let mut more = false;
    for shard in shards_of(node, destination.as_ref()) {
        let mut after = None;
        loop {
            let op = JobsOp::OfObject {
                object: Box::new(object.clone()),
                destination: destination.clone(),
                after,
                behind,
                limit: PAGE_MAX,
            };
            let Reply::ObjectJobs { jobs, next, .. } = ask(node, shard, Op::Jobs(op)).await? else {
                return Err(unexpected());
            };
            first.extend(jobs.into_iter().map(|job| (Moment::of(&job), job)));
            first.sort_by_key(|(moment, _)| *moment);
            more |= first.len() > limit;
            first.truncate(limit);
            if next.is_none() {
                break;
            }
            after = next;
        }
    }
    Ok(Reply::ObjectJobs {
        jobs: first.into_iter().map(|(_, job)| job).collect(),
        next: None,
        more,
    })
}

/// Figures of the destinations with the most work.
async fn figures(node: &Node, limit: u32) -> Answer {
    let mut all: Vec<DestinationFigures> = Vec::new();
    let mut sum = 0;
    for answer in ask_each(node, &Op::Jobs(JobsOp::Figures { limit })).await? {
        let Reply::Figures { figures, total } = answer else {
            return Err(unexpected());
        };
        all.extend(figures);
        sum += total;
    }
    let work = |one: &DestinationFigures| one.pending + one.in_flight;
    all.sort_by(|a, b| {
        (Reverse(work(a)), Reverse(a.dead), &a.name).cmp(&(
            Reverse(work(b)),
            Reverse(b.dead),
            &b.name,
        ))
    });
    all.truncate(limit as usize);
    Ok(Reply::Figures {
        figures: all,
        total: sum,
    })
}
