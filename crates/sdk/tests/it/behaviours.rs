//! What workflow code can count on, one named behaviour each: `b6_several_methods_run_in_order` is behaviour B6 of
//! `docs/behaviours.md`. Each is shown with futures kept between turns and with every turn replayed.

mod batches;
mod branches;
mod cache;
mod channels;
mod children;
mod context;
mod deferred;
mod delegation;
mod errands;
mod errors;
mod failing_children;
mod killed;
mod own_methods;
mod patches;
mod properties;
mod queries;
mod receiving;
mod retried;
mod steps;
mod syntax;
mod tagged;
mod time_outs;
mod timers;
mod versions;
mod views;
mod weaknesses;

use trunkline::testing::{TestBed, TestKit};

/// A bed for each way of keeping runs: futures parked in memory, and every turn a replay from the beginning.
async fn beds(kit: impl Fn() -> TestKit) -> [TestBed; 2] {
    [
        kit().start().await,
        kit().evict_after_every_turn().start().await,
    ]
}
