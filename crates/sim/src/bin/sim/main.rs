//! `sim`: runs seeds of the simulation for a time, one seed again, shrinks one, tries the planted bugs; fuzzes; tortures; the
//! acceptance of egress, and an outage.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant};
use trunkline_core::shard::Violation;
use trunkline_sim::marks::{MARKS, Marks};
use trunkline_sim::plan::Plan;
use trunkline_sim::shrink::{as_test, shrink};
use trunkline_sim::world::{Report, World};

mod egress;
mod fuzz;
mod keep;
#[cfg(feature = "mutants")]
mod mutants;
mod outage;
mod torture;

/// A mark that fewer seeds have not reached is no failure.
const SEEDS_FOR_MARKS: u64 = 1_500;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if !matches!(
        words.first(),
        Some(&("torture" | "egress" | "outage" | "keep-folder"))
    ) {
        // A panic of the engine is a finding, and is reported as one.
        std::panic::set_hook(Box::new(|_| {}));
    }
    match words[..] {
        ["seconds", seconds] => run_for(number(seconds), fresh()),
        ["seconds", seconds, "from", seed] => run_for(number(seconds), number(seed)),
        ["seed", seed] => run_one(number(seed)),
        ["shrink", seed] => shrink_one(number(seed)),
        ["fuzz", seconds] => fuzz::run_for(number(seconds), fresh()),
        ["fuzz", target, first] => fuzz::run_one(target, number(first)),
        ["egress", ref options @ ..] => egress::run(options, fresh()),
        ["outage", ref options @ ..] => outage::run(options),
        ["keep-folder", file] => keep::keep(file, None),
        ["keep-folder", file, program] => keep::keep(file, Some(program)),
        ["torture", seconds] => torture::run_for(number(seconds), fresh()),
        #[cfg(feature = "mutants")]
        ["mutants", ref names @ ..] => mutants::try_all(names),
        _ => {
            say(
                "sim seconds N [from SEED] | sim seed SEED | sim shrink SEED | sim fuzz SECONDS | sim fuzz DECODER NUMBER | sim \
                 torture SECONDS | sim egress [--jobs N …] | sim outage [--seconds N …] | sim keep-folder FILE | sim mutants [NAME ...]",
            );
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| {
        say(&format!("`{text}` is not a number; 1 is taken"));
        1
    })
}

/// A seed that was most likely never tried.
fn fresh() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| since.as_millis() as u64 * 1_000)
}

/// Runs a seed again, and tells everything that happens.
fn run_one(seed: u64) -> ExitCode {
    let plan = Plan::of_seed(seed);
    let report = World::run_and_tell(&plan);
    say(&format!("{:#?}", plan.setup));
    for line in &report.lines {
        say(&format!("{line:.4000}"));
    }
    let (steps, trace, inputs) = (plan.len(), report.trace, report.inputs);
    say(&format!(
        "seed {seed}: {steps} steps, trace {trace:032x}, {inputs} inputs"
    ));
    match report.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            say(&format!("{}: {}", violation.invariant, violation.detail));
            ExitCode::FAILURE
        }
    }
}

/// Prints the smallest test for what a seed finds.
fn shrink_one(seed: u64) -> ExitCode {
    let plan = Plan::of_seed(seed);
    match World::run(&plan).violation {
        None => {
            say(&format!("seed {seed} finds nothing"));
            ExitCode::SUCCESS
        }
        Some(violation) => {
            print_shrunk(seed, &plan, &violation);
            ExitCode::FAILURE
        }
    }
}

fn print_shrunk(seed: u64, plan: &Plan, violation: &Violation) {
    let mut fails = |plan: &Plan| {
        let found = World::run(plan).violation;
        found.is_some_and(|found| found.invariant == violation.invariant)
    };
    let least = shrink(plan, &mut fails);
    let found = format!("{}: {:.300}", violation.invariant, violation.detail);
    say(&format!(
        "seed {seed}: {} of {} steps are left",
        least.len(),
        plan.len()
    ));
    say(&as_test(&least, &format!("seed_{seed}"), &found));
}

fn run_for(seconds: u64, first: u64) -> ExitCode {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut sum = Sum::default();
    let mut failed = 0;
    for seed in first.. {
        if Instant::now() >= end {
            break;
        }
        let plan = Plan::of_seed(seed);
        let report = World::run(&plan);
        if let Some(violation) = &report.violation {
            failed += 1;
            let (name, detail) = (violation.invariant, &violation.detail);
            say(&format!(
                "SIM FAILED seed={seed} invariant={name}; again: make sim-seed SEED={seed}"
            ));
            say(&format!("{detail:.900}"));
            if failed == 1 {
                print_shrunk(seed, &plan, violation);
            }
        }
        sum.add(&report);
    }
    let Sum { seeds, inputs, .. } = sum;
    say(&format!(
        "seeds {seeds} from {first}, inputs {inputs}, batches {}, crashes {}, recoveries {}, requests {} answered and {} \
         refused, failed {failed}",
        sum.batches, sum.crashes, sum.recoveries, sum.answered, sum.refused,
    ));
    for mark in MARKS {
        say(&format!("{:>9} {mark}", sum.marks.count(mark)));
    }
    let missing = sum.marks.missing();
    if !missing.is_empty() {
        say(&format!("never reached: {missing:?}"));
    }
    let tame = seeds >= SEEDS_FOR_MARKS && !missing.is_empty();
    if failed == 0 && !tame {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    inputs: u64,
    batches: u64,
    crashes: u64,
    recoveries: u64,
    answered: u64,
    refused: u64,
    marks: Marks,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.inputs += report.inputs;
        self.batches += report.batches;
        self.crashes += report.crashes;
        self.recoveries += report.recoveries;
        self.answered += report.requests.0;
        self.refused += report.requests.1;
        self.marks.add(&report.marks);
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn say(text: &str) {
    println!("{text}");
}
