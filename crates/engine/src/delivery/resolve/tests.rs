//! What is kept of resolved objects, for whom, and how much.

use super::{BYTES_MAX, Bodies, Key, Object, together};
use trunkline_core::payload::{Name, Payload};

fn key(id: &str) -> Key {
    (
        Name::from("http://x/"),
        Name::from("product"),
        Name::from(id),
    )
}

fn object(bytes: usize, asked_ms: u64) -> Object {
    Object {
        body: Payload::from(vec![b'1'; bytes]),
        asked_ms,
        until_ms: asked_ms + 1_000,
    }
}

#[test]
fn a_job_never_gets_a_body_that_was_asked_for_before_it_was_accepted() {
    let bodies = Bodies::default();
    bodies.put(key("a"), object(1, 5_000), 5_000);
    assert!(bodies.get(&key("a"), 4_999, 5_001).is_some());
    assert!(
        bodies.get(&key("a"), 5_000, 5_001).is_none(),
        "in the same millisecond nobody knows"
    );
    assert!(bodies.get(&key("a"), 5_500, 5_600).is_none());
    assert!(
        bodies.get(&key("a"), 4_999, 6_000).is_none(),
        "its time is over"
    );
    assert!(bodies.get(&key("b"), 4_999, 5_001).is_none());
}

#[test]
fn what_is_kept_is_bounded_in_bytes() {
    let bodies = Bodies::default();
    for id in 0..3_u32 {
        bodies.put(key(&id.to_string()), object(BYTES_MAX / 2, 1), 1);
    }
    assert_eq!(bodies.0.lock().unwrap().objects.len(), 2);
    // Once they are old they make room.
    bodies.put(key("new"), object(BYTES_MAX, 5_000), 5_000);
    let kept = bodies.0.lock().unwrap();
    assert_eq!((kept.objects.len(), kept.bytes), (1, BYTES_MAX));
}

#[test]
fn a_job_about_several_objects_gets_the_list_of_them() {
    let (a, b) = (Payload::from(&b"{\"n\":1}"[..]), Payload::from(&b"2"[..]));
    assert_eq!(&*together(&[&a]), b"{\"n\":1}");
    assert_eq!(&*together(&[&a, &b]), b"[{\"n\":1},2]");
    assert_eq!(&*together(&[]), b"[]");
}
