//! Calendars: when a schedule fires. Pure arithmetic from one instant to the next; no clock.
//!
//! A calendar is a list of rules in one time zone, and fires at every instant at which one of its rules does. A rule is a
//! [pattern](pattern) of local times, written as a cron expression or field by field, or an interval. Intervals count real
//! time from 1970-01-01T00:00:00Z and know no zone.
//!
//! # When clocks are turned
//!
//! Local time has gaps and repeats. What happens depends on the pattern's hours:
//!
//! ```text
//!                          a local time that does not exist        a local time that comes twice
//! some hours  (30 2 * * *) fires once, at the end of the gap       fires once, the first time
//! every hour  (30 * * * *) does not fire: there is no such hour    fires both times: both hours pass
//! ```
//!
//! So a daily job is never left out and never doubled, and an hourly one keeps to the hours that really pass. Several
//! times of one pattern that fall into one gap become one fire. A gap may be a whole day (Samoa left out 2011-12-30).
//!
//! The rules of the zones are the IANA database that is built into the program, so the same program gives the same answer
//! on every machine.

mod civil;
mod days;
mod field;
mod pattern;
mod zone;

use crate::code::Code;
use crate::peer::Rejection;
use crate::schedule::When;
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use pattern::Pattern;
use zone::Zone;

/// Rules of one calendar.
pub const RULES_MAX: usize = 100;
/// The shortest interval, in milliseconds. What is to happen more often is a loop in a run.
pub const EVERY_MS_MIN: u64 = 100;
/// The longest interval, in milliseconds: a hundred years.
pub const EVERY_MS_MAX: u64 = 100 * 366 * 86_400_000;
/// The last millisecond of the year 9999.
const LAST_MS: u64 = 253_402_300_799_999;

/// When a schedule fires, ready for use.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: Zone,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
enum Rule {
    Pattern(Pattern),
    Every { every_ms: u64, offset_ms: u64 },
}

/// Why a calendar is not usable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadCalendar {
    /// `TL0086` for a rule, `TL0087` for the zone, `TL0088` for the whole.
    pub code: Code,
    /// The field, such as `when[0].cron`.
    pub path: String,
    /// The character in the field's text from which on it is wrong, from 1.
    pub character: Option<usize>,
    /// What is wrong, for a person.
    pub message: String,
}

impl BadCalendar {
    fn new(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            path: path.into(),
            character: None,
            message: message.into(),
        }
    }
}

impl From<BadCalendar> for Rejection {
    fn from(bad: BadCalendar) -> Self {
        let BadCalendar { path, message, .. } = &bad;
        let detail = match bad.character {
            Some(character) => format!("`{path}`, character {character}: {message}"),
            None => format!("`{path}`: {message}"),
        };
        Self::new(bad.code, detail)
    }
}

impl Calendar {
    /// The calendar of the rules `when` in the zone called `zone`.
    ///
    /// # Errors
    /// If the zone is not known or a rule cannot be read, with the place.
    pub fn new(when: &[When], zone: &str) -> Result<Self, BadCalendar> {
        let Some(zone) = Zone::named(zone) else {
            let message = format!(
                "there is no time zone `{zone}`; zones have names like `Europe/Berlin` or `UTC`"
            );
            return Err(BadCalendar::new(Code::ZoneUnknown, "zone", message));
        };
        if when.is_empty() || when.len() > RULES_MAX {
            let message = format!("a schedule has 1 to {RULES_MAX} rules, not {}", when.len());
            return Err(BadCalendar::new(Code::ScheduleInvalid, "when", message));
        }
        let rules = when.iter().enumerate().map(|(at, when)| rule(at, when));
        Ok(Self {
            zone,
            rules: rules.collect::<Result<_, _>>()?,
        })
    }

    /// The first instant after `after` at which the calendar fires; nothing if there is none within a hundred years.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let nexts = self.rules.iter().filter_map(|rule| match rule {
            Rule::Every {
                every_ms,
                offset_ms,
            } => next_multiple(after.0, *every_ms, *offset_ms),
            Rule::Pattern(pattern) => {
                // Patterns fire at whole seconds.
                let from = i64::try_from(after.0 / 1_000 + 1).ok()?;
                let next = self.zone.next_match(pattern, from)?;
                u64::try_from(next).ok().map(|second| second * 1_000)
            }
        });
        nexts.min().filter(|ms| *ms <= LAST_MS).map(Timestamp)
    }

    /// The local time at `at` in the calendar's zone, as `2026-11-21T14:00:00`.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> String {
        civil::text((at.0 / 1_000) as i64 + self.zone.offset_at((at.0 / 1_000) as i64))
    }

    /// The zone as the database spells it.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.zone.name()
    }
}

fn rule(at: usize, when: &When) -> Result<Rule, BadCalendar> {
    let wrong = |path: String, wrong: field::Wrong| BadCalendar {
        code: Code::CronInvalid,
        path,
        character: Some(wrong.at + 1),
        message: wrong.message,
    };
    let rule = match when {
        When::Every {
            every_ms,
            offset_ms,
        } => {
            let (every_ms, offset_ms) = (*every_ms, *offset_ms);
            let path = format!("when[{at}].every_ms");
            if !(EVERY_MS_MIN..=EVERY_MS_MAX).contains(&every_ms) {
                let message =
                    format!("it is {every_ms}; it goes from {EVERY_MS_MIN} to {EVERY_MS_MAX}");
                return Err(BadCalendar::new(Code::CronInvalid, path, message));
            }
            if offset_ms >= every_ms {
                let message = format!("the offset of {offset_ms} is not shorter than the interval");
                let path = format!("when[{at}].offset_ms");
                return Err(BadCalendar::new(Code::CronInvalid, path, message));
            }
            return Ok(Rule::Every {
                every_ms,
                offset_ms,
            });
        }
        When::Cron(text) => {
            Pattern::of_cron(text).map_err(|error| wrong(format!("when[{at}].cron"), error))?
        }
        When::Calendar(fields) => Pattern::of_fields(fields)
            .map_err(|(field, error)| wrong(format!("when[{at}].calendar.{field}"), error))?,
    };
    Ok(Rule::Pattern(rule))
}

/// The time at `at` in UTC, as `2026-11-21T14:00:00`.
pub(crate) fn utc_text(at: Timestamp) -> String {
    civil::text((at.0 / 1_000) as i64)
}

/// The first `k × every + offset` after `after`.
fn next_multiple(after: u64, every: u64, offset: u64) -> Option<u64> {
    let Some(past) = after.checked_sub(offset) else {
        return Some(offset);
    };
    (past / every + 1).checked_mul(every)?.checked_add(offset)
}

#[cfg(test)]
mod tests;
