//! Shrinking: a plan that fails loses steps and faults for as long as it still fails, and what is left is printed as a test.
//!
//! Steps go in ever smaller pieces (Zeller's ddmin), then the behaviours of the setup one by one. A plan names things by small
//! numbers, so whatever is left is a plan.

use crate::plan::{Plan, Setup, Step};
use std::fmt::Write as _;

/// How often a plan may be tried.
const TRIES_MAX: u32 = 600;

/// The smallest plan found for which `fails` still holds, as it does for `plan`.
pub fn shrink(plan: &Plan, fails: &mut dyn FnMut(&Plan) -> bool) -> Plan {
    let mut shrinking = Shrinking {
        best: plan.clone(),
        tries: 0,
        fails,
    };
    loop {
        let before = shrinking.best.clone();
        shrinking.drop_steps();
        shrinking.calm();
        if shrinking.best == before || shrinking.tries >= TRIES_MAX {
            return shrinking.best;
        }
    }
}

struct Shrinking<'a> {
    best: Plan,
    tries: u32,
    fails: &'a mut dyn FnMut(&Plan) -> bool,
}

impl Shrinking<'_> {
    /// Takes a smaller plan if it fails, too.
    fn offer(&mut self, smaller: Plan) -> bool {
        if self.tries >= TRIES_MAX || smaller == self.best {
            return false;
        }
        self.tries += 1;
        let taken = (self.fails)(&smaller);
        if taken {
            self.best = smaller;
        }
        taken
    }

    fn drop_steps(&mut self) {
        let mut size = self.best.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < self.best.len() {
                let smaller = without(&self.best, start, start + size);
                if !self.offer(smaller) {
                    start += size;
                }
            }
            size /= 2;
        }
    }

    /// Switches off one behaviour after the other, and makes the world smaller.
    fn calm(&mut self) {
        let calmer: [fn(&mut Setup); 24] = [
            |setup| setup.evict = 0,
            |setup| setup.twice = 0,
            |setup| setup.late = 0,
            |setup| setup.hang = 0,
            |setup| setup.ahead = 0,
            |setup| setup.delegate = 0,
            |setup| setup.fail = 0,
            |setup| setup.error = 0,
            |setup| setup.refuse = 0,
            |setup| setup.patience = 0,
            |setup| setup.lost = 0,
            |setup| setup.silent = 0,
            |setup| setup.rules = 0,
            |setup| setup.again = 0,
            |setup| setup.hold = 0,
            |setup| setup.step = 100,
            |setup| setup.sync = 100,
            |setup| setup.keep = 100,
            |setup| setup.threads = 1,
            |setup| setup.shards = setup.threads,
            |setup| setup.retention_ms = 86_400_000,
            |setup| setup.idle_runs_max = 1_000,
            |setup| setup.checkpoint_kib = 1_024,
            |setup| setup.segment_kib = 64,
        ];
        for calm in calmer {
            let mut smaller = self.best.clone();
            calm(&mut smaller.setup);
            self.offer(smaller);
        }
    }
}

/// The plan without its steps from `start` to before `end`, counted through both phases.
fn without(plan: &Plan, start: usize, end: usize) -> Plan {
    let warm = plan.warm.len();
    let keep = |offset: usize, steps: &[Step]| -> Vec<Step> {
        let numbered = steps.iter().enumerate();
        let kept = numbered.filter(|(place, _)| !(start..end).contains(&(offset + place)));
        kept.map(|(_, step)| *step).collect()
    };
    Plan {
        setup: plan.setup.clone(),
        warm: keep(0, &plan.warm),
        chaos: keep(warm, &plan.chaos),
    }
}

/// A test that runs the plan, ready to be pasted into `crates/sim/tests/it/regressions.rs`.
#[must_use]
pub fn as_test(plan: &Plan, name: &str, found: &str) -> String {
    let mut text = String::new();
    let steps = |steps: &[Step]| -> String {
        let lines = steps.iter().map(|step| {
            let step = format!("{step:?}").replace("policy: ", "policy: CrashPolicy::");
            format!("            Step::{step},\n")
        });
        lines.collect()
    };
    let setup = format!("{:#?}", plan.setup).replace('\n', "\n        ");
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "/// {found}\n#[test]\nfn {name}() {{\n    hold(&Plan {{\n        setup: {setup},\n        warm: vec![\n{}        ],\n        \
         chaos: vec![\n{}        ],\n    }});\n}}\n",
        steps(&plan.warm),
        steps(&plan.chaos),
    );
    text
}

#[cfg(test)]
mod tests;
