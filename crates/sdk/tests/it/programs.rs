//! Random workflow programs against an independent model.
//!
//! A seed makes a world: a hundred programs, an engine in memory, and faults to come. A program is a tree of what workflow
//! code can do: tasks that fail and are tried again, timers, signals from outside and between runs, steps, races, sagas, methods
//! that clients and the run itself call, children with children, continuing as new. A workflow interprets it, and a model, which
//! knows nothing of turns, histories or time, says what must come of it: the exact counters, the exact outcome, which effects
//! the outside world sees, with how many attempts each, and in which order sagas undo. Some programs are cancelled or terminated
//! at any moment; then how many of their steps are done, which they note, decides all the rest. Engines crash at a random write to their disk, workers die in the middle of things, and every second world
//! evicts runs after each turn. At the end everything must have ended, and every history must replay.
//!
//! ```text
//! PROGRAMS=100000 SEED=7 cargo test -p trunkline --test it programs::
//! ```
//!
//! What fails is made smaller as long as it fails, and printed as a test to paste.

mod check;
mod drive;
mod generate;
mod interpret;
mod model;
mod outside;
mod planted;
mod program;
mod shrink;
mod world;

use generate::Rng;
use std::time::{Duration, Instant};
use world::World;

/// Programs of one world.
const PROGRAMS_PER_WORLD: usize = 100;
/// Programs of one run of the tests, unless PROGRAMS says otherwise.
const PROGRAMS: usize = 10_000;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
    )
}

/// A seed that nobody has chosen.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) >> 16
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_programs_come_out_as_the_model_says() {
    let seed = number("SEED").unwrap_or_else(fresh_seed);
    let programs = number("PROGRAMS").map_or(PROGRAMS, |programs| programs as usize);
    let worlds = programs.div_ceil(PROGRAMS_PER_WORLD);
    println!("SEED={seed} PROGRAMS={programs}");
    let begun = Instant::now();
    let mut rng = Rng::new(seed);
    let mut seen = world::Seen::default();
    for number in 0..worlds {
        let world = World::random(rng.next(), PROGRAMS_PER_WORLD, number % 2 == 1);
        match world.run().await {
            Ok(of_this) => seen.add(&of_this),
            Err(failure) => {
                let report = shrink::report(world, &failure).await;
                panic!("world {number} of SEED={seed}:\n{report}");
            }
        }
    }
    println!("{seen:?} in {:?}", begun.elapsed());
    // A harness that never meets what it is for would be a harness that cannot fail.
    if worlds >= 10 {
        seen.assert_that_everything_happened();
    }
}

/// For tests to paste: the same world again, so often that what depends on who is quicker has its chance.
#[allow(dead_code, reason = "printed tests call it")]
async fn check_again(world: &str) {
    let world: World = serde_json::from_str(world).unwrap();
    for _ in 0..50 {
        if let Err(failure) = world.run().await {
            panic!("{failure}");
        }
    }
}

/// How long a world may take before it counts as stuck. No world needs a hundredth of it.
const STUCK_AFTER: Duration = Duration::from_secs(30);
