//! A small program on top of the crate, whose every byte can be predicted: what it wrote, what was
//! confirmed, and what therefore must be there after a crash.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use trunkline_journal::{
    Disk, Error, ErrorKind, Folder, FolderMeta, Journal, Options, Position, RedbStore, SimDisk,
    Store, Thrift,
};

pub(crate) const META: FolderMeta = FolderMeta {
    id: 0x5eed,
    shards: 4,
    journals: 1,
};
pub(crate) const DIR: &str = "journal-0";
pub(crate) const STORE: &str = "store-0.redb";
const KEYS: u64 = 7;

/// Small segments, so that a short workload rolls over many of them.
pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 16 << 10,
        frame_bytes_max: 8 << 10,
        spares: 2,
        retired_max: 1,
        free_bytes_min: 0,
        ..Options::new(META.journal_id(0))
    }
}

/// The same for a journal of which there are many. The first segment has no room for the larger frames.
pub(crate) fn thrifty() -> Options {
    Options {
        thrift: Some(Thrift {
            first_segment_bytes: 8 << 10,
        }),
        ..options()
    }
}

/// The body of a frame: it depends on the position and on who wrote it, so that a frame from before
/// a crash is never mistaken for the one that took its place.
pub(crate) fn body(position: Position, writer: u64) -> Vec<u8> {
    let len = match position.0 % 11 {
        0 => 7000,
        1 => 0,
        // All zeros: a cut that writes zeros must not complete such a frame.
        5 => return vec![0; 1500],
        n => n * 117,
    };
    let start = position.0.wrapping_mul(0x9e37_79b9).wrapping_add(writer);
    (0..len)
        .map(|i| (start >> (i % 8 * 4)) as u8 ^ i as u8)
        .collect()
}

/// What the program knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// How the journal is laid out: see [`thrifty`].
    pub(crate) thrifty: bool,
    /// The highest position that a flush returned.
    pub(crate) confirmed: Position,
    /// The highest position appended.
    pub(crate) appended: Position,
    /// Who wrote each position from the given one on; the last entry counts.
    pub(crate) writers: BTreeMap<Position, u64>,
}

impl Known {
    pub(crate) fn thrifty() -> Self {
        Self {
            thrifty: true,
            ..Self::default()
        }
    }

    pub(crate) fn writer(&self, position: Position) -> u64 {
        self.writers
            .range(..=position)
            .next_back()
            .map_or(0, |(_, writer)| *writer)
    }
}

/// The program, running.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) journal: Journal,
    pub(crate) store: RedbStore,
    dirty: BTreeMap<[u8; 8], [u8; 8]>,
    pub(crate) known: Known,
    /// What recovery found: the position of the store, and of the last frame.
    pub(crate) recovered: (Position, Position),
    _folder: Folder,
}

fn row(position: Position) -> ([u8; 8], [u8; 8]) {
    ((position.0 % KEYS).to_be_bytes(), position.0.to_be_bytes())
}

impl World {
    /// Opens everything, and checks what is there against what `known` says must be.
    pub(crate) fn open(disk: &SimDisk, known: Known) -> Result<Self, Error> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let folder = Folder::open_or_create(Arc::clone(&disk), META)?;
        let store = RedbStore::open(&*disk, STORE, 1 << 20)?;
        let from = store.position()?;
        check_store(&store, from)?;
        let mut dirty = BTreeMap::new();
        let mut end = from;
        let layout = if known.thrifty { thrifty() } else { options() };
        let journal = Journal::open(disk, DIR, layout, from, &mut |frame| {
            assert_eq!(frame.position, end.next(), "frames without a gap");
            end = frame.position;
            assert_eq!(frame.kind, 3);
            assert_eq!(u64::from(frame.shard), end.0 % 4);
            let writer = known.writer(end);
            assert!(frame.body == body(end, writer), "frame {end} by {writer}");
            let (key, value) = row(end);
            dirty.insert(key, value);
            Ok(())
        })?;
        assert!(
            end >= known.confirmed,
            "{} was confirmed, {end} is there",
            known.confirmed
        );
        assert!(
            end <= known.appended,
            "{} was appended, {end} is there",
            known.appended
        );
        assert_eq!(journal.durable(), end);
        assert_eq!(journal.last(), end);
        Ok(Self {
            journal,
            store,
            dirty,
            known,
            recovered: (from, end),
            _folder: folder,
        })
    }

    pub(crate) fn append(&mut self, writer: u64) -> Result<Position, Error> {
        let position = self.journal.last().next();
        if self.known.writer(position) != writer {
            self.known.writers.insert(position, writer);
        }
        let body = body(position, writer);
        let (front, back) = body.split_at(body.len() / 3);
        self.known.appended = position;
        let appended = self
            .journal
            .append(3, (position.0 % 4) as u16, &[front, back])?;
        assert_eq!(appended, position);
        let (key, value) = row(position);
        self.dirty.insert(key, value);
        Ok(position)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.known.confirmed = self.journal.flush()?;
        assert_eq!(self.known.confirmed, self.known.appended);
        Ok(())
    }

    /// Writes the rows that changed to the store, and trims the journal.
    pub(crate) fn checkpoint(&mut self) -> Result<(), Error> {
        let position = self.journal.durable();
        assert_eq!(position, self.journal.last());
        let mut changes = self
            .dirty
            .iter()
            .map(|(key, value)| (&key[..], Some(&value[..])));
        self.store.apply(&mut changes, position)?;
        self.dirty.clear();
        self.journal.trim(position.next())?;
        self.journal.prepare_spares()?;
        Ok(())
    }

    /// The fixed workload: flushes of one to four frames, a checkpoint now and then.
    pub(crate) fn work(&mut self, flushes: u64, writer: u64) -> Result<(), Error> {
        for flush in 0..flushes {
            for _ in 0..flush % 4 + 1 {
                self.append(writer)?;
            }
            self.flush()?;
            if flush % 7 == 6 {
                self.checkpoint()?;
            } else if flush % 3 == 2 {
                self.journal.prepare_spares()?;
            }
        }
        Ok(())
    }
}

/// The rows are exactly those of the position that the store carries.
fn check_store(store: &RedbStore, position: Position) -> Result<(), Error> {
    let mut expected = BTreeMap::new();
    for n in 1..=position.0 {
        let (key, value) = row(Position(n));
        expected.insert(key.to_vec(), value.to_vec());
    }
    let rows = store.list((Bound::Unbounded, Bound::Unbounded), usize::MAX)?;
    assert_eq!(rows, expected.into_iter().collect::<Vec<_>>());
    Ok(())
}

/// Whether it was the store that could not be read.
pub(crate) fn is_damaged_store(error: &Error) -> bool {
    error.kind() == ErrorKind::Corrupt && error.file() == Some(STORE)
}
