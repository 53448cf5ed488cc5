//! A simulated [`Disk`]: knows what is durable, crashes in every way that a real one can, and fails
//! on command.
//!
//! For each file it keeps what is on the medium, what a reader sees, and the writes in between, in
//! order. For the names of files it keeps the same. [`SimDisk::crash`] does not change the disk, it
//! returns another one as a power failure at this moment could have left it: so one run of a
//! workload serves any number of crashes, and what still runs on the old disk cannot disturb the new
//! one.
//!
//! Everything is deterministic: the same calls and seeds give the same disk. Operations that change
//! something are counted ([`SimDisk::operations`]); the count is the coordinate of crashes and
//! faults. Reads are not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile, DiskLock};

mod crash;
mod file;
mod rng;

pub use crash::CrashPolicy;
use file::SimFile;

/// The unit in which writes survive a crash, in bytes.
pub const SECTOR_BYTES: usize = 512;

/// What happens instead of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with an I/O error and does nothing.
    Fail,
    /// A sync fails, and the bytes it should have written are dropped: readers still see them, the
    /// medium never will, and the next sync succeeds. Other operations just fail.
    LoseSync,
    /// A write writes about half of its bytes and says so. Other operations are not affected.
    Short,
    /// A write writes half of its bytes and fails. Other operations just fail.
    FailHalfway,
}

/// A folder in memory. Clones are the same folder.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    /// The files as programs see them.
    names: BTreeMap<String, usize>,
    dirs: BTreeSet<String>,
    /// The files as a crash would leave them if nothing else reached the medium.
    durable_names: BTreeMap<String, usize>,
    durable_dirs: BTreeSet<String>,
    /// What happened to names since their folder was last synced, in order.
    pending_names: Vec<NameChange>,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    stop_at: Option<u64>,
    stopped: bool,
    capacity: Option<u64>,
    locked: bool,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// What a reader sees.
    cached: Arc<Vec<u8>>,
    /// What is on the medium for certain.
    durable: Arc<Vec<u8>>,
    /// What was written since the last sync, in order.
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
enum Pending {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Link {
        name: String,
        inode: usize,
    },
    Unlink {
        name: String,
        inode: usize,
    },
    Rename {
        from: String,
        to: String,
        inode: usize,
    },
}

impl NameChange {
    fn dir(&self) -> &str {
        match self {
            Self::Link { name, .. } | Self::Unlink { name, .. } => parent(name),
            Self::Rename { to, .. } => parent(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Link { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            Self::Unlink { name, inode } => {
                if names.get(name) == Some(inode) {
                    names.remove(name);
                }
            }
            Self::Rename { from, to, inode } => {
                if names.get(from) == Some(inode) {
                    names.remove(from);
                    names.insert(to.clone(), *inode);
                }
            }
        }
    }
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl Pending {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => put(bytes, *offset, data),
            Self::SetLen(len) => bytes.resize(*len, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty folder with unlimited space.
    pub fn new() -> Self {
        Self::with(State::default())
    }

    fn with(state: State) -> Self {
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations changed something, or tried to. The next one has this number.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the operation with this number meet a fault.
    pub fn fault_at(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// Lets the operation with this number and everything after it fail, reads too, as if the
    /// process had died before it.
    pub fn stop_at(&self, operation: u64) {
        self.state().stop_at = Some(operation);
    }

    /// Limits the bytes of all files together; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// The bytes of all files together.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Flips a bit of a file at rest: on the medium and for readers.
    ///
    /// # Panics
    ///
    /// If there is no such file or it is too short.
    pub fn flip_bit(&self, name: &str, byte: usize, bit: u8) {
        let mut state = self.state();
        let inode = state.names[name];
        let inode = &mut state.inodes[inode];
        Arc::make_mut(&mut inode.cached)[byte] ^= 1 << bit;
        if let Some(durable) = Arc::make_mut(&mut inode.durable).get_mut(byte) {
            *durable ^= 1 << bit;
        }
    }

    /// What a reader of the file sees.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.inodes[state.names[name]].cached.to_vec()
    }

    /// Every file and what its readers see: to compare disks.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let bytes = |inode: &usize| state.inodes[*inode].cached.to_vec();
        let file = |(name, inode): (&String, &usize)| (name.clone(), bytes(inode));
        state.names.iter().map(file).collect()
    }

    /// A new disk as the death of the process leaves this one: the machine goes on, so readers see
    /// everything that was written, and what was not synced is still not durable.
    #[must_use]
    pub fn restart(&self) -> Self {
        let state = self.state();
        Self::with(State {
            inodes: state.inodes.clone(),
            names: state.names.clone(),
            dirs: state.dirs.clone(),
            durable_names: state.durable_names.clone(),
            durable_dirs: state.durable_dirs.clone(),
            pending_names: state.pending_names.clone(),
            ..State::default()
        })
    }

    /// A new disk as a crash at this moment could have left this one. Nobody holds its lock, and it
    /// has no faults to come.
    #[must_use]
    pub fn crash(&self, policy: CrashPolicy, seed: u64) -> Self {
        self.crash_by_file(policy, seed, &|_| policy)
    }

    /// The same, with a policy for the bytes of each file: not every file promises to survive every policy.
    #[must_use]
    pub fn crash_by_file(
        &self,
        names: CrashPolicy,
        seed: u64,
        policy_of: &dyn Fn(&str) -> CrashPolicy,
    ) -> Self {
        Self::with(crash::crash(&self.state(), names, policy_of, seed))
    }
}

impl State {
    fn check_running(&self) -> io::Result<()> {
        if self.stopped {
            return Err(io::Error::other("the simulated process has died"));
        }
        Ok(())
    }

    /// Counts an operation. Returns the fault that it meets, unless that is the end of it already.
    fn begin(&mut self) -> io::Result<Option<Fault>> {
        self.check_running()?;
        let operation = self.operations;
        if self.stop_at.is_some_and(|at| operation >= at) {
            self.stopped = true;
            return self.check_running().map(|()| None);
        }
        self.operations += 1;
        match self.faults.get(&operation).copied() {
            Some(Fault::Fail) => Err(injected()),
            fault => Ok(fault),
        }
    }

    /// The same for operations on names, which cannot fail in more than one way.
    fn begin_plain(&mut self) -> io::Result<()> {
        match self.begin()? {
            None | Some(Fault::Short) => Ok(()),
            Some(_) => Err(injected()),
        }
    }

    fn used_bytes(&self) -> u64 {
        let len = |inode: &usize| self.inodes[*inode].cached.len() as u64;
        self.names.values().map(len).sum()
    }

    fn reserve(&self, inode: usize, len: usize) -> io::Result<()> {
        let grown = len.saturating_sub(self.inodes[inode].cached.len()) as u64;
        if grown > 0
            && self
                .capacity
                .is_some_and(|max| self.used_bytes() + grown > max)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names
            .get(name)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }
}

fn injected() -> io::Error {
    io::Error::other("injected fault")
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("SimDisk")
            .field("operations", &state.operations)
            .field("names", &state.names)
            .finish_non_exhaustive()
    }
}

impl Disk for SimDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.begin_plain()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !parent(name).is_empty() && !state.dirs.contains(parent(name)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        let name = name.to_owned();
        state.change_names(NameChange::Link { name, inode });
        Ok(self.file(inode))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        state.check_running()?;
        let inode = state.find(name)?;
        Ok(self.file(inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin_plain()?;
        let inode = state.find(from)?;
        if parent(from) != parent(to) {
            return Err(io::Error::other("this disk renames within a folder only"));
        }
        let (from, to) = (from.to_owned(), to.to_owned());
        state.change_names(NameChange::Rename { from, to, inode });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin_plain()?;
        let inode = state.find(name)?;
        let name = name.to_owned();
        state.change_names(NameChange::Unlink { name, inode });
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.state();
        state.check_running()?;
        let file = |name: &String| {
            let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
            (folder == dir).then(|| file.to_owned())
        };
        Ok(state.names.keys().filter_map(file).collect())
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin_plain()?;
        state.dirs.insert(dir.to_owned());
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state();
        state.begin_plain()?;
        let state = &mut *state;
        if dir.is_empty() {
            state.durable_dirs.clone_from(&state.dirs);
        } else if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let names = &mut state.durable_names;
        state.pending_names.retain(|change| {
            let synced = change.dir() == dir;
            if synced {
                change.apply(names);
            }
            !synced
        });
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        state.check_running()?;
        let free = |max: u64| max.saturating_sub(state.used_bytes());
        Ok(state.capacity.map_or(u64::MAX / 2, free))
    }

    fn lock(&self) -> io::Result<DiskLock> {
        let mut state = self.state();
        state.check_running()?;
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(DiskLock::new(Unlock(self.clone())))
    }
}

impl SimDisk {
    fn file(&self, inode: usize) -> Arc<dyn DiskFile> {
        Arc::new(SimFile {
            disk: self.clone(),
            inode,
        })
    }
}

/// Releases the lock of a disk when it is dropped.
struct Unlock(SimDisk);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}
