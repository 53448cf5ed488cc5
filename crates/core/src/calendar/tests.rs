//! Tables of calendar arithmetic, and the same by counting every minute.

mod clocks;
mod grammar;
mod oracle;
mod patterns;

use super::civil::{DAY_S, first_of, text};
use super::{BadCalendar, Calendar};
use crate::payload::Name;
use crate::schedule::When;
use crate::time::Timestamp;
use std::string::String;
use std::vec;
use std::vec::Vec;

/// The instant of `2026-11-21T14:00:00` in UTC.
fn instant(text: &str) -> Timestamp {
    let number = |range: core::ops::Range<usize>| text[range].parse::<i64>().expect("digits");
    let day = first_of(number(0..4), number(5..7) as u32) + number(8..10) - 1;
    let of_day = number(11..13) * 3_600 + number(14..16) * 60 + number(17..19);
    Timestamp(((day * DAY_S + of_day) * 1_000) as u64)
}

fn utc(at: Timestamp) -> String {
    text((at.0 / 1_000) as i64)
}

fn cron(expression: &str, zone: &str) -> Result<Calendar, BadCalendar> {
    Calendar::new(&[When::Cron(Name::from(expression))], zone)
}

/// The first `count` fires after `from`, in UTC.
fn fires(calendar: &Calendar, from: &str, count: usize) -> Vec<String> {
    let mut after = instant(from);
    let mut found = vec![];
    while found.len() < count {
        let Some(next) = calendar.next_after(after) else {
            break;
        };
        assert!(next > after, "time goes on");
        after = next;
        found.push(utc(next));
    }
    found
}

/// Holds tables of expression, start and fires, all in UTC, against the calendar.
fn check(zone: &str, table: &[(&str, &str, &[&str])]) {
    for (expression, from, expected) in table {
        let calendar = cron(expression, zone).expect("an expression");
        let found = fires(&calendar, from, expected.len());
        assert_eq!(found, *expected, "`{expression}` in {zone} from {from}");
    }
}
