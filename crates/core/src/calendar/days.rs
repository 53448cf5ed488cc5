//! Days of a month and weekdays, which are more than sets of numbers; and years, which are too many for bits.

use super::field::{Field, Item, Word, Wrong, number};
use alloc::vec::Vec;

/// The days of a month. Bit `d` is the `d`th.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Days {
    /// True for `*` and `?`.
    pub(super) any: bool,
    plain: u32,
    /// Bit `n` is the day `n` before the last.
    from_last: u32,
    /// Bit `d` is the workday nearest to the `d`th.
    nearest: u32,
    last_workday: bool,
}

impl Days {
    pub(super) fn read(word: &Word<'_>) -> Result<Self, Wrong> {
        let mut days = Self {
            any: word.is("*") || word.is("?"),
            ..Self::default()
        };
        for item in word.split(',') {
            if item.is("?") && days.any {
                days.plain = u32::MAX;
            } else if item.is("LW") {
                days.last_workday = true;
            } else if item.is("L") {
                days.from_last |= 1;
            } else if item.text.len() > 2
                && item.text.is_char_boundary(2)
                && item.text[..2].eq_ignore_ascii_case("L-")
            {
                let before = item.from(2);
                let days_before = number(before.text).filter(|n| (1..=30).contains(n));
                let days_before = days_before.ok_or_else(|| {
                    before.wrong("`L-n` counts 1 to 30 days before the last of the month")
                })?;
                days.from_last |= 1 << days_before;
            } else if item.ends_with('W') {
                days.nearest |= 1 << Field::Day.value(&item.without_last(1))?;
            } else {
                let bits = Field::Day.bits(&Field::Day.item(&item)?);
                days.plain |= bits as u32;
            }
        }
        Ok(days)
    }

    /// The days of a month with `length` days whose first is the weekday `first`.
    pub(super) fn of_month(&self, length: u32, first: u32) -> u32 {
        let within = ((1_u64 << (length + 1)) - 2) as u32;
        let mut days = self.plain;
        for before in 0..length {
            if self.from_last & (1 << before) != 0 {
                days |= 1 << (length - before);
            }
        }
        for day in 1..=length {
            if self.nearest & (1 << day) != 0 {
                days |= 1 << nearest_workday(day, length, first);
            }
        }
        if self.last_workday {
            let back = match weekday(length, first) {
                6 => 1,
                0 => 2,
                _ => 0,
            };
            days |= 1 << (length - back);
        }
        days & within
    }
}

/// The weekday of the `day`th of a month whose first is the weekday `first`.
fn weekday(day: u32, first: u32) -> u32 {
    (first + day - 1) % 7
}

/// The day from Monday to Friday that is nearest to the `day`th and in the same month.
fn nearest_workday(day: u32, length: u32, first: u32) -> u32 {
    match weekday(day, first) {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == length => day - 2,
        0 => day + 1,
        _ => day,
    }
}

/// The weekdays. Bit 0 is Sunday.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Weekdays {
    /// True for `*` and `?`.
    pub(super) any: bool,
    plain: u32,
    /// The last of the month.
    last: u32,
    /// For each weekday, bit `n` is its `n`th in the month.
    nth: [u8; 7],
}

impl Weekdays {
    pub(super) fn read(word: &Word<'_>) -> Result<Self, Wrong> {
        let mut weekdays = Self {
            any: word.is("*") || word.is("?"),
            ..Self::default()
        };
        for item in word.split(',') {
            if item.is("?") && weekdays.any {
                weekdays.plain = 0x7f;
            } else if item.is("L") {
                let message =
                    "`L` needs a weekday before it here: `FRIL` is the last Friday of the month";
                return Err(item.wrong(message));
            } else if let [day, nth] = item.split('#').as_slice() {
                let day = Field::Weekday.value(day)? % 7;
                let n = number(nth.text).filter(|n| (1..=5).contains(n));
                let n = n.ok_or_else(|| nth.wrong("a month has a weekday 1 to 5 times"))?;
                weekdays.nth[day as usize] |= 1 << n;
            } else if item.ends_with('L') {
                weekdays.last |= 1 << (Field::Weekday.value(&item.without_last(1))? % 7);
            } else {
                let item = Field::Weekday.item(&item)?;
                weekdays.plain |= Field::Weekday.bits(&item) as u32;
            }
        }
        Ok(weekdays)
    }

    /// The days of a month with `length` days whose first is the weekday `first`.
    pub(super) fn of_month(&self, length: u32, first: u32) -> u32 {
        (1..=length).fold(0, |days, day| {
            let weekday = weekday(day, first);
            let is_last = day + 7 > length;
            let nth = (day - 1) / 7 + 1;
            let fires = self.plain & (1 << weekday) != 0
                || is_last && self.last & (1 << weekday) != 0
                || self.nth[weekday as usize] & (1 << nth) != 0;
            days | u32::from(fires) << day
        })
    }
}

/// The years: ranges with steps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Years(Vec<(u32, u32, u32)>);

impl Years {
    pub(super) fn any() -> Self {
        Self(Vec::from([(0, u32::MAX, 1)]))
    }

    pub(super) fn read(word: &Word<'_>) -> Result<Self, Wrong> {
        if word.is("*") {
            return Ok(Self::any());
        }
        let items = word.split(',').into_iter().map(|item| {
            let Item { first, last, step } = Field::Year.item(&item)?;
            Ok((first, last, step))
        });
        items.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn contain(&self, year: i64) -> bool {
        let Ok(year) = u32::try_from(year) else {
            return false;
        };
        let contains = |(first, last, step): &(u32, u32, u32)| {
            (*first..=*last).contains(&year) && (year - first).is_multiple_of(*step)
        };
        self.0.iter().any(contains)
    }
}
