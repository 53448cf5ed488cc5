//! Scenarios of one shard: what goes in, what comes out, and after every input all invariants and a recovery.

mod egress;
mod mail;
mod runs;
mod tasks;
mod wander;
mod world;
