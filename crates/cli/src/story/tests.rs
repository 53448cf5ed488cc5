//! Days in a story.

use super::tell_entries;
use trunkline_api::history::EntryBody;
use trunkline_api::timestamp::{Time, parse};

fn entry(kind: &str, at: Option<&str>, due_at: Option<&str>) -> EntryBody {
    let time = |text: &str| Time(parse(text).unwrap());
    EntryBody {
        kind: kind.into(),
        at: at.map(time),
        due_at: due_at.map(time),
        command: Some(0),
        ..EntryBody::default()
    }
}

#[test]
fn a_timer_due_tomorrow_has_its_date_and_a_new_day_a_line() {
    let entries = [
        entry("started", Some("2026-11-21T14:03:07.250Z"), None),
        entry("timer_set", None, Some("2026-11-21T15:03:07.250Z")),
        entry("timer_set", None, Some("2026-11-22T14:03:07.250Z")),
        entry("timer_fired", Some("2026-11-22T14:03:07.251Z"), None),
    ];
    let mut out = Vec::new();
    tell_entries(&entries, &mut out).unwrap();
    expect_test::expect![[r#"
        14:03:07.250  began with null
                      timer #0 set for 15:03:07.250
                      timer #0 set for 2026-11-22 14:03:07.250
        2026-11-22
        14:03:07.251  timer #0 fired
    "#]]
    .assert_eq(&String::from_utf8(out).unwrap());
}
