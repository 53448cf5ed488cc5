//! The same answers by another way: every local time, one after the other, through the zone's table.

use super::super::pattern::Pattern;
use super::*;
use crate::policy::scramble;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZoneDatabase};
use std::collections::BTreeSet;
use std::format;

const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/Santiago",
    "America/St_Johns",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Asia/Gaza",
];

/// Every fire of `expression` by what is said of gaps and repeats, found minute by minute.
fn ask_for_each(expression: &str, zone: &str, from: &str, days: i64) -> BTreeSet<i64> {
    let pattern = Pattern::of_cron(expression).expect("an expression");
    let zone = TimeZoneDatabase::bundled().get(zone).expect("a zone");
    let begin = (instant(from).0 / 1_000) as i64;
    let mut fires = BTreeSet::new();
    // Local time is at most a day and a bit away from UTC.
    let end = begin + (days + 2) * DAY_S;
    let mut minute = begin - 2 * DAY_S;
    while let Some(found) = pattern.next_local(minute, end) {
        minute = found + 60;
        let minute = found;
        let local: DateTime = text(minute).parse().expect("a local time");
        let at = |offset: jiff::tz::Offset| {
            let found = offset.to_timestamp(local).expect("in range");
            found.as_second()
        };
        match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                fires.insert(at(offset));
            }
            AmbiguousOffset::Gap { .. } if pattern.is_hourly() => {}
            AmbiguousOffset::Gap { before, .. } => {
                // The clock jumps over it: the fire is when it does.
                let within = jiff::Timestamp::from_second(at(before)).expect("in range");
                let jump = zone
                    .preceding(within)
                    .next()
                    .expect("a gap has a transition");
                let jump = jump.timestamp().as_second();
                fires.insert(jump.max(0));
            }
            AmbiguousOffset::Fold { before, after } => {
                fires.insert(at(before));
                if pattern.is_hourly() {
                    fires.insert(at(after));
                }
            }
        }
    }
    fires.retain(|second| (begin + 1..begin + days * DAY_S).contains(second));
    fires
}

fn compare(expression: &str, zone: &str, from: &str, days: i64) {
    let calendar = cron(expression, zone).expect("an expression");
    let begin = instant(from);
    let end = begin.plus_ms((days * DAY_S * 1_000) as u64);
    let mut found = BTreeSet::new();
    let mut after = begin;
    while let Some(next) = calendar.next_after(after).filter(|next| *next < end) {
        found.insert((next.0 / 1_000) as i64);
        after = next;
    }
    let expected = ask_for_each(expression, zone, from, days);
    let differs: Vec<String> = found
        .symmetric_difference(&expected)
        .map(|second| text(*second))
        .collect();
    assert!(differs.is_empty(), "`{expression}` in {zone}: {differs:?}");
}

#[test]
fn every_zone_and_hour_around_its_transitions_agrees_with_asking_for_each_local_time() {
    // Spring and autumn of both hemispheres, every hour of the day.
    for zone in ZONES {
        for (from, days) in [("2026-03-01T00:00:00", 42), ("2026-09-01T00:00:00", 72)] {
            for hour in 0..4 {
                compare(
                    &format!("0,15,30,59 {hour},{} * * *", hour + 20),
                    zone,
                    from,
                    days,
                );
            }
            compare("7,37 * * * *", zone, from, days);
        }
    }
}

#[test]
fn random_expressions_agree_with_asking_for_each_local_time() {
    let mut state = 7;
    let mut draw = |below: u64| {
        state = scramble(state);
        state % below
    };
    for _ in 0..60 {
        let minute = match draw(3) {
            0 => format!("*/{}", 5 + draw(25)),
            1 => format!("{}", draw(60)),
            _ => format!("{}-{}", draw(20), 20 + draw(40)),
        };
        let hour = match draw(4) {
            0 => String::from("*"),
            1 => format!("{}", draw(24)),
            2 => format!("{}-{}", draw(24), draw(24)),
            _ => format!("*/{}", 2 + draw(6)),
        };
        let day = match draw(5) {
            0 => format!("{}", 1 + draw(31)),
            1 => String::from("L"),
            2 => format!("{}W", 1 + draw(31)),
            _ => String::from("*"),
        };
        let weekday = match draw(4) {
            0 => format!("{}", draw(8)),
            1 => format!("{}#{}", draw(7), 1 + draw(5)),
            _ => String::from("*"),
        };
        let expression = format!("{minute} {hour} {day} * {weekday}");
        let zone = ZONES[draw(ZONES.len() as u64) as usize];
        let month = 1 + draw(12);
        compare(
            &expression,
            zone,
            &format!("2027-{month:02}-01T00:00:00"),
            31,
        );
    }
}
