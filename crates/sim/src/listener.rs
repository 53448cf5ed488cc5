//! A listener: follows the event feed of every shard through all crashes, and knows what it was told.
//!
//! It goes on where it was; so it must be told everything once, in order, and what it was told must stay so.

use crate::model::{Checked, Model, broken};
use std::collections::{BTreeMap, BTreeSet};
use trunkline_core::entry::{Command, Entry};
use trunkline_core::feed::{
    About, Event, EventFilter, EventType, FeedCursor, FeedFrom, FeedPosition, Mark, ReadEvents,
    What,
};
use trunkline_core::ids::{JobId, RunId, ShardId};
use trunkline_core::time::Timestamp;

/// Events of one reading at most.
const LIMIT: u32 = 40;

/// The listener.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    /// Where it goes on.
    places: BTreeMap<ShardId, FeedPosition>,
    /// What it was told of each run, by its id and when it was accepted.
    runs: BTreeMap<(RunId, Timestamp), Told>,
    /// Jobs of whose acceptance it was told.
    jobs: BTreeSet<JobId>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    entries: BTreeMap<u32, Entry>,
    /// One past the last entry that it was told of.
    next: u32,
    /// True once the run has gone on from an earlier place: of what it had before, entries have other places now.
    rewound: bool,
    ended: bool,
}

impl Listener {
    /// What it asks a shard next.
    #[must_use]
    pub fn request(&self, shard: ShardId) -> ReadEvents {
        ReadEvents {
            from: self.from(shard),
            filter: EventFilter::default(),
            limit: LIMIT,
            wait_ms: 0,
            shard: Some(shard),
        }
    }

    fn from(&self, shard: ShardId) -> FeedFrom {
        self.places.get(&shard).map_or(FeedFrom::Oldest, |place| {
            FeedFrom::At(FeedCursor {
                of: 0,
                positions: vec![*place],
            })
        })
    }

    /// Where it stands in a shard's feed.
    #[must_use]
    pub fn place(&self, shard: ShardId) -> FeedPosition {
        self.places.get(&shard).copied().unwrap_or_default()
    }

    /// It hears an answer. One to a question that it has asked twice is no news.
    ///
    /// # Errors
    /// If it was told something again, out of order, or behind where the answer says it ends.
    pub fn hear(&mut self, asked: &ReadEvents, events: &[Event], next: &FeedCursor) -> Checked {
        let Some(shard) = asked.shard.filter(|shard| asked.from == self.from(*shard)) else {
            return Ok(());
        };
        let mut place = self.place(shard);
        for event in events {
            if event.shard != shard || event.at < place {
                return broken("FEED-ONCE", format!("{shard:?} at {place:?}: {event:?}"));
            }
            place = event.behind();
            self.learn(event)?;
        }
        let end = next.positions.first().copied().unwrap_or_default();
        if end < place {
            return broken(
                "FEED-ONCE",
                format!("{shard:?} goes back from {place:?} to {end:?}"),
            );
        }
        self.places.insert(shard, end);
        Ok(())
    }

    fn learn(&mut self, event: &Event) -> Checked {
        match (&event.about, &event.what) {
            (About::Run { id, started_at, .. }, What::Entry { index, entry, .. }) => {
                let told = self.runs.entry((id.clone(), *started_at)).or_default();
                if *index < told.next {
                    let detail = format!("{id}: entry {index} comes behind {}", told.next);
                    return broken("FEED-ORDER", detail);
                }
                told.next = index + 1;
                if matches!(entry, Entry::Command(Command::ContinueAsNew { .. })) {
                    *told = Told {
                        rewound: true,
                        ..Told::default()
                    };
                    return Ok(());
                }
                told.ended |= matches!(entry, Entry::Command(Command::Finish { .. }));
                told.entries.insert(*index, entry.clone());
            }
            (About::Run { id, started_at, .. }, What::Mark { mark, .. }) => {
                let told = self.runs.entry((id.clone(), *started_at)).or_default();
                match mark {
                    Mark::Rewound { .. } => {
                        *told = Told {
                            rewound: true,
                            ..Told::default()
                        };
                    }
                    Mark::Ended { .. } => told.ended = true,
                    Mark::Purged if !told.ended => {
                        let detail = format!("{id} was purged, and nobody was told of its end");
                        return broken("RUN-KEPT", detail);
                    }
                    _ => {}
                }
            }
            (
                About::Job(facts),
                What::Mark {
                    mark: Mark::JobAccepted { .. },
                    ..
                },
            ) => {
                self.jobs.insert(facts.id);
            }
            _ => {}
        }
        Ok(())
    }

    /// It has read everything: it knows each entry of each history that is an event, and each job.
    ///
    /// # Errors
    /// What it was not told, or told otherwise.
    pub fn check(&self, model: &Model) -> Checked {
        let nothing = Told::default();
        for (key, run) in model.runs() {
            let told = self.runs.get(&(run.id.clone(), run.started_at));
            let told = told.unwrap_or(&nothing);
            for (index, entry) in (0..).zip(model.history(key)) {
                let known = told.entries.get(&index);
                let first = told.entries.keys().next().copied().unwrap_or(u32::MAX);
                let from = if told.rewound { first } else { 0 };
                let wanted = index >= from && EventType::of_entry(&entry).is_some();
                if wanted && known != Some(&entry) {
                    let detail =
                        format!("{} entry {index} is {entry:?}, told was {known:?}", run.id);
                    return broken("FEED-COMPLETE", detail);
                }
            }
        }
        let untold = model
            .jobs()
            .into_iter()
            .find(|job| !self.jobs.contains(&job.id));
        match untold {
            Some(job) => broken("FEED-COMPLETE", format!("nobody told of {job:?}")),
            None => Ok(()),
        }
    }
}
