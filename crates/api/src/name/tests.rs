//! What is a name and what is none.

use super::{name, run, tags, workflow};
use crate::core::code::Code;

#[test]
fn usual_names_are_taken() {
    for text in [
        "a",
        "Checkout",
        "dlv-42/1",
        "sp ace",
        "Größe",
        &"x".repeat(256),
    ] {
        assert_eq!(name("id", text).unwrap().as_str(), text);
    }
    assert_eq!(run("Checkout", "a/b").unwrap().to_string(), "Checkout/a/b");
}

#[test]
fn what_is_no_name_is_refused_and_says_which_field() {
    for text in ["", "a\nb", "\u{0}", &"x".repeat(257)] {
        let problem = name("lane", text).unwrap_err();
        assert_eq!(problem.code, Code::NameInvalid);
        assert!(problem.detail.starts_with("`lane` "), "{}", problem.detail);
    }
    assert_eq!(workflow("a/b").unwrap_err().code, Code::NameInvalid);
}

#[test]
fn too_many_tags_are_refused() {
    let many = vec!["t".to_owned(); 1_001];
    assert_eq!(tags(&many).unwrap_err().code, Code::TooManyTags);
    assert_eq!(tags(&many[..1_000]).unwrap().len(), 1_000);
}
