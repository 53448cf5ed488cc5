//! Requests about many runs, and forks, which concern two shards: the engine asks one shard after the other.

use crate::jobs;
use crate::list::{ask, ask_each, unexpected};
use crate::node::Node;
use trunkline_core::code::Code;
use trunkline_core::ids::{CommandId, Nonce, RunId, ShardId};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{
    Action, Bulk, BulkState, BulkStatus, OnConflict, Op, Rejection, Reply, RunFilter, Start, Work,
};

type Answer = Result<Reply, Rejection>;

/// Counts runs, shard after shard: each is asked again and again until it has been through all of its own.
pub(crate) async fn count_runs(node: &Node, filter: RunFilter) -> Answer {
    let mut count = 0;
    for shard in 0..node.shards {
        count += count_in(node, ShardId(shard), &filter).await?;
    }
    Ok(Reply::Counted { count, next: None })
}

async fn count_in(node: &Node, shard: ShardId, filter: &RunFilter) -> Result<u64, Rejection> {
    let (mut total, mut after) = (0, None);
    loop {
        let rest = RunFilter {
            after,
            ..filter.clone()
        };
        let Reply::Counted { count, next } = ask(node, shard, Op::Count(Box::new(rest))).await?
        else {
            return Err(unexpected());
        };
        total += count;
        if next.is_none() {
            return Ok(total);
        }
        after = next;
    }
}

/// Does `action` to all runs of `workflow` with `tag`.
pub(crate) async fn act_on_tagged(
    node: &Node,
    workflow: Name,
    tag: Name,
    action: Action,
) -> Answer {
    let mut total = 0;
    for shard in 0..node.shards {
        let mut after = None;
        loop {
            let op = Op::Tagged {
                workflow: workflow.clone(),
                tag: tag.clone(),
                action: action.clone(),
                after,
            };
            let Reply::Counted { count, next } = ask(node, ShardId(shard), op).await? else {
                return Err(unexpected());
            };
            total += count;
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(Reply::Counted {
        count: total,
        next: None,
    })
}

/// Starts a run with the history of another up to a command.
pub(crate) async fn fork(
    node: &Node,
    source: RunId,
    at: CommandId,
    new_id: Name,
    nonce: Nonce,
) -> Answer {
    let home = source.key().shard(node.shards);
    let describe = Op::DescribeRun {
        run: source.clone(),
    };
    let Reply::Run(run) = ask(node, home, describe).await? else {
        return Err(unexpected());
    };
    let chunks = history(node, home, &source).await?;
    let forked = RunId::new(source.workflow.clone(), new_id);
    let to = forked.key().shard(node.shards);
    let start = Start {
        run: forked,
        version: Some(run.version),
        input: Payload::null(),
        tags: run.tags,
        nonce,
        on_conflict: OnConflict::Reject,
        wait: false,
        timeout_ms: None,
        start_at: None,
    };
    let op = Op::StartForked {
        start: Box::new(start),
        source,
        at,
        chunks,
    };
    ask(node, to, op).await
}

/// A run's whole history.
async fn history(node: &Node, home: ShardId, run: &RunId) -> Result<Vec<Payload>, Rejection> {
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let run = run.clone();
        let op = Op::History { run, from };
        let Reply::History {
            from: first,
            chunks,
            next,
        } = ask(node, home, op).await?
        else {
            return Err(unexpected());
        };
        if first != from {
            let detail = "the run's history was replaced while it was read: ask again";
            return Err(Rejection::new(Code::Overloaded, detail));
        }
        all.extend(chunks);
        match next {
            Some(next) => from = next,
            None => return Ok(all),
        }
    }
}

/// Begins each shard's part of a bulk operation, with the number of runs or jobs that it will meet.
pub(crate) async fn bulk_start(node: &Node, bulk: Bulk) -> Answer {
    let mut parts = Vec::new();
    for shard in shards_of(node, &bulk.work) {
        let expected = match &bulk.work {
            Work::Runs { filter, action } => {
                let filter = RunFilter {
                    fit_for: Some(action.fitness()),
                    ..filter.clone()
                };
                count_in(node, shard, &filter).await?
            }
            Work::Jobs(work) => jobs::count_in(node, shard, &work.filter, work.action).await?,
        };
        let bulk = bulk.clone();
        parts.push(
            ask(
                node,
                shard,
                Op::BulkStart {
                    bulk: Box::new(bulk),
                    expected,
                },
            )
            .await?,
        );
    }
    sum(parts)
}

/// The shards that have a part of a bulk operation.
fn shards_of(node: &Node, work: &Work) -> Vec<ShardId> {
    match work {
        Work::Jobs(work) => jobs::shards_of(node, work.filter.destination.as_ref()),
        Work::Runs { .. } => (0..node.shards).map(ShardId).collect(),
    }
}

/// Asks all shards about one bulk operation. One that crashed into its start may be unknown to some of them.
pub(crate) async fn bulk(node: &Node, op: &Op) -> Answer {
    let mut parts = Vec::new();
    let mut refused = None;
    for shard in (0..node.shards).map(ShardId) {
        match ask(node, shard, op.clone()).await {
            Ok(part) => parts.push(part),
            Err(rejection) if rejection.code == Code::BulkNotFound => refused = Some(rejection),
            Err(rejection) => return Err(rejection),
        }
    }
    match refused.filter(|_| parts.is_empty()) {
        Some(rejection) => Err(rejection),
        None => sum(parts),
    }
}

/// All bulk operations, the newest first.
pub(crate) async fn bulks(node: &Node) -> Answer {
    let mut all: Vec<BulkStatus> = Vec::new();
    for part in ask_each(node, &Op::BulkList).await? {
        let Reply::Bulks(part) = part else {
            return Err(unexpected());
        };
        for status in part {
            match all.iter_mut().find(|known| known.id == status.id) {
                Some(known) => add(known, status),
                None => all.push(status),
            }
        }
    }
    all.sort_by(|a, b| (b.started_at, &a.id).cmp(&(a.started_at, &b.id)));
    Ok(Reply::Bulks(all))
}

fn sum(parts: Vec<Reply>) -> Answer {
    let mut whole: Option<BulkStatus> = None;
    for part in parts {
        let Reply::Bulk(part) = part else {
            return Err(unexpected());
        };
        match &mut whole {
            Some(whole) => add(whole, part),
            None => whole = Some(part),
        }
    }
    whole.map(Reply::Bulk).ok_or_else(unexpected)
}

/// The whole goes on while a part does; it was cancelled if a part was.
fn add(whole: &mut BulkStatus, part: BulkStatus) {
    whole.state = match (whole.state, part.state) {
        (BulkState::Running, _) | (_, BulkState::Running) => BulkState::Running,
        (BulkState::Cancelled, _) | (_, BulkState::Cancelled) => BulkState::Cancelled,
        (BulkState::Done, BulkState::Done) => BulkState::Done,
    };
    whole.started_at = whole.started_at.min(part.started_at);
    whole.ended_at = match (whole.ended_at, part.ended_at) {
        (Some(whole), Some(part)) => Some(whole.max(part)),
        _ => None,
    };
    whole.expected += part.expected;
    whole.done += part.done;
    whole.refused += part.refused;
    whole.refusal = whole.refusal.take().or(part.refusal);
}
