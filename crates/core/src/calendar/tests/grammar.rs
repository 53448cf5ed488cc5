//! What is no expression is refused, with its place.

use super::*;
use crate::code::Code;
use crate::peer::Rejection;
use crate::schedule::CalendarFields;

#[test]
fn a_bad_expression_is_refused_and_the_place_is_named() {
    for (expression, character, says) in [
        (
            "61 * * * *",
            1,
            "`61` is no minute: minutes go from 0 to 59",
        ),
        ("0 24 * * *", 3, "`24` is no hour: hours go from 0 to 23"),
        ("0 0 0 * *", 5, "`0` is no day: days go from 1 to 31"),
        ("0 0 1 13 *", 7, "`13` is no month"),
        ("0 0 1 * 8", 9, "`8` is no weekday: weekdays go from 0 to 7"),
        ("0 0 * * MOO", 9, "`MOO` is no weekday"),
        ("0  9 * * mon,fry", 14, "`fry` is no weekday"),
        ("*/0 * * * *", 3, "`0` is no step"),
        (
            "*/90 * * * *",
            3,
            "a step of 90 leaves the 60 minutes behind",
        ),
        ("*/x * * * *", 3, "`x` is no step"),
        ("1/2/3 * * * *", 5, "more than one `/`"),
        ("1-2-3 * * * *", 5, "more than two ends"),
        (
            "30-10 * * * *",
            1,
            "the range `30-10` ends before it begins",
        ),
        ("1,,2 * * * *", 3, "a minute is missing here"),
        ("1, * * * *", 3, "a minute is missing here"),
        ("5- * * * *", 3, "a minute is missing here"),
        ("0 0 L-31 * *", 7, "1 to 30 days before the last"),
        ("0 0 32W * *", 5, "`32` is no day"),
        ("0 0 W * *", 5, "a day is missing here"),
        ("0 0 * * L", 9, "`L` needs a weekday"),
        ("0 0 * * FRI#6", 13, "a month has a weekday 1 to 5 times"),
        ("0 0 * * 9#1", 9, "`9` is no weekday"),
        ("0 0 1,? * *", 7, "`?` is no day"),
        ("0 9 * *", 8, "this one has 4"),
        ("", 1, "this one has 0"),
        ("0 0 0 1 1 * 2030 7", 18, "this one has 8"),
        ("0 0 0 1 1 * 1969", 13, "`1969` is no year"),
        ("@fortnightly", 1, "`@fortnightly` is not one of"),
        ("ä * * * *", 1, "`ä` is no minute"),
        ("0 0 * * Öäü", 9, "`Öäü` is no weekday"),
    ] {
        let bad = cron(expression, "UTC").expect_err(expression);
        assert_eq!(bad.code, Code::CronInvalid, "{expression}");
        assert_eq!(bad.path, "when[0].cron");
        assert!(bad.message.contains(says), "{expression}: {}", bad.message);
        assert_eq!(
            bad.character,
            Some(character),
            "{expression}: {}",
            bad.message
        );
    }
}

#[test]
fn a_zone_that_is_none_and_rules_that_are_none_are_refused() {
    for zone in ["Europe/Berln", "", "+02:00", "Etc/Unknown", "local"] {
        let bad = cron("0 9 * * *", zone).expect_err(zone);
        assert_eq!((bad.code, bad.path.as_str()), (Code::ZoneUnknown, "zone"));
    }
    let bad = Calendar::new(&[], "UTC").expect_err("no rules");
    assert_eq!(
        (bad.code, bad.path.as_str()),
        (Code::ScheduleInvalid, "when")
    );
    for (every_ms, offset_ms, path) in [
        (0, 0, "when[0].every_ms"),
        (u64::MAX, 0, "when[0].every_ms"),
        (1_000, 1_000, "when[0].offset_ms"),
    ] {
        let bad = Calendar::new(
            &[When::Every {
                every_ms,
                offset_ms,
            }],
            "UTC",
        )
        .expect_err(path);
        assert_eq!((bad.code, bad.path.as_str()), (Code::CronInvalid, path));
    }
    let fields = CalendarFields {
        hour: Some("9 10".into()),
        ..CalendarFields::default()
    };
    let rules = [When::Cron("@daily".into()), When::Calendar(fields)];
    let bad = Calendar::new(&rules, "UTC").expect_err("two words");
    assert_eq!(bad.path, "when[1].calendar.hour");
    let rejection = Rejection::from(bad);
    assert_eq!(
        &*rejection.detail,
        "`when[1].calendar.hour`, character 1: `9 10` is no hour"
    );
}

#[test]
fn no_text_makes_the_reader_panic() {
    // Every text of up to four of the characters that mean something, and one that is not ASCII.
    let letters = ["*", "0", "7", "9", "/", "-", ",", "L", "W", "#", "?", "ä"];
    let mut texts = vec![String::new()];
    for _ in 0..4 {
        let longer = texts
            .iter()
            .flat_map(|text| letters.map(|letter| std::format!("{text}{letter}")));
        texts = texts
            .iter()
            .cloned()
            .chain(longer)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
    }
    for text in &texts {
        for expression in [
            std::format!("0 0 {text} * *"),
            std::format!("{text} 0 * * {text}"),
        ] {
            if let Ok(calendar) = cron(&expression, "UTC") {
                let from = instant("2026-11-21T00:00:00");
                assert!(
                    calendar.next_after(from).is_none_or(|next| next > from),
                    "{expression}"
                );
            }
        }
    }
}
