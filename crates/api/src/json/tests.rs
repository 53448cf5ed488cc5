//! Bodies: refused with the right code, and passed through untouched.

use super::{json_of, parse, payload_of};
use crate::core::code::Code;
use crate::core::limits::PAYLOAD_BYTES_MAX;
use crate::core::payload::Payload;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Parcel {
    input: Box<RawValue>,
    #[serde(default)]
    tags: Vec<String>,
}

fn refusal(body: &str) -> (Code, String) {
    let problem = parse::<Parcel>(body.as_bytes()).expect_err("it must be refused");
    (problem.code, problem.detail)
}

#[test]
fn every_kind_of_bad_body_has_its_own_code_and_says_where() {
    let (code, detail) = refusal(r#"{"input": 1"#);
    assert_eq!(code, Code::MalformedJson);
    assert!(detail.contains("line 1 column 11"), "{detail}");

    let (code, detail) = refusal(r#"{"input": 1, "tagz": []}"#);
    assert_eq!(code, Code::UnknownField);
    assert!(detail.contains("`tagz`"), "{detail}");

    let (code, detail) = refusal(r#"{"input": 1, "tags": ["a", 7]}"#);
    assert_eq!(code, Code::WrongType);
    assert!(detail.ends_with("in `tags[1]`"), "{detail}");

    let (code, detail) = refusal("{}");
    assert_eq!(code, Code::WrongType);
    assert!(detail.contains("missing field `input`"), "{detail}");

    assert_eq!(refusal(r#"{"input": 1} x"#).0, Code::MalformedJson);
    assert_eq!(refusal("").0, Code::MalformedJson);
}

#[test]
fn a_users_json_passes_through_digit_for_digit() {
    let text = r#"{ "b": 10000000000000000000000.10, "a": [1e400] }"#;
    let parcel: Parcel = parse(format!("{{\"input\":{text}}}").as_bytes()).unwrap();
    assert!(parcel.tags.is_empty());
    let payload = payload_of("input", &parcel.input).unwrap();
    assert_eq!(&*payload, text.as_bytes());
    assert_eq!(json_of(&payload).get(), text);
}

#[test]
fn a_payload_over_the_limit_is_refused() {
    let text = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX - 1));
    let json = RawValue::from_string(text).unwrap();
    let problem = payload_of("input", &json).unwrap_err();
    assert_eq!(problem.code, Code::PayloadTooLarge);
}

#[test]
fn bytes_that_are_no_json_are_shown_as_a_string() {
    let payload = Payload::from(&b"\xff not json"[..]);
    assert_eq!(json_of(&payload).get(), "\"\u{fffd} not json\"");
}
