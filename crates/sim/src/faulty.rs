//! A real disk with troubles: the folder of the operating system, which dies, fails or is full at chosen operations.
//!
//! It stands between the production engine and the operating system's disk in the program `faulty-server`. Nothing of it is in
//! the program that users run. What the troubles are is in a [`Script`]; while the process runs, a file beside the data folder
//! can cap the space and move the clock: see [`Control`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use trunkline_journal::{Disk, DiskFile, DiskLock, OsDisk};

/// At which operation what happens. Operations that change something are counted, from 1, in one life of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Script {
    /// The process dies before this operation, as with `kill -9`; before the second half of it if it is a write.
    pub die_at: Option<u64>,
    /// The first sync from this operation on fails with EIO.
    pub fail_sync_from: Option<u64>,
    /// The first write from this operation on fails with EIO, after half of it.
    pub fail_write_from: Option<u64>,
}

impl Script {
    /// As words for the command line: `die-at=17`.
    #[must_use]
    pub fn as_words(&self) -> String {
        let word = |name: &str, at: Option<u64>| at.map(|at| format!("{name}={at}"));
        let words = [
            word("die-at", self.die_at),
            word("fail-sync-from", self.fail_sync_from),
            word("fail-write-from", self.fail_write_from),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(",")
    }

    /// Reads [words](Script::as_words). Nothing if they are none.
    #[must_use]
    pub fn of_words(words: &str) -> Option<Self> {
        let mut script = Self::default();
        for word in words.split(',').filter(|word| !word.is_empty()) {
            let (name, number) = word.split_once('=')?;
            let number = Some(number.parse().ok()?);
            match name {
                "die-at" => script.die_at = number,
                "fail-sync-from" => script.fail_sync_from = number,
                "fail-write-from" => script.fail_write_from = number,
                _ => return None,
            }
        }
        Some(script)
    }
}

/// What can be changed while the process runs, as a line of a file: bytes of the disk (0: all there are), and by how many
/// milliseconds the clock is ahead, or behind if it is a negative number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Control {
    /// Bytes that fit on the disk.
    pub capacity: Option<u64>,
    /// Milliseconds that the clock is ahead of the machine's; negative if it is behind.
    pub ahead_ms: i64,
}

impl Control {
    /// Where it stands for a data folder.
    #[must_use]
    pub fn path(data: &Path) -> PathBuf {
        data.with_extension("control")
    }

    /// Writes it, at once as a whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let (capacity, ahead) = (self.capacity.unwrap_or(0), self.ahead_ms);
        let new = data.with_extension("control-new");
        std::fs::write(&new, format!("{capacity} {ahead}\n"))?;
        std::fs::rename(new, Self::path(data))
    }

    /// Reads it; the default if there is none.
    #[must_use]
    pub fn read(data: &Path) -> Self {
        let text = std::fs::read_to_string(Self::path(data)).unwrap_or_default();
        let mut words = text.split_whitespace();
        let capacity = words.next().and_then(|word| word.parse().ok());
        let ahead_ms = words.next().and_then(|word| word.parse().ok());
        Self {
            capacity: capacity.filter(|bytes| *bytes > 0),
            ahead_ms: ahead_ms.unwrap_or(0),
        }
    }
}

/// The disk. See the module.
#[derive(Debug)]
pub struct FaultyDisk {
    disk: OsDisk,
    troubles: Arc<Troubles>,
}

#[derive(Debug)]
struct Troubles {
    root: PathBuf,
    script: Script,
    operations: AtomicU64,
}

/// The error numbers of POSIX.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

impl FaultyDisk {
    /// The folder at `root`, with the troubles of `script`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(root: &Path, script: Script) -> io::Result<Self> {
        Ok(Self {
            disk: OsDisk::new(root)?,
            troubles: Arc::new(Troubles {
                root: root.to_path_buf(),
                script,
                operations: AtomicU64::new(0),
            }),
        })
    }

    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let troubles = Arc::clone(&self.troubles);
        Arc::new(FaultyFile { file, troubles })
    }
}

impl Troubles {
    /// Counts an operation. Says whether the process is to die in it.
    fn begin(&self) -> (u64, bool) {
        let number = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        (number, self.script.die_at == Some(number))
    }

    /// Counts an operation that is done at once or not at all.
    fn begin_whole(&self) -> u64 {
        let (number, dies) = self.begin();
        if dies {
            die();
        }
        number
    }

    /// Bytes that still fit, if there is a cap.
    fn room(&self) -> Option<u64> {
        let capacity = Control::read(&self.root).capacity?;
        Some(capacity.saturating_sub(bytes_in(&self.root)))
    }
}

/// Ends the process with nothing written or said any more.
fn die() -> ! {
    std::process::abort()
}

/// Bytes of all files in a folder and its folders. A file that goes away meanwhile counts nothing.
#[must_use]
pub fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_in(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(bytes).sum()
}

impl Disk for FaultyDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.troubles.begin_whole();
        Ok(self.file(self.disk.create(name)?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.disk.open(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.troubles.begin_whole();
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.troubles.begin_whole();
        self.disk.remove(name)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.troubles.begin_whole();
        self.disk.create_dir(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.troubles.begin_whole();
        self.disk.sync_dir(dir)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let free = self.disk.free_bytes()?;
        Ok(self.troubles.room().map_or(free, |room| room.min(free)))
    }

    fn lock(&self) -> io::Result<DiskLock> {
        self.disk.lock()
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn DiskFile>,
    troubles: Arc<Troubles>,
}

impl FaultyFile {
    /// Fails if the file would grow beyond what fits.
    fn admit(&self, end: u64) -> io::Result<()> {
        let Some(room) = self.troubles.room() else {
            return Ok(());
        };
        if end.saturating_sub(self.file.len()?) > room {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        Ok(())
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        let (number, dies) = self.troubles.begin();
        let fails = |from: u64| number >= from;
        let fails = self.troubles.script.fail_write_from.is_some_and(fails);
        if dies || fails {
            self.file.write_all_at(&data[..data.len() / 2], offset)?;
            if dies {
                die();
            }
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.admit(offset + data.len() as u64)?;
        self.file.write_at(data, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        let number = self.troubles.begin_whole();
        let fails = |from: u64| number >= from;
        if self.troubles.script.fail_sync_from.is_some_and(fails) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.file.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.troubles.begin_whole();
        self.admit(len)?;
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.file.drop_cache()
    }
}
