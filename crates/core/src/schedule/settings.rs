//! The settings of a schedule: their defaults, their bounds, and what is wrong with them.

use super::{Action, Overlap, Schedule, When};
use crate::code::Code;
use crate::limits::NAME_BYTES_MAX;
use crate::payload::Name;
use crate::peer::Rejection;
use alloc::vec::Vec;

/// The fires that a schedule remembers.
pub const RECENT_MAX: usize = 20;
/// Runs of one schedule that have not ended.
pub const RUNNING_MAX: usize = 1_000;
/// Fires that may wait.
pub const BUFFER_MAX: u32 = 1_000;
/// Ranges that may be worked off at once.
pub const BACKFILLS_MAX: usize = 10;
/// Upcoming fires that one answer lists.
pub const UPCOMING_MAX: u32 = 100;
/// The longest jitter: a day.
pub const JITTER_MS_MAX: u64 = 86_400_000;
/// The catch-up window if nothing is said: a year, so that no outage loses a fire unless somebody wants it to.
pub const CATCH_UP_MS: u64 = 365 * 86_400_000;
/// Fires that may wait if nothing is said.
pub const BUFFER: u32 = 100;

impl Schedule {
    /// A schedule that fires by `when` and does `action`, with the defaults for everything else.
    pub fn new(name: impl Into<Name>, when: Vec<When>, action: Action) -> Self {
        Self {
            name: name.into(),
            when,
            zone: Name::from("UTC"),
            action,
            overlap: Overlap::default(),
            buffer_max: BUFFER,
            catch_up_ms: CATCH_UP_MS,
            jitter_ms: 0,
            starts_at: None,
            ends_at: None,
            remaining: None,
        }
    }

    /// What is wrong with the settings, apart from the rules and the zone, which [`crate::calendar::Calendar::new`] reads.
    ///
    /// # Errors
    /// `TL0088` with the field.
    pub fn check(&self) -> Result<(), Rejection> {
        let invalid = |detail: &str| Err(Rejection::new(Code::ScheduleInvalid, detail));
        if !self.action.id.contains("{time}") && !self.action.id.contains("{number}") {
            return invalid(
                "`run.id` needs `{time}` or `{number}`, because every run has an id of its own",
            );
        }
        if !template_is_known(&self.action.id) {
            return invalid(
                "`run.id` may have {time}, {date}, {schedule} and {number} in braces, and nothing else",
            );
        }
        let longest = self
            .action
            .id
            .replace("{time}", "2026-11-21T14:00:00.000Z")
            .replace("{date}", "2026-11-21")
            .replace("{number}", "18446744073709551615")
            .replace("{schedule}", &self.name);
        if longest.len() > NAME_BYTES_MAX {
            return invalid("`run.id` becomes longer than a name may be, 256 bytes");
        }
        if self.jitter_ms > JITTER_MS_MAX {
            return invalid("`jitter_ms` is at most a day, 86400000");
        }
        if self.buffer_max == 0 || self.buffer_max > BUFFER_MAX {
            return invalid("`buffer_max` goes from 1 to 1000");
        }
        if let (Some(from), Some(to)) = (self.starts_at, self.ends_at)
            && to <= from
        {
            return invalid("`ends_at` is not after `starts_at`");
        }
        if self.remaining == Some(0) {
            return invalid("`remaining` is at least 1; pause or delete the schedule to stop it");
        }
        if self.action.timeout_ms == Some(0) {
            return invalid("`run.timeout_ms` is at least 1");
        }
        Ok(())
    }
}

/// True if all that stands in braces is known.
fn template_is_known(template: &str) -> bool {
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        let known = ["{time}", "{date}", "{schedule}", "{number}"]
            .iter()
            .find(|known| rest[open..].starts_with(**known));
        let Some(known) = known else {
            return false;
        };
        rest = &rest[open + known.len()..];
    }
    true
}
