//! No window is ever exceeded, whatever is reserved and whenever it is used.

use super::{Allowance, NOT_BY_TIME};
use crate::egress::{Quota, Rate};
use crate::policy::scramble;
use crate::time::Timestamp;
use std::vec::Vec;

const RATE: Rate = Rate {
    per_second: 10,
    burst: 5,
};
const QUOTA: Quota = Quota {
    calls: 7,
    per_ms: 1_000,
};

#[test]
fn what_is_used_of_a_quota_counts_until_a_span_and_two_parts_of_it_are_over() {
    let mut allowance = Allowance::new(None, &[QUOTA], 0, &[]);
    let at = Timestamp(5_400);
    for _ in 0..7 {
        assert_eq!(allowance.wait_until(at, 0, 1), None);
        allowance.count(at, 1);
    }
    // Parts of 32 ms: 5,400 lies in the one that begins at 5,376.
    let clear = Timestamp(5_376 + 2 * 32 + 1_000);
    assert_eq!(allowance.wait_until(at, 0, 1), Some(clear));
    let kept = Allowance::new(None, &[QUOTA], 0, &allowance.used());
    assert_eq!(
        kept.wait_until(at, 0, 1),
        Some(clear),
        "a restart changes nothing"
    );
    assert_eq!(kept.wait_until(Timestamp(clear.0 - 1), 0, 1), Some(clear));
    assert_eq!(kept.wait_until(clear, 0, 7), None);
    assert_eq!(kept.wait_until(clear, 0, 8), Some(NOT_BY_TIME));
}

#[test]
fn a_clock_that_is_set_back_gives_nothing_away() {
    let mut allowance = Allowance::new(None, &[QUOTA], 0, &[]);
    allowance.count(Timestamp(50_000), 7);
    assert!(allowance.wait_until(Timestamp(10_000), 0, 1).is_some());
    allowance.count(Timestamp(10_000), 1);
    assert!(allowance.wait_until(Timestamp(11_500), 0, 1).is_some());
    assert_eq!(allowance.wait_until(Timestamp(51_100), 0, 7), None);
}

#[test]
fn a_dear_call_waits_until_there_is_room_for_all_of_it() {
    let mut allowance = Allowance::new(None, &[QUOTA], 0, &[]);
    allowance.count(Timestamp(3_200), 2);
    allowance.count(Timestamp(3_520), 3);
    let at = Timestamp(3_600);
    assert_eq!(allowance.wait_until(at, 0, 2), None);
    assert_eq!(
        allowance.wait_until(at, 0, 4),
        Some(Timestamp(3_200 + 64 + 1_000))
    );
    assert_eq!(
        allowance.wait_until(at, 0, 5),
        Some(Timestamp(3_520 + 64 + 1_000))
    );
    assert_eq!(allowance.exhausted(at, 0, 5), Some(QUOTA));
    assert_eq!(allowance.exhausted(at, 0, 2), None);
}

#[test]
fn what_is_reserved_is_as_good_as_used() {
    let allowance = Allowance::new(Some(RATE), &[QUOTA], 0, &[]);
    let at = Timestamp(5_000);
    assert_eq!(allowance.wait_until(at, 4, 1), None);
    assert_eq!(allowance.wait_until(at, 5, 1), Some(NOT_BY_TIME));
}

/// Grants are made when they are admitted, used or given back at any later time, and reported later still.
#[test]
fn no_window_is_exceeded_however_late_grants_are_used() {
    for seed in 0..200_u64 {
        let mut dice = seed;
        let mut roll = |sides: u64| {
            dice = scramble(dice);
            dice % sides
        };
        let mut allowance = Allowance::new(Some(RATE), &[QUOTA], 0, &[]);
        let (mut now, mut granted, mut unreported, mut sent) =
            (1_000_000, 0, Vec::new(), Vec::new());
        for _ in 0..400 {
            now += roll(120);
            let reserved = granted + unreported.len() as u64;
            match roll(4) {
                0 | 1 if allowance.wait_until(Timestamp(now), reserved, 1).is_none() => {
                    granted += 1;
                }
                2 if granted > 0 => {
                    granted -= 1;
                    unreported.push(now);
                    sent.push(now);
                }
                3 if roll(3) > 0 => {
                    for at in unreported.drain(..) {
                        allowance.count(Timestamp(at), 1);
                    }
                }
                3 => granted = granted.saturating_sub(1),
                _ => {}
            }
            if roll(10) == 0 {
                let due_us = allowance.due_us().expect("a rate");
                allowance = Allowance::new(Some(RATE), &[QUOTA], due_us, &allowance.used());
            }
        }
        assert!(sent.len() > 20, "{seed}");
        for (place, first) in sent.iter().enumerate() {
            for (count, last) in sent[place..].iter().enumerate() {
                let most = 5 + (last - first) / 100;
                assert!(
                    (count as u64) < most,
                    "seed {seed}: {} within {} ms",
                    count + 1,
                    last - first
                );
            }
            // A part's time may pass on the way to the receiver.
            let in_span = sent[place..].iter().filter(|at| *at - first < 1_000 + 32);
            let in_span = in_span.count();
            assert!(in_span <= 7, "seed {seed}: {in_span} in one span");
        }
    }
}
