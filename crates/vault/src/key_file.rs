//! The vault: the ring in memory and the file it comes from.
//!
//! One vault serves all tenants of a process. The file may grow by another hand, or by the vault's own; either way every
//! key that was in the ring has to stay until nothing is sealed under it.

use crate::credential::{Credential, Draft, Version};
use crate::error::VaultError;
use crate::ring::KeyRing;
use crate::secret::Secret;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// A key ring that can grow, shared by everything that seals or opens.
#[derive(Debug)]
pub struct Vault {
    file: PathBuf,
    ring: RwLock<Arc<KeyRing>>,
}

impl Vault {
    /// Reads a key file.
    ///
    /// # Errors
    /// If it cannot be read, or is no ring.
    pub fn load(file: &Path) -> Result<Self, VaultError> {
        let ring = read(file)?;
        Ok(Self::new(file, ring))
    }

    /// Reads a key file, or makes one with a fresh key that only its owner may read.
    ///
    /// # Errors
    /// If it can neither be read nor made.
    pub fn load_or_create(file: &Path) -> Result<Self, VaultError> {
        match Self::create(file) {
            Err(VaultError::KeyFile(_)) if file.exists() => Self::load(file),
            made => made,
        }
    }

    /// Makes a key file with a fresh key that only its owner may read.
    ///
    /// # Errors
    /// If there is one already, or it cannot be written.
    pub fn create(file: &Path) -> Result<Self, VaultError> {
        if file.exists() {
            return Err(failed(file, "make", &ErrorKind::AlreadyExists.into()));
        }
        let ring = KeyRing::generate()?;
        write(file, &ring)?;
        Ok(Self::new(file, ring))
    }

    fn new(file: &Path, ring: KeyRing) -> Self {
        Self {
            file: file.to_owned(),
            ring: RwLock::new(Arc::new(ring)),
        }
    }

    /// The file that the ring comes from.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The ring as it is now.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again, and uses what it says from now on.
    ///
    /// # Errors
    /// If it is no ring, or lacks a key that is in use.
    pub fn reload(&self) -> Result<(), VaultError> {
        let ring = read(&self.file)?;
        if !ring.contains(&self.ring()) {
            return Err(VaultError::KeyFile(format!(
                "{}: a key that is in use is not in it any more, or is another",
                self.file.display()
            )));
        }
        self.replace(ring);
        Ok(())
    }

    /// Puts a fresh key into the file, above all others, and seals with it from now on.
    ///
    /// # Errors
    /// As for [`Vault::reload`], and if the file cannot be written.
    pub fn grow(&self) -> Result<(), VaultError> {
        self.reload()?;
        let ring = self.ring().grown()?;
        // The file first: nothing may be sealed under a key that a restart would not find.
        write(&self.file, &ring)?;
        self.replace(ring);
        Ok(())
    }

    fn replace(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    /// Adds a version to a credential of `tenant`.
    ///
    /// # Errors
    /// If the secret does not have the form that its kind asks for.
    pub fn add(
        &self,
        tenant: &str,
        credential: &mut Credential,
        draft: &Draft,
        now_ms: u64,
    ) -> Result<(), VaultError> {
        credential.add(&self.ring(), tenant, draft, now_ms)
    }

    /// The secret of a version of a credential of `tenant`.
    ///
    /// # Errors
    /// If the ring does not open it.
    pub fn open(
        &self,
        tenant: &str,
        credential: &Credential,
        version: &Version,
    ) -> Result<Secret, VaultError> {
        credential.open(&self.ring(), tenant, version)
    }

    /// Opens all versions of a credential of `tenant`, to see whether the ring is the right one.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, tenant: &str, credential: &Credential) -> Result<(), VaultError> {
        credential.check(&self.ring(), tenant)
    }

    /// Seals a credential of `tenant` anew where it is not sealed under the newest key. True if anything has changed.
    ///
    /// # Errors
    /// If the ring does not open it.
    pub fn reseal(
        &self,
        tenant: &str,
        credential: &mut Credential,
        now_ms: u64,
    ) -> Result<bool, VaultError> {
        credential.reseal(&self.ring(), tenant, now_ms)
    }
}

fn read(file: &Path) -> Result<KeyRing, VaultError> {
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|error| failed(file, "read", &error))?;
    KeyRing::parse(&text).map_err(|error| match error {
        VaultError::KeyFile(why) => {
            VaultError::KeyFile(format!("the key file {}: {why}", file.display()))
        }
        other => other,
    })
}

/// Writes a new file and puts it in the place of the old one, so that there is never half a ring.
fn write(file: &Path, ring: &KeyRing) -> Result<(), VaultError> {
    let failed = |error| failed(file, "write", &error);
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    // A file left over by a crash may have other permissions.
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    out.write_all(ring.text().as_bytes()).map_err(failed)?;
    out.sync_all().map_err(failed)?;
    std::fs::rename(&fresh, file).map_err(failed)?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn failed(file: &Path, what: &str, error: &std::io::Error) -> VaultError {
    VaultError::KeyFile(format!(
        "cannot {what} the key file {}: {error}",
        file.display()
    ))
}

#[cfg(test)]
mod tests;
