//! Days in a story.

use super::{legible, tell_entries};
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
        14:03:07.250  began
                      timer #0 set for 15:03:07.250
                      timer #0 set for 2026-11-22 14:03:07.250
        2026-11-22
        14:03:07.251  timer #0 fired
    "#]]
    .assert_eq(&String::from_utf8(out).unwrap());
}

#[test]
fn spans_of_waits_are_those_that_people_read() {
    let waits = [
        "timer 1, due in 2591999123 ms",
        "task 0 Post.send: attempt 2 in 950 ms",
        "task 3 Post.send: attempt 1 is with a worker, heartbeat due in 61000 ms, since 5 msgs",
        "a signal",
    ];
    expect_test::expect![[r#"
        timer #1, due in 29 d 23 h
        task 0 Post.send: attempt 2 in 950 ms
        task 3 Post.send: attempt 1 is with a worker, heartbeat due in 1 min 1 s, since 5 msgs
        a signal
    "#]]
    .assert_eq(&(waits.map(legible).join("\n") + "\n"));
}

/// What a run with children, methods, signals and a cancellation looks like, as the server tells it.
#[test]
fn a_run_with_children_methods_and_a_cancellation_reads_like_a_story() {
    let entries = r#"[
        {"index": 0, "type": "started", "at": "2026-11-21T18:35:39.480Z", "input": "book"},
        {"index": 1, "type": "turn"},
        {"index": 2, "type": "task_scheduled", "command": 0, "service": "Post", "task": "send", "input": null},
        {"index": 3, "type": "task_completed", "at": "2026-11-21T18:35:42.014Z", "command": 0, "result": null},
        {"index": 4, "type": "child_scheduled", "command": 1, "workflow": "Parcel", "id": "42-2", "input": "lost"},
        {"index": 5, "type": "child_failed", "at": "2026-11-21T18:35:42.029Z", "command": 1, "failure":
            {"kind": "application", "non_retryable": false, "name": "TL0050", "message": "run `Parcel/42-2` failed", "cause":
                {"kind": "application", "non_retryable": false, "name": "Lost", "message": "nobody knows where it is"}}},
        {"index": 6, "type": "method_call_sent", "command": 2, "run": "Order/42", "method": "bump", "input": 42},
        {"index": 7, "type": "method_called", "at": "2026-11-21T18:35:42.047Z", "method": "bump", "input": 42},
        {"index": 8, "type": "method_returned", "call": 7, "result": 42},
        {"index": 9, "type": "method_completed", "at": "2026-11-21T18:35:42.099Z", "command": 2, "result": 42},
        {"index": 10, "type": "signal_sent", "command": 3, "workflow": "Order", "id": "other", "channel": "go", "value": 7},
        {"index": 11, "type": "answered", "at": "2026-11-21T18:35:42.100Z", "command": 3},
        {"index": 12, "type": "timer_set", "command": 4, "due_at": "2026-11-24T18:35:42.100Z"},
        {"index": 13, "type": "cancel_requested", "at": "2026-11-22T09:00:00.000Z", "reason": "no longer wanted"},
        {"index": 14, "type": "timer_cancelled", "command": 4},
        {"index": 15, "type": "finished", "failure":
            {"kind": "cancelled", "non_retryable": false, "name": "TL0076", "message": "the run was cancelled"}}
    ]"#;
    let entries: Vec<EntryBody> = serde_json::from_str(entries).unwrap();
    let mut out = Vec::new();
    tell_entries(&entries, &mut out).unwrap();
    expect_test::expect![[r#"
        18:35:39.480  began with "book"
                      task #0 Post.send scheduled
        18:35:42.014  task #0 Post.send completed
                      child #1 Parcel/42-2 to be started, with "lost"
        18:35:42.029  child #1 Parcel/42-2 failed: TL0050: run `Parcel/42-2` failed, because of Lost: nobody knows where it is
                      call #2 of Order/42's bump sent, with 42
        18:35:42.047  call 7 of bump, with 42
                      call 7 returned 42
        18:35:42.099  call #2 of Order/42's bump returned 42
                      signal #3 go sent to Order/other: 7
        18:35:42.100  signal #3 to Order/other was taken
                      timer #4 set for 2026-11-24 18:35:42.100
        2026-11-22
        09:00:00.000  asked to cancel: no longer wanted
                      timer #4 no longer needed
                      ended: TL0076: the run was cancelled
    "#]]
    .assert_eq(&String::from_utf8(out).unwrap());
}
