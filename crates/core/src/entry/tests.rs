//! Entries of earlier formats, and what they cost.

use super::Notification;
use crate::payload::{Name, Payload};
use alloc::vec;
use minicbor::{Decode, Encode};

/// The start of a run before it said the run's tags.
#[derive(Encode, Decode)]
enum Before {
    #[n(0)]
    Started {
        #[n(0)]
        input: Payload,
        #[n(1)]
        seed: u64,
    },
}

fn started(tags: Option<vec::Vec<Name>>) -> Notification {
    let input = Payload::from(&b"7"[..]);
    let seed = 9;
    Notification::Started { input, seed, tags }
}

#[test]
fn a_start_without_tags_is_written_as_before_and_an_old_one_is_read() {
    let input = Payload::from(&b"7"[..]);
    let before = minicbor::to_vec(Before::Started { input, seed: 9 }).unwrap();
    assert_eq!(minicbor::to_vec(started(None)).unwrap(), before);
    let read: Notification = minicbor::decode(&before).unwrap();
    assert_eq!(read, started(None));
    let tags = Some(vec![Name::from("red")]);
    let written = minicbor::to_vec(started(tags.clone())).unwrap();
    let read: Notification = minicbor::decode(&written).unwrap();
    assert_eq!(read, started(tags));
}
