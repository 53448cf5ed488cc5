//! A disk that fails while the machine runs: errors, lost syncs, no space, two processes.

use std::sync::Arc;

use trunkline_journal::{
    CrashPolicy, Disk, ErrorKind, Fault, Folder, Frame, Journal, Options, Position, RedbStore,
    SimDisk, Space, Store as _, Thrift,
};

use crate::world::{DIR, Known, META, STORE, World, options, thrifty};

fn open(disk: &SimDisk, options: Options) -> Journal {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Journal::open(disk, DIR, options, Position::ZERO, &mut |_| Ok(())).unwrap()
}

#[test]
fn the_first_failure_poisons_and_nothing_is_tried_again() {
    for fault in [Fault::Fail, Fault::FailHalfway, Fault::LoseSync] {
        for later in 0..2 {
            let disk = SimDisk::new();
            let mut world = World::open(&disk, Known::default()).unwrap();
            world.work(5, 1).unwrap();
            world.append(1).unwrap();
            disk.fault_at(disk.operations() + later, fault);
            let error = world.journal.flush().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            let operations = disk.operations();
            let poisoned = |error: trunkline_journal::Error| {
                assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
            };
            poisoned(world.journal.flush().unwrap_err());
            poisoned(world.journal.append(1, 1, &[]).unwrap_err());
            poisoned(world.journal.trim(Position(1)).unwrap_err());
            poisoned(world.journal.prepare_spares().unwrap_err());
            poisoned(world.journal.spare_maker().prepare().unwrap_err());
            assert_eq!(disk.operations(), operations);
        }
    }
}

#[test]
fn bytes_of_a_lost_sync_are_not_taken_for_durable_after_a_restart() {
    let disk = SimDisk::new();
    let mut world = World::open(&disk, Known::default()).unwrap();
    world.work(5, 1).unwrap();
    let confirmed = world.known.confirmed;
    world.append(1).unwrap();
    // The write succeeds, its sync does not.
    disk.fault_at(disk.operations() + 1, Fault::LoseSync);
    world.flush().unwrap_err();
    let known = world.known.clone();
    drop(world);
    let restarted = disk.restart();
    let world = World::open(&restarted, known.clone()).unwrap();
    assert_eq!(world.recovered.1, confirmed);
    drop(world);
    let world = World::open(&restarted.crash(CrashPolicy::DropAll, 1), known).unwrap();
    assert_eq!(world.recovered.1, confirmed);
}

#[test]
fn short_writes_are_completed() {
    let disk = SimDisk::new();
    let mut world = World::open(&disk, Known::default()).unwrap();
    for operation in 0..1000 {
        if operation % 3 == 0 {
            disk.fault_at(disk.operations() + operation, Fault::Short);
        }
    }
    world.work(20, 1).unwrap();
    let known = world.known.clone();
    drop(world);
    World::open(&disk.crash(CrashPolicy::DropAll, 1), known).unwrap();
}

#[test]
fn a_full_disk_is_met_from_the_reserve_and_heals() {
    // The spares are the reserve: two more segments can be filled.
    fill_the_disk(Known::default(), 10);
}

#[test]
fn a_full_disk_is_met_from_the_reserve_of_a_thrifty_journal_and_heals() {
    // One spare is there from the beginning on.
    fill_the_disk(Known::thrifty(), 6);
}

fn fill_the_disk(start: Known, fitting: u32) {
    let disk = SimDisk::new();
    let mut world = World::open(&disk, start).unwrap();
    assert_eq!(world.journal.prepare_spares().unwrap(), Space::Ok);
    disk.set_capacity(Some(disk.used_bytes()));
    let mut flushes = 0;
    let error = loop {
        world.append(1).unwrap();
        match world.journal.flush() {
            Ok(confirmed) => world.known.confirmed = confirmed,
            Err(error) => break error,
        }
        flushes += 1;
        if flushes == 1 {
            assert_eq!(world.journal.space(), Space::Ok);
        }
        let space = world.journal.prepare_spares().unwrap();
        let wanted = world.journal.spare_maker().wanted();
        assert_eq!(space, if wanted { Space::Low } else { Space::Ok });
        assert_eq!(world.journal.space(), space);
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(flushes > fitting, "{flushes} flushes fitted");
    assert_eq!(world.journal.space(), Space::Low);
    // It can be asked again and again; nothing is lost, and nothing is confirmed that is not there.
    assert_eq!(world.journal.flush().unwrap_err().kind(), ErrorKind::Full);
    world.append(1).unwrap();
    assert_eq!(world.journal.flush().unwrap_err().kind(), ErrorKind::Full);
    let full = disk.restart();
    let known = world.known.clone();
    // Space returns.
    disk.set_capacity(None);
    assert_eq!(world.journal.prepare_spares().unwrap(), Space::Ok);
    assert_eq!(world.journal.space(), Space::Ok);
    world.flush().unwrap();
    world.work(10, 1).unwrap();
    let healed = world.known.clone();
    drop(world);
    World::open(&disk.crash(CrashPolicy::DropAll, 1), healed).unwrap();
    World::open(&full, known).unwrap();
}

#[test]
fn trimmed_segments_are_reused_when_the_disk_is_full() {
    let disk = SimDisk::new();
    let mut journal = open(&disk, options());
    journal.prepare_spares().unwrap();
    disk.set_capacity(Some(disk.used_bytes()));
    for round in 0..200 {
        journal.append(1, 0, &[&[7; 5000]]).unwrap();
        let durable = journal.flush().unwrap();
        assert_eq!(durable, Position(round + 1));
        journal.trim(durable.next()).unwrap();
        assert_eq!(journal.prepare_spares().unwrap(), Space::Ok);
    }
    assert!(disk.used_bytes() <= 4 * (16 << 10));
}

#[test]
fn a_segment_is_made_only_if_enough_space_stays_free() {
    let disk = SimDisk::new();
    let mut options = options();
    options.free_bytes_min = 50_000;
    disk.set_capacity(Some(3 * (16 << 10) + 40_000));
    let mut journal = open(&disk, options);
    assert_eq!(journal.prepare_spares().unwrap(), Space::Low);
    assert_eq!(journal.space(), Space::Low);
    disk.set_capacity(Some(4 * (16 << 10) + 50_000));
    assert_eq!(journal.prepare_spares().unwrap(), Space::Ok);
    journal.append(1, 0, &[b"work"]).unwrap();
    journal.flush().unwrap();
}

#[test]
fn spares_are_made_on_another_thread_while_the_journal_writes() {
    let disk = SimDisk::new();
    let mut journal = open(&disk, options());
    let maker = journal.spare_maker();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                maker.prepare().unwrap();
            }
        });
        for _ in 0..500 {
            journal.append(1, 0, &[&[7; 3000]]).unwrap();
            let durable = journal.flush().unwrap();
            journal.trim(durable).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let durable = journal.durable();
    drop(journal);
    let disk: Arc<dyn Disk> = Arc::new(disk.crash(CrashPolicy::DropAll, 1));
    let from = Position(durable.0 - 1);
    let journal = Journal::open(disk, DIR, options(), from, &mut |_| Ok(())).unwrap();
    assert_eq!(journal.durable(), durable);
}

#[test]
fn a_second_process_is_refused() {
    let disk = SimDisk::new();
    let world = World::open(&disk, Known::default()).unwrap();
    let error = World::open(&disk, Known::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InUse);
    drop(world);
    drop(Folder::open(Arc::new(disk)).unwrap());
}

#[test]
fn a_store_that_is_none_is_refused_and_left_alone() {
    for size in [1, 320, 4096, 1 << 20] {
        let disk = SimDisk::new();
        let file = disk.create(STORE).unwrap();
        file.write_all_at(&vec![0xab; size], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir("").unwrap();
        let before = disk.contents();
        let error = RedbStore::open(&disk, STORE, 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(error.file(), Some(STORE));
        assert_eq!(disk.contents(), before);
    }
}

#[test]
fn a_failed_apply_leaves_the_old_rows() {
    let disk = SimDisk::new();
    let store = RedbStore::open(&disk, STORE, 1 << 20).unwrap();
    let mut first = [(&b"a"[..], Some(&b"1"[..]))].into_iter();
    store.apply(&mut first, Position(1)).unwrap();
    disk.fault_at(disk.operations(), Fault::Fail);
    let mut second = [(&b"a"[..], Some(&b"2"[..]))].into_iter();
    let error = store.apply(&mut second, Position(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let mut third = [(&b"a"[..], Some(&b"3"[..]))].into_iter();
    let error = store.apply(&mut third, Position(3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    drop(store);
    let store = RedbStore::open(&disk.crash(CrashPolicy::DropAll, 1), STORE, 1 << 20).unwrap();
    assert_eq!(store.position().unwrap(), Position(1));
    assert_eq!(store.get(b"a").unwrap().unwrap(), b"1");
}

#[test]
fn the_folder_keeps_what_it_was_created_with() {
    let disk = SimDisk::new();
    drop(World::open(&disk, Known::default()).unwrap());
    let other = trunkline_journal::FolderMeta {
        id: 9,
        shards: 64,
        journals: 8,
    };
    let folder = Folder::open_or_create(Arc::new(disk), other).unwrap();
    assert_eq!(*folder.meta(), META);
}

#[test]
fn a_journal_may_move_to_its_thread() {
    fn moves<T: Send + 'static>() {}
    fn is_shared<T: Send + Sync + 'static>() {}
    moves::<Journal>();
    is_shared::<RedbStore>();
    is_shared::<trunkline_journal::SpareMaker>();
}

#[test]
fn a_thrifty_journal_takes_the_disk_that_it_needs_and_has_its_reserve_before_that() {
    const FIRST: u64 = 12 << 10;
    const SEGMENT: u64 = 64 << 10;
    let disk = SimDisk::new();
    let layout = Options {
        segment_bytes: SEGMENT,
        thrift: Some(Thrift {
            first_segment_bytes: FIRST,
        }),
        ..options()
    };
    let mut journal = open(&disk, layout);
    assert_eq!(journal.prepare_spares().unwrap(), Space::Ok);
    // The reserve is a whole segment; what is not needed yet is not taken.
    assert_eq!(disk.used_bytes(), FIRST + SEGMENT);
    journal.append(1, 0, &[&[7; 1500]]).unwrap();
    assert!(!journal.spare_maker().wanted());
    journal.append(1, 0, &[&[7; 1500]]).unwrap();
    assert!(journal.spare_maker().wanted(), "half of the first is used");
    journal.flush().unwrap();
    journal.prepare_spares().unwrap();
    assert_eq!(disk.used_bytes(), FIRST + 2 * SEGMENT);
    journal.append(1, 0, &[&[7; 8000]]).unwrap();
    journal.flush().unwrap();
    assert!(!journal.spare_maker().wanted(), "the next is hardly used");
    for _ in 0..3 {
        journal.append(1, 0, &[&[7; 8000]]).unwrap();
    }
    assert!(journal.spare_maker().wanted(), "half of it is used");
}

#[test]
fn a_first_frame_that_does_not_fit_into_a_small_first_segment_goes_into_the_next() {
    let disk = SimDisk::new();
    let mut journal = open(&disk, thrifty());
    for round in 0..3 {
        journal.append(1, 0, &[&[round; 7000]]).unwrap();
        journal.flush().unwrap();
    }
    drop(journal);
    let crashed = disk.crash(CrashPolicy::DropAll, 1);
    let mut found = Vec::new();
    let any: Arc<dyn Disk> = Arc::new(crashed.clone());
    let mut visit = |frame: Frame<'_>| {
        found.push(frame.body[0]);
        Ok(())
    };
    let opened = Journal::open(any, DIR, thrifty(), Position::ZERO, &mut visit);
    let mut journal = opened.unwrap();
    assert_eq!(found, [0, 1, 2]);
    journal.trim(Position(4)).unwrap();
    journal.append(1, 0, &[b"on"]).unwrap();
    journal.flush().unwrap();
    // It may be laid out otherwise the next time.
    drop(journal);
    let journal = open(&crashed, options());
    assert_eq!(journal.durable(), Position(4));
}
