//! The planted bugs: each must be caught, within so many seeds.

use crate::say;
use std::process::ExitCode;
use trunkline_core::mutant as core;
use trunkline_journal::mutant as journal;
use trunkline_sim::plan::Plan;
use trunkline_sim::world::World;

/// Seeds that a planted bug may live through.
const SEEDS_MAX: u64 = 200;

/// Tries those with these names, or all.
pub(crate) fn try_all(names: &[&str]) -> ExitCode {
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    let (mut caught, mut missed) = (0, Vec::new());
    let mut count = |name: &'static str| {
        if try_one(name) {
            caught += 1;
        } else {
            missed.push(name);
        }
    };
    for mutant in core::Mutant::ALL {
        if wanted(mutant.name()) {
            core::plant(Some(*mutant));
            count(mutant.name());
        }
    }
    core::plant(None);
    for mutant in journal::Mutant::ALL {
        if wanted(mutant.name()) {
            journal::plant(Some(*mutant));
            count(mutant.name());
        }
    }
    journal::plant(None);
    say(&format!(
        "caught {caught}, missed {}: {missed:?}",
        missed.len()
    ));
    if missed.is_empty() && caught > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn try_one(name: &str) -> bool {
    for seed in 1..=SEEDS_MAX {
        if let Some(violation) = World::run(&Plan::of_seed(seed)).violation {
            let (invariant, detail) = (violation.invariant, violation.detail);
            say(&format!(
                "{name:<32} caught by seed {seed:>3}: {invariant}: {detail:.110}"
            ));
            return true;
        }
    }
    say(&format!("{name:<32} lived through {SEEDS_MAX} seeds"));
    false
}
