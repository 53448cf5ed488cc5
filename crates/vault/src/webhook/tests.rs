//! Signatures against those of the reference libraries.

use super::{WebhookKey, signatures};
use crate::secret::Secret;

#[test]
fn a_signature_is_the_one_that_the_libraries_of_standard_webhooks_expect() {
    // The example of the reference implementations.
    let key = WebhookKey::parse(&Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
    let signed = signatures(
        &[key],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        br#"{"test": 2432232314}"#,
    );
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn a_secret_of_another_form_is_refused() {
    for text in [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_not base64 at all, no",
    ] {
        WebhookKey::parse(&Secret::from(text)).unwrap_err();
    }
}
