//! When a token is used, renewed and given up.

use super::{Granted, Grants, Held};
use trunkline_core::payload::Name;

fn granted(text: &str, expires_in: Option<u64>) -> Granted {
    Granted {
        access_token: text.into(),
        token_type: None,
        expires_in,
    }
}

#[test]
fn a_token_is_renewed_after_four_fifths_of_its_time_and_worth_something_until_its_end() {
    let mut held = Held::default();
    held.take(granted("t", Some(100)), 1, 0);
    assert!(held.fresh(1, 79_999).is_some());
    assert!(held.fresh(1, 80_000).is_none());
    assert!(held.last(1, 99_999).is_some());
    assert!(held.last(1, 100_000).is_none());
    assert!(held.fresh(2, 0).is_none(), "another version needs another");
}

#[test]
fn a_refused_token_is_renewed_once_and_again_only_after_one_that_was_accepted() {
    let grants = Grants::default();
    let name = Name::from("shop");
    let take = |text: &str| {
        let grant = grants.of(&name);
        let mut held = grant.lock();
        held.take(granted(text, None), 1, 0).number
    };
    let first = take("first");
    assert!(grants.refused(&name, first), "a renewal may help");
    assert!(grants.refused(&name, first), "it is under way for all");
    let second = take("second");
    assert!(grants.refused(&name, first), "there is another already");
    assert!(!grants.refused(&name, second), "the renewal did not help");
    grants.proved(&name, second);
    assert!(
        grants.refused(&name, second),
        "it had helped, so it may again"
    );
}
