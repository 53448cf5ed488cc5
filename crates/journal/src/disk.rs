//! File access: the one door to the operating system, and the seam where tests put a simulated one.
//!
//! It is deliberately small and synchronous, and promises no more than a POSIX file system does:
//!
//! - A write is durable after [`DiskFile::sync_data`] of its file returned without an error, not
//!   before. Until then any subset of its sectors may survive a crash.
//! - A created, renamed or removed name is durable after [`Disk::sync_dir`] of its folder, not
//!   before.
//! - After a failed sync nothing is known about the bytes written since the last good one. A second
//!   sync may report success without having written them, so nobody calls one.
//!
//! Names are relative to the data folder and have at most one folder level: `TRUNKLINE`,
//! `journal-0/00000003.seg`. One conformance suite (`disk/tests.rs`) runs on every implementation.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub mod os;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
#[cfg(test)]
mod tests;

/// A folder of files.
pub trait Disk: Send + Sync + Debug + 'static {
    /// Creates an empty file. Fails with [`io::ErrorKind::AlreadyExists`] if there is one.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading and writing. Fails with [`io::ErrorKind::NotFound`] if there is
    /// none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing the file that had it. Open handles stay valid.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Open handles stay valid.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of the files in a folder, sorted, without the folder; `""` is the data folder
    /// itself. Folders are not listed. A folder that does not exist is empty.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Creates a folder in the data folder. Does nothing if there is one.
    fn create_dir(&self, dir: &str) -> io::Result<()>;

    /// Makes the names in a folder durable; `""` is the data folder itself.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// How many bytes can still be written.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Takes the data folder for this process until the returned lock is dropped. Fails with
    /// [`io::ErrorKind::WouldBlock`] if another one holds it. The operating system releases it when
    /// the process ends in whatever way.
    fn lock(&self) -> io::Result<DiskLock>;
}

/// An open file. All methods take `&self`: a reader and a writer may share one.
pub trait DiskFile: Send + Sync + Debug {
    /// Reads at `offset`. Returns how many bytes it read: 0 at the end of the file, and possibly
    /// fewer than asked for anywhere.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`. Returns how many bytes it wrote, possibly fewer than given. A write
    /// beyond the end leaves zeros in between.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes everything written so far durable, and the length of the file.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// The length of the file in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Forgets cached bytes that are not waiting to be written, so that the next read returns what
    /// is on the medium. After a failed sync the cache may hold bytes that never got there and
    /// never will; recovery must not take them for durable.
    fn drop_cache(&self) -> io::Result<()>;

    /// Reads exactly `buffer.len()` bytes, or fails with [`io::ErrorKind::UnexpectedEof`].
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all of `data`. After an error an unknown part of it is written.
    fn write_all_at(&self, mut data: &[u8], mut offset: u64) -> io::Result<()> {
        while !data.is_empty() {
            match self.write_at(data, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    data = &data[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The data folder belongs to this process for as long as this lives.
pub struct DiskLock {
    /// Whatever the implementation releases the lock with, by being dropped.
    _held: Box<dyn Send + Sync>,
}

impl DiskLock {
    /// Wraps what releases the lock when it is dropped.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self {
            _held: Box::new(held),
        }
    }
}

impl Debug for DiskLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DiskLock")
    }
}
