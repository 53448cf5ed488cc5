//! The conformance suite of [`Store`], on every implementation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::memory::MemoryStore;
use super::redb::RedbStore;
use super::*;
use crate::{CrashPolicy, Disk, OsDisk, SimDisk};

const ALL: KeyRange<'static> = (Bound::Unbounded, Bound::Unbounded);

fn apply(store: &dyn Store, changes: &[(&str, Option<&str>)], position: u64) {
    let mut changes = changes
        .iter()
        .map(|(key, value)| (key.as_bytes(), value.map(str::as_bytes)));
    store.apply(&mut changes, Position(position)).unwrap();
}

fn keys(store: &dyn Store, range: KeyRange<'_>, limit: usize) -> String {
    let rows = store.list(range, limit).unwrap();
    rows.into_iter()
        .map(|(key, _)| String::from_utf8(key).unwrap())
        .collect()
}

fn conforms(store: &dyn Store) {
    assert_eq!(store.position().unwrap(), Position::ZERO);
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!(keys(store, ALL, 9), "");

    let rows = [
        ("a", Some("1")),
        ("b", Some("")),
        ("c", Some("3")),
        ("d", Some("4")),
    ];
    apply(store, &rows, 10);
    assert_eq!(store.position().unwrap(), Position(10));
    assert_eq!(store.get(b"a").unwrap().unwrap(), b"1");
    assert_eq!(store.get(b"b").unwrap().unwrap(), b"");
    assert!(store.len_bytes().unwrap() > 0);

    apply(store, &[("a", Some("9")), ("c", None), ("x", None)], 11);
    assert_eq!(store.position().unwrap(), Position(11));
    assert_eq!(store.get(b"a").unwrap().unwrap(), b"9");
    assert_eq!(store.get(b"c").unwrap(), None);
    apply(store, &[("e", Some("5"))], 12);

    let included = |key: &'static str| Bound::Included(key.as_bytes());
    let excluded = |key: &'static str| Bound::Excluded(key.as_bytes());
    assert_eq!(keys(store, ALL, 9), "abde");
    assert_eq!(keys(store, ALL, 2), "ab");
    assert_eq!(keys(store, ALL, 0), "");
    assert_eq!(keys(store, (included("b"), included("d")), 9), "bd");
    assert_eq!(keys(store, (excluded("b"), excluded("e")), 9), "d");
    assert_eq!(keys(store, (included("c"), Bound::Unbounded), 9), "de");
    // Ranges that end before they start hold nothing, and panic nowhere.
    assert_eq!(keys(store, (included("d"), included("b")), 9), "");
    assert_eq!(keys(store, (excluded("b"), excluded("b")), 9), "");
    assert_eq!(keys(store, (included("b"), excluded("b")), 9), "");

    apply(store, &[], 13);
    assert_eq!(store.position().unwrap(), Position(13));
    assert_eq!(keys(store, ALL, 9), "abde");
}

/// Readers on other threads see the state before an apply or the one after it.
fn reads_see_whole_states(store: &dyn Store) {
    let stop = AtomicBool::new(false);
    let rows = 200;
    let write = |round: u64| {
        let keys: Vec<_> = (0..rows).map(|n| format!("{n:04}")).collect();
        let value = round.to_string();
        let mut changes = keys
            .iter()
            .map(|key| (key.as_bytes(), Some(value.as_bytes())));
        store.apply(&mut changes, Position(round)).unwrap();
    };
    write(100);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let found = store.list(ALL, usize::MAX).unwrap();
                    assert_eq!(found.len(), rows);
                    assert!(found.iter().all(|row| row.1 == found[0].1));
                    assert!(store.get(b"0100").unwrap().is_some());
                }
            });
        }
        (101..120).for_each(write);
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_memory_store_conforms() {
    conforms(&MemoryStore::new());
    reads_see_whole_states(&MemoryStore::new());
}

#[test]
fn the_redb_store_conforms_on_the_simulated_disk() {
    conforms(&RedbStore::open(&SimDisk::new(), "store", 1 << 20).unwrap());
    reads_see_whole_states(&RedbStore::open(&SimDisk::new(), "store", 1 << 20).unwrap());
}

#[test]
fn the_redb_store_conforms_on_the_operating_system() {
    let root = std::env::temp_dir().join(format!("trunkline-store-{}", std::process::id()));
    let disk = OsDisk::new(&root).unwrap();
    conforms(&RedbStore::open(&disk, "store", 1 << 20).unwrap());
    let store = RedbStore::open(&disk, "store", 1 << 20).unwrap();
    assert_eq!(keys(&store, ALL, 9), "abde");
    assert_eq!(store.position().unwrap(), Position(13));
    drop(store);
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_crash_leaves_the_state_before_an_apply_or_after_it() {
    let mut both = [0; 2];
    for operation in 0..60 {
        let disk = SimDisk::new();
        let store = RedbStore::open(&disk, "store", 1 << 20).unwrap();
        apply(&store, &[("a", Some("1")), ("b", Some("1"))], 1);
        disk.stop_at(disk.operations() + operation);
        let mut changes = [(&b"a"[..], Some(&b"2"[..])), (&b"b"[..], None)].into_iter();
        let applied = store.apply(&mut changes, Position(2)).is_ok();
        for policy in CrashPolicy::ALL {
            if policy == CrashPolicy::GarbageSector {
                // redb keeps both of its roots in one sector, so it cannot survive this one.
                continue;
            }
            let crashed: Arc<dyn Disk> = Arc::new(disk.crash(policy, operation));
            let store = RedbStore::open(&*crashed, "store", 1 << 20).unwrap();
            let position = store.position().unwrap();
            assert!(!applied || position == Position(2));
            let expected = if position == Position(1) { "ab" } else { "a" };
            assert_eq!(keys(&store, ALL, 9), expected);
            let value = position.0.to_string().into_bytes();
            assert_eq!(store.get(b"a").unwrap().unwrap(), value);
            both[position.0 as usize - 1] += 1;
        }
    }
    assert!(both[0] > 5 && both[1] > 5, "{both:?}");
}
