//! A run as a row of the feed saw it: its entries, from its history or from what remains of that.

use super::Shard;
use super::remains::RunRemains;
use crate::entry::{Command, Entry};
use crate::feed::Answered;
use crate::ids::{CommandId, RunId, RunKey};
use crate::io::{Io, decode};
use crate::run::Run;
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// What a row points at is not there any more: the row is too old.
#[derive(Debug)]
pub(super) struct Gone;

/// A run as it was at a place of the feed.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: RunId,
    pub(super) version: u32,
    pub(super) started_at: Timestamp,
    /// How many chunks its history has, or had.
    pub(super) chunks: u32,
    /// Where chunks are that are no longer in the history: the first layer that has a chunk is right.
    layers: Vec<Layer>,
    read: BTreeMap<u32, Rc<[Entry]>>,
}

#[derive(Debug)]
struct Layer {
    place: (u64, u32),
    from_chunk: u32,
}

impl Shard {
    /// The run of an item, as it was at the item's place.
    pub(super) fn seen(&self, io: &Io<'_>, key: RunKey, place: (u64, u32)) -> Result<Seen, Gone> {
        let mut layers = Vec::new();
        let mut earliest: Option<RunRemains> = None;
        if self.feed.has_remains {
            let (from, to) = self.keys.remains_from(key.0, place);
            io.scan((&from, &to), &mut |at, value| {
                // Chunks have longer keys than what they belong to.
                if let Some(place) = place_of(at) {
                    let remains: RunRemains = decode(value);
                    let from_chunk = remains.from_chunk;
                    layers.push(Layer { place, from_chunk });
                    earliest.get_or_insert(remains);
                }
                true
            });
        }
        let read = BTreeMap::new();
        if let Some(remains) = earliest {
            return Ok(Seen {
                id: remains.id,
                version: remains.version,
                started_at: remains.started_at,
                chunks: remains.chunks,
                layers,
                read,
            });
        }
        let of_run = |run: &Run| Seen {
            id: run.id.clone(),
            version: run.version,
            started_at: run.started_at,
            chunks: run.chunks,
            layers: Vec::new(),
            read: BTreeMap::new(),
        };
        if let Some(hot) = self.runs.hot_run(key) {
            return Ok(of_run(&hot.run));
        }
        let run: Run = io.get(&self.keys.run(key)).ok_or(Gone)?;
        Ok(of_run(&run))
    }

    /// Entries of a run's history: those of the chunks from `chunk` on, unless all has been made one chunk since.
    pub(super) fn seen_entries(
        &self,
        io: &Io<'_>,
        (key, seen): (RunKey, &mut Seen),
        (first, chunk, count): (u32, u32, u32),
    ) -> Result<Vec<Entry>, Gone> {
        let count = count as usize;
        if count == 0 {
            return Ok(Vec::new());
        }
        if seen.chunks == 1 {
            let all = self.seen_chunk(io, key, seen, 0)?;
            let from = first as usize;
            let part = all.get(from..from + count).ok_or(Gone)?;
            return Ok(part.to_vec());
        }
        let mut entries = Vec::with_capacity(count);
        let mut number = chunk;
        while entries.len() < count {
            let part = self.seen_chunk(io, key, seen, number)?;
            let wanted = count - entries.len();
            entries.extend(part.iter().take(wanted).cloned());
            number += 1;
        }
        Ok(entries)
    }

    fn seen_chunk(
        &self,
        io: &Io<'_>,
        key: RunKey,
        seen: &mut Seen,
        number: u32,
    ) -> Result<Rc<[Entry]>, Gone> {
        if let Some(read) = seen.read.get(&number) {
            return Ok(Rc::clone(read));
        }
        let layer = seen.layers.iter().find(|layer| number >= layer.from_chunk);
        let row = match layer {
            Some(layer) => self.keys.remains(key.0, layer.place, Some(number)),
            None => self.keys.history(key, number),
        };
        let bytes = io.get_bytes(&row).ok_or(Gone)?;
        let entries: Rc<[Entry]> = decode::<Vec<Entry>>(&bytes).into();
        seen.read.insert(number, Rc::clone(&entries));
        Ok(entries)
    }

    /// The names in a command, which is looked for from chunk `start` on backwards: what is answered lies near, or has been noted.
    pub(super) fn names_of(
        &self,
        io: &Io<'_>,
        (key, seen): (RunKey, &mut Seen),
        command: CommandId,
        start: u32,
    ) -> Result<Option<Answered>, Gone> {
        for number in (0..=start.min(seen.chunks.saturating_sub(1))).rev() {
            for entry in self.seen_chunk(io, key, seen, number)?.iter() {
                if let Some(answered) = names_in(entry, command) {
                    return Ok(Some(answered));
                }
            }
        }
        Ok(None)
    }
}

/// The place in the key of remains; nothing if it is that of a chunk.
fn place_of(key: &[u8]) -> Option<(u64, u32)> {
    let place = key.get(20..).filter(|place| place.len() == 12)?;
    let sequence: [u8; 8] = place[..8].try_into().ok()?;
    let item: [u8; 4] = place[8..].try_into().ok()?;
    Some((u64::from_be_bytes(sequence), u32::from_be_bytes(item)))
}

fn names_in(entry: &Entry, wanted: CommandId) -> Option<Answered> {
    match entry {
        Entry::Command(Command::ScheduleTask {
            command,
            service,
            task,
            ..
        }) if *command == wanted => Some(Answered {
            service: Some(service.clone()),
            name: Some(task.clone()),
            run: None,
        }),
        Entry::Command(Command::BeginStep { command, name }) if *command == wanted => {
            Some(Answered {
                service: None,
                name: Some(name.clone()),
                run: None,
            })
        }
        Entry::Command(Command::CallMethod {
            command,
            run,
            method,
            ..
        }) if *command == wanted => Some(Answered {
            service: None,
            name: Some(method.clone()),
            run: Some(run.clone()),
        }),
        Entry::Command(Command::StartChild { command, run, .. }) if *command == wanted => {
            Some(Answered {
                service: None,
                name: None,
                run: Some(run.clone()),
            })
        }
        Entry::Command(Command::CancelRun { command, run, .. }) if *command == wanted => {
            Some(Answered {
                service: None,
                name: None,
                run: Some(run.clone()),
            })
        }
        Entry::Command(Command::SignalRun {
            command,
            run,
            channel,
            ..
        }) if *command == wanted => Some(Answered {
            service: None,
            name: Some(channel.clone()),
            run: Some(run.clone()),
        }),
        Entry::Command(Command::SignalTagged {
            command, channel, ..
        }) if *command == wanted => Some(Answered {
            service: None,
            name: Some(channel.clone()),
            run: None,
        }),
        _ => None,
    }
}
