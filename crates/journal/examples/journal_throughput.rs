//! Prints what the journal and the store cost on this machine: `journal_throughput [folder]`.
//!
//! The folder should be on the disk that matters; the default is the system's temporary folder.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::error::Error;
use std::ops::{Bound, ControlFlow};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_journal::{Disk, Journal, Options, OsDisk, Position, RedbStore, Store};

const ROWS: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from)
        .join(format!("journal-throughput-{}", std::process::id()));
    let disk = Arc::new(OsDisk::new(&root)?);
    let result = run(&disk);
    std::fs::remove_dir_all(&root)?;
    result
}

fn run(disk: &Arc<OsDisk>) -> Result<(), Box<dyn Error>> {
    let options = Options::new(1);
    let mut journal = Journal::open(
        Arc::clone(disk) as Arc<dyn Disk>,
        "journal-0",
        options.clone(),
        Position::ZERO,
        &mut |_| Ok(()),
    )?;
    journal.prepare_spares()?;
    for (frames, body) in [(1, 200), (1, 4000), (16, 220), (16, 4000), (256, 4000)] {
        measure(&mut journal, frames, body)?;
    }

    let started = Instant::now();
    let body = vec![7; 220];
    let appends = 1_000_000;
    let before = journal.durable();
    for index in 0..appends {
        journal.append(1, 0, &[&body])?;
        if index % 20_000 == 0 {
            journal.flush()?;
        }
    }
    journal.flush()?;
    let rate = f64::from(appends) / started.elapsed().as_secs_f64();
    println!("append of 220 bytes, 20,000 a flush: {rate:.0}/s");
    let last = journal.durable();
    drop(journal);

    let started = Instant::now();
    let mut bytes = 0;
    let journal = Journal::open(
        Arc::clone(disk) as Arc<dyn Disk>,
        "journal-0",
        options,
        before,
        &mut |frame| {
            bytes += frame.body.len();
            Ok(())
        },
    )?;
    println!(
        "recovery of {} frames with {} MB: {:?}",
        last.0 - before.0,
        bytes / 1_000_000,
        started.elapsed()
    );
    drop(journal);
    store(disk)
}

/// Flushes for two seconds, with so many frames of such a size in each.
fn measure(journal: &mut Journal, frames: u32, body: usize) -> Result<(), Box<dyn Error>> {
    let maker = journal.spare_maker();
    let body = vec![7; body];
    let mut times = Vec::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        let flush = Instant::now();
        for _ in 0..frames {
            journal.append(1, 0, &[&body])?;
        }
        journal.flush()?;
        times.push(flush.elapsed());
        if maker.wanted() {
            // What is measured is the commit path; the owner does this on another thread.
            journal.trim(journal.durable())?;
            maker.prepare()?;
        }
    }
    let busy: Duration = times.iter().sum();
    times.sort();
    let rate = times.len() as f64 / busy.as_secs_f64();
    println!(
        "{frames} x {} bytes a flush: {rate:.0} flushes/s, {:.0} frames/s, p50 {:?}, p99 {:?}",
        body.len(),
        rate * f64::from(frames),
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
    Ok(())
}

fn store(disk: &OsDisk) -> Result<(), Box<dyn Error>> {
    let store = RedbStore::open(disk, "store-0.redb", 64 << 20)?;
    let rows: Vec<([u8; 16], [u8; 100])> = (0..ROWS)
        .map(|index| {
            let mut key = [0; 16];
            key[8..].copy_from_slice(&index.to_be_bytes());
            (key, [7; 100])
        })
        .collect();
    let started = Instant::now();
    let mut changes = rows.iter().map(|(key, value)| (&key[..], Some(&value[..])));
    store.apply(&mut changes, Position(1))?;
    println!("store: apply of {ROWS} rows: {:?}", started.elapsed());

    let started = Instant::now();
    let mut changes = rows
        .iter()
        .step_by(100)
        .map(|(key, value)| (&key[..], Some(&value[..])));
    store.apply(&mut changes, Position(2))?;
    println!(
        "store: apply of {} spread rows: {:?}",
        ROWS / 100,
        started.elapsed()
    );

    let started = Instant::now();
    for (key, _) in rows.iter().step_by(10) {
        store.get(key)?;
    }
    println!(
        "store: get: {:?} each",
        started.elapsed() / (ROWS / 10) as u32
    );
    let crashed = "store-1.redb";
    std::fs::copy(disk.root().join("store-0.redb"), disk.root().join(crashed))?;
    drop(store);
    disk.open(crashed)?.sync_data()?;

    let started = Instant::now();
    let store = RedbStore::open(disk, crashed, 64 << 20)?;
    println!("store: open as a crash left it: {:?}", started.elapsed());
    let started = Instant::now();
    let mut count = 0;
    store.scan((Bound::Unbounded, Bound::Unbounded), &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    println!(
        "store: scan of {count} rows: {:?}, file {} MB",
        started.elapsed(),
        store.len_bytes()? / 1_000_000
    );
    Ok(())
}
