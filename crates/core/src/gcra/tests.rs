//! The rate limiter: no window over the limit, the full rate reached, restarts without effect.

use super::*;
use std::vec::Vec;

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate { per_second, burst }
}

/// Calls as early as the limiter allows, for `ms` milliseconds from `start`.
fn greedy(gcra: &mut Gcra, start: u64, ms: u64) -> Vec<u64> {
    let mut calls = Vec::new();
    for now in start..start + ms {
        while gcra.wait_until(Timestamp(now)).is_none() {
            gcra.admit(Timestamp(now));
            calls.push(now);
        }
    }
    calls
}

#[test]
fn no_window_holds_more_than_the_rate_and_the_burst() {
    for (per_second, burst) in [(1, 1), (10, 1), (10, 5), (500, 20), (999, 1), (5_000, 50)] {
        let mut gcra = Gcra::new(rate(per_second, burst), 0);
        let calls = greedy(&mut gcra, 10_000, 3_000);
        for (i, first) in calls.iter().enumerate() {
            for span in [100_u64, 500, 1_000] {
                let within = calls[i..]
                    .iter()
                    .take_while(|at| **at < first + span)
                    .count() as u64;
                let allowed = u64::from(burst) + (span * u64::from(per_second)).div_ceil(1_000) + 1;
                assert!(
                    within <= allowed,
                    "{per_second}/s: {within} calls in {span} ms"
                );
            }
        }
    }
}

#[test]
fn the_full_rate_is_reached() {
    let mut gcra = Gcra::new(rate(500, 10), 0);
    assert!(greedy(&mut gcra, 10_000, 2_000).len() >= 1_000);
}

#[test]
fn a_restart_with_the_stored_number_changes_nothing() {
    let mut gcra = Gcra::new(rate(100, 3), 0);
    greedy(&mut gcra, 10_000, 500);
    let mut reopened = Gcra::new(rate(100, 3), gcra.due_us());
    assert_eq!(
        greedy(&mut gcra, 10_500, 500),
        greedy(&mut reopened, 10_500, 500)
    );
}
