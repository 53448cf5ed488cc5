//! Bodies of schedules: defaults, exactly one rule, and there and back again.

use super::*;
use crate::json::parse;

#[test]
fn what_is_left_out_has_its_default() {
    let body: PutSchedule =
        parse(br#"{"when":[{"cron":"@daily"}],"run":{"workflow":"Report"}}"#).expect("a body");
    let schedule = body.into_schedule("nightly").expect("usable");
    let action = Action {
        workflow: "Report".into(),
        id: "{schedule}-{time}".into(),
        version: None,
        input: Payload::null(),
        tags: Vec::new(),
        timeout_ms: None,
    };
    let when = vec![When::Cron("@daily".into())];
    assert_eq!(schedule, Schedule::new("nightly", when, action));
}

#[test]
fn a_rule_is_exactly_one() {
    for rule in [
        r"{}",
        r#"{"cron":"@daily","every_ms":1000}"#,
        r#"{"cron":"@daily","offset_ms":1}"#,
        r#"{"offset_ms":1}"#,
        r#"{"calendar":{},"every_ms":1000}"#,
    ] {
        let body = format!(r#"{{"when":[{{"every_ms":1000}},{rule}],"run":{{"workflow":"R"}}}}"#);
        let body: PutSchedule = parse(body.as_bytes()).expect("a body");
        let problem = body.into_schedule("x").expect_err(rule);
        assert_eq!(problem.code, Code::CronInvalid);
        assert!(
            problem.detail.starts_with("`when[1]`"),
            "{}",
            problem.detail
        );
    }
}

#[test]
fn a_rule_comes_back_as_it_was_said() {
    for rule in [
        r#"{"cron":"0 9 * * MON-FRI"}"#,
        r#"{"every_ms":1000}"#,
        r#"{"every_ms":1000,"offset_ms":7}"#,
        r#"{"calendar":{"hour":"18","day":"LW"}}"#,
    ] {
        let body: RuleBody = serde_json::from_str(rule).expect("a rule");
        let when = body.clone().into_when(0).expect("one rule");
        let back = RuleBody::from(&when);
        assert_eq!(serde_json::to_string(&back).expect("JSON"), rule);
    }
}

#[test]
fn policies_have_the_same_words_inside_and_outside() {
    for overlap in Overlap::ALL {
        let body = OverlapBody::from(overlap);
        let text = serde_json::to_string(&body).expect("JSON");
        assert_eq!(text, format!("{:?}", overlap.as_str()));
        assert_eq!(Overlap::from(body), overlap);
    }
}
