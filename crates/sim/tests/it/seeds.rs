//! The simulation, bounded: fresh seeds for a while, the seeds that have found something, and the same seed twice.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trunkline_sim::plan::Plan;
use trunkline_sim::world::World;

/// How long fresh seeds are tried.
const FRESH: Duration = Duration::from_secs(20);

/// Seeds that once found a bug, in the engine or in the simulator, each with the groups of steps that worlds knew then that go
/// into all of egress.
const REGRESSIONS: &[(usize, u64)] = &[
    (0, 1),
    (0, 4),
    (0, 6),
    (0, 7),
    (0, 12),
    (0, 16),
    // An answer that was accepted early was lost with the time of all attempts.
    (0, 1_795_298_943_632_018),
    // A rewind behind a first turn that had played the start alone.
    (0, 1_795_298_943_634_692),
    (0, 1_795_298_943_635_684),
    // A newer job took the place of one that others wait for, and stood behind them.
    (3, 1),
    (3, 39),
    // After a restart a job was superseded that stood before a replayed one.
    (3, 27),
    // The call of a job lapsed in the batch in which its report came.
    (3, 9),
    // A job waited for an expired one that was gone.
    (3, 1_795_306_825_851_010),
    // An object waited since a time that the clock had not come to again.
    (3, 1_795_307_222_106_197),
    // A destination was configured twice in one batch.
    (3, 1_795_307_626_084_220),
    // A run that was retried heard the answer to what the retry had cut away.
    (3, 1_795_308_531_957_033),
    // A turn that was refused had asked for another signal.
    (3, 1_795_314_063_691_627),
    // A fork was cut behind a first turn that had played the start alone.
    (3, 1_795_315_180_184_227),
    // A destination was without a quota for a part of a batch.
    (4, 1_795_318_636_615_443),
    // A fork was asked for of several runs.
    (4, 1_795_319_776_166_068),
];

fn hold(seed: u64) {
    hold_plan(seed, &Plan::of_seed(seed));
}

fn hold_plan(seed: u64, plan: &Plan) {
    if let Some(violation) = World::run(plan).violation {
        panic!("seed {seed}: {}: {}", violation.invariant, violation.detail);
    }
}

#[test]
fn no_fresh_seed_breaks_an_invariant() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = since.as_millis() as u64 * 1_000;
    let end = Instant::now() + FRESH;
    let mut seeds = 0;
    while Instant::now() < end || seeds == 0 {
        hold(first + seeds);
        seeds += 1;
    }
    println!("seeds {first} to {}", first + seeds - 1);
}

#[test]
fn no_seed_that_once_found_something_breaks_an_invariant() {
    for (groups, seed) in REGRESSIONS {
        hold_plan(*seed, &Plan::early_of_seed(*seed, *groups));
    }
}

#[test]
fn the_same_seed_makes_the_same_world() {
    for seed in 0..3 {
        let run = || World::run(&Plan::of_seed(seed)).trace;
        assert_eq!(run(), run(), "seed {seed}");
    }
    let trace = |seed| World::run(&Plan::of_seed(seed)).trace;
    assert_ne!(trace(0), trace(1));
}
