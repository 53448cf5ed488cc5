//! Spare segments: prepared ahead, off the commit path, and made from trimmed ones where possible.
//!
//! Filling and syncing a segment takes long (64 MiB: hundreds of milliseconds), so it happens on a
//! thread of the owner's choice, through a [`SpareMaker`]. If that falls behind, the journal makes
//! one inline when it needs it.
//!
//! Each step leaves a state that recovery understands, whichever of the steps survive a crash:
//!
//! 1. a new file `N.new` is filled with zeros; or a trimmed segment is renamed to `N.new`, and the
//!    folder is synced, so that its old name is gone before its header changes;
//! 2. the header for segment `N` is written and the file synced;
//! 3. `N.new` is renamed to `N.seg` and the folder is synced.
//!
//! Only then may the journal use it. A recycled file is not filled again: the checksums of its old
//! frames do not match in its new segment.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Options;
use crate::error::is_full;
use crate::mutant::{self, Mutant};
use crate::segment::{SegmentHeader, segment_path, unfinished_path};
use crate::{Disk, DiskFile, Error, ErrorKind};

/// How many zeros are written at a time.
const FILL_BYTES: usize = 1 << 20;

/// Whether there is disk space for what is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Spare segments are ready, or can be made.
    Ok,
    /// The disk is full and a spare could not be made. What is left is the reserve: finish what is
    /// in flight and refuse new work, until [`SpareMaker::prepare`] succeeds.
    Low,
}

/// A segment that is ready to take frames.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) number: u64,
    pub(super) file: Arc<dyn DiskFile>,
}

/// A segment whose frames nobody needs any more.
#[derive(Debug)]
pub(super) struct Retired {
    pub(super) number: u64,
    pub(super) segment_bytes: u64,
    pub(super) file: Arc<dyn DiskFile>,
}

/// What the journal and the makers of its spares share.
pub(super) struct Shelf {
    disk: Arc<dyn Disk>,
    dir: String,
    options: Options,
    /// Set by the first failed write or sync of anyone.
    poisoned: AtomicBool,
    /// Half of the segment that is written is used.
    half_used: AtomicBool,
    /// Held while a spare is made, so that spares come into being in the order of their numbers.
    making: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ready: VecDeque<Spare>,
    retired: VecDeque<Retired>,
    next_number: u64,
    space: Space,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("dir", &self.dir)
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

impl Shelf {
    /// A shelf with the spares that recovery found; `next_number` is the number of the next one.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        dir: &str,
        options: Options,
        ready: VecDeque<Spare>,
        next_number: u64,
    ) -> Self {
        Self {
            disk,
            dir: dir.to_owned(),
            options,
            poisoned: AtomicBool::new(false),
            half_used: AtomicBool::new(false),
            making: Mutex::new(()),
            state: Mutex::new(State {
                ready,
                retired: VecDeque::new(),
                next_number,
                space: Space::Ok,
            }),
        }
    }

    pub(super) fn space(&self) -> Space {
        self.state().space
    }

    pub(super) fn ready(&self) -> usize {
        self.state().ready.len()
    }

    pub(super) fn check_poison(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) {
            Err(Error::poisoned())
        } else {
            Ok(())
        }
    }

    /// Refuses everything from now on. Returns `error`, for the caller to report.
    pub(super) fn poison(&self, error: Error) -> Error {
        self.poisoned.store(true, Ordering::Release);
        error
    }

    /// Takes over segments that were trimmed, oldest first.
    pub(super) fn retire(&self, segment: Retired) {
        self.state().retired.push_back(segment);
    }

    /// The next spare, made on the spot if none is ready. [`ErrorKind::Full`] does not poison:
    /// nothing was written that anybody waits for.
    pub(super) fn take(&self) -> Result<Spare, Error> {
        loop {
            if let Some(spare) = self.state().ready.pop_front() {
                return Ok(spare);
            }
            self.make_one(1)?;
        }
    }

    /// Fills the shelf, and removes trimmed segments that nobody will need soon.
    pub(super) fn prepare(&self) -> Result<Space, Error> {
        loop {
            match self.make_one(self.target()) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.kind() == ErrorKind::Full => return Ok(Space::Low),
                Err(error) => return Err(error),
            }
        }
        let _making = self.making();
        loop {
            let surplus = {
                let mut state = self.state();
                if state.retired.len() <= self.options.retired_max {
                    break;
                }
                state.retired.pop_front()
            };
            if let Some(segment) = surplus {
                // The removal need not be durable: a segment that comes back is only old.
                let path = segment_path(&self.dir, segment.number);
                self.disk
                    .remove(&path)
                    .map_err(|error| self.poison(Error::io(&path, "remove", error)))?;
            }
        }
        Ok(Space::Ok)
    }

    /// Takes note of how much is used of the segment that is written.
    pub(super) fn note_use(&self, used: u64, of: u64) {
        self.half_used.store(2 * used > of, Ordering::Relaxed);
    }

    /// How many spares there are to be. The last one is the reserve.
    fn target(&self) -> usize {
        if self.options.thrift.is_some() && !self.half_used.load(Ordering::Relaxed) {
            1
        } else {
            self.options.spares
        }
    }

    /// Makes one spare if fewer than `target` are ready. Returns whether it did.
    fn make_one(&self, target: usize) -> Result<bool, Error> {
        self.check_poison()?;
        let _making = self.making();
        let (number, retired) = {
            let mut state = self.state();
            if state.ready.len() >= target {
                state.space = Space::Ok;
                return Ok(false);
            }
            (state.next_number, state.retired.pop_front())
        };
        let made = match retired {
            Some(old) if old.segment_bytes == self.options.bytes_of(number) => {
                self.recycle(number, old)
            }
            Some(old) => {
                let path = segment_path(&self.dir, old.number);
                self.disk
                    .remove(&path)
                    .map_err(|error| self.poison(Error::io(&path, "remove", error)))?;
                self.create(number)
            }
            None => self.create(number),
        };
        match made {
            Ok(file) => {
                let mut state = self.state();
                state.ready.push_back(Spare { number, file });
                state.next_number = number + 1;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::Full => {
                self.state().space = Space::Low;
                Err(error)
            }
            Err(error) => Err(self.poison(error)),
        }
    }

    fn recycle(&self, number: u64, old: Retired) -> Result<Arc<dyn DiskFile>, Error> {
        let from = segment_path(&self.dir, old.number);
        let path = unfinished_path(&self.dir, number);
        self.disk
            .rename(&from, &path)
            .and_then(|()| self.disk.sync_dir(&self.dir))
            .map_err(|error| not_full(&from, "retire", error))?;
        old.file
            .write_all_at(&self.header(number).encode(), 0)
            .and_then(|()| old.file.sync_data())
            .map_err(|error| not_full(&path, "write the header", error))?;
        self.publish(number, &path)?;
        Ok(old.file)
    }

    fn create(&self, number: u64) -> Result<Arc<dyn DiskFile>, Error> {
        let path = unfinished_path(&self.dir, number);
        let bytes = self.options.bytes_of(number);
        let wanted = bytes + self.options.free_bytes_min;
        let free = self
            .disk
            .free_bytes()
            .map_err(|error| Error::io(&self.dir, "ask for free space", error))?;
        if free < wanted {
            return Err(Error::new(
                ErrorKind::Full,
                format!("a segment needs {wanted} free bytes, there are {free}"),
            )
            .in_file(&path));
        }
        match self.disk.remove(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&path, "remove", error)),
        }
        let filled = self.disk.create(&path).and_then(|file| {
            fill(&*file, bytes)?;
            file.write_all_at(&self.header(number).encode(), 0)?;
            file.sync_data()?;
            Ok(file)
        });
        let file = match filled {
            Ok(file) => file,
            Err(error) => {
                if is_full(&error) {
                    // Give the space back at once: others need it more than half a spare does. If
                    // this fails too, the next attempt removes the file.
                    let _ = self.disk.remove(&path);
                }
                return Err(Error::io(&path, "fill a segment", error));
            }
        };
        self.publish(number, &path)?;
        Ok(file)
    }

    fn publish(&self, number: u64, from: &str) -> Result<(), Error> {
        let path = segment_path(&self.dir, number);
        self.disk
            .rename(from, &path)
            .and_then(|()| self.sync_names())
            .map_err(|error| not_full(&path, "publish", error))
    }

    fn sync_names(&self) -> std::io::Result<()> {
        if mutant::is(Mutant::DirSyncSkipped) {
            return Ok(());
        }
        self.disk.sync_dir(&self.dir)
    }

    fn header(&self, number: u64) -> SegmentHeader {
        SegmentHeader {
            journal_id: self.options.journal_id,
            number,
            segment_bytes: self.options.bytes_of(number),
            flush_align: self.options.flush_align,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fill(file: &dyn DiskFile, bytes: u64) -> std::io::Result<()> {
    let zeros = vec![0; FILL_BYTES.min(bytes as usize)];
    let mut offset = 0;
    while offset < bytes {
        let chunk = (bytes - offset).min(zeros.len() as u64);
        file.write_all_at(&zeros[..chunk as usize], offset)?;
        offset += chunk;
    }
    Ok(())
}

/// An error of a step that cannot be undone or repeated: however it came about, it poisons.
fn not_full(file: &str, doing: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot {doing}"))
        .in_file(file)
        .caused_by(error)
}

/// Prepares spare segments from another thread than the journal's.
///
/// The owner runs [`SpareMaker::prepare`] after every flush when one is [wanted](Self::wanted), after every
/// trim, and every few seconds while the journal's [`Space`] is [`Space::Low`].
#[derive(Clone, Debug)]
pub struct SpareMaker {
    pub(super) shelf: Arc<Shelf>,
}

impl SpareMaker {
    /// Makes spare segments until enough are ready; returns at once if they are.
    ///
    /// A full disk is not an error here but [`Space::Low`]; call again later. Any other failure
    /// poisons the journal.
    pub fn prepare(&self) -> Result<Space, Error> {
        self.shelf.prepare()
    }

    /// Whether another spare is wanted.
    pub fn wanted(&self) -> bool {
        self.shelf.ready() < self.shelf.target()
    }

    /// What the last attempt to make a spare found.
    pub fn space(&self) -> Space {
        self.shelf.space()
    }
}
