//! What rules see, and which decides.

use super::super::Outcome;
use super::{compile, judge};
use crate::programs::Programs;
use hyper::header::{HeaderMap, HeaderValue};
use trunkline_core::egress::{Delivery, Job, JobState, NewJob, Rule, Verdict};
use trunkline_core::ids::JobId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::time::Timestamp;

fn job() -> Job {
    let new = NewJob {
        destination: Name::from("shop"),
        lane: Name::from("sku-1"),
        object_type: Name::from("stock"),
        action: Name::from("update"),
        object_ids: vec![Name::from("sku-1")],
        body: Payload::from(br#"{"delta": -2}"#.to_vec()),
        ..NewJob::default()
    };
    Job {
        id: JobId(7),
        new,
        lane_sequence: 3,
        created_at: Timestamp(0),
        attempts: 0,
        ready_at: Timestamp(0),
        state: JobState::Pending,
        last_error: None,
        settled_at: None,
        source: None,
        failed: None,
        superseded_by: None,
        replay_of: None,
        number: None,
        waits_for: None,
        released: None,
        object_since: None,
        tried_since: None,
    }
}

fn answered(status: u16, body: &str) -> Outcome {
    let mut headers = HeaderMap::new();
    headers.insert("X-Reason", HeaderValue::from_static("busy"));
    Outcome::Answered {
        status,
        retry_after_ms: None,
        headers,
        body: body.as_bytes().to_vec(),
    }
}

fn verdict(rules: &[(&str, Verdict)], outcome: Outcome) -> (Option<Verdict>, String) {
    let rules: Vec<Rule> = rules
        .iter()
        .map(|(when, then)| Rule {
            when: Name::from(*when),
            then: *then,
        })
        .collect();
    match judge(&Programs::default(), &rules, &job(), 2, outcome) {
        Delivery::Answered {
            verdict, excerpt, ..
        } => (verdict, excerpt.to_string()),
        Delivery::Unanswered { verdict, reason } => (verdict, reason.to_string()),
        Delivery::Item { .. } => panic!("not of a connector"),
    }
}

#[test]
fn a_rule_sees_the_answer_and_the_job() {
    for when in [
        "status == 409 && body.code == \"exists\"",
        "headers[\"x-reason\"] == \"busy\"",
        "job.action == \"update\" && job.object_ids[0] == job.lane && job.sequence == 3",
        "job.body.delta < 0 && attempt == 2 && error == \"\"",
    ] {
        let (verdict, _) = verdict(
            &[(when, Verdict::Succeed)],
            answered(409, r#"{"code": "exists"}"#),
        );
        assert_eq!(verdict, Some(Verdict::Succeed), "{when}");
    }
}

#[test]
fn the_first_rule_that_holds_decides() {
    let rules = [
        ("status == 500", Verdict::Pause),
        (
            "body.contains(\"later\")",
            Verdict::Retry {
                after_ms: Some(5_000),
            },
        ),
        ("true", Verdict::Fail),
    ];
    assert_eq!(
        verdict(&rules, answered(500, "later")).0,
        Some(Verdict::Pause)
    );
    let patient = Some(Verdict::Retry {
        after_ms: Some(5_000),
    });
    assert_eq!(verdict(&rules, answered(400, "later")).0, patient);
    assert_eq!(verdict(&rules, answered(400, "no")).0, Some(Verdict::Fail));
}

#[test]
fn a_rule_that_cannot_be_evaluated_does_not_hold_and_is_told() {
    let rules = [("body.code == 1", Verdict::Fail)];
    let (none, excerpt) = verdict(&rules, answered(200, "not JSON"));
    assert_eq!(none, None);
    assert!(
        excerpt.starts_with("not JSON (rule 1 could not be evaluated: 1:"),
        "{excerpt}"
    );
}

#[test]
fn no_answer_can_be_judged_too() {
    let outcome = Outcome::Unanswered {
        kind: "timeout",
        reason: "no answer within 5 ms".into(),
    };
    let (timed_out, _) = verdict(
        &[("error == \"timeout\" && status == 0", Verdict::Fail)],
        outcome,
    );
    assert_eq!(timed_out, Some(Verdict::Fail));
}

#[test]
fn a_list_of_statuses_is_short_for_an_expression() {
    let short = ">=500, 408, 425-429, !501";
    for (status, holds) in [
        (500, true),
        (599, true),
        (408, true),
        (427, true),
        (501, false),
        (404, false),
    ] {
        let (verdict, _) = verdict(&[(short, Verdict::Fail)], answered(status, ""));
        assert_eq!(verdict.is_some(), holds, "{status}");
    }
    for broken in ["5000", ">=", "!", "400-", "1,,2"] {
        assert!(compile(broken).is_err(), "{broken}");
    }
}

#[test]
fn a_rule_that_is_none_is_refused_with_its_place() {
    let fault = compile("status == 1 &&\n answer.ok").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "2:2: there is no variable `answer`; there are `status`, `headers`, `body`, `error`, `attempt`, `job`, `now`"
    );
}
