//! `sim`: runs seeds of the simulation for a time, one seed again, or the planted bugs.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant};
use trunkline_sim::marks::Marks;
use trunkline_sim::plan::Plan;
use trunkline_sim::world::{Report, World};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["seconds", seconds] => run_for(number(seconds), fresh()),
        ["seconds", seconds, "from", seed] => run_for(number(seconds), number(seed)),
        ["seed", seed] => run_one(number(seed)),
        _ => {
            say("sim seconds N [from SEED] | sim seed SEED");
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

fn run_for(seconds: u64, first: u64) -> ExitCode {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut sum = Sum::default();
    let mut failed = 0;
    for seed in first.. {
        if Instant::now() >= end {
            break;
        }
        let report = World::run(&Plan::of_seed(seed));
        if let Some(violation) = &report.violation {
            failed += 1;
            say(&format!(
                "seed {seed}: {}: {:.600}",
                violation.invariant, violation.detail
            ));
        }
        sum.add(&report);
    }
    say(&format!(
        "seeds {} from {first}, inputs {}, batches {}, crashes {}, recoveries {}, requests {} answered and {} refused, failed {failed}",
        sum.seeds, sum.inputs, sum.batches, sum.crashes, sum.recoveries, sum.answered, sum.refused,
    ));
    for mark in trunkline_sim::marks::MARKS {
        say(&format!("{:>9} {mark}", sum.marks.count(mark)));
    }
    if failed == 0 {
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
