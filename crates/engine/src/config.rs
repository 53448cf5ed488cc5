//! The settings of an engine.

use crate::delivery::guard::Network;
use std::path::PathBuf;
use std::sync::Arc;
use trunkline_vault::Vault;

/// How an engine is to be opened.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data folder. It is made if it is missing.
    pub data_dir: PathBuf,
    /// How many shards the data folder has. Fixed when it is made (absent: 16); later it must be absent or the same.
    pub shards: Option<u16>,
    /// How many shard threads, each with a journal. Fixed when the data folder is made (absent: half the cores, at
    /// least one); later it must be absent or the same.
    pub threads: Option<u16>,
    /// How long finished runs and settled jobs are kept, in milliseconds.
    pub retention_ms: u64,
    /// How long events are kept, in milliseconds; zero: there is no event feed.
    pub events_retention_ms: u64,
    /// Bytes that the events of all shards may take; beyond that the oldest go earlier.
    pub events_bytes_max: u64,
    /// Runs of one shard that may stay in memory as typed values while nothing goes on in them.
    pub idle_runs_max: usize,
    /// The size of a journal's segments, in bytes: a multiple of 4,096. A commit must fit in one; the limits on payloads and
    /// turns assume the default of 64 MiB, so a smaller one is for tests.
    pub segment_bytes: u64,
    /// True: the journals take little disk before they are used, which is right where there are many engines. The first segment is
    /// small, and a spare beyond the reserve is made only when half of a segment is used. Nothing is less durable.
    pub thrifty: bool,
    /// A checkpoint is due after so many bytes of commits.
    pub checkpoint_bytes: usize,
    /// Bytes of memory for the pages of each checkpoint store.
    pub store_cache_bytes: usize,
    /// A peer that has not read so many bytes is disconnected.
    pub mailbox_bytes_max: usize,
    /// Inputs that may wait for a shard thread before clients are refused.
    pub inbox_inputs_max: usize,
    /// Bytes of inputs that may wait for a shard thread before clients are refused.
    pub inbox_bytes_max: usize,
    /// A journal makes a new segment only if so many bytes stay free on the disk; below it new work is refused.
    pub free_bytes_min: u64,
    /// The keys under which credentials are sealed; absent: there can be none.
    pub vault: Option<Arc<Vault>>,
    /// Whose data it is: every seal is bound to it.
    pub tenant: String,
    /// Networks that deliveries may go to although they are not the public internet.
    pub egress_allow: Vec<Network>,
    /// A file with certificates of authorities (PEM) that deliveries trust beside the usual ones.
    pub egress_ca_file: Option<PathBuf>,
}

impl Config {
    /// The defaults, for the data folder `data_dir`. An engine in a program of yours may call this machine and private networks.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            shards: None,
            threads: None,
            retention_ms: 24 * 3_600_000,
            events_retention_ms: 24 * 3_600_000,
            events_bytes_max: 1 << 30,
            idle_runs_max: 50_000,
            segment_bytes: 64 << 20,
            thrifty: false,
            checkpoint_bytes: 64 << 20,
            store_cache_bytes: 64 << 20,
            mailbox_bytes_max: 256 << 20,
            inbox_inputs_max: 200_000,
            inbox_bytes_max: 256 << 20,
            free_bytes_min: 16 << 20,
            vault: None,
            tenant: String::new(),
            egress_allow: [&Network::LOOPBACK[..], &Network::PRIVATE].concat(),
            egress_ca_file: None,
        }
    }
}

/// The number of shards of a new data folder, unless said otherwise.
pub(crate) const SHARDS_DEFAULT: u16 = 16;

/// The number of shard threads of a new data folder, unless said otherwise.
pub(crate) fn threads_default() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores / 2)
        .unwrap_or(SHARDS_DEFAULT)
        .clamp(1, SHARDS_DEFAULT)
}
