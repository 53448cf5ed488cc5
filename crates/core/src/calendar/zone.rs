//! Time zones: how local time lies on the line of instants, as stretches of one offset each.

use super::pattern::Pattern;
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone of the database that is built in.
#[derive(Clone, Debug)]
pub(super) struct Zone(TimeZone);

/// How far a search goes, in seconds: a hundred years. The rarest date that comes again at all, a 29th of February on a
/// given weekday, comes again within forty.
const HORIZON_S: i64 = 100 * 366 * 86_400;

impl Zone {
    /// The zone called `name`, if the database has it.
    pub(super) fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        // `Etc/Unknown` stands for a zone that nobody knows, and would be taken for UTC.
        (!zone.is_unknown()).then_some(Self(zone))
    }

    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What is added to UTC at `second`, in seconds.
    pub(super) fn offset_at(&self, second: i64) -> i64 {
        instant(second).map_or(0, |at| i64::from(self.0.to_offset(at).seconds()))
    }

    /// The latest change of the offset at or before `second`.
    fn last_change(&self, second: i64) -> Option<i64> {
        let change = self.0.preceding(instant(second + 1)?).next()?;
        Some(change.timestamp().as_second())
    }

    /// The first change of the offset after `second`.
    fn next_change(&self, second: i64) -> Option<i64> {
        let change = self.0.following(instant(second)?).next()?;
        Some(change.timestamp().as_second())
    }

    /// The first instant from `from` on at which the pattern fires. See [`super`] for what happens in gaps and repeats.
    pub(super) fn next_match(&self, pattern: &Pattern, from: i64) -> Option<i64> {
        let horizon = from.checked_add(HORIZON_S)?;
        let mut second = from;
        while second < horizon {
            let offset = self.offset_at(second);
            let end = self
                .next_change(second)
                .map_or(horizon, |change| change.min(horizon));
            let mut local = second + offset;
            if !pattern.is_hourly()
                && let Some(change) = self.last_change(second)
            {
                let before = self.offset_at(change - 1);
                let fell_into_gap = change == second
                    && pattern
                        .next_local(change + before, change + offset)
                        .is_some();
                if fell_into_gap {
                    return Some(change);
                }
                // Local times up to where the stretch before ended have been: they come a second time.
                if before > offset {
                    local = local.max(change + before);
                }
            }
            if let Some(found) = pattern.next_local(local, end + offset) {
                return Some(found - offset);
            }
            second = end;
        }
        None
    }
}

fn instant(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}
