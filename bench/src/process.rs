//! What a process has used so far, as Linux counts it under `/proc`.
//!
//! Not what it has written: `/proc/<pid>/io` counts whole folios of the page cache, of which a small write dirties one that may
//! be a megabyte large, so it says 4 MiB where 5 KiB went to the disk.

use std::fs;
use std::io;
use std::path::Path;

/// Ticks a second of the times in `/proc/<pid>/stat`: fixed by the kernel's interface on every platform we run on.
const TICKS_PER_S: f64 = 100.0;

/// The totals of a process at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// CPU seconds, user and system, of all its threads.
    pub(crate) cpu_s: f64,
    /// Bytes in memory.
    pub(crate) rss_bytes: u64,
}

impl Usage {
    /// What the process `pid` has used.
    ///
    /// # Errors
    /// If it is gone, or is not ours to look at.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let folder = format!("/proc/{pid}");
        let read = |name: &str| fs::read_to_string(Path::new(&folder).join(name));
        Self::parse(&read("stat")?, &read("status")?)
            .ok_or_else(|| io::Error::other(format!("{folder} reads otherwise than expected")))
    }

    /// What this process has used.
    ///
    /// # Errors
    /// If `/proc` is not there.
    pub(crate) fn of_self() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may hold blanks; times come 11 fields after it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        let number_after = |text: &str, name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        };
        Some(Self {
            cpu_s: ticks / TICKS_PER_S,
            rss_bytes: number_after(status, "VmRSS:")? * 1024,
        })
    }
}

/// Bytes that a folder takes on the disk, and what is in it.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn disk_bytes(folder: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            metadata.blocks() * 512
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
