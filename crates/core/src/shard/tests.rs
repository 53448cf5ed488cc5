//! Scenarios of one shard: what goes in, what comes out, and after every input all invariants and a recovery.

mod batches;
mod belts;
mod breaker;
mod children;
mod cluster;
mod coalescing;
mod continues;
mod cost;
mod egress;
mod feed;
mod feed_kept;
mod kept;
mod lists;
mod mail;
mod many;
mod rewind;
mod runs;
mod schedules;
mod signals;
mod starts;
mod task_answers;
mod task_life;
mod tasks;
mod timers;
mod wander;
mod world;
