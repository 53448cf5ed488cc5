//! Taking secrets out.

use super::Redactor;
use crate::secret::Secret;

#[test]
fn a_secret_is_taken_out_wherever_it_is_and_in_base64_too() {
    let mut redactor = Redactor::default();
    redactor.add(&Secret::from("canary-1"));
    let text = "canary-1, Basic Y2FuYXJ5LTE=, xcanary-1canary-1".to_owned();
    assert_eq!(
        redactor.redact_text(text),
        "<secret>, Basic <secret>, x<secret><secret>"
    );
}

#[test]
fn what_has_no_secret_stays_as_it_is() {
    let mut redactor = Redactor::default();
    redactor.add(&Secret::from("canary-1"));
    assert_eq!(redactor.redact(b"canary-2"), None);
    // A secret of one character is in everything.
    redactor.add(&Secret::from("e"));
    assert_eq!(redactor.redact(b"eeee"), None);
}
