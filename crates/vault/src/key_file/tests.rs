//! The vault on real files.

use super::Vault;
use crate::error::VaultError;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A folder that is gone when the test is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("trunkline-vault-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn key_file(&self) -> PathBuf {
        self.0.join("ring.key")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_key_file_is_made_for_its_owner_alone_and_found_again() {
    let folder = Folder::new("made");
    let made = Vault::load_or_create(&folder.key_file()).unwrap();
    let mode = std::fs::metadata(folder.key_file()).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let found = Vault::load_or_create(&folder.key_file()).unwrap();
    assert!(found.ring().contains(&made.ring()));
    let Err(VaultError::KeyFile(why)) = Vault::create(&folder.key_file()) else {
        panic!("a key file was written over");
    };
    assert!(why.starts_with("cannot make the key file"), "{why}");
}

#[test]
fn a_ring_grows_in_its_file_and_keeps_what_it_had() {
    let folder = Folder::new("grows");
    let vault = Vault::create(&folder.key_file()).unwrap();
    vault.grow().unwrap();
    assert_eq!(vault.ring().newest(), 2);
    let again = Vault::load(&folder.key_file()).unwrap();
    assert!(again.ring().contains(&vault.ring()));
}

#[test]
fn a_key_that_is_in_use_cannot_be_taken_away() {
    let folder = Folder::new("taken");
    let vault = Vault::create(&folder.key_file()).unwrap();
    std::fs::remove_file(folder.key_file()).unwrap();
    Vault::create(&folder.key_file()).unwrap();
    vault.reload().unwrap_err();
    vault.grow().unwrap_err();
    assert_eq!(vault.ring().newest(), 1, "it goes on with what it has");
}

#[test]
fn a_key_file_that_is_not_there_is_named() {
    let folder = Folder::new("missing");
    let Err(VaultError::KeyFile(why)) = Vault::load(&folder.key_file()) else {
        panic!("there is none");
    };
    assert!(why.contains("ring.key"), "{why}");
}
