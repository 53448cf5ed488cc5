//! The shell around the core: shard threads, group commit, timers, dispatch and delivery.
