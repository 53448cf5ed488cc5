//! Requests that concern all shards: lists and counters. Runs are asked for
//! shard after shard, in the order of their keys; everything else at once.

use crate::door::{self, Admitted};
use crate::many;
use crate::node::Node;
use crate::peers::ENGINE;
use crate::requests::Pending;
use crate::stats::add as count;
use trunkline_core::code::Code;
use trunkline_core::ids::{RunKey, ShardId};
use trunkline_core::input::Input;
use trunkline_core::limits::PAGE_MAX;
use trunkline_core::payload::Name;
use trunkline_core::peer::{Counters, DestinationStatus, Op, Rejection, Reply, RunFilter};
use trunkline_core::run::Run;
use trunkline_core::schedule::ScheduleSummary;

/// Where a list of runs goes on: a shard, and the run after which to go on there.
pub type Cursor = (ShardId, Option<RunKey>);

/// Looks into shards until a page is full, but no more often than this: a list that finds little ends early, with a cursor.
const LOOKS_MAX: usize = 64;

/// Asks one shard in the engine's own name.
pub(crate) async fn ask(node: &Node, shard: ShardId, op: Op) -> Result<Reply, Rejection> {
    answer(node, begin(node, shard, op)).await
}

/// Asks all shards at once, and gives their answers in the order of the shards.
pub(crate) async fn ask_each(node: &Node, op: &Op) -> Result<Vec<Reply>, Rejection> {
    let asked: Vec<_> = (0..node.shards)
        .map(|shard| begin(node, ShardId(shard), op.clone()))
        .collect();
    let mut answers = Vec::with_capacity(asked.len());
    for pending in asked {
        answers.push(answer(node, pending).await?);
    }
    Ok(answers)
}

/// Awaits several answers at once.
pub(crate) async fn together<T>(asked: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = asked.map(|asked| (Box::pin(asked), None)).collect();
    std::future::poll_fn(|context| {
        let mut all = true;
        for (asked, answer) in &mut waiting {
            if answer.is_none() {
                match asked.as_mut().poll(context) {
                    std::task::Poll::Ready(ready) => *answer = Some(ready),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting
        .into_iter()
        .filter_map(|(_, answer)| answer)
        .collect()
}

fn begin(node: &Node, shard: ShardId, op: Op) -> Pending<'_> {
    let pending = node.requests.begin();
    node.submit(
        shard,
        Input::Request {
            peer: ENGINE,
            request: pending.id,
            op,
        },
    );
    pending
}

async fn answer(node: &Node, pending: Pending<'_>) -> Result<Reply, Rejection> {
    // The threads may have ended before the request was there to be let go of.
    if node.has_ended() {
        return Err(unanswered(node));
    }
    let answer = pending.answer().await;
    answer.unwrap_or_else(|| Err(unanswered(node)))
}

/// Why there is no answer.
pub(crate) fn unanswered(node: &Node) -> Rejection {
    if node.vitals.is_failed() {
        Rejection::new(
            Code::JournalPoisoned,
            "a write failed; whether the request took effect is unknown",
        )
    } else {
        Rejection::new(
            Code::ShuttingDown,
            "the engine stopped; whether the request took effect is unknown",
        )
    }
}

/// Lets a request in and asks whoever it is for.
pub(crate) async fn request(node: &Node, op: Op) -> Result<Reply, Rejection> {
    match door::admit(node, op) {
        Ok(Admitted::One(shard, op)) => ask(node, shard, op).await,
        Ok(Admitted::All(op)) => ask_all(node, op).await,
        Err(rejection) => {
            count(&node.figures.refused, 1);
            Err(rejection)
        }
    }
}

/// Answers a request that concerns all shards.
pub(crate) async fn ask_all(node: &Node, op: Op) -> Result<Reply, Rejection> {
    match op {
        Op::ListRuns(filter) => {
            // Shards are ranges of keys in order, so the last run says where to go on, in this shard or the next.
            let shard = filter
                .after
                .map_or(ShardId(0), |after| after.shard(node.shards));
            let cursor = Some((shard, filter.after));
            let (runs, next) = list_runs(node, *filter, cursor).await?;
            let next = next.and_then(|(shard, after)| after.or_else(|| before(shard, node.shards)));
            Ok(Reply::Runs { runs, next })
        }
        Op::Count(filter) => many::count_runs(node, *filter).await,
        Op::Tagged {
            workflow,
            tag,
            action,
            ..
        } => many::act_on_tagged(node, workflow, tag, action).await,
        Op::Fork {
            run,
            at,
            new_id,
            nonce,
        } => many::fork(node, run, at, new_id, nonce).await,
        Op::BulkStart { bulk, .. } => many::bulk_start(node, *bulk).await,
        Op::BulkShow { .. } | Op::BulkCancel { .. } => many::bulk(node, &op).await,
        Op::BulkList => many::bulks(node).await,
        Op::Jobs(op) => crate::jobs::ask_all(node, op).await,
        Op::PutDestination { destination } => {
            crate::credentials::put_destination(node, *destination).await
        }
        Op::ListDestinations => list_destinations(node).await.map(Reply::Destinations),
        Op::ListSchedules { after, limit } => list_schedules(node, after, limit)
            .await
            .map(Reply::Schedules),
        Op::Counters => counters(node)
            .await
            .map(|counters| Reply::Counters(Box::new(counters))),
        Op::ReadEvents(request) => crate::feed::read(node, request).await,
        _ => Err(unexpected()),
    }
}

/// The key right before the first of `shard`.
fn before(shard: ShardId, shards: u16) -> Option<RunKey> {
    let slices = u128::from(shards);
    let first = ((u128::from(shard.0) << 32).div_ceil(slices)) << 96;
    first.checked_sub(1).map(RunKey)
}

/// A page of runs, and where the list goes on.
pub(crate) async fn list_runs(
    node: &Node,
    filter: RunFilter,
    cursor: Option<Cursor>,
) -> Result<(Vec<Run>, Option<Cursor>), Rejection> {
    let limit = filter.limit as usize;
    let mut runs: Vec<Run> = Vec::new();
    let (mut shard, mut after) = cursor.unwrap_or((ShardId(0), None));
    for _ in 0..LOOKS_MAX {
        if shard.0 >= node.shards {
            return Ok((runs, None));
        }
        if runs.len() >= limit {
            break;
        }
        let page = RunFilter {
            after,
            limit: (limit - runs.len()) as u32,
            ..filter.clone()
        };
        let Reply::Runs { runs: found, next } =
            ask(node, shard, Op::ListRuns(Box::new(page))).await?
        else {
            return Err(unexpected());
        };
        runs.extend(found);
        after = next;
        if after.is_none() {
            shard = ShardId(shard.0 + 1);
        }
    }
    Ok((runs, (shard.0 < node.shards).then_some((shard, after))))
}

/// All destinations, by name.
pub(crate) async fn list_destinations(node: &Node) -> Result<Vec<DestinationStatus>, Rejection> {
    let mut all = Vec::new();
    for answer in ask_each(node, &Op::ListDestinations).await? {
        let Reply::Destinations(found) = answer else {
            return Err(unexpected());
        };
        all.extend(found);
    }
    all.sort_by(|a, b| a.destination.name.cmp(&b.destination.name));
    Ok(all)
}

/// A page of schedules, by name.
async fn list_schedules(
    node: &Node,
    after: Option<Name>,
    limit: u32,
) -> Result<Vec<ScheduleSummary>, Rejection> {
    let limit = limit.clamp(1, PAGE_MAX);
    let mut all = Vec::new();
    for answer in ask_each(node, &Op::ListSchedules { after, limit }).await? {
        let Reply::Schedules(found) = answer else {
            return Err(unexpected());
        };
        all.extend(found);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all.truncate(limit as usize);
    Ok(all)
}

/// The sum of the shards' counters.
pub(crate) async fn counters(node: &Node) -> Result<Counters, Rejection> {
    let mut sum = Counters::default();
    for answer in ask_each(node, &Op::Counters).await? {
        let Reply::Counters(counters) = answer else {
            return Err(unexpected());
        };
        add(&mut sum, &counters);
    }
    Ok(sum)
}

pub(crate) fn unexpected() -> Rejection {
    Rejection::new(Code::Internal, "a shard gave an answer of another kind")
}

/// Adds the counters of one shard.
pub(crate) fn add(sum: &mut Counters, counters: &Counters) {
    // Every field is named, so that a new one cannot be forgotten.
    let Counters {
        runs,
        turns_ready,
        turns_in_flight,
        tasks_ready,
        tasks_in_flight,
        tasks_delayed,
        timers,
        jobs_pending,
        jobs_in_flight,
        jobs_succeeded,
        jobs_dead,
        outbox,
        permits_waiting,
        permits_used,
        lanes_blocked,
        breakers_open,
        jobs_superseded,
        jobs_expired,
        schedules,
        schedules_paused,
        fires,
    } = counters;
    for (sum, count) in sum.runs.iter_mut().zip(runs) {
        *sum += count;
    }
    sum.turns_ready += turns_ready;
    sum.turns_in_flight += turns_in_flight;
    sum.tasks_ready += tasks_ready;
    sum.tasks_in_flight += tasks_in_flight;
    sum.tasks_delayed += tasks_delayed;
    sum.timers += timers;
    sum.jobs_pending += jobs_pending;
    sum.jobs_in_flight += jobs_in_flight;
    sum.jobs_succeeded += jobs_succeeded;
    sum.jobs_dead += jobs_dead;
    sum.outbox += outbox;
    sum.permits_waiting += permits_waiting;
    sum.permits_used += permits_used;
    sum.lanes_blocked += lanes_blocked;
    sum.breakers_open += breakers_open;
    sum.jobs_superseded += jobs_superseded;
    sum.jobs_expired += jobs_expired;
    sum.schedules += schedules;
    sum.schedules_paused += schedules_paused;
    sum.fires.add(*fires);
}
