//! Functions of times and spans.

use crate::fault::{Fault, FaultKind};
use crate::value::Value;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Calls a function of time; nothing if it is none, or does not take these.
pub(super) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, Fault>> {
    Some(match (name, arguments) {
        ("timestamp", [Value::Time(at)]) => Ok(Value::Time(*at)),
        ("timestamp", [Value::Text(text)]) => text
            .parse::<Timestamp>()
            .map(Value::Time)
            .map_err(|error| unreadable("timestamp", text, &error)),
        ("timestamp", [Value::Whole(seconds)]) => Timestamp::from_second(*seconds)
            .map(Value::Time)
            .map_err(|error| unreadable("timestamp", &seconds.to_string(), &error)),
        ("duration", [Value::Span(span)]) => Ok(Value::Span(*span)),
        ("duration", [Value::Text(text)]) => text
            .parse::<SignedDuration>()
            .map(Value::Span)
            .map_err(|error| unreadable("duration", text, &error)),
        (_, [Value::Span(span)]) => Ok(Value::Whole(of_span(name, *span)?)),
        (_, [Value::Time(at)]) => Ok(Value::Whole(part(name, *at, TimeZone::UTC)?)),
        (_, [Value::Time(at), Value::Text(zone)]) => {
            let zone = match TimeZone::get(zone) {
                Ok(zone) => zone,
                Err(error) => return Some(Err(unreadable(name, zone, &error))),
            };
            Ok(Value::Whole(part(name, *at, zone)?))
        }
        _ => return None,
    })
}

/// A part of a time. Months and days count from 0 except in `getDate`, and the week begins on Sunday, as in CEL.
fn part(name: &str, at: Timestamp, zone: TimeZone) -> Option<i64> {
    let at = at.to_zoned(zone);
    Some(match name {
        "getFullYear" => i64::from(at.year()),
        "getMonth" => i64::from(at.month()) - 1,
        "getDate" => i64::from(at.day()),
        "getDayOfMonth" => i64::from(at.day()) - 1,
        "getDayOfYear" => i64::from(at.day_of_year()) - 1,
        "getDayOfWeek" => i64::from(at.weekday().to_sunday_zero_offset()),
        "getHours" => i64::from(at.hour()),
        "getMinutes" => i64::from(at.minute()),
        "getSeconds" => i64::from(at.second()),
        "getMilliseconds" => i64::from(at.millisecond()),
        _ => return None,
    })
}

/// A span as a whole number of a unit; of its milliseconds those beyond the second, as in CEL.
fn of_span(name: &str, span: SignedDuration) -> Option<i64> {
    Some(match name {
        "getHours" => span.as_hours(),
        "getMinutes" => span.as_mins(),
        "getSeconds" => span.as_secs(),
        "getMilliseconds" => i64::from(span.subsec_millis()),
        _ => return None,
    })
}

fn unreadable(name: &str, text: &str, error: &jiff::Error) -> Fault {
    let text: String = text.chars().take(40).collect();
    Fault::new(FaultKind::Value, format!("`{name}`: `{text}`: {error}"))
}
