//! Tests of the rows: what lies on top is what is read, whatever lies where.

use super::State;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use trunkline_core::output::Output;
use trunkline_core::policy::scramble;
use trunkline_core::row::Rows;
use trunkline_journal::{MemoryStore, Position, Store};

/// Keys of two kinds, in two shards, of three subjects, some longer than their subject.
fn key(number: u64) -> Vec<u8> {
    let kind = if number & 1 == 0 { b"aa" } else { b"ab" };
    let mut key = kind.to_vec();
    key.extend([0, (number >> 1) as u8 & 1]);
    key.extend([0; 15]);
    key.push((number >> 2) as u8 % 3);
    key.extend(vec![7; (number >> 4) as usize % 4]);
    key
}

fn commit(changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Bytes {
    let mut out = Output::default();
    for (key, value) in changes {
        out.change(key, value.as_deref());
    }
    Bytes::from(out.take_encoded())
}

fn created(key: &[u8], value: &[u8]) -> Bytes {
    let mut out = Output::default();
    out.create(key, value);
    Bytes::from(out.take_encoded())
}

fn scanned(state: &State, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    state.scan(from, to, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        rows.len() < limit
    });
    rows
}

#[test]
fn rows_are_read_as_from_one_map_through_any_changes_and_checkpoints() {
    let mut seed = 1;
    let mut random = move |below: u64| {
        seed = scramble(seed);
        seed % below
    };
    let store = Arc::new(MemoryStore::new());
    let any: Arc<dyn Store> = Arc::clone(&store) as _;
    let mut state = State::new(any);
    let mut model = BTreeMap::new();
    let mut frozen = None;
    for step in 0..2_000 {
        match random(10) {
            0 => frozen = state.freeze(Position(step)).or(frozen),
            1 => {
                if let Some(frozen) = frozen.take() {
                    frozen.write_to(&*store).unwrap();
                    state.thaw();
                }
            }
            _ => {
                let key = key(random(64));
                let value = (random(3) > 0).then(|| step.to_be_bytes().to_vec());
                let before = match &value {
                    Some(value) => model.insert(key.clone(), value.clone()),
                    None => model.remove(&key),
                };
                let body = match (&before, &value) {
                    (None, Some(value)) if random(2) == 0 => created(&key, value),
                    _ => commit(&[(key, value)]),
                };
                state.apply(&body).unwrap();
            }
        }
        let one = key(random(64));
        assert_eq!(state.get(&one), model.get(&one).cloned());
        let (mut from, mut to) = (key(random(64)), key(random(64)));
        if random(2) == 0 {
            // All rows of a subject.
            from.truncate(20);
            to.clone_from(&from);
            *to.last_mut().unwrap() += 1;
        }
        if from > to {
            std::mem::swap(&mut from, &mut to);
        }
        let limit = 1 + random(5) as usize;
        let expected: Vec<_> = model
            .range(from.clone()..to.clone())
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(scanned(&state, &from, &to, limit), expected);
    }
}

#[test]
fn a_malformed_commit_is_refused() {
    let mut state = State::new(Arc::new(MemoryStore::new()));
    let good = commit(&[(key(1), Some(vec![1, 2, 3]))]);
    assert!(state.apply(&good.slice(..good.len() - 1)).is_err());
    assert!(state.apply(&good).is_ok());
}

#[test]
fn a_row_that_comes_and_goes_between_two_checkpoints_never_touches_the_store() {
    let mut state = State::new(Arc::new(MemoryStore::new()));
    for number in [0, 16] {
        state.apply(&created(&key(number), b"1")).unwrap();
        let frozen = state.freeze(Position(number)).unwrap();
        assert_eq!(frozen.write_to(&MemoryStore::new()).unwrap(), 1);
        state.thaw();
        state.apply(&created(&key(number + 1), b"2")).unwrap();
        state
            .apply(&commit(&[(key(number), Some(vec![3]))]))
            .unwrap();
        state.apply(&commit(&[(key(number + 1), None)])).unwrap();
        let frozen = state.freeze(Position(number + 1)).unwrap();
        let store = MemoryStore::new();
        assert_eq!(
            frozen.write_to(&store).unwrap(),
            1,
            "only the row that is still there"
        );
        state.thaw();
    }
}
