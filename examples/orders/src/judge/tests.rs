//! The judge: planted violations are found, honest stories pass.

use super::{Answer, Limits, Note, Verdict, judge};
use std::collections::BTreeMap;

const LIMITS: Limits = Limits {
    rate_per_second: 5,
    burst: 2,
};

/// A story of requests, one word each: lane, place, key, and `!` dropped, `-` unavailable, `~` too many; a tenth of a
/// second apart from one another unless `gap_us` says otherwise. The job and the content follow from the key.
fn story(words: &str, gap_us: u64) -> Vec<Note> {
    let note = |(at, word): (usize, &str)| {
        let (answer, word) = match word.as_bytes()[word.len() - 1] {
            b'!' => (Answer::Dropped, &word[..word.len() - 1]),
            b'-' => (Answer::Unavailable, &word[..word.len() - 1]),
            b'~' => (Answer::TooMany, &word[..word.len() - 1]),
            _ => (Answer::Accepted, word),
        };
        let (lane, rest) = word.split_at(1);
        let (place, key) = rest.split_at(1);
        Note {
            at_us: at as u64 * gap_us,
            lane: lane.to_owned(),
            sequence: place.parse().unwrap(),
            key: key.to_owned(),
            job: format!("job-{key}"),
            content: format!("content-{key}"),
            answer,
        }
    };
    words.split_whitespace().enumerate().map(note).collect()
}

fn expected(keys: &str) -> BTreeMap<String, u64> {
    keys.chars()
        .map(|key| (format!("content-{key}"), 1))
        .collect()
}

fn verdict(words: &str, keys: &str) -> Verdict {
    judge(&story(words, 300_000), &expected(keys), LIMITS)
}

#[test]
fn an_honest_story_passes() {
    let verdict = verdict("A1a B1x- A2b! B1x A2b A2b A3c~ A3c", "abcx");
    assert_eq!(
        verdict,
        Verdict {
            requests: 8,
            delivered: 4,
            repeats: 2,
            unavailable: 1,
            too_many: 1,
            dropped: 1,
            busiest_second: 4,
            ..Verdict::default()
        }
    );
}

#[test]
fn a_gap_is_found() {
    let verdict = verdict("A1a A3c", "ac");
    assert_eq!(
        (verdict.order_violations, verdict.missing),
        (1, 0),
        "{verdict:?}"
    );
    assert_eq!(verdict.reasons, ["lane A: 3 came after 1 was accepted"]);
}

#[test]
fn a_lane_that_does_not_begin_with_one_is_found() {
    assert_eq!(verdict("A2a", "a").order_violations, 1);
    assert_eq!(verdict("A0a", "a").order_violations, 1);
}

#[test]
fn a_wrong_order_is_found() {
    assert_eq!(verdict("A2b A1a A2b", "ab").order_violations, 1);
}

#[test]
fn overtaking_a_delivery_that_was_not_accepted_is_found() {
    assert_eq!(verdict("A1a- A2b A1a A2b", "ab").order_violations, 1);
    assert_eq!(verdict("A1a~ A2b- A1a A2b", "ab").order_violations, 1);
}

#[test]
fn a_repeat_with_a_foreign_key_is_found() {
    let verdict = verdict("A1a A1z A2b", "ab");
    assert_eq!(
        (verdict.order_violations, verdict.unexpected),
        (1, 1),
        "{verdict:?}"
    );
}

#[test]
fn a_retry_with_another_content_is_found() {
    let mut notes = story("A1a- A1a", 300_000);
    notes[1].content = "content-b".to_owned();
    let verdict = judge(&notes, &expected("b"), LIMITS);
    assert_eq!(verdict.order_violations, 1, "{verdict:?}");
}

#[test]
fn a_key_for_two_jobs_is_found() {
    let mut notes = story("A1a A2b", 300_000);
    notes[1].key = "a".to_owned();
    assert_eq!(judge(&notes, &expected("ab"), LIMITS).order_violations, 1);
}

#[test]
fn missing_and_unexpected_jobs_are_found() {
    let verdict = verdict("A1a A2b A3c-", "acd");
    assert_eq!(
        (verdict.missing, verdict.unexpected, verdict.delivered),
        (2, 1, 2),
        "{verdict:?}"
    );
    assert_eq!(verdict.order_violations, 0);
}

#[test]
fn the_same_content_twice_must_be_two_jobs() {
    let mut notes = story("A1a A2b", 300_000);
    notes[1].content = "content-a".to_owned();
    let twice = BTreeMap::from([("content-a".to_owned(), 2)]);
    assert_eq!(judge(&notes, &twice, LIMITS).missing, 0);
    notes[1] = notes[0].clone();
    assert_eq!(judge(&notes, &twice, LIMITS).missing, 1);
}

#[test]
fn a_second_with_more_than_rate_and_burst_is_found() {
    let words = "A1a A2b A3c A4d A5e A6f A7g A8h A9i";
    let keys = expected("abcdefghi");
    let at_ease = judge(&story(words, 150_000), &keys, LIMITS);
    assert_eq!((at_ease.rate_violations, at_ease.busiest_second), (0, 7));
    let in_a_hurry = judge(&story(words, 125_000), &keys, LIMITS);
    assert_eq!(
        (in_a_hurry.rate_violations, in_a_hurry.busiest_second),
        (2, 8)
    );
}

#[test]
fn refused_requests_count_for_the_rate_too() {
    let verdict = judge(
        &story("A1a~ A1a~ A1a~ A1a~ A1a~ A1a~ A1a~ A1a", 10_000),
        &expected("a"),
        LIMITS,
    );
    assert_eq!(verdict.rate_violations, 1);
}
