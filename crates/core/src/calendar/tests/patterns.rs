//! Dates: months of all lengths, leap years, last days, workdays, weekdays.

use super::*;
use crate::schedule::CalendarFields;

#[test]
fn minutes_hours_and_days() {
    check(
        "UTC",
        &[
            (
                "*/15 * * * *",
                "2026-11-21T14:07:30",
                &[
                    "2026-11-21T14:15:00",
                    "2026-11-21T14:30:00",
                    "2026-11-21T14:45:00",
                    "2026-11-21T15:00:00",
                ],
            ),
            (
                "5/20 * * * *",
                "2026-11-21T14:07:30",
                &[
                    "2026-11-21T14:25:00",
                    "2026-11-21T14:45:00",
                    "2026-11-21T15:05:00",
                ],
            ),
            (
                "0 9 * * *",
                "2026-11-21T09:00:00",
                &["2026-11-22T09:00:00", "2026-11-23T09:00:00"],
            ),
            ("0 9 * * *", "2026-11-21T08:59:59", &["2026-11-21T09:00:00"]),
            (
                "0 9,17 * * MON-FRI",
                "2026-11-20T09:00:00",
                &["2026-11-20T17:00:00", "2026-11-23T09:00:00"],
            ),
            (
                "0 22-2 * * *",
                "2026-11-21T21:00:00",
                &[
                    "2026-11-21T22:00:00",
                    "2026-11-21T23:00:00",
                    "2026-11-22T00:00:00",
                    "2026-11-22T01:00:00",
                    "2026-11-22T02:00:00",
                    "2026-11-22T22:00:00",
                ],
            ),
            (
                "*/10 * * * * *",
                "2026-12-31T23:59:45",
                &[
                    "2026-12-31T23:59:50",
                    "2027-01-01T00:00:00",
                    "2027-01-01T00:00:10",
                ],
            ),
            (
                "0 30 6 1 1 * 2030",
                "2026-01-01T00:00:00",
                &["2030-01-01T06:30:00"],
            ),
            ("@hourly", "2026-11-21T14:07:30", &["2026-11-21T15:00:00"]),
            ("@Daily", "2026-11-21T14:07:30", &["2026-11-22T00:00:00"]),
            (
                "@weekly",
                "2026-11-21T14:07:30",
                &["2026-11-22T00:00:00", "2026-11-29T00:00:00"],
            ),
            ("@monthly", "2026-11-21T14:07:30", &["2026-12-01T00:00:00"]),
            ("@yearly", "2026-11-21T14:07:30", &["2027-01-01T00:00:00"]),
        ],
    );
}

#[test]
fn months_and_leap_years() {
    check(
        "UTC",
        &[
            (
                "0 0 31 * *",
                "2026-01-31T00:00:00",
                &[
                    "2026-03-31T00:00:00",
                    "2026-05-31T00:00:00",
                    "2026-07-31T00:00:00",
                    "2026-08-31T00:00:00",
                ],
            ),
            (
                "0 0 29 2 *",
                "2026-01-01T00:00:00",
                &["2028-02-29T00:00:00", "2032-02-29T00:00:00"],
            ),
            // 2100 is no leap year, 2000 was one.
            (
                "0 0 29 2 *",
                "2096-02-29T00:00:00",
                &["2104-02-29T00:00:00"],
            ),
            (
                "0 0 29 2 *",
                "1999-01-01T00:00:00",
                &["2000-02-29T00:00:00"],
            ),
            (
                "0 0 28 2 *",
                "2027-12-31T00:00:00",
                &["2028-02-28T00:00:00", "2029-02-28T00:00:00"],
            ),
            (
                "0 0 L * *",
                "2028-01-15T00:00:00",
                &[
                    "2028-01-31T00:00:00",
                    "2028-02-29T00:00:00",
                    "2028-03-31T00:00:00",
                    "2028-04-30T00:00:00",
                ],
            ),
            (
                "0 0 L 2 *",
                "2099-01-01T00:00:00",
                &["2099-02-28T00:00:00", "2100-02-28T00:00:00"],
            ),
            (
                "0 0 L-2 * *",
                "2026-02-01T00:00:00",
                &["2026-02-26T00:00:00", "2026-03-29T00:00:00"],
            ),
            (
                "0 0 1 */3 *",
                "2026-02-01T00:00:00",
                &[
                    "2026-04-01T00:00:00",
                    "2026-07-01T00:00:00",
                    "2026-10-01T00:00:00",
                    "2027-01-01T00:00:00",
                ],
            ),
            (
                "0 0 1 NOV-FEB *",
                "2026-11-01T00:00:00",
                &[
                    "2026-12-01T00:00:00",
                    "2027-01-01T00:00:00",
                    "2027-02-01T00:00:00",
                    "2027-11-01T00:00:00",
                ],
            ),
        ],
    );
    assert_eq!(
        cron("0 0 30 2 *", "UTC")
            .expect("well-formed")
            .next_after(instant("2026-01-01T00:00:00")),
        None
    );
    assert_eq!(
        cron("0 0 0 1 1 * 2020", "UTC")
            .expect("well-formed")
            .next_after(instant("2026-01-01T00:00:00")),
        None
    );
}

#[test]
fn a_29th_of_february_on_a_given_weekday_is_found_however_far() {
    // Every weekday, across the gap that 2100 makes.
    for weekday in 0..7 {
        let mut fields = CalendarFields {
            month: Some("2".into()),
            day: Some("29".into()),
            ..CalendarFields::default()
        };
        fields.weekday = Some(Name::from(std::format!("{weekday}")));
        let calendar = Calendar::new(&[When::Calendar(fields)], "UTC").expect("fields");
        let found = fires(&calendar, "2073-01-01T00:00:00", 3);
        assert_eq!(found.len(), 3, "{weekday}");
        assert!(found.iter().all(|at| &at[5..10] == "02-29"), "{found:?}");
    }
    check_calendar(
        &CalendarFields {
            month: Some("FEB".into()),
            day: Some("29".into()),
            weekday: Some("MON".into()),
            ..CalendarFields::default()
        },
        "2072-03-01T00:00:00",
        &["2112-02-29T00:00:00"],
    );
}

fn check_calendar(fields: &CalendarFields, from: &str, expected: &[&str]) {
    let calendar = Calendar::new(&[When::Calendar(fields.clone())], "UTC").expect("fields");
    assert_eq!(
        fires(&calendar, from, expected.len()),
        expected,
        "{fields:?} from {from}"
    );
}

#[test]
fn last_days_and_workdays() {
    check(
        "UTC",
        &[
            // May 2026 ends on a Sunday, October 2026 on a Saturday.
            (
                "0 18 LW * *",
                "2026-04-01T00:00:00",
                &[
                    "2026-04-30T18:00:00",
                    "2026-05-29T18:00:00",
                    "2026-06-30T18:00:00",
                ],
            ),
            (
                "0 18 LW 10 *",
                "2026-01-01T00:00:00",
                &["2026-10-30T18:00:00"],
            ),
            // 15 August 2026 is a Saturday, 15 November 2026 a Sunday.
            (
                "0 0 15W * *",
                "2026-08-01T00:00:00",
                &[
                    "2026-08-14T00:00:00",
                    "2026-09-15T00:00:00",
                    "2026-10-15T00:00:00",
                    "2026-11-16T00:00:00",
                ],
            ),
            // It stays in its month: 1 August 2026 is a Saturday, 31 May 2026 a Sunday.
            (
                "0 0 1W 8 *",
                "2026-01-01T00:00:00",
                &["2026-08-03T00:00:00"],
            ),
            (
                "0 0 31W 5 *",
                "2026-01-01T00:00:00",
                &["2026-05-29T00:00:00"],
            ),
            (
                "0 0 31W * *",
                "2026-05-30T00:00:00",
                &["2026-07-31T00:00:00"],
            ),
            (
                "0 0 * * FRIL",
                "2026-11-21T00:00:00",
                &[
                    "2026-11-27T00:00:00",
                    "2026-12-25T00:00:00",
                    "2027-01-29T00:00:00",
                ],
            ),
            (
                "0 0 * * 5l",
                "2027-02-01T00:00:00",
                &["2027-02-26T00:00:00"],
            ),
            (
                "0 0 * * tue#2",
                "2026-11-21T00:00:00",
                &["2026-12-08T00:00:00", "2027-01-12T00:00:00"],
            ),
            (
                "0 0 * * MON#5",
                "2026-11-21T00:00:00",
                &["2026-11-30T00:00:00", "2027-03-29T00:00:00"],
            ),
            (
                "0 0 1,LW * *",
                "2026-11-21T00:00:00",
                &[
                    "2026-11-30T00:00:00",
                    "2026-12-01T00:00:00",
                    "2026-12-31T00:00:00",
                ],
            ),
        ],
    );
}

#[test]
fn weekdays_have_names_and_numbers_and_go_round() {
    for expression in ["0 0 * * 0", "0 0 * * 7", "0 0 * * SUN", "0 0 ? * sun"] {
        check(
            "UTC",
            &[(
                expression,
                "2026-11-21T00:00:00",
                &["2026-11-22T00:00:00", "2026-11-29T00:00:00"],
            )],
        );
    }
    check(
        "UTC",
        &[
            (
                "0 0 * * FRI-MON",
                "2026-11-19T00:00:00",
                &[
                    "2026-11-20T00:00:00",
                    "2026-11-21T00:00:00",
                    "2026-11-22T00:00:00",
                    "2026-11-23T00:00:00",
                    "2026-11-27T00:00:00",
                ],
            ),
            (
                "0 0 * * 5-7",
                "2026-11-19T00:00:00",
                &[
                    "2026-11-20T00:00:00",
                    "2026-11-21T00:00:00",
                    "2026-11-22T00:00:00",
                    "2026-11-27T00:00:00",
                ],
            ),
            (
                "0 0 * * MON/2",
                "2026-11-21T00:00:00",
                &[
                    "2026-11-23T00:00:00",
                    "2026-11-25T00:00:00",
                    "2026-11-27T00:00:00",
                    "2026-11-30T00:00:00",
                ],
            ),
        ],
    );
}

#[test]
fn in_cron_day_or_weekday_and_in_a_calendar_both() {
    check(
        "UTC",
        &[(
            "0 0 13 * FRI",
            "2026-11-08T00:00:00",
            &[
                "2026-11-13T00:00:00",
                "2026-11-20T00:00:00",
                "2026-11-27T00:00:00",
                "2026-12-04T00:00:00",
                "2026-12-11T00:00:00",
                "2026-12-13T00:00:00",
            ],
        )],
    );
    check_calendar(
        &CalendarFields {
            day: Some("13".into()),
            weekday: Some("FRI".into()),
            ..CalendarFields::default()
        },
        "2026-11-08T00:00:00",
        &[
            "2026-11-13T00:00:00",
            "2027-08-13T00:00:00",
            "2028-10-13T00:00:00",
        ],
    );
    // The last workday of each quarter at half past five, in years that are named.
    check_calendar(
        &CalendarFields {
            minute: Some("30".into()),
            hour: Some("17".into()),
            day: Some("LW".into()),
            month: Some("3,6,9,12".into()),
            year: Some("2026-2027".into()),
            ..CalendarFields::default()
        },
        "2026-10-01T00:00:00",
        &[
            "2026-12-31T17:30:00",
            "2027-03-31T17:30:00",
            "2027-06-30T17:30:00",
            "2027-09-30T17:30:00",
            "2027-12-31T17:30:00",
        ],
    );
}

#[test]
fn intervals_count_from_1970_and_know_an_offset() {
    let every = |every_ms, offset_ms| {
        Calendar::new(
            &[When::Every {
                every_ms,
                offset_ms,
            }],
            "Europe/Berlin",
        )
        .expect("an interval")
    };
    assert_eq!(
        every(90 * 60_000, 0).next_after(Timestamp(0)),
        Some(Timestamp(90 * 60_000))
    );
    assert_eq!(
        every(1_000, 250).next_after(Timestamp(0)),
        Some(Timestamp(250))
    );
    assert_eq!(
        every(1_000, 250).next_after(Timestamp(250)),
        Some(Timestamp(1_250))
    );
    assert_eq!(
        every(1_000, 250).next_after(Timestamp(1_249)),
        Some(Timestamp(1_250))
    );
    // It does not care about clocks being turned.
    assert_eq!(
        fires(&every(6 * 3_600_000, 0), "2026-03-28T22:00:00", 3),
        [
            "2026-03-29T00:00:00",
            "2026-03-29T06:00:00",
            "2026-03-29T12:00:00"
        ]
    );
}

#[test]
fn several_rules_fire_at_each_of_their_instants_once() {
    let rules = [
        When::Cron("0 9 * * MON-FRI".into()),
        When::Cron("0 9,11 * * SAT".into()),
        When::Every {
            every_ms: 86_400_000,
            offset_ms: 9 * 3_600_000,
        },
    ];
    let calendar = Calendar::new(&rules, "UTC").expect("rules");
    assert_eq!(
        fires(&calendar, "2026-11-20T00:00:00", 5),
        [
            "2026-11-20T09:00:00",
            "2026-11-21T09:00:00",
            "2026-11-21T11:00:00",
            "2026-11-22T09:00:00",
            "2026-11-23T09:00:00"
        ]
    );
}
