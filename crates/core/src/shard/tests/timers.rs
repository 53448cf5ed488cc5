//! Timers: never early, never lost, fired once.

use super::runs::signal;
use super::world::*;
use crate::entry::Command;
use crate::ids::CommandId;
use crate::peer::FromPeer;
use crate::time::Timestamp;
use std::vec;

#[test]
fn timers_are_never_early_and_fire_once() {
    let mut world = World::new();
    world.start("a");
    let at = Timestamp(world.now + 5_000);
    world.play(
        WORKER,
        true,
        vec![Command::StartTimer {
            command: CommandId(0),
            at,
            call: None,
        }],
    );
    world.pass(4_999);
    assert!(world.turn(WORKER).is_none());
    world.crash();
    world.pass(1);
    let turn = world.turn(WORKER).expect("the timer has fired");
    world.report(WORKER, FromPeer::TurnDone(done_of(&turn, true, vec![])));
    world.crash();
    world.pass(100_000);
    assert!(world.turn(WORKER).is_none(), "it fires once");
}

#[test]
fn a_timer_that_came_due_during_an_outage_fires_afterwards() {
    let mut world = World::new();
    world.start("a");
    let at = Timestamp(world.now + 5_000);
    world.play(
        WORKER,
        true,
        vec![Command::StartTimer {
            command: CommandId(0),
            at,
            call: None,
        }],
    );
    world.now += 3_600_000;
    world.crash();
    world.pass(0);
    assert!(world.turn(WORKER).is_some());
}

#[test]
fn a_cancelled_timer_does_not_fire() {
    let mut world = World::new();
    world.start("a");
    let at = Timestamp(world.now + 5_000);
    world.play(
        WORKER,
        true,
        vec![Command::StartTimer {
            command: CommandId(0),
            at,
            call: None,
        }],
    );
    world.ask(signal("a", "1", 0));
    world.play(
        WORKER,
        true,
        vec![Command::CancelTimer {
            target: CommandId(0),
        }],
    );
    // Only the feed has something to do, tomorrow.
    let next = world.shard.next_deadline(Timestamp(world.now));
    assert!(next.is_none_or(|next| next.0 > world.now + 3_600_000));
    world.pass(10_000);
    assert!(world.turn(WORKER).is_none());
}
