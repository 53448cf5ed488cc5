//! The data folder: one file that says what it is, and a lock.
//!
//! `TRUNKLINE` is a short text, so that whoever finds the folder can read it:
//!
//! ```text
//! trunkline data folder
//! format 1
//! id 000102030405060708090a0b0c0d0e0f
//! shards 16
//! journals 2
//! checksum 1a2b3c4d
//! ```
//!
//! It is written once, under another name, synced and renamed. So it is there whole or not at all,
//! and the folder exists from the moment it is there.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use crate::{Disk, DiskLock, Error, ErrorKind};

#[cfg(test)]
mod tests;

/// The name of the file that makes a folder a data folder.
pub const META_FILE: &str = "TRUNKLINE";

/// The newest version of the data folder's format that this program reads and writes.
pub const FORMAT_VERSION: u32 = 1;

const META_FILE_NEW: &str = "TRUNKLINE.new";
const FIRST_LINE: &str = "trunkline data folder";
const META_BYTES_MAX: u64 = 4096;

/// What is decided when a data folder is created, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderMeta {
    /// A random number that tells this folder from every other.
    pub id: u128,
    /// Into how many shards the key space is divided.
    pub shards: u32,
    /// How many journals the shards share.
    pub journals: u32,
}

impl FolderMeta {
    /// The id of the journal with this number (from 0), for [`crate::Options::journal_id`]. Segments
    /// that were moved to another journal's folder are recognised by it.
    pub fn journal_id(&self, journal: u32) -> u128 {
        self.id.wrapping_add(u128::from(journal))
    }

    fn encode(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\nformat {FORMAT_VERSION}\nid {:032x}\nshards {}\njournals {}\n",
            self.id, self.shards, self.journals
        );
        let checksum = crc32c::crc32c(text.as_bytes());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "checksum {checksum:08x}");
        text
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let corrupt = |message: &str| Error::corrupt(message).at(META_FILE, 0);
        let text = std::str::from_utf8(bytes).map_err(|_| corrupt("this is not a text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(corrupt("the first line is not that of a data folder"));
        }
        // The version comes before the checksum: a later format may have other lines.
        let found: u32 = field(lines.next(), "format", 10)
            .and_then(|version| u32::try_from(version).ok())
            .ok_or_else(|| corrupt("the line with the format is damaged"))?;
        if found != FORMAT_VERSION {
            return Err(Error::new(
                ErrorKind::UnsupportedVersion {
                    found,
                    supported: FORMAT_VERSION,
                },
                format!("the data folder has format {found}, this program reads {FORMAT_VERSION}"),
            )
            .in_file(META_FILE));
        }
        let read = |name, radix, line| {
            field(line, name, radix).ok_or_else(|| corrupt("a line is damaged or missing"))
        };
        let id = read("id", 16, lines.next())?;
        let shards = read("shards", 10, lines.next())?;
        let journals = read("journals", 10, lines.next())?;
        let narrow = |number| u32::try_from(number).map_err(|_| corrupt("a number is too large"));
        let meta = Self {
            id,
            shards: narrow(shards)?,
            journals: narrow(journals)?,
        };
        if meta.encode() != text {
            return Err(corrupt("the checksum does not match"));
        }
        Ok(meta)
    }
}

fn field(line: Option<&str>, name: &str, radix: u32) -> Option<u128> {
    let value = line?.strip_prefix(name)?.strip_prefix(' ')?;
    u128::from_str_radix(value, radix).ok()
}

/// A data folder that this process holds.
#[derive(Debug)]
pub struct Folder {
    disk: Arc<dyn Disk>,
    meta: FolderMeta,
    _lock: DiskLock,
}

impl Folder {
    /// Creates the data folder. Fails with [`ErrorKind::Invalid`] if there is one already.
    pub fn create(disk: Arc<dyn Disk>, meta: FolderMeta) -> Result<Self, Error> {
        let lock = lock(&*disk)?;
        if exists(&*disk)? {
            return Err(
                Error::new(ErrorKind::Invalid, "there is a data folder already").in_file(META_FILE),
            );
        }
        Self::create_locked(disk, meta, lock)
    }

    /// Opens the data folder. Fails with [`ErrorKind::Invalid`] if there is none, and with
    /// [`ErrorKind::InUse`] if another process holds it.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self, Error> {
        let lock = lock(&*disk)?;
        if !exists(&*disk)? {
            return Err(
                Error::new(ErrorKind::Invalid, "this is not a data folder").in_file(META_FILE)
            );
        }
        Self::open_locked(disk, lock)
    }

    /// Opens the data folder, or creates it with what `meta` says. An existing one keeps its own.
    pub fn open_or_create(disk: Arc<dyn Disk>, meta: FolderMeta) -> Result<Self, Error> {
        let lock = lock(&*disk)?;
        if exists(&*disk)? {
            Self::open_locked(disk, lock)
        } else {
            Self::create_locked(disk, meta, lock)
        }
    }

    fn create_locked(disk: Arc<dyn Disk>, meta: FolderMeta, lock: DiskLock) -> Result<Self, Error> {
        if meta.shards == 0 || meta.journals == 0 || meta.journals > meta.shards {
            return Err(Error::new(
                ErrorKind::Invalid,
                "a data folder has at least one journal, and as many shards or more",
            ));
        }
        for journal in 0..meta.journals {
            // Without its meta file a folder with data would be overwritten here.
            let dir = journal_dir(journal);
            let names = disk
                .list(&dir)
                .map_err(|error| Error::io(&dir, "list the folder", error))?;
            if !names.is_empty() {
                let message = "there is a journal, but the file that describes the folder is gone";
                return Err(Error::corrupt(message).in_file(META_FILE));
            }
        }
        let write = || -> io::Result<()> {
            match disk.remove(META_FILE_NEW) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = disk.create(META_FILE_NEW)?;
            file.write_all_at(meta.encode().as_bytes(), 0)?;
            file.sync_data()?;
            disk.rename(META_FILE_NEW, META_FILE)?;
            disk.sync_dir("")
        };
        write().map_err(|error| Error::io(META_FILE, "write", error))?;
        Ok(Self {
            disk,
            meta,
            _lock: lock,
        })
    }

    fn open_locked(disk: Arc<dyn Disk>, lock: DiskLock) -> Result<Self, Error> {
        let meta = read_meta(&*disk)?;
        // A crash may have come between the rename and its sync; nothing is built on it before.
        disk.sync_dir("")
            .map_err(|error| Error::io(META_FILE, "sync", error))?;
        Ok(Self {
            disk,
            meta,
            _lock: lock,
        })
    }

    /// What was decided when the folder was created.
    pub fn meta(&self) -> &FolderMeta {
        &self.meta
    }

    /// The disk that the folder is.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }
}

/// The folder of the journal with this number, from 0.
pub fn journal_dir(journal: u32) -> String {
    format!("journal-{journal}")
}

/// The file of the store that belongs to the journal with this number, from 0.
pub fn store_file(journal: u32) -> String {
    format!("store-{journal}.redb")
}

/// Reads the meta file without taking the lock, for tools that only look.
pub fn read_meta(disk: &dyn Disk) -> Result<FolderMeta, Error> {
    let io = |error| Error::io(META_FILE, "read", error);
    let file = disk.open(META_FILE).map_err(io)?;
    let len = file.len().map_err(io)?;
    if len > META_BYTES_MAX {
        return Err(Error::corrupt("the file is too long").at(META_FILE, META_BYTES_MAX));
    }
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, 0).map_err(io)?;
    FolderMeta::decode(&bytes)
}

fn exists(disk: &dyn Disk) -> Result<bool, Error> {
    let names = disk
        .list("")
        .map_err(|error| Error::io(META_FILE, "list the folder", error))?;
    Ok(names.iter().any(|name| name == META_FILE))
}

fn lock(disk: &dyn Disk) -> Result<DiskLock, Error> {
    disk.lock().map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            Error::new(ErrorKind::InUse, "another process uses this data folder")
        } else {
            Error::io("LOCK", "lock", error)
        }
    })
}
