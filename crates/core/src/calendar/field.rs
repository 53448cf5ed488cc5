//! Fields: the grammar of one place of a cron expression, and of one field of a calendar.
//!
//! ```text
//! field  = item { "," item }                                  7,19   MON-FRI
//! item   = "*" [step] | value [step] | value "-" value [step] */15   8-18/2   22-2
//! step   = "/" number
//! days also:     "L"  "L-3"  "LW"  "15W"  "?"                 last, third before last, last workday, workday nearest the 15th
//! weekdays also: "FRIL"  "FRI#2"  "?"                         last Friday, second Friday
//! ```
//!
//! Letters may be large or small. Months and weekdays have names (`JAN`, `MON`) and numbers; Sunday is 0 and 7. Ranges of
//! hours, months and weekdays may go past the end (`22-2`, `FRI-MON`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What is wrong with a text, and from which character on (from 0).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) message: String,
}

impl Wrong {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

/// A piece of a text, and the character at which it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Word<'a> {
    pub(super) at: usize,
    pub(super) text: &'a str,
}

impl<'a> Word<'a> {
    /// The pieces between `separator`s.
    pub(super) fn split(&self, separator: char) -> Vec<Self> {
        let mut at = self.at;
        let pieces = self.text.split(separator).map(|text| {
            let word = Word { at, text };
            at += text.chars().count() + 1;
            word
        });
        pieces.collect()
    }

    pub(super) fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong::new(self.at, message)
    }

    /// The piece from byte `from` on. What is before it is ASCII.
    pub(super) fn from(&self, from: usize) -> Self {
        Self {
            at: self.at + from,
            text: &self.text[from..],
        }
    }

    /// The piece before its last `bytes` bytes, which are ASCII.
    pub(super) fn without_last(&self, bytes: usize) -> Self {
        Self {
            at: self.at,
            text: &self.text[..self.text.len() - bytes],
        }
    }

    pub(super) fn ends_with(&self, letter: char) -> bool {
        self.text
            .chars()
            .last()
            .is_some_and(|last| last.eq_ignore_ascii_case(&letter))
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.text.eq_ignore_ascii_case(text)
    }
}

/// The words of a text, parted by white space.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut begun = None;
    for (at, (byte, char)) in text.char_indices().enumerate() {
        if char.is_whitespace() {
            if let Some((at, from)) = begun.take() {
                words.push(Word {
                    at,
                    text: &text[from..byte],
                });
            }
        } else if begun.is_none() {
            begun = Some((at, byte));
        }
    }
    if let Some((at, from)) = begun {
        words.push(Word {
            at,
            text: &text[from..],
        });
    }
    words
}

/// Which place of an expression a field is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
    Year,
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A list item: values from `first` to `last`, which may lie before it, `step` apart.
pub(super) struct Item {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) step: u32,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Weekday => "weekday",
            Self::Year => "year",
        }
    }

    /// The smallest and the largest value.
    fn bounds(self) -> (u32, u32) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
            Self::Year => (1970, 9999),
        }
    }

    /// How many values there are before they begin anew.
    fn cycle(self) -> u32 {
        let (least, most) = self.bounds();
        if self == Self::Weekday {
            7
        } else {
            most - least + 1
        }
    }

    /// The bits of a field of plain values.
    pub(super) fn read(self, word: &Word<'_>) -> Result<u64, Wrong> {
        let mut bits = 0;
        for item in word.split(',') {
            bits |= self.bits(&self.item(&item)?);
        }
        Ok(bits)
    }

    pub(super) fn bits(self, item: &Item) -> u64 {
        let (least, _) = self.bounds();
        let cycle = self.cycle();
        // A range past the end goes on at the beginning.
        let last = if item.last < item.first {
            item.last + cycle
        } else {
            item.last
        };
        (item.first..=last)
            .step_by(item.step as usize)
            .fold(0, |bits, value| {
                bits | 1 << ((value - least) % cycle + least)
            })
    }

    pub(super) fn item(self, word: &Word<'_>) -> Result<Item, Wrong> {
        let (least, most) = self.bounds();
        let parts = word.split('/');
        let step = match parts.as_slice() {
            [_] => None,
            [_, step] => Some(self.step(step)?),
            [_, _, third, ..] => {
                return Err(third.wrong(format!("`{}` has more than one `/`", word.text)));
            }
            [] => None,
        };
        let range = &parts[0];
        if range.is("*") {
            let last = if self == Self::Weekday { 6 } else { most };
            return Ok(Item {
                first: least,
                last,
                step: step.unwrap_or(1),
            });
        }
        match range.split('-').as_slice() {
            [single] => {
                let first = self.value(single)?;
                // `5/15` is every 15 from 5 on.
                let last = match step {
                    Some(_) if self == Self::Weekday => first.max(6),
                    Some(_) => most,
                    None => first,
                };
                Ok(Item {
                    first,
                    last,
                    step: step.unwrap_or(1),
                })
            }
            [first_word, last_word] => {
                let (first, last) = (self.value(first_word)?, self.value(last_word)?);
                let wraps = matches!(self, Self::Hour | Self::Month | Self::Weekday);
                if last < first && !wraps {
                    let message = format!("the range `{}` ends before it begins", range.text);
                    return Err(range.wrong(message));
                }
                Ok(Item {
                    first,
                    last,
                    step: step.unwrap_or(1),
                })
            }
            [_, _, third, ..] => {
                Err(third.wrong(format!("the range `{}` has more than two ends", range.text)))
            }
            [] => Err(range.wrong("something is missing here")),
        }
    }

    fn step(self, word: &Word<'_>) -> Result<u32, Wrong> {
        let step = number(word.text).filter(|step| *step > 0).ok_or_else(|| {
            word.wrong(format!(
                "`{}` is no step: a step is a number from 1 on",
                word.text
            ))
        })?;
        if step >= self.cycle() && self.cycle() > 1 {
            let message = format!(
                "a step of {step} leaves the {} {}s behind at once; use an interval for spans that do not fit",
                self.cycle(),
                self.name()
            );
            return Err(word.wrong(message));
        }
        Ok(step)
    }

    pub(super) fn value(self, word: &Word<'_>) -> Result<u32, Wrong> {
        let (least, most) = self.bounds();
        let name = self.name();
        if word.text.is_empty() {
            return Err(word.wrong(format!("a {name} is missing here")));
        }
        let names: &[&str] = match self {
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
            _ => &[],
        };
        if let Some(at) = names.iter().position(|known| word.is(known)) {
            return Ok(at as u32 + u32::from(self == Self::Month));
        }
        let Some(value) = number(word.text) else {
            return Err(word.wrong(format!("`{}` is no {name}", word.text)));
        };
        if value < least || value > most {
            let message = format!(
                "`{}` is no {name}: {name}s go from {least} to {most}",
                word.text
            );
            return Err(word.wrong(message));
        }
        Ok(value)
    }
}

/// A number of at most four digits.
pub(super) fn number(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
