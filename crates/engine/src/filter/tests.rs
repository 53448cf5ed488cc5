//! Tests of the filter: never a no for a key that is there, and seldom a yes for one that is not.

use super::{Filter, FilteredStore};
use std::sync::Arc;
use trunkline_journal::{MemoryStore, Position, Store};

fn key(number: u64) -> Vec<u8> {
    format!("ru..{number:020}").into_bytes()
}

#[test]
fn a_full_filter_is_wrong_about_few_keys_and_only_in_one_way() {
    let filter = Filter::new(10_000);
    for number in 0..10_000 {
        filter.insert(&key(number));
    }
    assert!((0..10_000).all(|number| filter.may_have(&key(number))));
    let wrong = (10_000..20_000)
        .filter(|number| filter.may_have(&key(*number)))
        .count();
    assert!(wrong < 200, "{wrong} of 10,000");
    assert!(!filter.is_full());
    for number in 0..10_000 {
        filter.insert(&key(number));
    }
    assert!(!filter.is_full(), "a key counts once");
}

#[test]
fn what_the_store_has_is_found_before_and_after_learning_and_growing() {
    let store = Arc::new(MemoryStore::new());
    let apply = |store: &dyn Store, numbers: std::ops::Range<u64>| {
        let keys: Vec<_> = numbers.map(key).collect();
        let mut changes = keys.iter().map(|key| (&key[..], Some(&b"1"[..])));
        store.apply(&mut changes, Position(1)).unwrap();
    };
    apply(&*store, 0..100);
    let filtered = FilteredStore::new(store);
    let has = |number| filtered.get(&key(number)).unwrap().is_some();
    assert!((0..100).all(has) && !has(100));
    apply(&filtered, 100..200);
    filtered.learn_with(50).unwrap();
    assert!((0..200).all(has) && !has(200));
    apply(&filtered, 200..300);
    assert!(filtered.filter().keys_max > 50, "it has grown");
    assert!((0..300).all(has) && !has(300));
}
