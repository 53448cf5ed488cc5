//! Reading the feed: rows become events.
//!
//! A row is read with what it points at: a run's entries are taken from its history, or from what remains of that. An event says
//! what a reader wants to know without a second question, such as which task it was that failed.
//!
//! Everything in a row has a slot, whether it makes an event or not, in an order that follows from the row alone. So the place of
//! an event is the same whatever is asked for, and whichever version of Trunkline reads it.

use super::seen::{Gone, Seen};
use super::{ITEM_CREDENTIAL, ITEM_DESTINATION, ITEM_JOB, ITEM_RUN, ITEM_SCHEDULE, Shard, head_of};
use crate::code::Code;
use crate::entry::{Command, Entry, Notification, Outcome};
use crate::failure::Failure;
use crate::feed::{
    About, Event, EventFilter, EventType, FeedCursor, FeedFrom, FeedPosition, Mark, ReadEvents,
    What,
};
use crate::ids::{CommandId, JobId, RunId, RunKey};
use crate::io::Io;
use crate::limits::PAGE_MAX;
use crate::payload::Name;
use crate::peer::{Rejection, Reply};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use minicbor::Decoder;
use minicbor::decode::Error;

/// A page ends when its events have so many bytes, about.
const PAGE_BYTES: usize = 256 << 10;
/// Slots that one reading looks at, so that no filter holds the shard for long.
const SLOTS_MAX: usize = 5_000;

/// One item of a row.
enum Item {
    Run {
        key: RunKey,
        first: u32,
        chunk: u32,
        entries: u32,
        marks: Vec<(u32, Mark)>,
    },
    Job {
        id: JobId,
        destination: Name,
        mark: Mark,
    },
    /// A schedule, a destination or a credential.
    Named { about: About, mark: Mark },
}

/// A page on its way.
struct Page<'a> {
    filter: &'a EventFilter,
    limit: usize,
    events: Vec<Event>,
    bytes: usize,
    slots: usize,
    /// Runs that were read, while there are no remains.
    seen: BTreeMap<RunKey, Seen>,
}

impl Page<'_> {
    fn is_full(&self) -> bool {
        self.events.len() >= self.limit || self.bytes >= PAGE_BYTES || self.slots >= SLOTS_MAX
    }
}

impl Shard {
    /// Answers with the events from a place on, and the place at which the reading ended.
    pub(in crate::shard) fn read_events(
        &mut self,
        io: &Io<'_>,
        request: &ReadEvents,
    ) -> Result<Reply, Rejection> {
        if !self.feed.on {
            let detail = "the server was started with `--events-retention-ms 0`";
            return Err(Rejection::new(Code::FeedOff, detail));
        }
        let mut at = self.first_position(io, &request.from)?;
        let mut page = Page {
            filter: &request.filter,
            limit: request.limit.clamp(1, PAGE_MAX) as usize,
            events: Vec::new(),
            bytes: 0,
            slots: 0,
            seen: BTreeMap::new(),
        };
        while at.sequence <= self.feed.last && !page.is_full() {
            match self.read_row(io, at, &mut page) {
                Ok(next) => at = next,
                // What has been found so far is good; the next reading will be refused.
                Err(Gone) if !page.events.is_empty() => break,
                Err(Gone) => return Err(gone(at.sequence)),
            }
        }
        let next = FeedCursor {
            of: 0,
            positions: Vec::from([at]),
        };
        Ok(Reply::Events {
            events: page.events,
            next,
        })
    }

    fn first_position(&self, io: &Io<'_>, from: &FeedFrom) -> Result<FeedPosition, Rejection> {
        let end = self.feed.last + 1;
        let is_late = |sequence: u64, at: Timestamp| {
            self.row_head(io, sequence)
                .is_none_or(|head| head.time >= at)
        };
        // Rows that are too old may not have been removed yet.
        let oldest = self.first_row(|sequence| {
            self.row_head(io, sequence)
                .is_none_or(|head| !self.is_too_old(io, head.time))
        });
        let sequence = match from {
            FeedFrom::Oldest => oldest,
            FeedFrom::Newest => end,
            FeedFrom::Since(at) => oldest.max(self.first_row(|row| is_late(row, *at))),
            FeedFrom::At(cursor) => {
                let at = cursor.positions.first().copied().unwrap_or_default();
                // The place before the first row is the beginning, as long as nothing is gone: there is no row at it.
                if at == FeedPosition::default() && oldest == 1 {
                    return Ok(FeedPosition {
                        sequence: oldest,
                        slot: 0,
                    });
                }
                if at.sequence < oldest {
                    return Err(gone(at.sequence));
                }
                if at.sequence > end || (at.sequence == end && at.slot > 0) {
                    let detail = "the cursor points behind the end of the feed: was the data folder replaced by an older copy?";
                    return Err(Rejection::new(Code::CursorInvalid, detail));
                }
                return Ok(at);
            }
        };
        Ok(FeedPosition { sequence, slot: 0 })
    }

    /// The first row, among those that are not gone, of which `is_behind` is true. Rows are in the order of their times.
    fn first_row(&self, is_behind: impl Fn(u64) -> bool) -> u64 {
        let (mut low, mut high) = (self.feed.kept.gone + 1, self.feed.last + 1);
        // Most often it is the very first one.
        if low < high && is_behind(low) {
            return low;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if is_behind(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// Reads a row from a slot on; answers with the place at which it stopped.
    fn read_row(
        &self,
        io: &Io<'_>,
        at: FeedPosition,
        page: &mut Page<'_>,
    ) -> Result<FeedPosition, Gone> {
        let row = io.get_bytes(&self.keys.feed(at.sequence)).ok_or(Gone)?;
        let mut decoder = Decoder::new(&row);
        let head = head_of(&mut decoder);
        let mut place = FeedPosition { slot: 0, ..at };
        for number in 0..head.items {
            let item = match item_of(&mut decoder) {
                Ok(item) => item,
                Err(error) => panic!("a feed row does not decode: {error}"),
            };
            let slots = item.slots();
            if place.slot + slots > at.slot {
                let from = at.slot.saturating_sub(place.slot);
                let first = place;
                let taken =
                    self.read_item(io, (first, number as u32, head.time), item, from, page)?;
                if taken < slots {
                    place.slot += taken;
                    return Ok(place);
                }
            }
            place.slot += slots;
        }
        Ok(FeedPosition {
            sequence: at.sequence + 1,
            slot: 0,
        })
    }

    /// Reads an item from one of its slots on; answers with how many of its slots are done.
    fn read_item(
        &self,
        io: &Io<'_>,
        (first, number, time): (FeedPosition, u32, Timestamp),
        item: Item,
        from: u32,
        page: &mut Page<'_>,
    ) -> Result<u32, Gone> {
        let place = (first.sequence, number);
        let slots = item.slots();
        match item {
            Item::Run {
                key,
                first: index,
                chunk,
                entries,
                marks,
            } => {
                let mut seen = match page.seen.remove(&key) {
                    Some(seen) => seen,
                    None => self.seen(io, key, place)?,
                };
                if !page.filter.wants_run(&seen.id) {
                    page.slots += 1;
                    self.keep_seen(key, seen, page);
                    return Ok(slots);
                }
                let whats =
                    self.whats(io, (key, &mut seen), (index, chunk, entries), &marks, from)?;
                let mut done = slots;
                for (slot, what) in whats {
                    if page.is_full() {
                        done = slot;
                        break;
                    }
                    page.slots += 1;
                    let at = FeedPosition {
                        slot: first.slot + slot,
                        ..first
                    };
                    let about = About::Run {
                        id: seen.id.clone(),
                        version: seen.version,
                        started_at: seen.started_at,
                    };
                    self.add(page, at, time, about, what);
                }
                self.keep_seen(key, seen, page);
                Ok(done)
            }
            Item::Named { about, mark } => {
                if page.is_full() {
                    return Ok(0);
                }
                page.slots += 1;
                if !page.filter.wants_only_runs() {
                    let answers = None;
                    self.add(page, first, time, about, What::Mark { mark, answers });
                }
                Ok(slots)
            }
            Item::Job {
                id,
                destination,
                mark,
            } => {
                if page.is_full() {
                    return Ok(0);
                }
                page.slots += 1;
                let kind = EventType::of_mark(&mark);
                if kind.is_some_and(|kind| page.filter.wants(kind)) {
                    let facts = self.job_facts(io, &destination, id, place).ok_or(Gone)?;
                    if wants_job(page.filter, facts.source.as_ref()) {
                        let about = About::Job(Box::new(facts));
                        let answers = None;
                        self.add(page, first, time, about, What::Mark { mark, answers });
                    }
                }
                Ok(slots)
            }
        }
    }

    fn add(
        &self,
        page: &mut Page<'_>,
        at: FeedPosition,
        time: Timestamp,
        about: About,
        what: What,
    ) {
        let Some(kind) = EventType::of(&what).filter(|kind| page.filter.wants(*kind)) else {
            return;
        };
        page.bytes += what.bytes();
        let time = match &what {
            What::Entry {
                entry: Entry::Notification(at, _),
                ..
            } => *at,
            _ => time,
        };
        page.events.push(Event {
            shard: self.id,
            at,
            time,
            kind,
            about,
            what,
        });
    }

    fn keep_seen(&self, key: RunKey, seen: Seen, page: &mut Page<'_>) {
        if !self.feed.has_remains {
            page.seen.insert(key, seen);
        }
    }

    /// What an item tells, in the order of its slots, from one of them on.
    fn whats(
        &self,
        io: &Io<'_>,
        (key, seen): (RunKey, &mut Seen),
        (first, chunk, count): (u32, u32, u32),
        marks: &[(u32, Mark)],
        from: u32,
    ) -> Result<Vec<(u32, What)>, Gone> {
        let entries = self.seen_entries(io, (key, seen), (first, chunk, count))?;
        let found = |wanted: CommandId| {
            marks.iter().find_map(|(_, mark)| match mark {
                Mark::Found { command, chunk } if *command == wanted => Some(*chunk),
                _ => None,
            })
        };
        // A run that ended with an error says all of it in its last command.
        let why = entries.iter().find_map(|entry| match entry {
            Entry::Command(Command::Finish {
                outcome: Outcome::Failed(failure),
            }) => Some(failure.clone()),
            _ => None,
        });
        let last = (chunk + count).min(seen.chunks);
        let mut answers = |command: CommandId| {
            let start = found(command).unwrap_or(last);
            self.names_of(io, (key, seen), command, start)
        };
        let mut whats = Vec::new();
        let mut slot = 0;
        let mut next_mark = marks.iter().peekable();
        for offset in 0..=count {
            while let Some((_, mark)) = next_mark.next_if(|(before, _)| *before == offset) {
                if slot >= from {
                    let answers = match mark {
                        Mark::AttemptStarted { command, .. }
                        | Mark::TaskDelegated { command, .. }
                        | Mark::AttemptFailed { command, .. } => answers(*command)?,
                        _ => None,
                    };
                    let mark = told_in_full(mark, why.as_ref());
                    whats.push((slot, What::Mark { mark, answers }));
                }
                slot += 1;
            }
            if let Some(entry) = entries.get(offset as usize) {
                if slot >= from {
                    let answers = match entry {
                        Entry::Notification(_, notification) => match answer_to(notification) {
                            Some(command) => answers(command)?,
                            None => None,
                        },
                        _ => None,
                    };
                    let (index, entry) = (first + offset, entry.clone());
                    let what = What::Entry {
                        index,
                        entry,
                        answers,
                    };
                    whats.push((slot, what));
                }
                slot += 1;
            }
        }
        Ok(whats)
    }
}

impl Item {
    fn slots(&self) -> u32 {
        match self {
            Self::Run { entries, marks, .. } => entries + marks.len() as u32,
            Self::Job { .. } | Self::Named { .. } => 1,
        }
    }
}

fn item_of(decoder: &mut Decoder<'_>) -> Result<Item, Error> {
    let length = decoder.array()?.unwrap_or(0);
    let kind = decoder.u8()?;
    if matches!(kind, ITEM_SCHEDULE | ITEM_DESTINATION | ITEM_CREDENTIAL) {
        let name = decoder.decode()?;
        let about = match kind {
            ITEM_SCHEDULE => About::Schedule { name },
            ITEM_DESTINATION => About::Destination { name },
            _ => About::Credential { name },
        };
        let mark = decoder.decode()?;
        return Ok(Item::Named { about, mark });
    }
    let bytes: [u8; 16] = decoder
        .bytes()?
        .try_into()
        .map_err(|_| Error::message("a subject has 16 bytes"))?;
    let subject = u128::from_be_bytes(bytes);
    match kind {
        ITEM_RUN => {
            let (first, chunk, entries) = (decoder.u32()?, decoder.u32()?, decoder.u32()?);
            let marks = (5..length)
                .step_by(2)
                .map(|_| Ok((decoder.u32()?, decoder.decode()?)));
            Ok(Item::Run {
                key: RunKey(subject),
                first,
                chunk,
                entries,
                marks: marks.collect::<Result<_, Error>>()?,
            })
        }
        ITEM_JOB => Ok(Item::Job {
            id: JobId(subject),
            destination: decoder.decode()?,
            mark: decoder.decode()?,
        }),
        _ => Err(Error::message("an item of an unknown kind")),
    }
}

/// The command that a notification answers with which there are names.
fn answer_to(notification: &Notification) -> Option<CommandId> {
    match notification {
        Notification::TaskCompleted { command, .. }
        | Notification::TaskFailed { command, .. }
        | Notification::MethodEnded { command, .. }
        | Notification::ChildStarted { command, .. }
        | Notification::ChildEnded { command, .. }
        | Notification::Answered { command, .. }
        | Notification::StepDone { command, .. } => Some(*command),
        Notification::Started { .. }
        | Notification::TimerFired { .. }
        | Notification::Signal { .. }
        | Notification::MethodCalled { .. }
        | Notification::Rewound { .. }
        | Notification::CancelRequested { .. } => None,
    }
}

/// A mark whose failure is the whole one, if it is known.
fn told_in_full(mark: &Mark, why: Option<&Failure>) -> Mark {
    match (mark, why) {
        (
            Mark::Ended {
                status,
                failure: Some(_),
            },
            Some(why),
        ) => Mark::Ended {
            status: *status,
            failure: Some(why.clone()),
        },
        _ => mark.clone(),
    }
}

/// True if a filter for runs wants the jobs of this one.
fn wants_job(filter: &EventFilter, source: Option<&Name>) -> bool {
    let run = source.and_then(|source| source.split_once('/'));
    !filter.wants_only_runs()
        || run.is_some_and(|(workflow, id)| filter.wants_run(&RunId::new(workflow, id)))
}

fn gone(sequence: u64) -> Rejection {
    let detail = format!("events from number {sequence} on were asked for, and are no longer kept");
    Rejection::new(Code::EventsGone, detail)
}
