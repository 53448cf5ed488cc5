//! Times are written and read back exactly.

use super::{Time, parse};
use crate::core::time::Timestamp;

#[test]
fn known_times_are_written_as_the_calendar_says() {
    for (ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_795_270_987_250, "2026-11-21T14:23:07.250Z"),
        (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (u64::MAX, "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(Time(Timestamp(ms)).to_string(), text);
    }
}

#[test]
fn what_is_written_is_read_back() {
    // A prime step, so that every month, hour and millisecond digit is met on the way to 2106.
    for ms in (0..4_300_000_000_000_u64).step_by(1_299_721_003) {
        let text = Time(Timestamp(ms)).to_string();
        assert_eq!(parse(&text), Some(Timestamp(ms)), "{text}");
    }
}

#[test]
fn offsets_and_fractions_are_understood() {
    let noon = parse("2026-11-21T12:00:00Z");
    assert!(noon.is_some());
    assert_eq!(parse("2026-11-21T13:30:00+01:30"), noon);
    assert_eq!(parse("2026-11-21t10:00:00-02:00"), noon);
    assert_eq!(parse("2026-11-21 12:00:00.0004999z"), noon);
    assert_eq!(
        parse("2026-11-21T12:00:00.25Z"),
        noon.map(|noon| noon.plus_ms(250))
    );
}

#[test]
fn what_is_not_a_time_is_refused() {
    for text in [
        "",
        "tomorrow",
        "2026-11-21",
        "2026-11-21T12:00:00",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T12:00:00.Z",
        "2026-11-21T12:00:00+1:00",
        "2026-11-21T12:00:00Zwhat",
        "1969-12-31T23:59:59Z",
        "２026-11-21T12:00:00Z",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}
