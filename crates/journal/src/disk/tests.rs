//! The conformance suite of [`Disk`], on every implementation.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Disk;
use super::os::OsDisk;
use super::sim::{CrashPolicy, Fault, SimDisk};

/// A folder of the operating system that is removed when it is dropped.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new(name: &str) -> Self {
        let name = format!("trunkline-disk-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn conforms(disk: &Arc<dyn Disk>) {
    a_file_is_read_as_it_was_written(&**disk);
    names_follow_renames_and_removals(&**disk);
    folders_are_listed_in_order(&**disk);
    the_lock_is_exclusive(&**disk);
    assert!(disk.free_bytes().unwrap() > 0);
}

fn a_file_is_read_as_it_was_written(disk: &dyn Disk) {
    let file = disk.create("a").unwrap();
    assert!(file.is_empty().unwrap());
    file.write_all_at(b"hello", 0).unwrap();
    file.write_all_at(b"world", 1000).unwrap();
    assert_eq!(file.len().unwrap(), 1005);
    let mut gap = [1; 995];
    file.read_exact_at(&mut gap, 5).unwrap();
    assert_eq!(gap, [0; 995]);
    file.sync_data().unwrap();
    file.drop_cache().unwrap();
    let again = disk.open("a").unwrap();
    let mut word = [0; 5];
    again.read_exact_at(&mut word, 1000).unwrap();
    assert_eq!(&word, b"world");
    assert_eq!(again.read_at(&mut word, 1003).unwrap(), 2);
    assert_eq!(again.read_at(&mut word, 1005).unwrap(), 0);
    assert_eq!(again.read_at(&mut word, 5000).unwrap(), 0);
    let error = again.read_exact_at(&mut word, 1003).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    again.set_len(3).unwrap();
    again.set_len(6).unwrap();
    let mut cut = [1; 6];
    file.read_exact_at(&mut cut, 0).unwrap();
    assert_eq!(&cut, b"hel\0\0\0");
    let error = disk.create("a").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    disk.remove("a").unwrap();
}

fn names_follow_renames_and_removals(disk: &dyn Disk) {
    let first = disk.create("first").unwrap();
    first.write_all_at(b"1", 0).unwrap();
    let second = disk.create("second").unwrap();
    second.write_all_at(b"2", 0).unwrap();
    disk.rename("first", "second").unwrap();
    disk.sync_dir("").unwrap();
    let error = disk.open("first").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let mut byte = [0];
    let renamed = disk.open("second").unwrap();
    renamed.read_exact_at(&mut byte, 0).unwrap();
    assert_eq!(&byte, b"1");
    // The file that was replaced lives on for those who have it open.
    second.read_exact_at(&mut byte, 0).unwrap();
    assert_eq!(&byte, b"2");
    disk.remove("second").unwrap();
    first.read_exact_at(&mut byte, 0).unwrap();
    assert_eq!(&byte, b"1");
    let error = disk.remove("second").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let error = disk.rename("second", "third").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

fn folders_are_listed_in_order(disk: &dyn Disk) {
    assert_eq!(disk.list("folder").unwrap(), Vec::<String>::new());
    let error = disk.create("folder/b").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    disk.create_dir("folder").unwrap();
    disk.create_dir("folder").unwrap();
    disk.create("folder/b").unwrap();
    disk.create("folder/a").unwrap();
    disk.create("c").unwrap();
    disk.sync_dir("folder").unwrap();
    disk.sync_dir("").unwrap();
    assert_eq!(disk.list("folder").unwrap(), ["a", "b"]);
    let files = disk.list("").unwrap();
    assert!(files.contains(&"c".to_owned()));
    assert!(!files.contains(&"folder".to_owned()));
    assert!(disk.sync_dir("nowhere").is_err());
}

fn the_lock_is_exclusive(disk: &dyn Disk) {
    let lock = disk.lock().unwrap();
    let error = disk.lock().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(lock);
    drop(disk.lock().unwrap());
}

#[test]
fn the_operating_system_conforms() {
    let folder = TempFolder::new("conforms");
    conforms(&(Arc::new(OsDisk::new(&folder.0).unwrap()) as Arc<dyn Disk>));
}

#[test]
fn the_simulation_conforms() {
    conforms(&(Arc::new(SimDisk::new()) as Arc<dyn Disk>));
}

#[test]
fn unsynced_bytes_and_names_are_lost_and_synced_ones_are_not() {
    let disk = SimDisk::new();
    let file = disk.create("kept").unwrap();
    file.write_all_at(&[1; 1024], 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir("").unwrap();
    file.write_all_at(&[2; 1024], 0).unwrap();
    disk.create("lost").unwrap().sync_data().unwrap();

    let dropped = disk.crash(CrashPolicy::DropAll, 1);
    assert_eq!(dropped.list("").unwrap(), ["kept"]);
    assert_eq!(dropped.bytes("kept"), [1; 1024]);
    let kept = disk.crash(CrashPolicy::KeepAll, 1);
    assert_eq!(kept.list("").unwrap(), ["kept", "lost"]);
    assert_eq!(kept.bytes("kept"), [2; 1024]);
}

#[test]
fn random_sectors_tear_at_sectors_and_only_there() {
    let disk = SimDisk::new();
    let file = disk.create("file").unwrap();
    file.write_all_at(&[1; 2048], 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir("").unwrap();
    file.write_all_at(&[2; 2048], 0).unwrap();
    let mut mixed = 0;
    for seed in 0..32 {
        let bytes = disk.crash(CrashPolicy::RandomSectors, seed).bytes("file");
        for sector in bytes.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]));
        }
        mixed += usize::from(bytes.contains(&1) && bytes.contains(&2));
        let again = disk.crash(CrashPolicy::RandomSectors, seed);
        assert_eq!(again.bytes("file"), bytes);
    }
    assert!(mixed > 20);
}

#[test]
fn a_lost_sync_leaves_the_bytes_in_the_cache_only() {
    let disk = SimDisk::new();
    let file = disk.create("file").unwrap();
    disk.sync_dir("").unwrap();
    file.write_all_at(b"gone", 0).unwrap();
    disk.fault_at(disk.operations(), Fault::LoseSync);
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert_eq!(disk.bytes("file"), b"gone");
    file.drop_cache().unwrap();
    assert_eq!(disk.bytes("file"), b"");
}

#[test]
fn faults_come_when_they_are_due() {
    let disk = SimDisk::new();
    let file = disk.create("file").unwrap();
    disk.fault_at(1, Fault::Short);
    assert_eq!(file.write_at(b"abcd", 0).unwrap(), 2);
    disk.fault_at(2, Fault::Fail);
    assert!(file.write_at(b"abcd", 0).is_err());
    disk.set_capacity(Some(3));
    let error = file.write_at(b"abcd", 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    file.write_all_at(b"xyz", 0).unwrap();
    assert_eq!(disk.free_bytes().unwrap(), 0);
    disk.stop_at(disk.operations());
    assert!(file.sync_data().is_err());
    assert!(file.read_at(&mut [0], 0).is_err());
}
