//! Signals: kept from the start, in order, each once.

use super::runs::{code, signal};
use super::world::*;
use crate::code::Code;
use crate::entry::{Entry, Notification};
use crate::peer::Reply;
use std::vec;
use std::vec::Vec;

#[test]
fn signals_are_kept_from_the_start_and_in_order() {
    let mut world = World::new();
    world.start("a");
    for value in ["1", "2", "3"] {
        assert_eq!(world.ask(signal("a", value, 0)), Some(Ok(Reply::Done)));
    }
    world.crash();
    let turn = world.turn(WORKER).expect("a turn");
    let values: Vec<_> = turn
        .chunks
        .iter()
        .flat_map(entries_of)
        .filter_map(|entry| match entry {
            Entry::Notification(_, Notification::Signal { payload, .. }) => Some(payload),
            _ => None,
        })
        .collect();
    assert_eq!(values, vec![json("1"), json("2"), json("3")]);
}

#[test]
fn a_repeated_signal_counts_once_also_after_a_crash() {
    let mut world = World::new();
    world.start("a");
    world.ask(signal("a", "1", 5));
    world.ask(signal("a", "1", 5));
    world.crash();
    assert_eq!(world.ask(signal("a", "1", 5)), Some(Ok(Reply::Done)));
    world.ask(signal("a", "2", 6));
    assert_eq!(world.history("a").len(), 3);
}

#[test]
fn a_signal_that_does_not_fit_is_refused_and_can_be_sent_again() {
    let mut world = World::new();
    world.start("a");
    let large = std::format!("\"{}\"", "x".repeat(4 << 20));
    let mut accepted = 0;
    while world.ask(signal("a", &large, 100 + accepted)) == Some(Ok(Reply::Done)) {
        accepted += 1;
    }
    assert_eq!(
        accepted, 7,
        "seven times 4 MiB and a little fit into 32 MiB"
    );
    let refused = 100 + accepted;
    assert_eq!(
        code(world.ask(signal("a", &large, refused))),
        Code::HistoryFull,
        "not taken for a repeat"
    );
    assert_eq!(world.ask(signal("a", "1", refused)), Some(Ok(Reply::Done)));
    assert_eq!(
        world.ask(signal("a", &large, 100)),
        Some(Ok(Reply::Done)),
        "a repeat is still known"
    );
    world.crash();
    assert_eq!(code(world.ask(signal("a", &large, 0))), Code::HistoryFull);
}

#[test]
fn a_signal_to_a_finished_or_unknown_run_is_refused() {
    let mut world = World::new();
    assert_eq!(code(world.ask(signal("a", "1", 0))), Code::RunNotFound);
    world.start("a");
    world.play(WORKER, true, vec![finish()]);
    assert_eq!(code(world.ask(signal("a", "1", 0))), Code::RunFinished);
}
