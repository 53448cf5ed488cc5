//! Fuzzing for as long as one likes.

use crate::say;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trunkline_sim::fuzz::{TARGETS, Target};

/// Inputs that one decoder gets before the next has its turn.
const ROUND: u64 = 500;

/// Gives every decoder fresh inputs, in turns.
pub(crate) fn run_for(seconds: u64, first: u64) -> ExitCode {
    let end = Instant::now() + Duration::from_secs(seconds);
    let targets: Vec<(&Target, Vec<Vec<u8>>)> = TARGETS
        .iter()
        .map(|target| (target, target.corpus()))
        .collect();
    let (mut inputs, mut next) = (0, first);
    while Instant::now() < end {
        for (target, corpus) in &targets {
            match target.try_numbers(corpus, next..next + ROUND) {
                Ok(count) => inputs += count,
                Err((number, found)) => {
                    let name = target.name;
                    say(&format!("FUZZ FAILED {name} {number}: {}", found.what));
                    say(&format!("again: sim fuzz {name} {number}"));
                    say(&format!("{:02x?}", found.input));
                    return ExitCode::FAILURE;
                }
            }
        }
        next += ROUND;
    }
    say(&format!(
        "{inputs} inputs from {first} for {} decoders, all answered",
        targets.len()
    ));
    ExitCode::SUCCESS
}

/// Gives one decoder one input again.
pub(crate) fn run_one(name: &str, number: u64) -> ExitCode {
    let Some(target) = Target::named(name) else {
        say(&format!("there is no decoder `{name}`"));
        return ExitCode::FAILURE;
    };
    let input = target.input(&target.corpus(), number);
    match target.try_input(&input) {
        Ok(()) => ExitCode::SUCCESS,
        Err(found) => {
            say(&format!("{}: {:02x?}", found.what, found.input));
            ExitCode::FAILURE
        }
    }
}
