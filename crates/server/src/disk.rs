//! How much space a folder takes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The size of a block in `st_blocks`, whatever the file system's own is (stat(2)).
const BLOCK_BYTES: u64 = 512;

/// Bytes that the files in `folder` take on the disk, those of other tenants aside; what cannot be looked at counts nothing.
pub(crate) async fn bytes_of(folder: PathBuf) -> u64 {
    tokio::task::spawn_blocking(move || measured(&folder, &folder.join("tenants")))
        .await
        .unwrap_or(0)
}

fn measured(folder: &Path, but: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() && entry.path() == but => 0,
            Ok(about) if about.is_dir() => measured(&entry.path(), but),
            Ok(about) => about.blocks() * BLOCK_BYTES,
            Err(_) => 0,
        })
        .sum()
}
