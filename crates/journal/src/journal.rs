//! The journal: append, flush, trim.
//!
//! [`Journal::append`] copies a frame into a buffer; [`Journal::flush`] writes the buffer with one
//! write and makes it durable with one sync. Group commit is the owner's loop: append whatever is
//! ready, flush once, then tell everyone. There is no linger and no timer.
//!
//! A journal belongs to one thread. Spare segments are prepared on another one, see
//! [`Journal::spare_maker`].
//!
//! Invariants:
//!
//! - Positions are dense. What a flush returned is durable: [`Journal::open`] will give it back.
//! - A segment is synced before the next one is entered, so at most one is incomplete.
//! - A flush starts at a multiple of [`Options::flush_align`]. So it never writes a sector that
//!   holds frames of an earlier one.
//! - The first failed write or sync poisons the journal: every later call returns
//!   [`ErrorKind::Poisoned`], and no sync is ever repeated. A full disk is met before anything is
//!   written, when a segment is needed, and does not poison.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::frame::{Seed, encode, frame_bytes};
use crate::mutant::{self, Mutant};
use crate::segment::{SEGMENT_HEADER_BYTES, segment_path};
use crate::{Disk, DiskFile, Error, ErrorKind, Frame, Position};

mod options;
pub(crate) mod recover;
pub(crate) mod scan;
mod spares;

pub use options::{Options, Thrift};
pub use recover::Recovery;
use spares::{Retired, Shelf};
pub use spares::{Space, SpareMaker};

/// A buffer that grew beyond this is given back after the flush.
const BUFFER_BYTES_KEPT: usize = 8 << 20;

/// A durable, ordered log of frames.
#[derive(Debug)]
pub struct Journal {
    dir: String,
    options: Options,
    shelf: Arc<Shelf>,
    /// The segments that hold frames, oldest first; the newest is the one being written.
    live: VecDeque<Live>,
    /// Where the next frame goes. Ahead of `live` while frames for the next segment are buffered.
    cursor: Cursor,
    /// The position of the last frame appended.
    last: Position,
    /// The position of the last frame that a sync confirmed.
    durable: Position,
    /// Frames that are not written yet.
    buffer: Vec<u8>,
    /// How `buffer` falls to segments, in order.
    runs: VecDeque<Run>,
    recovery: Recovery,
}

/// A segment that holds frames.
#[derive(Debug)]
struct Live {
    number: u64,
    /// The position of its first frame. Zero for a segment that lay before the checkpoint when the
    /// journal was opened: its frames were not read then.
    first: Position,
    segment_bytes: u64,
    file: Arc<dyn DiskFile>,
}

/// The place of the next frame.
#[derive(Debug)]
struct Cursor {
    number: u64,
    seed: Seed,
    segment_bytes: u64,
    align: usize,
    offset: u64,
    /// The position of the first frame in this segment.
    first: Position,
}

/// A part of the buffer that goes to one segment in one write.
#[derive(Debug)]
struct Run {
    number: u64,
    /// The position of the first frame in the segment.
    first: Position,
    /// The position of the last frame of the run.
    last: Position,
    /// Where the run starts in the segment.
    offset: u64,
    /// Where it starts in the buffer; it ends where the next one starts.
    start: usize,
}

impl Journal {
    /// Opens the journal in the folder `dir`, or creates it, and hands every frame with a position
    /// above `from` to `visit`, in order. `from` is the position that the checkpoint holds,
    /// [`Position::ZERO`] if there is none.
    ///
    /// An incomplete, never confirmed tail is cut. The frames visited are durable once this has
    /// returned; until then no effect of them may leave the process. The caller holds the lock of
    /// the data folder.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] with file and offset, if bytes that were durable are damaged or
    /// missing. Nothing is changed then. What `visit` returns is passed on.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &str,
        options: Options,
        from: Position,
        visit: &mut dyn FnMut(Frame<'_>) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        recover::open(disk, dir, options, from, visit)
    }

    fn assemble(
        dir: &str,
        options: Options,
        shelf: Shelf,
        live: VecDeque<Live>,
        cursor: Cursor,
        recovery: Recovery,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            options,
            shelf: Arc::new(shelf),
            live,
            cursor,
            last: Position::ZERO,
            durable: Position::ZERO,
            buffer: Vec::new(),
            runs: VecDeque::new(),
            recovery,
        }
    }

    /// Continues behind the frames that recovery found.
    fn start_after(&mut self, position: Position) {
        self.last = position;
        self.durable = position;
        if mutant::is(Mutant::PositionReused) && position > Position::ZERO {
            self.last = Position(position.0 - 1);
        }
    }

    /// Adds a frame whose body is `body`, joined, and returns its position. It is in memory only
    /// until [`Journal::flush`]. `kind` and `shard` are the owner's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] beyond [`Options::frame_bytes_max`]; the journal stays usable.
    pub fn append(&mut self, kind: u8, shard: u16, body: &[&[u8]]) -> Result<Position, Error> {
        self.shelf.check_poison()?;
        let body_bytes: usize = body.iter().map(|part| part.len()).sum();
        if body_bytes > self.options.frame_bytes_max {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the frame has {body_bytes} bytes, the journal accepts {}",
                    self.options.frame_bytes_max
                ),
            ));
        }
        let position = self.last.next();
        let total = frame_bytes(body_bytes) as u64;
        if self.cursor.offset + total > self.cursor.segment_bytes {
            self.pad();
            self.cursor = Cursor {
                number: self.cursor.number + 1,
                seed: Seed::new(self.options.journal_id, self.cursor.number + 1),
                segment_bytes: self.options.bytes_of(self.cursor.number + 1),
                align: self.options.flush_align as usize,
                offset: SEGMENT_HEADER_BYTES as u64,
                first: position,
            };
        }
        let number = self.cursor.number;
        if self.runs.back().is_none_or(|run| run.number != number) {
            self.runs.push_back(Run {
                number,
                first: self.cursor.first,
                last: position,
                offset: self.cursor.offset,
                start: self.buffer.len(),
            });
        }
        let frame = Frame {
            position,
            // The segments before this one are synced before this frame is written, so its first
            // frame may vouch for all of them.
            durable: self.durable.max(Position(self.cursor.first.0 - 1)),
            shard,
            kind,
            body: &[],
        };
        encode(&mut self.buffer, self.cursor.seed, &frame, body);
        self.cursor.offset += total;
        self.last = position;
        if let Some(run) = self.runs.back_mut() {
            run.last = position;
        }
        self.note_use();
        Ok(position)
    }

    fn note_use(&self) {
        self.shelf
            .note_use(self.cursor.offset, self.cursor.segment_bytes);
    }

    /// Writes and syncs everything appended: one write and one sync, or one of each per segment if
    /// the frames reach into the next one. Returns the position of the last durable frame.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`] if a new segment is needed and there is no space for it: the frames stay
    /// buffered, and a later flush tries again ([`Journal::durable`] says how far this one got). Any
    /// other error poisons the journal.
    pub fn flush(&mut self) -> Result<Position, Error> {
        self.shelf.check_poison()?;
        if self.runs.is_empty() {
            return Ok(self.durable);
        }
        self.pad();
        while let Some(run) = self.runs.front() {
            if self
                .live
                .back()
                .is_none_or(|live| live.number != run.number)
            {
                let spare = self.shelf.take()?;
                if spare.number != run.number {
                    let message = format!("segment {} follows {}", spare.number, run.number - 1);
                    return Err(self.shelf.poison(Error::new(ErrorKind::Invalid, message)));
                }
                self.live.push_back(Live {
                    number: spare.number,
                    first: run.first,
                    segment_bytes: self.options.bytes_of(spare.number),
                    file: spare.file,
                });
            }
            let end = self
                .runs
                .get(1)
                .map_or(self.buffer.len(), |next| next.start);
            let bytes = &self.buffer[run.start..end];
            if let Some(live) = self.live.back()
                && let Err(error) = live
                    .file
                    .write_all_at(bytes, run.offset)
                    .and_then(|()| sync(&*live.file))
            {
                // Never `Full`, even if that is the cause: part of the frames may be written, so
                // this call cannot be repeated.
                let error = Error::new(ErrorKind::Io, "cannot write and sync")
                    .in_file(&segment_path(&self.dir, live.number))
                    .caused_by(error);
                return Err(self.shelf.poison(error));
            }
            self.durable = run.last;
            self.runs.pop_front();
        }
        self.buffer.clear();
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        }
        Ok(self.durable)
    }

    /// Fills the buffer up to where the next flush may start.
    fn pad(&mut self) {
        let aligned = self
            .cursor
            .offset
            .next_multiple_of(self.cursor.align as u64);
        let padding = (aligned - self.cursor.offset) as usize;
        // Without a run there is nothing to pad: the cursor is aligned then.
        self.buffer.resize(self.buffer.len() + padding, 0);
        self.cursor.offset = aligned;
    }

    /// Gives up the frames with positions below `below`, as far as they fill whole segments. The
    /// files are reused or removed by the next [`SpareMaker::prepare`]; this call does no I/O.
    ///
    /// The caller's checkpoint holds all of them, durably.
    pub fn trim(&mut self, below: Position) -> Result<(), Error> {
        self.shelf.check_poison()?;
        if below > self.durable.next() {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "cannot trim below {below}: only {} is durable",
                    self.durable
                ),
            ));
        }
        while self.live.len() > 1 && self.live[1].first <= below {
            if let Some(old) = self.live.pop_front() {
                self.shelf.retire(Retired {
                    number: old.number,
                    segment_bytes: old.segment_bytes,
                    file: old.file,
                });
            }
        }
        Ok(())
    }

    /// A handle that prepares spare segments, for another thread.
    pub fn spare_maker(&self) -> SpareMaker {
        SpareMaker {
            shelf: Arc::clone(&self.shelf),
        }
    }

    /// Prepares spare segments on this thread, see [`SpareMaker::prepare`].
    pub fn prepare_spares(&self) -> Result<Space, Error> {
        self.shelf.prepare()
    }

    /// Whether there is disk space for what is to come.
    pub fn space(&self) -> Space {
        self.shelf.space()
    }

    /// The position of the last durable frame.
    pub fn durable(&self) -> Position {
        self.durable
    }

    /// The position of the last frame appended, durable or not.
    pub fn last(&self) -> Position {
        self.last
    }

    /// How many bytes the next flush will write.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// How many bytes the frames since the last trim take on disk, rounded up to whole segments
    /// except for the newest. The owner decides by it when a checkpoint is due.
    pub fn live_bytes(&self) -> u64 {
        let older: u64 = self
            .live
            .iter()
            .filter(|live| live.number < self.cursor.number)
            .map(|live| live.segment_bytes)
            .sum();
        older + self.cursor.offset
    }

    /// What opening this journal found.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }
}

/// Makes what was written to a segment durable.
fn sync(file: &dyn DiskFile) -> std::io::Result<()> {
    if mutant::is(Mutant::SyncSkipped) {
        return Ok(());
    }
    let synced = file.sync_data();
    if mutant::is(Mutant::SyncRetried) {
        return synced.or_else(|_| file.sync_data());
    }
    synced
}
