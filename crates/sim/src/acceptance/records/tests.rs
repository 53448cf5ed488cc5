//! Records that break each promise, and some that keep all.

use super::{Arrival, Call, End, Expected, Seen};
use std::collections::BTreeMap;
use std::time::Duration;

fn expected(jobs: u64) -> Expected {
    Expected {
        lanes: BTreeMap::from([("a".to_owned(), jobs)]),
        per_second: 100,
        burst: 10,
        concurrency: 2,
        told_twice_max: 0,
        kills: Vec::new(),
    }
}

fn seen(arrivals: &[(u64, &str, End)]) -> Seen {
    let mut seen = Seen::default();
    for (place, key, end) in arrivals {
        let arrival = Arrival {
            place: *place,
            sequence: *place,
            key: (*key).to_owned(),
            end: *end,
        };
        if *end != End::Failed {
            seen.accepted.insert(("a".to_owned(), *place));
        }
        seen.lanes.entry("a".to_owned()).or_default().push(arrival);
    }
    seen
}

fn calls(ms: impl IntoIterator<Item = u64>) -> Seen {
    let call = |ms| Call {
        at: Duration::from_millis(ms),
        patience_until: None,
    };
    Seen {
        calls: ms.into_iter().map(call).collect(),
        ..Seen::default()
    }
}

#[track_caller]
fn finds(seen: &Seen, expected: &Expected, words: &str) {
    let (_, wrong) = seen.judge(expected);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].contains(words), "{wrong:?}");
}

#[test]
fn failures_and_repeats_under_one_key_are_as_promised() {
    use End::{Accepted, Failed, Lost};
    let seen = seen(&[
        (1, "k1", Failed),
        (1, "k1", Lost),
        (1, "k1", Lost),
        (1, "k1", Accepted),
        (2, "k2", Accepted),
    ]);
    let (tally, wrong) = seen.judge(&expected(2));
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(
        (tally.arrivals, tally.accepted, tally.failed, tally.lost),
        (5, 2, 1, 2)
    );
    assert_eq!((tally.duplicates, tally.told_twice), (2, 0));
}

#[test]
fn each_broken_promise_is_found() {
    use End::{Accepted, Failed};
    let one = (1, "k1", Accepted);
    finds(&seen(&[one]), &expected(2), "1 of 2 jobs arrived");
    finds(
        &seen(&[
            (1, "k1", Failed),
            (2, "k2", Failed),
            one,
            (2, "k2", Accepted),
        ]),
        &expected(2),
        "job 2 came when 0 was the last",
    );
    finds(
        &seen(&[(1, "k0", Failed), one]),
        &expected(1),
        "under two keys",
    );
    finds(
        &seen(&[one, (2, "k1", Accepted)]),
        &expected(2),
        "is of two jobs",
    );
    finds(&seen(&[one, one]), &expected(1), "came again");
    let mut renumbered = seen(&[one]);
    renumbered.lanes.get_mut("a").expect("it is there")[0].sequence = 7;
    finds(&renumbered, &expected(1), "came as number 7");
}

#[test]
fn a_repeat_after_an_answer_needs_an_explanation() {
    let one = (1, "k1", End::Accepted);
    let mut expected = expected(1);
    expected.told_twice_max = 1;
    let (tally, wrong) = seen(&[one, one]).judge(&expected);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(tally.told_twice, 1);
}

/// 100 a second and 10 at once, two under way, and a twentieth of a second: 17.
#[test]
fn a_limiter_that_begins_anew_after_a_restart_is_found() {
    let none = Expected {
        lanes: BTreeMap::new(),
        ..expected(0)
    };
    let steady = (0..10).map(|_| 0).chain((1..100).map(|call| call * 10));
    let (_, wrong) = calls(steady.clone()).judge(&none);
    assert!(wrong.is_empty(), "{wrong:?}");
    let anew = steady
        .chain((0..10).map(|_| 995))
        .chain((0..10).map(|_| 999));
    finds(&calls(anew), &none, "beyond 100 a second");
}

#[test]
fn who_is_asked_for_patience_and_has_none_is_found() {
    let none = Expected {
        lanes: BTreeMap::new(),
        ..expected(0)
    };
    let mut seen = calls([0, 100, 1_200, 2_100]);
    seen.calls[0].patience_until = Some(Duration::from_secs(2));
    finds(&seen, &none, "1 calls came before the patience was over");
    let killed = Expected {
        kills: vec![Duration::from_millis(50)],
        ..none
    };
    let (_, wrong) = seen.judge(&killed);
    assert!(wrong.is_empty(), "{wrong:?}");
}
