//! What is read out of connectors' answers, good and bad.

use super::Answer;
use trunkline_core::egress::ErrorClass;

#[test]
fn each_item_is_read_on_its_own() {
    let answer = Answer::read(
        br#"{"items":[{"id":"a","status":"succeeded","extra":1},
            {"id":"b","status":"failed","error":{"class":"rate_limited","message":"slow","retry_after_ms":7}},
            {"id":"c","status":"failed","error":{"class":"new_in_version_9"}},
            {"id":"d","status":"failed"}, {"id":"e","status":"maybe"}, {"id":"f"}, {"status":"succeeded"},
            {"id":"a","status":"failed","error":{"class":"invalid"}}]}"#,
    )
    .unwrap();
    assert_eq!(answer.of("a"), Some(Ok(None)), "the first word counts");
    let limited = answer.of("b").unwrap().unwrap().unwrap();
    assert_eq!(
        (limited.class, limited.retry_after_ms),
        (ErrorClass::RateLimited, Some(7))
    );
    let unheard = answer.of("c").unwrap().unwrap().unwrap();
    assert_eq!(unheard.class, ErrorClass::Unknown);
    for broken in ["d", "e", "f"] {
        assert!(matches!(answer.of(broken), Some(Err(_))), "{broken}");
    }
    assert_eq!(answer.of("g"), None);
}

#[test]
fn what_is_no_answer_says_why() {
    for wrong in ["", "ok", "[]", "{}", r#"{"items":{}}"#] {
        let error = Answer::read(wrong.as_bytes()).unwrap_err();
        assert!(
            error.starts_with("the answer is not as the contract has it"),
            "{error}"
        );
    }
}
