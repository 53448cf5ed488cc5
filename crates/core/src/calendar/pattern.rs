//! Patterns: which local times fire. Sets of seconds, minutes, hours, days, months, weekdays and years.

use super::civil::{DAY_S, Date, date_of, days_in, first_of, weekday_of};
use super::days::{Days, Weekdays, Years};
use super::field::{Field, Word, Wrong, words};
use crate::payload::Name;
use crate::schedule::CalendarFields;
use alloc::format;
use core::ops::Range;

/// Which local times fire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pattern {
    /// One bit for each second, minute, hour and month.
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days: Days,
    weekdays: Weekdays,
    years: Years,
    /// True if a day fires that is in `days` or in `weekdays`; false if it must be in both.
    either: bool,
}

/// Short forms of cron.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Pattern {
    /// Reads a cron expression: `minute hour day month weekday`, with a second before and a year behind if wanted. If both
    /// day and weekday are restricted, either will do: so it has been since the first cron.
    pub(super) fn of_cron(text: &str) -> Result<Self, Wrong> {
        let trimmed = text.trim();
        if trimmed.starts_with('@') {
            let nickname = NICKNAMES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(trimmed));
            return match nickname {
                Some((_, expression)) => Self::of_cron(expression),
                None => Err(Wrong::new(
                    0,
                    format!(
                        "`{trimmed}` is not one of @yearly, @monthly, @weekly, @daily, @hourly"
                    ),
                )),
            };
        }
        let words = words(text);
        let (second, rest, year) = match words.as_slice() {
            rest if rest.len() == 5 => (None, rest, None),
            [second, rest @ ..] if rest.len() == 5 => (Some(second), rest, None),
            [second, rest @ .., year] if rest.len() == 5 => (Some(second), rest, Some(year)),
            _ => {
                let at = words.get(7).map_or(text.chars().count(), |word| word.at);
                let message = format!(
                    "a cron expression has 5 fields (minute hour day month weekday), 6 with a second before them, 7 with \
                     a year behind them; this one has {}",
                    words.len()
                );
                return Err(Wrong::new(at, message));
            }
        };
        let days = Days::read(&rest[2])?;
        let weekdays = Weekdays::read(&rest[4])?;
        Ok(Self {
            seconds: second.map_or(Ok(1), |word| Field::Second.read(word))?,
            minutes: Field::Minute.read(&rest[0])?,
            hours: Field::Hour.read(&rest[1])?,
            months: Field::Month.read(&rest[3])?,
            either: !days.any && !weekdays.any,
            days,
            weekdays,
            years: year.map_or(Ok(Years::any()), Years::read)?,
        })
    }

    /// Reads fields; a time must be in all of them. What is wrong comes with the field's name.
    pub(super) fn of_fields(fields: &CalendarFields) -> Result<Self, (&'static str, Wrong)> {
        let named = |name: &'static str| move |wrong: Wrong| (name, wrong);
        let read = |name: &'static str, field: Field, text: &Option<Name>| {
            let first = if matches!(field, Field::Month) {
                u64::MAX
            } else {
                1
            };
            match text {
                Some(text) => field.read(&one_word(text)).map_err(named(name)),
                None => Ok(first),
            }
        };
        Ok(Self {
            seconds: read("second", Field::Second, &fields.second)?,
            minutes: read("minute", Field::Minute, &fields.minute)?,
            hours: read("hour", Field::Hour, &fields.hour)?,
            months: read("month", Field::Month, &fields.month)?,
            days: Days::read(&word_or_star(&fields.day)).map_err(named("day"))?,
            weekdays: Weekdays::read(&word_or_star(&fields.weekday)).map_err(named("weekday"))?,
            years: Years::read(&word_or_star(&fields.year)).map_err(named("year"))?,
            either: false,
        })
    }

    /// True if it fires in every hour of a day that it fires on.
    pub(super) fn is_hourly(&self) -> bool {
        self.hours & HOURS == HOURS
    }

    /// The first local time in `from..end` that fires, in seconds since 1970-01-01T00:00:00 local time.
    pub(super) fn next_local(&self, from: i64, end: i64) -> Option<i64> {
        let first_day = from.div_euclid(DAY_S);
        let Date {
            mut year,
            mut month,
            ..
        } = date_of(first_day);
        loop {
            let first = first_of(year, month);
            if first * DAY_S >= end {
                return None;
            }
            let mut days = self.days_of(year, month);
            while days != 0 {
                let day = first + i64::from(days.trailing_zeros()) - 1;
                days &= days - 1;
                if day < first_day {
                    continue;
                }
                let earliest = if day == first_day {
                    from.rem_euclid(DAY_S)
                } else {
                    0
                };
                if let Some(time) = self.next_time(earliest as u32) {
                    let found = day * DAY_S + i64::from(time);
                    return (found < end).then_some(found);
                }
            }
            (year, month) = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
        }
    }

    /// The days of a month that fire: bit `d` is the `d`th.
    fn days_of(&self, year: i64, month: u32) -> u32 {
        if self.months & (1 << month) == 0 || !self.years.contain(year) {
            return 0;
        }
        let length = days_in(year, month);
        let first_weekday = weekday_of(first_of(year, month));
        let days = self.days.of_month(length, first_weekday);
        let weekdays = self.weekdays.of_month(length, first_weekday);
        if self.either {
            days | weekdays
        } else {
            days & weekdays
        }
    }

    /// The first second of a day from `from` on that fires.
    fn next_time(&self, from: u32) -> Option<u32> {
        let (hour, minute, second) = (from / 3_600, from / 60 % 60, from % 60);
        let first = |bits: u64| bits.trailing_zeros();
        let above = |bits: u64, range: Range<u32>| {
            let bits = bits & !((1 << range.start) - 1);
            Some(first(bits)).filter(|found| *found < range.end)
        };
        let time = |hour: u32, minute: u32, second: u32| hour * 3_600 + minute * 60 + second;
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0
                && let Some(second) = above(self.seconds, second..60)
            {
                return Some(time(hour, minute, second));
            }
            if let Some(minute) = above(self.minutes, minute + 1..60) {
                return Some(time(hour, minute, first(self.seconds)));
            }
        }
        let hour = above(self.hours, hour + 1..24)?;
        Some(time(hour, first(self.minutes), first(self.seconds)))
    }
}

const HOURS: u64 = (1 << 24) - 1;

/// A text that is one field, spaces and all: a field of a calendar has no place for a second one.
fn one_word(text: &str) -> Word<'_> {
    Word { at: 0, text }
}

fn word_or_star(text: &Option<Name>) -> Word<'_> {
    one_word(text.as_deref().unwrap_or("*"))
}
