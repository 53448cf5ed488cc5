//! Examining a data folder: what it is, whether its journals are whole, and if not, where they are not.
//!
//! The folder is locked while it is looked at, so that no server writes to it meanwhile; nothing in it is changed. The stores
//! of checkpoints are looked at from outside only: opening one may repair it, and that is not for a doctor to do.

use crate::failure::Failure;
use crate::numbers::{bytes, grouped};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use trunkline_api::core::code::Code;
use trunkline_journal::folder::{META_FILE, journal_dir, read_meta, store_file};
use trunkline_journal::{Disk, Error, ErrorKind, FolderMeta, OsDisk, Report, inspect};

/// The first bytes of every redb file.
const STORE_MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// What was found in the place of a journal and its store.
struct Found {
    number: u32,
    journal: Report,
    store: Result<u64, String>,
}

/// Examines the data folder at `path`.
pub(crate) fn examine(path: &Path, as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let shown = path.display();
    if !path.is_dir() {
        return Err(Failure::new(
            Code::ConfigInvalid,
            format!("there is no folder {shown}"),
        ));
    }
    if !path.join(META_FILE).is_file() {
        return Err(Failure::new(
            Code::ConfigInvalid,
            format!("{shown} is not a data folder: it has no file {META_FILE}"),
        ));
    }
    let disk = OsDisk::new(path)
        .map_err(|error| Failure::new(Code::ConfigInvalid, format!("{shown}: {error}")))?;
    let meta = read_meta(&disk).map_err(|error| failure_of(path, &error))?;
    // A folder that never was opened has no lock file, and needs none to be looked at.
    let _held = if path.join("LOCK").exists() {
        Some(disk.lock().map_err(|error| in_use(path, &error))?)
    } else {
        None
    };
    let found = (0..meta.journals)
        .map(|number| look(path, &disk, number))
        .collect::<Result<Vec<Found>, Failure>>()?;
    if as_json {
        writeln!(out, "{}", report(path, &meta, &found))?;
    } else {
        tell(path, &meta, &found, out)?;
    }
    verdict(path, &found)
}

fn look(path: &Path, disk: &OsDisk, number: u32) -> Result<Found, Failure> {
    let journal = inspect(disk, &journal_dir(number)).map_err(|error| failure_of(path, &error))?;
    Ok(Found {
        number,
        journal,
        store: look_at_store(&path.join(store_file(number))),
    })
}

/// The size of the store, or what is wrong with it.
fn look_at_store(path: &Path) -> Result<u64, String> {
    let look = || -> io::Result<(u64, bool)> {
        let mut file = fs::File::open(path)?;
        let mut head = [0; STORE_MAGIC.len()];
        let whole = file.read_exact(&mut head).is_ok() && head == STORE_MAGIC;
        Ok((file.metadata()?.len(), whole))
    };
    match look() {
        Ok((len, true)) => Ok(len),
        Ok((_, false)) => Err("it does not begin as a store does".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.to_string()),
    }
}

fn tell(path: &Path, meta: &FolderMeta, found: &[Found], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", path.display())?;
    writeln!(
        out,
        "  a data folder with {} shards on {} journals, id {:032x}",
        meta.shards, meta.journals, meta.id
    )?;
    for Found {
        number,
        journal,
        store,
    } in found
    {
        writeln!(out, "{}", journal_dir(*number))?;
        let used: u64 = journal
            .segments
            .iter()
            .map(|segment| segment.used_bytes)
            .sum();
        let frames = match (journal.first, journal.last) {
            (Some(first), Some(last)) => format!(
                "{} frames, {first} to {last}, {}",
                grouped(journal.frames),
                bytes(used)
            ),
            _ => "no frames".to_owned(),
        };
        writeln!(out, "  {} segments with {frames}", journal.segments.len())?;
        if let Some((file, offset)) = &journal.torn {
            writeln!(
                out,
                "  {file}, byte {offset}: an incomplete end that was never acknowledged; opening cuts it, which is no damage"
            )?;
        }
        if let Some(damage) = &journal.damage {
            writeln!(
                out,
                "  DAMAGED: {}, byte {}: {}",
                damage.file, damage.offset, damage.reason
            )?;
        }
        match store {
            Ok(0) => writeln!(out, "  {} is not there yet", store_file(*number))?,
            Ok(len) => writeln!(out, "  {} has {}", store_file(*number), bytes(*len))?,
            Err(why) => writeln!(out, "  DAMAGED: {}: {why}", store_file(*number))?,
        }
    }
    if found.iter().all(is_whole) {
        writeln!(out, "no damage found")?;
    }
    Ok(())
}

fn report(path: &Path, meta: &FolderMeta, found: &[Found]) -> Value {
    let journals: Vec<Value> = found
        .iter()
        .map(|found| {
            let journal = &found.journal;
            json!({
                "journal": journal_dir(found.number),
                "segments": journal.segments.len(),
                "frames": journal.frames,
                "first": journal.first.map(|position| position.0),
                "last": journal.last.map(|position| position.0),
                "durable": journal.durable.0,
                "torn": journal.torn.as_ref().map(|(file, offset)| json!({"file": file, "offset": offset})),
                "damage": journal.damage.as_ref().map(|damage| json!({
                    "file": damage.file, "offset": damage.offset, "reason": damage.reason,
                })),
                "store": store_file(found.number),
                "store_bytes": found.store.as_ref().ok(),
                "store_damage": found.store.as_ref().err(),
            })
        })
        .collect();
    json!({
        "folder": path.display().to_string(),
        "id": format!("{:032x}", meta.id),
        "shards": meta.shards,
        "journals": journals,
        "whole": found.iter().all(is_whole),
    })
}

fn is_whole(found: &Found) -> bool {
    found.journal.damage.is_none() && found.store.is_ok()
}

/// Damage is a failure, so that scripts notice.
fn verdict(path: &Path, found: &[Found]) -> Result<(), Failure> {
    for found in found {
        if let Some(damage) = &found.journal.damage {
            return Err(Failure::new(
                Code::JournalDamaged,
                format!(
                    "{}, byte {}; a server refuses to start on {}",
                    damage.file,
                    damage.offset,
                    path.display()
                ),
            ));
        }
        if let Err(why) = &found.store {
            return Err(Failure::new(
                Code::StoreDamaged,
                format!("{}: {why}", store_file(found.number)),
            ));
        }
    }
    Ok(())
}

fn failure_of(path: &Path, error: &Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::InUse => Code::DataFolderInUse,
        ErrorKind::UnsupportedVersion { .. } => Code::DataFolderVersion,
        ErrorKind::Corrupt => Code::JournalDamaged,
        _ => Code::ConfigInvalid,
    };
    Failure::new(code, format!("{}: {error}", path.display()))
}

fn in_use(path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::WouldBlock {
        return Failure::new(
            Code::DataFolderInUse,
            format!(
                "{}: ask its server, with 'trunkline doctor --server URL', or stop it first",
                path.display()
            ),
        );
    }
    Failure::new(
        Code::ConfigInvalid,
        format!("{} cannot be locked: {error}", path.display()),
    )
}
