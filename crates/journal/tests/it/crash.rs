//! Crash points: a fixed workload, a crash at every operation of the disk, every way in which bytes
//! survive it; then a crash at every operation of the recovery as well.

use trunkline_journal::{CrashPolicy, SimDisk};

use crate::world::{Known, World, is_damaged_store};

const FLUSHES: u64 = 30;

/// Runs the workload until the disk stops. Returns what was known then; `start` is what was before.
fn run_until(disk: &SimDisk, operation: u64, start: &Known) -> Known {
    disk.stop_at(operation);
    let Ok(mut world) = World::open(disk, start.clone()) else {
        return start.clone();
    };
    let _stopped = world.work(FLUSHES, 1);
    world.known
}

fn operations(start: &Known) -> u64 {
    let disk = SimDisk::new();
    let mut world = World::open(&disk, start.clone()).unwrap();
    world.work(FLUSHES, 1).unwrap();
    disk.operations()
}

/// Opens the disk after a crash. Returns `None` where the crash may have destroyed the store: a
/// sector that turned to garbage, in the one that holds both of its roots.
fn recover(disk: &SimDisk, policy: CrashPolicy, known: &Known) -> Option<World> {
    match World::open(disk, known.clone()) {
        Ok(world) => Some(world),
        Err(error) if policy == CrashPolicy::GarbageSector && is_damaged_store(&error) => None,
        Err(error) => panic!("{policy:?}: {error}"),
    }
}

/// What holds after every recovery, whatever came before.
fn check_recovered(disk: &SimDisk, world: World, policy: CrashPolicy, seed: u64) {
    let recovered = world.recovered;
    let mut known = world.known.clone();
    // What recovery reported is durable, even if the power fails right now.
    known.confirmed = recovered.1;
    known.appended = recovered.1;
    drop(world);
    let again = World::open(&disk.crash(CrashPolicy::DropAll, seed), known.clone()).unwrap();
    assert_eq!(again.recovered, recovered);
    drop(again);
    // Recovering once more changes nothing, and finds the same.
    let mut world = World::open(disk, known).unwrap();
    assert_eq!(world.recovered, recovered);
    // Work goes on, by another writer: no frame from before the crash takes the place of one of its.
    for _ in 0..3 {
        world.append(2).unwrap();
    }
    world.flush().unwrap();
    world.append(2).unwrap();
    let known = world.known.clone();
    drop(world);
    let Some(world) = recover(&disk.crash(policy, seed), policy, &known) else {
        return;
    };
    assert_eq!(world.recovered.1, known.confirmed);
}

#[test]
fn everything_confirmed_survives_a_crash_at_every_operation() {
    println!("{}", crash_at_every_operation(&Known::default()));
}

#[test]
fn everything_confirmed_survives_a_crash_at_every_operation_of_a_thrifty_journal() {
    println!("{}", crash_at_every_operation(&Known::thrifty()));
}

/// Answers what there was to see.
fn crash_at_every_operation(start: &Known) -> String {
    let operations = operations(start);
    assert!((100..400).contains(&operations), "{operations} operations");
    let mut damaged_stores = 0;
    for operation in 0..=operations {
        let disk = SimDisk::new();
        let known = run_until(&disk, operation, start);
        for policy in CrashPolicy::ALL {
            let seed = operation * 31 + 7;
            let crashed = disk.crash(policy, seed);
            match recover(&crashed, policy, &known) {
                Some(world) => check_recovered(&crashed, world, policy, seed),
                None => damaged_stores += 1,
            }
        }
        // The process dies, the machine does not; it loses power after the recovery.
        let restarted = disk.restart();
        let world = World::open(&restarted, known.clone()).unwrap();
        check_recovered(&restarted, world, CrashPolicy::DropAll, operation);
    }
    format!("{operations} operations; garbage hit the root of the store {damaged_stores} times")
}

#[test]
fn a_crash_during_recovery_is_survived_like_any_other() {
    crash_during_recovery(&Known::default(), 9);
}

#[test]
fn a_crash_during_recovery_of_a_thrifty_journal_is_survived_like_any_other() {
    crash_during_recovery(&Known::thrifty(), 31);
}

fn crash_during_recovery(start: &Known, step: usize) {
    for operation in (0..=operations(start)).step_by(step) {
        let disk = SimDisk::new();
        let known = run_until(&disk, operation, start);
        for policy in CrashPolicy::ALL {
            let crashed = disk.crash(policy, operation);
            let probe = crashed.restart();
            let Some(world) = recover(&probe, policy, &known) else {
                continue;
            };
            let confirmed = world.recovered.1;
            assert!(confirmed >= known.confirmed);
            drop(world);
            for stop in 0..probe.operations() {
                let again = crashed.restart();
                again.stop_at(stop);
                let opened = World::open(&again, known.clone());
                let second = CrashPolicy::ALL[((stop + operation) % 6) as usize];
                let survived = again.crash(second, stop + operation);
                // Had it come to the end, what it found would be confirmed.
                let mut known = known.clone();
                if opened.is_ok() {
                    known.confirmed = confirmed;
                }
                drop(opened);
                if let Some(world) = recover(&survived, second, &known) {
                    check_recovered(&survived, world, second, stop);
                }
            }
        }
    }
}

#[test]
fn many_torn_flushes_leave_whole_frames_and_no_gap() {
    for seed in 0..400 {
        let disk = SimDisk::new();
        let mut world = World::open(&disk, Known::default()).unwrap();
        world.work(2 + seed % 9, 1).unwrap();
        for _ in 0..12 {
            world.append(1).unwrap();
        }
        // Stops before the sync of the large flush, after its write.
        disk.stop_at(disk.operations() + 1 + seed % 3);
        let _stopped = world.flush();
        let known = world.known.clone();
        for policy in CrashPolicy::ALL {
            let crashed = disk.crash(policy, seed);
            if let Some(world) = recover(&crashed, policy, &known) {
                check_recovered(&crashed, world, policy, seed);
            }
        }
    }
}
