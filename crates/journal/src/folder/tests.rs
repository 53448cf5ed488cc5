//! The meta file, its versions and its lock.

use super::*;
use crate::{CrashPolicy, SimDisk};

const META: FolderMeta = FolderMeta {
    id: 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f,
    shards: 16,
    journals: 2,
};

fn write(disk: &SimDisk, text: &str) {
    let file = disk.create(META_FILE).unwrap();
    file.write_all_at(text.as_bytes(), 0).unwrap();
}

#[test]
fn the_file_reads_as_documented() {
    let text = META.encode();
    let expected = "trunkline data folder\nformat 1\nid 000102030405060708090a0b0c0d0e0f\n\
                    shards 16\njournals 2\nchecksum ";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(FolderMeta::decode(text.as_bytes()).unwrap(), META);
}

#[test]
fn any_changed_byte_is_noticed() {
    let text = META.encode();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(FolderMeta::decode(&bytes).is_err(), "byte {at}");
        assert!(FolderMeta::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_later_version_is_refused_whatever_else_it_says() {
    let disk = SimDisk::new();
    write(&disk, "trunkline data folder\nformat 2\nsomething else\n");
    let error = Folder::open(Arc::new(disk)).unwrap_err();
    let kind = ErrorKind::UnsupportedVersion {
        found: 2,
        supported: 1,
    };
    assert_eq!(error.kind(), kind);
    assert_eq!(error.file(), Some(META_FILE));
}

#[test]
fn a_folder_is_created_once_and_opened_by_one() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
    let error = Folder::open(Arc::clone(&disk)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let folder = Folder::create(Arc::clone(&disk), META).unwrap();
    for error in [
        Folder::open(Arc::clone(&disk)).unwrap_err(),
        Folder::create(Arc::clone(&disk), META).unwrap_err(),
        Folder::open_or_create(Arc::clone(&disk), META).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InUse);
    }
    drop(folder);
    let error = Folder::create(Arc::clone(&disk), META).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(*Folder::open(disk).unwrap().meta(), META);
}

#[test]
fn a_folder_that_lost_its_meta_file_is_not_created_again() {
    let disk = SimDisk::new();
    disk.create_dir("journal-1").unwrap();
    disk.create("journal-1/00000001.seg").unwrap();
    let error = Folder::open_or_create(Arc::new(disk), META).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_crash_leaves_a_whole_folder_or_none() {
    for operation in 0..8 {
        let disk = SimDisk::new();
        disk.stop_at(operation);
        let created = Folder::create(Arc::new(disk.clone()), META).is_ok();
        for policy in CrashPolicy::ALL {
            let crashed = disk.crash(policy, operation);
            match Folder::open(Arc::new(crashed.clone())) {
                Ok(folder) => assert_eq!(*folder.meta(), META),
                Err(error) => {
                    assert!(!created);
                    assert_eq!(error.kind(), ErrorKind::Invalid);
                    Folder::create(Arc::new(crashed), META).unwrap();
                }
            }
        }
    }
}
