//! What a destination and a job may and may not say.

use super::{NewJobBody, PutDestination, job_id_of, state_of};
use crate::core::code::Code;
use crate::core::egress::Destination;
use crate::core::ids::JobId;
use crate::json::parse;

fn destination(body: &str) -> Result<Destination, Code> {
    let put: PutDestination = parse(body.as_bytes()).map_err(|problem| problem.code)?;
    put.into_destination("shop").map_err(|problem| problem.code)
}

#[test]
fn what_is_left_out_has_its_default() {
    let put = destination(r#"{"url":"http://127.0.0.1:9090/x","retry":{"attempts":3}}"#).unwrap();
    let mut default = Destination::default();
    default.retry.attempts = 3;
    default.name = "shop".into();
    default.url = "http://127.0.0.1:9090/x".into();
    assert_eq!(put, default);
}

#[test]
fn settings_that_are_not_usable_are_refused() {
    for body in [
        r#"{"url":"ftp://x"}"#,
        r#"{"url":"http://"}"#,
        r#"{"url":"http:///x"}"#,
        r#"{"url":"http://a b"}"#,
        r#"{"url":"http://a","concurrency":0}"#,
        r#"{"url":"http://a","timeout_ms":0}"#,
        r#"{"url":"http://a","rate":{"per_second":0}}"#,
        r#"{"url":"http://a","rate":{"per_second":1,"burst":0}}"#,
        r#"{"url":"http://a","retry":{"factor_percent":99}}"#,
        r#"{"url":"http://a","retry":{"jitter_percent":101}}"#,
    ] {
        assert_eq!(destination(body), Err(Code::DestinationInvalid), "{body}");
    }
    let misspelt = r#"{"url":"http://a","retry":{"atempts":3}}"#;
    assert_eq!(destination(misspelt), Err(Code::UnknownField));
}

#[test]
fn the_same_key_makes_the_same_job_and_no_key_a_fresh_one() {
    let job = |key: &str| {
        let body = format!(
            r#"{{"destination":"shop","lane":"a","object_type":"stock","action":"update"{key}}}"#
        );
        let body: NewJobBody = parse(body.as_bytes()).unwrap();
        body.into_job(JobId(7)).unwrap().0
    };
    assert_eq!(job(""), JobId(7));
    assert_eq!(job(r#","dedupe_key":"k""#), JobId::of_key("shop", "k"));
}

#[test]
fn what_is_no_identity_and_no_state_is_refused() {
    assert_eq!(job_id_of(&JobId(7).to_string()), Ok(JobId(7)));
    for text in ["", "7", &"g".repeat(32), &"+".repeat(32), &"0".repeat(33)] {
        assert_eq!(job_id_of(text).unwrap_err().code, Code::JobNotFound);
    }
    assert!(state_of("dead").is_ok());
    assert_eq!(state_of("Dead").unwrap_err().code, Code::WrongType);
}
