//! What a crash leaves of a simulated disk.

use std::sync::Arc;

use super::rng::Rng;
use super::{Inode, Pending, SECTOR_BYTES, State, parent, put};

/// Which of the writes and names that were not synced survive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPolicy {
    /// Everything: the process was killed, the machine goes on.
    KeepAll,
    /// Nothing.
    DropAll,
    /// Any subset of the sectors and of the names, in any order.
    RandomSectors,
    /// The first writes of each file, the next one up to some sector; the first changes of names.
    TornPrefix,
    /// The lengths of files and all names, but no data.
    LengthOnly,
    /// As [`CrashPolicy::RandomSectors`], and in each file one of the sectors that were being
    /// written has become garbage.
    GarbageSector,
}

impl CrashPolicy {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::KeepAll,
        Self::DropAll,
        Self::RandomSectors,
        Self::TornPrefix,
        Self::LengthOnly,
        Self::GarbageSector,
    ];
}

/// `policy` decides about names and folders, `policy_of` about the bytes of each file.
pub(super) fn crash(
    state: &State,
    policy: CrashPolicy,
    policy_of: &dyn Fn(&str) -> CrashPolicy,
    seed: u64,
) -> State {
    let mut rng = Rng::new(seed);
    let mut names = state.durable_names.clone();
    let prefix = rng.below(state.pending_names.len() + 1);
    for (index, change) in state.pending_names.iter().enumerate() {
        let survives = match policy {
            CrashPolicy::KeepAll | CrashPolicy::LengthOnly => true,
            CrashPolicy::DropAll => false,
            CrashPolicy::TornPrefix => index < prefix,
            CrashPolicy::RandomSectors | CrashPolicy::GarbageSector => rng.coin(),
        };
        if survives {
            change.apply(&mut names);
        }
    }
    let mut dirs = state.durable_dirs.clone();
    for dir in &state.dirs {
        let survives = match policy {
            CrashPolicy::KeepAll | CrashPolicy::LengthOnly => true,
            CrashPolicy::DropAll => false,
            CrashPolicy::TornPrefix | CrashPolicy::RandomSectors | CrashPolicy::GarbageSector => {
                rng.coin()
            }
        };
        if survives {
            dirs.insert(dir.clone());
        }
    }
    names.retain(|name, _| parent(name).is_empty() || dirs.contains(parent(name)));

    let mut inodes = Vec::with_capacity(names.len());
    for (name, inode) in &mut names {
        let bytes = survivors(&state.inodes[*inode], policy_of(name), &mut rng);
        *inode = inodes.len();
        inodes.push(Inode {
            cached: Arc::clone(&bytes),
            durable: bytes,
            pending: Vec::new(),
        });
    }
    State {
        inodes,
        names: names.clone(),
        durable_names: names,
        durable_dirs: dirs.clone(),
        dirs,
        ..State::default()
    }
}

fn survivors(inode: &Inode, policy: CrashPolicy, rng: &mut Rng) -> Arc<Vec<u8>> {
    let mut shared = Arc::clone(&inode.durable);
    if inode.pending.is_empty() || policy == CrashPolicy::DropAll {
        return shared;
    }
    let bytes = Arc::make_mut(&mut shared);
    match policy {
        CrashPolicy::DropAll => {}
        CrashPolicy::KeepAll => inode.pending.iter().for_each(|change| change.apply(bytes)),
        CrashPolicy::LengthOnly => bytes.resize(inode.cached.len(), 0),
        CrashPolicy::TornPrefix => torn_prefix(bytes, &inode.pending, rng),
        CrashPolicy::RandomSectors => random_sectors(bytes, &inode.pending, rng),
        CrashPolicy::GarbageSector => {
            random_sectors(bytes, &inode.pending, rng);
            garbage_sector(bytes, &inode.pending, rng);
        }
    }
    shared
}

fn torn_prefix(bytes: &mut Vec<u8>, pending: &[Pending], rng: &mut Rng) {
    let whole = rng.below(pending.len() + 1);
    for change in &pending[..whole] {
        change.apply(bytes);
    }
    if let Some(Pending::Write { offset, data }) = pending.get(whole) {
        let sectors: Vec<_> = sectors(*offset, data.len()).collect();
        for (start, end) in &sectors[..rng.below(sectors.len() + 1)] {
            put(bytes, *start, &data[start - offset..end - offset]);
        }
    }
}

fn random_sectors(bytes: &mut Vec<u8>, pending: &[Pending], rng: &mut Rng) {
    for change in pending {
        match change {
            Pending::SetLen(_) => {
                if rng.coin() {
                    change.apply(bytes);
                }
            }
            Pending::Write { offset, data } => {
                for (start, end) in sectors(*offset, data.len()) {
                    if rng.coin() {
                        put(bytes, start, &data[start - offset..end - offset]);
                    }
                }
            }
        }
    }
}

fn garbage_sector(bytes: &mut [u8], pending: &[Pending], rng: &mut Rng) {
    let write = rng.below(pending.len());
    if let Some(Pending::Write { offset, data }) = pending.get(write) {
        let sectors: Vec<_> = sectors(*offset, data.len()).collect();
        if let Some((start, _)) = sectors.get(rng.below(sectors.len())) {
            // The whole sector, also what the write did not mean to change.
            let start = start - start % SECTOR_BYTES;
            let end = (start + SECTOR_BYTES).min(bytes.len());
            if let Some(sector) = bytes.get_mut(start..end) {
                sector.fill_with(|| rng.next() as u8);
            }
        }
    }
}

/// The parts of a write that lie in one sector each.
fn sectors(offset: usize, len: usize) -> impl Iterator<Item = (usize, usize)> {
    let end = offset + len;
    (offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES)).map(move |sector| {
        let start = sector * SECTOR_BYTES;
        (start.max(offset), (start + SECTOR_BYTES).min(end))
    })
}
