//! The [`Store`] on disk: redb, on our [`Disk`].
//!
//! One file, two tables: the rows, and the position. An apply is one write transaction, durable when
//! it is committed. Quick repair is on, so opening after a crash does not walk the whole file.
//!
//! The file is created under another name and renamed once it is a complete, empty store. So a file
//! that has the name and is not a store is damaged, never half created.

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use redb::{Builder, Database, Durability, ReadableDatabase, StorageBackend, TableDefinition};

use super::{Change, KeyRange, Store, Visit, is_empty};
use crate::error::is_full;
use crate::{Disk, DiskFile, Error, ErrorKind, Position};

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const POSITION: &str = "position";
/// The version of what the two tables hold.
const FORMAT: &str = "format";
const FORMAT_VERSION: u64 = 1;

/// Rows in a redb file.
#[derive(Debug)]
pub struct RedbStore {
    name: String,
    database: Database,
    file: Arc<dyn DiskFile>,
}

impl RedbStore {
    /// Opens the store in the file `name`, or creates it. `cache_bytes` bounds the memory for pages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if the file is not a store, or a damaged one. It is left as it is.
    pub fn open(disk: &dyn Disk, name: &str, cache_bytes: usize) -> Result<Self, Error> {
        let store = match disk.open(name) {
            Ok(file) => {
                // Read only what is on the medium: a killed process may have left writes in the
                // cache, and after a failed sync the cache may hold bytes that never got there.
                file.sync_data()
                    .and_then(|()| file.drop_cache())
                    .and_then(|()| disk.sync_dir(""))
                    .map_err(|error| Error::io(name, "sync", error))?;
                Self::on_file(name, file, cache_bytes)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::create(disk, name, cache_bytes)?
            }
            Err(error) => return Err(Error::io(name, "open", error)),
        };
        let found = store.read_meta(FORMAT)?;
        if found != Some(FORMAT_VERSION) {
            return Err(Error::new(
                ErrorKind::UnsupportedVersion {
                    found: found.and_then(|v| u32::try_from(v).ok()).unwrap_or(0),
                    supported: FORMAT_VERSION as u32,
                },
                "the store has another format than this program reads",
            )
            .in_file(name));
        }
        Ok(store)
    }

    fn create(disk: &dyn Disk, name: &str, cache_bytes: usize) -> Result<Self, Error> {
        let unfinished = format!("{name}.new");
        match disk.remove(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(&unfinished, "remove", error));
            }
            _ => {}
        }
        let file = disk
            .create(&unfinished)
            .map_err(|error| Error::io(&unfinished, "create", error))?;
        let store = Self::on_file(name, file, cache_bytes)?;
        store.write(&mut std::iter::empty(), Position::ZERO)?;
        disk.rename(&unfinished, name)
            .and_then(|()| disk.sync_dir(""))
            .map_err(|error| Error::io(name, "create", error))?;
        Ok(store)
    }

    fn on_file(name: &str, file: Arc<dyn DiskFile>, cache_bytes: usize) -> Result<Self, Error> {
        let database = Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(Backend {
                file: Arc::clone(&file),
            })
            .map_err(|error| refused(name, "open", error))?;
        Ok(Self {
            name: name.to_owned(),
            database,
            file,
        })
    }

    fn read_meta(&self, key: &str) -> Result<Option<u64>, Error> {
        let read = || -> Result<Option<u64>, redb::Error> {
            let table = self.database.begin_read()?.open_table(META)?;
            Ok(table.get(key)?.map(|value| value.value()))
        };
        read().map_err(|error| refused(&self.name, "read", error))
    }

    fn write(
        &self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
        position: Position,
    ) -> Result<(), Error> {
        let write = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction
                .set_durability(Durability::Immediate)
                .map_err(redb::Error::from)?;
            transaction.set_quick_repair(true);
            {
                let mut rows = transaction.open_table(ROWS)?;
                for (key, value) in changes {
                    match value {
                        Some(value) => {
                            rows.insert(key, value)?;
                        }
                        None => {
                            rows.remove(key)?;
                        }
                    }
                }
                let mut meta = transaction.open_table(META)?;
                meta.insert(POSITION, position.0)?;
                meta.insert(FORMAT, FORMAT_VERSION)?;
            }
            transaction.commit()?;
            Ok(())
        };
        write().map_err(|error| refused(&self.name, "write", error))
    }
}

impl Store for RedbStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let get = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(ROWS)?;
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        };
        get().map_err(|error| refused(&self.name, "read", error))
    }

    fn scan(&self, range: KeyRange<'_>, visit: Visit<'_>) -> Result<(), Error> {
        if is_empty(range) {
            return Ok(());
        }
        let mut scan = || -> Result<(), redb::Error> {
            let table = self.database.begin_read()?.open_table(ROWS)?;
            let bounds: (Bound<&[u8]>, Bound<&[u8]>) = range;
            for row in table.range::<&[u8]>(bounds)? {
                let (key, value) = row?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(())
        };
        scan().map_err(|error| refused(&self.name, "scan", error))
    }

    fn apply(
        &self,
        changes: &mut dyn Iterator<Item = Change<'_>>,
        position: Position,
    ) -> Result<(), Error> {
        self.write(changes, position)
    }

    fn position(&self) -> Result<Position, Error> {
        self.read_meta(POSITION)?
            .map(Position)
            .ok_or_else(|| Error::corrupt("the store carries no position").in_file(&self.name))
    }

    fn len_bytes(&self) -> Result<u64, Error> {
        self.file
            .len()
            .map_err(|error| Error::io(&self.name, "ask for the length", error))
    }
}

/// Turns an error of redb into ours.
fn refused(name: &str, doing: &str, error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(source) if source.kind() == io::ErrorKind::InvalidData => {
            Error::corrupt("the file is not a store, or a damaged one")
                .in_file(name)
                .caused_by(source)
        }
        redb::Error::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            Error::corrupt("the store ends before its data")
                .in_file(name)
                .caused_by(source)
        }
        redb::Error::Io(source) => {
            let kind = if is_full(&source) {
                ErrorKind::Full
            } else {
                ErrorKind::Io
            };
            Error::new(kind, format!("cannot {doing}"))
                .in_file(name)
                .caused_by(source)
        }
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => Error::new(
            ErrorKind::Poisoned,
            "an earlier write or sync failed, so the store accepts nothing more",
        )
        .in_file(name),
        source @ (redb::Error::Corrupted(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::UpgradeRequired(_)
        | redb::Error::RepairAborted) => Error::corrupt(format!("cannot {doing}"))
            .in_file(name)
            .caused_by(source),
        source @ redb::Error::ValueTooLarge(_) => {
            Error::new(ErrorKind::TooLarge, format!("cannot {doing}"))
                .in_file(name)
                .caused_by(source)
        }
        source => Error::new(ErrorKind::Io, format!("cannot {doing}"))
            .in_file(name)
            .caused_by(source),
    }
}

/// redb's view of a file of ours. The lock of the data folder stands in for redb's own.
#[derive(Debug)]
struct Backend {
    file: Arc<dyn DiskFile>,
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.file.write_all_at(data, offset)
    }
}
