//! A failure is read as it was written, and what nests without end is refused.

use super::*;
use alloc::format;
use alloc::vec::Vec;
use minicbor::Encoder;

fn nested(causes: usize) -> Vec<u8> {
    let mut e = Encoder::new(Vec::new());
    for _ in 0..causes {
        e.array(5).unwrap().u8(0).unwrap();
        e.str("").unwrap().str("").unwrap().null().unwrap();
    }
    e.array(3).unwrap().u8(0).unwrap();
    e.str("").unwrap().str("").unwrap();
    e.into_writer()
}

#[test]
fn a_failure_comes_back_as_it_was() {
    let site = Site::Task {
        service: Name::from("payments"),
        task: Name::from("charge"),
    };
    let mut root = Failure::new(FailureKind::TimedOut, "Late", "too late");
    root.detail = Some(Payload::from(&b"7"[..]));
    root.non_retryable = true;
    let mut failure = Failure::new(FailureKind::Application, "Middle", "because of it");
    failure = failure.caused_by(root.at(|| site));
    failure = Failure::new(FailureKind::Panicked, "Top", "in the end").caused_by(failure);
    failure.non_retryable = true;
    let bytes = minicbor::to_vec(&failure).unwrap();
    assert_eq!(minicbor::decode::<Failure>(&bytes).unwrap(), failure);
}

#[test]
fn the_longest_chain_that_is_made_can_be_read() {
    let mut failure = Failure::new(FailureKind::Application, "0", "");
    for link in 1..3 * CHAIN_MAX {
        let next = Failure::new(FailureKind::Application, format!("{link}"), "");
        failure = next.caused_by(failure);
    }
    let bytes = minicbor::to_vec(&failure).unwrap();
    assert_eq!(minicbor::decode::<Failure>(&bytes).unwrap(), failure);
}

#[test]
fn causes_nested_without_end_are_refused_and_do_not_use_up_the_stack() {
    assert!(minicbor::decode::<Failure>(&nested(100)).is_ok());
    for causes in [200, 1_000_000] {
        let refused = minicbor::decode::<Failure>(&nested(causes)).unwrap_err();
        assert!(
            format!("{refused}").contains("too many causes"),
            "{refused}"
        );
    }
}

#[test]
fn fields_of_a_later_version_are_passed_over() {
    let mut e = Encoder::new(Vec::new());
    e.array(9).unwrap().u8(0).unwrap();
    e.str("Name").unwrap().str("message").unwrap();
    e.null().unwrap().null().unwrap().bool(true).unwrap();
    e.null().unwrap().str("new").unwrap().u8(7).unwrap();
    let failure: Failure = minicbor::decode(&e.into_writer()).unwrap();
    assert!(failure.non_retryable && &*failure.name == "Name");
}
