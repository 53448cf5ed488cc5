//! The queue: order in groups, leases, limits, and every short sequence of operations.

use super::*;
use crate::egress::Rate;
use std::vec;

const PEER: PeerId = PeerId(1);

fn at(ms: u64) -> Timestamp {
    Timestamp(ms)
}

/// Takes with the key's own number as token, so that tests can name leases.
fn take(queue: &mut Queue<u32>, now: u64) -> Option<u32> {
    let key = queue.take(at(now), PEER, Token(7), at(now + 1_000));
    queue.check().unwrap();
    key
}

fn group(name: &str) -> Option<Name> {
    Some(Name::from(name))
}

#[test]
fn ungrouped_messages_leave_in_order() {
    let mut queue = Queue::default();
    for key in 0..4 {
        queue.push(at(0), key, None, at(0));
    }
    let taken: Vec<_> = core::iter::from_fn(|| take(&mut queue, 0)).collect();
    assert_eq!(taken, vec![0, 1, 2, 3]);
}

#[test]
fn a_group_has_one_in_flight_and_keeps_its_order() {
    let mut queue = Queue::default();
    queue.push(at(0), 1, group("a"), at(0));
    queue.push(at(0), 2, group("a"), at(0));
    queue.push(at(0), 3, group("b"), at(0));
    assert_eq!(take(&mut queue, 0), Some(1));
    assert_eq!(take(&mut queue, 0), Some(3));
    assert_eq!(take(&mut queue, 0), None);
    queue.remove(at(0), 1);
    assert_eq!(take(&mut queue, 0), Some(2));
}

#[test]
fn a_delayed_retry_blocks_only_its_group() {
    let mut queue = Queue::default();
    queue.push(at(0), 1, group("a"), at(0));
    queue.push(at(0), 2, group("a"), at(0));
    queue.push(at(0), 3, group("b"), at(0));
    assert_eq!(take(&mut queue, 0), Some(1));
    queue.retry(at(0), 1, at(500));
    assert_eq!(take(&mut queue, 0), Some(3));
    assert_eq!(take(&mut queue, 499), None);
    assert_eq!(queue.next_deadline(at(0)), Some(at(500)));
    assert_eq!(
        take(&mut queue, 500),
        Some(1),
        "the retried message is still first in its line"
    );
}

#[test]
fn a_late_token_proves_nothing() {
    let mut queue = Queue::default();
    queue.push(at(0), 1, None, at(0));
    assert_eq!(queue.take(at(0), PEER, Token(1), at(10)), Some(1));
    assert_eq!(queue.lapsed(at(10)).len(), 1);
    queue.retry(at(10), 1, at(10));
    assert_eq!(queue.take(at(10), PEER, Token(2), at(20)), Some(1));
    assert!(queue.lease(1, Token(1)).is_none());
    assert!(queue.lease(1, Token(2)).is_some());
}

#[test]
fn what_a_gone_peer_held_leaves_first() {
    let mut queue = Queue::default();
    for key in 1..=3 {
        queue.push(at(0), key, None, at(0));
    }
    take(&mut queue, 0);
    take(&mut queue, 0);
    assert_eq!(queue.release(PEER), vec![1, 2]);
    queue.check().unwrap();
    let taken: Vec<_> = core::iter::from_fn(|| take(&mut queue, 0)).collect();
    assert_eq!(taken, vec![1, 2, 3]);
}

#[test]
fn limits_admit_before_a_message_leaves() {
    let mut queue = Queue::default();
    queue.limit(
        Allowance::new(
            Some(Rate {
                per_second: 10,
                burst: 1,
            }),
            &[],
            0,
            &[],
        ),
        2,
    );
    for key in 1..=3 {
        queue.push(at(1_000), key, None, at(0));
    }
    assert_eq!(take(&mut queue, 1_000), Some(1));
    assert_eq!(take(&mut queue, 1_000), None);
    assert_eq!(queue.next_deadline(at(1_000)), Some(at(1_100)));
    assert_eq!(
        queue.blocked_on(at(1_000), 2).as_deref(),
        Some("the rate limit, next slot in 100 ms")
    );
    assert_eq!(take(&mut queue, 1_100), Some(2));
    assert_eq!(
        take(&mut queue, 1_300),
        None,
        "two are in flight, and two is the limit"
    );
    assert_eq!(
        queue.blocked_on(at(1_300), 3).as_deref(),
        Some("the concurrency limit of 2")
    );
}

#[test]
fn patience_holds_everything_back() {
    let mut queue = Queue::default();
    queue.push(at(0), 1, None, at(0));
    queue.hold(at(2_000));
    queue.hold(at(1_000));
    assert_eq!(take(&mut queue, 1_999), None);
    assert_eq!(queue.next_deadline(at(0)), Some(at(2_000)));
    assert_eq!(take(&mut queue, 2_000), Some(1));
}

/// Every sequence of up to six operations on two groups and an ungrouped message: the invariants hold, and no group ever
/// has two in flight or leaves out of order.
#[test]
fn every_short_sequence_of_operations_keeps_the_invariants() {
    const OPERATIONS: usize = 7;
    for length in 1..=6_u32 {
        for code in 0..OPERATIONS.pow(length) {
            let mut queue = Queue::default();
            let mut rest = code;
            let mut now = 0;
            let mut next = 0_u32;
            let mut settled: Vec<u32> = Vec::new();
            for _ in 0..length {
                match rest % OPERATIONS {
                    0 | 1 => {
                        // Even keys share a lane, odd keys have none.
                        let lane = (next.is_multiple_of(2)).then(|| Name::from("even"));
                        queue.push(at(now), next, lane, at(now));
                        next += 1;
                    }
                    2 => {
                        queue.take(at(now), PEER, Token(u64::from(next)), at(now + 2));
                    }
                    3 => {
                        let leased = (0..next).find(|key| {
                            queue
                                .messages
                                .get(key)
                                .is_some_and(|m| matches!(m.state, State::Leased(_)))
                        });
                        if let Some(key) = leased {
                            queue.remove(at(now), key);
                            settled.push(key);
                        }
                    }
                    4 => {
                        if let Some((key, _)) = queue.lapsed(at(now + 9)).first().copied() {
                            queue.retry(at(now), key, at(now + 1));
                        }
                    }
                    5 => {
                        queue.release(PEER);
                    }
                    _ => now += 1,
                }
                rest /= OPERATIONS;
                queue
                    .check()
                    .unwrap_or_else(|wrong| panic!("{length}/{code}: {wrong}"));
            }
            let even: Vec<u32> = settled
                .into_iter()
                .filter(|key| key.is_multiple_of(2))
                .collect();
            assert!(
                even.is_sorted(),
                "{length}/{code}: lane settled out of order: {even:?}"
            );
        }
    }
}
