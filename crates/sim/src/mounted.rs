//! A small file system of its own, in memory, for as long as a test wants it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A mounted `tmpfs`. Unmounted when it is dropped.
#[derive(Debug)]
pub struct Mounted {
    folder: PathBuf,
}

impl Mounted {
    /// Mounts one of so many bytes on a folder, which is made.
    ///
    /// # Errors
    /// Why that is not possible here, for a person: mostly because it is not permitted.
    pub fn tmpfs(folder: &Path, bytes: u64) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={bytes}"))
            .args(["tmpfs"])
            .arg(folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("mount: {error}"))?;
        if !mounted.status.success() {
            return Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned());
        }
        Ok(Self {
            folder: folder.to_path_buf(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a process that was killed a moment ago may still hold a file. What cannot be unmounted stays until the
        // machine is restarted, and is only memory.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).output();
        let _ = std::fs::remove_dir(&self.folder);
    }
}
