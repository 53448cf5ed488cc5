//! Figures of the engine's own work, for metrics. The figures of runs and jobs are the core's `Counters`.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! figures {
    ($( $(#[$doc:meta])* $name:ident, )*) => {
        /// Figures of an engine since it was opened, except where it says otherwise.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Stats {
            $( $(#[$doc])* pub $name: u64, )*
        }

        /// The same, being counted.
        #[derive(Debug, Default)]
        pub(crate) struct Figures {
            $( pub(crate) $name: AtomicU64, )*
        }

        impl Figures {
            pub(crate) fn stats(&self) -> Stats {
                Stats { $( $name: self.$name.load(Ordering::Relaxed), )* }
            }
        }
    };
}

figures! {
    /// Inputs taken by shard threads.
    inputs,
    /// Batches: times a shard thread ran through what waited.
    batches,
    /// Times a shard thread woke up.
    wakeups,
    /// Commits made durable.
    commits,
    /// Bytes of their bodies.
    commit_bytes,
    /// Syncs of journals.
    syncs,
    /// Time spent writing and syncing, in microseconds.
    sync_us,
    /// Checkpoints written.
    checkpoints,
    /// Rows written to stores by checkpoints.
    checkpoint_rows,
    /// Time spent writing checkpoints, in microseconds.
    checkpoint_us,
    /// Bytes of commits since the last checkpoint, now: what the memory tables hold on to.
    memtable_bytes,
    /// Bytes that a restart would replay from the journals, now.
    journal_bytes,
    /// Deliveries begun.
    deliveries,
    /// Deliveries under way, now.
    deliveries_in_flight,
    /// Peers connected, now.
    peers,
    /// Peers disconnected because they did not read.
    peers_dropped,
    /// Requests refused at the door.
    refused,
}

pub(crate) fn add(figure: &AtomicU64, count: u64) {
    figure.fetch_add(count, Ordering::Relaxed);
}

pub(crate) fn subtract(figure: &AtomicU64, count: u64) {
    figure.fetch_sub(count, Ordering::Relaxed);
}
