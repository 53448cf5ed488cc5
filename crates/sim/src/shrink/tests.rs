//! What is left of a failing plan fails, and nothing can be taken from it.

use super::*;

fn kills(plan: &Plan) -> usize {
    let steps = plan.warm.iter().chain(&plan.chaos);
    steps.filter(|step| **step == Step::Kill).count()
}

#[test]
fn what_is_left_is_what_it_takes() {
    // A failure that takes a kill, and workers that fail: everything else goes.
    let seeds = (0..).map(Plan::of_seed);
    let plan = seeds
        .filter(|plan| kills(plan) > 1 && plan.setup.fail > 0)
        .find(|plan| plan.len() > 100)
        .unwrap();
    let mut fails = |plan: &Plan| kills(plan) > 0 && plan.setup.fail > 0;
    let least = shrink(&plan, &mut fails);
    assert_eq!(least.len(), 1, "{least:?}");
    assert_eq!(kills(&least), 1);
    assert_eq!((least.setup.late, least.setup.twice), (0, 0));
    assert!(least.setup.fail > 0);
}

#[test]
fn a_plan_is_printed_as_a_test() {
    let mut plan = Plan::of_seed(1);
    plan.warm = vec![Step::Signal { run: 1, nonce: 2 }];
    plan.chaos = vec![Step::Crash {
        policy: trunkline_journal::CrashPolicy::DropAll,
        seed: 3,
        during_recovery: 0,
        clock_back_ms: 0,
    }];
    let text = as_test(&plan, "a_name", "NAME: what was found");
    for line in [
        "fn a_name() {",
        "        setup: Setup {",
        "            Step::Signal { run: 1, nonce: 2 },",
        "            Step::Crash { policy: CrashPolicy::DropAll, seed: 3, during_recovery: 0, clock_back_ms: 0 },",
    ] {
        assert!(text.lines().any(|known| known == line), "{text}");
    }
}
