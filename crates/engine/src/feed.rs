//! Reading the event feed of all shards.
//!
//! Each shard has a feed of its own; a reader sees one. It keeps a place in each, and is told where all of them stand. Shards are
//! asked only when they have something new: they say so with the effect [`Effect::Events`](trunkline_core::effect::Effect), which
//! leaves, like every effect, when what it tells of is durable. So nobody polls, and a reader who waits costs the shards nothing.

use crate::list::{ask, unexpected};
use crate::node::Node;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use trunkline_core::code::Code;
use trunkline_core::feed::{Event, FeedCursor, FeedFrom, FeedPosition, ReadEvents};
use trunkline_core::ids::ShardId;
use trunkline_core::limits::PAGE_MAX;
use trunkline_core::peer::{Op, Rejection, Reply};
use trunkline_core::time::Timestamp;

/// How long a reader may wait in one request.
const WAIT_MS_MAX: u64 = 60_000;
/// A reader that waits is woken by the first event, and reads a little later, with those that follow on its heels.
const GATHER: Duration = Duration::from_millis(10);
/// Bytes of one answer: it travels to a peer in one frame.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// So much to read is worth no waiting for more.
const ROWS_WORTH_READING: u64 = 64;

/// Where the feeds of the shards stand.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The identity of the data folder.
    of: u64,
    is_on: bool,
    /// The newest row of each shard's feed.
    heads: Box<[AtomicU64]>,
    moved: Notify,
}

impl Feed {
    pub(crate) fn new(of: u64, is_on: bool, shards: u16) -> Self {
        Self {
            of,
            is_on,
            heads: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            moved: Notify::new(),
        }
    }

    /// Rows of a shard up to `upto` can be read. [`Feed::wake`] tells those who wait.
    pub(crate) fn reaches(&self, shard: ShardId, upto: u64) {
        self.heads[usize::from(shard.0)].store(upto, Ordering::Release);
    }

    /// Has those who wait look again.
    pub(crate) fn wake(&self) {
        self.moved.notify_waiters();
    }

    /// Rows that a shard has at or behind a place.
    fn unread(&self, shard: usize, at: FeedPosition) -> u64 {
        let head = self.heads[shard].load(Ordering::Acquire);
        (head + 1).saturating_sub(at.sequence)
    }
}

/// Answers a request for events: at once if there are any, else when there are, or when the time is over.
pub(crate) async fn read(node: &Node, request: ReadEvents) -> Result<Reply, Rejection> {
    let feed = &node.feed;
    if !feed.is_on {
        let detail = "the server was started with `--events-retention-ms 0`";
        return Err(Rejection::new(Code::FeedOff, detail));
    }
    let wait = Duration::from_millis(request.wait_ms.min(WAIT_MS_MAX));
    let deadline = Instant::now() + wait;
    let (mut events, mut positions) = match &request.from {
        FeedFrom::At(cursor) => (Vec::new(), usable(feed, cursor)?),
        _ => begin(node, &request).await?,
    };
    loop {
        let mut moved = std::pin::pin!(feed.moved.notified());
        moved.as_mut().enable();
        let unread: u64 = (0..)
            .zip(&positions)
            .map(|(shard, at)| feed.unread(shard, *at))
            .sum();
        let waits = Instant::now() < deadline && events.is_empty();
        if waits && unread > 0 && unread < ROWS_WORTH_READING {
            tokio::time::sleep(GATHER).await;
        }
        if events.is_empty() && unread > 0 {
            events = look(node, &request, &mut positions).await?;
        }
        let done = !events.is_empty() || (unread == 0 && !waits);
        if done || (unread > 0 && Instant::now() >= deadline) {
            let next = FeedCursor {
                of: feed.of,
                positions,
            };
            return Ok(Reply::Events { events, next });
        }
        if unread == 0 {
            // The time being over is seen above.
            let _ = tokio::time::timeout_at(deadline, moved).await;
            if node.has_ended() {
                return Err(crate::list::unanswered(node));
            }
        }
    }
}

fn usable(feed: &Feed, cursor: &FeedCursor) -> Result<Vec<FeedPosition>, Rejection> {
    if cursor.of != feed.of || cursor.positions.len() != feed.heads.len() {
        let detail = "the cursor is of the events of another data folder";
        return Err(Rejection::new(Code::CursorInvalid, detail));
    }
    Ok(cursor.positions.clone())
}

/// Asks every shard where to begin, and for what there is.
async fn begin(
    node: &Node,
    request: &ReadEvents,
) -> Result<(Vec<Event>, Vec<FeedPosition>), Rejection> {
    let mut positions = vec![FeedPosition::default(); usize::from(node.shards)];
    let all: Vec<usize> = (0..positions.len()).collect();
    let events = look_into(node, request, &all, &mut positions, |_| {
        request.from.clone()
    })
    .await?;
    Ok((events, positions))
}

/// Asks the shards that have something new.
async fn look(
    node: &Node,
    request: &ReadEvents,
    positions: &mut [FeedPosition],
) -> Result<Vec<Event>, Rejection> {
    let wanted: Vec<usize> = (0..positions.len())
        .filter(|shard| node.feed.unread(*shard, positions[*shard]) > 0)
        .collect();
    let places = positions.to_vec();
    look_into(node, request, &wanted, positions, |shard| {
        FeedFrom::At(FeedCursor {
            of: 0,
            positions: vec![places[shard]],
        })
    })
    .await
}

async fn look_into(
    node: &Node,
    request: &ReadEvents,
    shards: &[usize],
    positions: &mut [FeedPosition],
    from: impl Fn(usize) -> FeedFrom,
) -> Result<Vec<Event>, Rejection> {
    let limit = request.limit.clamp(1, PAGE_MAX);
    // Each gets its share, so that no shard waits behind the others for ever.
    let share = (limit / shards.len().max(1) as u32).max(1);
    let asked = shards.iter().map(|shard| {
        let id = ShardId(*shard as u16);
        let request = ReadEvents {
            from: from(*shard),
            limit: share,
            wait_ms: 0,
            shard: Some(id),
            filter: request.filter.clone(),
        };
        ask(node, id, Op::ReadEvents(request))
    });
    let mut found: Vec<(Timestamp, Event)> = Vec::new();
    for (shard, answer) in shards.iter().zip(crate::list::together(asked).await) {
        let Reply::Events { events, next } = answer? else {
            return Err(unexpected());
        };
        positions[*shard] = next.positions.first().copied().unwrap_or_default();
        // The clock may have been set back between two lives of the engine; the order of a shard holds all the same.
        let mut latest = Timestamp(0);
        found.extend(events.into_iter().map(|event| {
            latest = latest.max(event.time);
            (latest, event)
        }));
    }
    found.sort_by_key(|(time, _)| *time);
    let mut bytes = 0;
    let mut fits = |(_, event): &(Timestamp, Event)| {
        bytes += event.what.bytes();
        bytes <= PAGE_BYTES_MAX
    };
    let count = found
        .iter()
        .map_while(|item| fits(item).then_some(()))
        .count()
        .max(1);
    for (_, event) in found.drain(count.min(found.len())..).rev() {
        // Shards whose events have no room go on with the first of them.
        positions[usize::from(event.shard.0)] = event.at;
    }
    Ok(found.into_iter().map(|(_, event)| event).collect())
}
