//! Files of histories: nothing is lost, and what is no such file is refused.

use super::{HistoryFile, base64};
use crate::core::code::Code;
use crate::core::entry::{Command, Entry, Notification, Outcome};
use crate::core::ids::{CommandId, Nonce, RunId};
use crate::core::payload::{Name, Payload};
use crate::core::time::Timestamp;

fn entries() -> Vec<Entry> {
    let at = Timestamp(1_700_000_000_123);
    vec![
        Entry::Notification(
            at,
            Notification::Started {
                input: Payload::from(&b"{\"cents\": 1.10}"[..]),
                seed: u64::MAX - 3,
                tags: None,
            },
        ),
        Entry::Notification(
            at,
            Notification::Signal {
                channel: Name::from("approvals"),
                payload: Payload::from(&[0xff, 0x00][..]),
                nonce: Nonce(u128::MAX / 7),
            },
        ),
        Entry::Turn { upto: 2 },
        Entry::Command(Command::StartTimer {
            command: CommandId(0),
            at: at.plus_ms(5),
            call: None,
        }),
        Entry::Command(Command::Finish {
            outcome: Outcome::Completed(Payload::null()),
        }),
    ]
}

fn file() -> HistoryFile {
    let chunks: Vec<Payload> = entries()
        .chunks(2)
        .map(|chunk| Payload::from(minicbor::to_vec(chunk).unwrap()))
        .collect();
    HistoryFile::new(
        &RunId::new("Checkout", "order-42"),
        2,
        Timestamp(1_700_000_000_123),
        Some("completed"),
        &chunks,
    )
    .unwrap()
}

#[test]
fn a_history_comes_back_from_its_file_as_it_was() {
    let json = serde_json::to_vec_pretty(&file()).unwrap();
    let read = HistoryFile::parse(&json).unwrap();
    assert_eq!(read.decode().unwrap(), entries());
    assert_eq!(read.run(), RunId::new("Checkout", "order-42"));
    assert_eq!((read.version, read.started_at.0.0), (2, 1_700_000_000_123));
    assert_eq!(read.entries.len(), 5);
    assert_eq!(read.entries[0].kind, "started");
}

#[test]
fn what_is_no_history_or_one_of_a_later_format_is_refused() {
    for text in ["", "[]", "{\"entries\": []}", "{\"trunkline_history\": 1}"] {
        let problem = HistoryFile::parse(text.as_bytes()).unwrap_err();
        assert_eq!(problem.code, Code::HistoryFileInvalid, "{text}");
    }
    let later = HistoryFile {
        trunkline_history: 2,
        ..file()
    };
    let problem = HistoryFile::parse(&serde_json::to_vec(&later).unwrap()).unwrap_err();
    assert!(problem.detail.contains("format 2"), "{}", problem.detail);
    for chunks in [vec![], vec!["?".into()], vec!["AAAA".into()]] {
        let broken = HistoryFile { chunks, ..file() };
        assert_eq!(broken.decode().unwrap_err().code, Code::HistoryFileInvalid);
    }
}

#[test]
fn base64_is_that_of_the_standard() {
    // The vectors of RFC 4648, section 10.
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64::encode(bytes.as_bytes()), text);
        assert_eq!(base64::decode(text).unwrap(), bytes.as_bytes());
    }
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(base64::decode(&base64::encode(&all)).unwrap(), all);
    for broken in ["Zg=", "Zg==Zg==", "Z===", "Zm9*"] {
        assert_eq!(base64::decode(broken), None, "{broken}");
    }
}
