//! Signatures against the specification's own example, and against what must not pass.

use super::{Key, TOLERANCE_S};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const AT: u64 = 1_614_265_330;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

#[test]
fn the_example_of_the_specification_is_signed_as_it_says() {
    let key = Key::read(SECRET).unwrap();
    assert_eq!(key.sign(ID, AT, BODY), SIGNATURE);
    assert_eq!(
        key.verify((ID, &AT.to_string(), SIGNATURE), BODY, AT),
        Ok(())
    );
}

#[test]
fn one_of_several_signatures_is_enough() {
    let key = Key::read(SECRET).unwrap();
    let several = format!("v1,AAAA v1a,xxxx {SIGNATURE}");
    assert_eq!(
        key.verify((ID, &AT.to_string(), &several), BODY, AT + TOLERANCE_S),
        Ok(())
    );
}

#[test]
fn what_was_changed_or_is_old_does_not_pass() {
    let key = Key::read(SECRET).unwrap();
    let at = AT.to_string();
    let later = (AT + 1).to_string();
    for (id, timestamp, signature, body, now) in [
        ("msg_other", &at, SIGNATURE, BODY, AT),
        (ID, &later, SIGNATURE, BODY, AT),
        (ID, &at, SIGNATURE, &b"{}"[..], AT),
        (ID, &at, "v1,", BODY, AT),
        (ID, &at, "", BODY, AT),
        (ID, &at, SIGNATURE, BODY, AT + TOLERANCE_S + 1),
        (ID, &at, SIGNATURE, BODY, AT - TOLERANCE_S - 1),
        (ID, &"soon".to_owned(), SIGNATURE, BODY, AT),
    ] {
        let verified = key.verify((id, timestamp, signature), body, now);
        assert!(verified.is_err(), "{id} {timestamp} {signature} {now}");
    }
    for wrong in [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_c2hvcnQ=",
    ] {
        assert!(Key::read(wrong).is_err(), "{wrong}");
    }
}
