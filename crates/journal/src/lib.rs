//! The durable, ordered log of commits, and the store that checkpoints go to.
//!
//! A [`Journal`] is a sequence of frames in segment files. Its owner appends frames, which costs a
//! copy and a checksum, and makes everything appended durable with one [`Journal::flush`]. After a
//! crash, [`Journal::open`] gives back every frame that a flush had confirmed, in order, with none
//! missing in between, and each one whole. A [`Store`] holds rows by key; a checkpoint writes the
//! rows that changed into it, together with the position of the journal up to which they are
//! complete, and then [trims](Journal::trim) the journal.
//!
//! ```
//! use std::sync::Arc;
//! use trunkline_journal::{Disk, Journal, MemoryStore, Options, Position, SimDisk, Store};
//!
//! # fn main() -> Result<(), trunkline_journal::Error> {
//! let disk: Arc<dyn Disk> = Arc::new(SimDisk::new()); // or OsDisk::new("data")
//! let open = |visit: &mut dyn FnMut(Position)| {
//!     let options = Options::new(0x5eed);
//!     Journal::open(Arc::clone(&disk), "journal-0", options, Position::ZERO, &mut |frame| {
//!         visit(frame.position);
//!         Ok(())
//!     })
//! };
//! let mut journal = open(&mut |_| {})?;
//! journal.append(1, 0, &[b"an order ", b"arrived"])?;
//! let position = journal.append(1, 3, &[b"it was paid"])?;
//! assert_eq!(journal.flush()?, position); // both are durable now
//! drop(journal);
//!
//! let mut seen = Vec::new();
//! let mut journal = open(&mut |position| seen.push(position))?;
//! assert_eq!(seen, [Position(1), Position(2)]);
//!
//! let store = MemoryStore::new();
//! let rows = [(&b"order"[..], Some(&b"paid"[..]))];
//! store.apply(&mut rows.into_iter(), position)?;
//! journal.trim(position.next())?;
//! # Ok(())
//! # }
//! ```
//!
//! This crate stores bytes. It does not know what a frame or a row means.
//!
//! Where to read next: [`disk`] for the file access that everything here goes through, [`journal`]
//! for the log and its rules, [`folder`] for the data folder and its lock, [`store`] for
//! checkpoints, [`mod@inspect`] for looking at a journal without changing it. The format is drawn
//! byte by byte in `docs/internals/journal-format.md`.
//!
//! **Architecture Invariant:** nothing in this crate touches a file except through [`disk::Disk`],
//! so that every behaviour can be tested on the simulated disk.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod disk;
pub mod error;
pub mod folder;
pub mod frame;
pub mod inspect;
pub mod journal;
pub mod mutant;
pub mod position;
mod segment;
pub mod store;

#[cfg(any(test, feature = "sim"))]
pub use disk::sim::{CrashPolicy, Fault, SimDisk};
pub use disk::{Disk, DiskFile, DiskLock, os::OsDisk};
pub use error::{Error, ErrorKind};
pub use folder::{Folder, FolderMeta};
pub use frame::Frame;
pub use inspect::{Report, inspect};
pub use journal::{Journal, Options, Space, SpareMaker, Thrift};
pub use position::Position;
pub use store::{Store, memory::MemoryStore, redb::RedbStore};
