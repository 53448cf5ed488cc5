//! Exit codes tell scripts what kind of failure it was.

use super::Failure;
use std::io;
use trunkline_api::core::code::Code;

#[test]
fn exit_codes_follow_from_the_code() {
    for (code, exit_code) in [
        (Code::RunNotFound, 1),
        (Code::DataFolderInUse, 1),
        (Code::ServerUnreachable, 69),
        (Code::JournalPoisoned, 70),
        (Code::Internal, 70),
    ] {
        let failure = Failure::new(code, "what exactly");
        assert_eq!(failure.exit_code(), exit_code, "{code}");
        let line = failure.line().unwrap();
        assert!(line.starts_with(&format!("error[{code}]: {}: ", code.title())));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
    assert_eq!((failure.exit_code(), failure.line()), (0, None));
}
