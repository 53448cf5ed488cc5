//! Tests of slots: given out once, freed once.

use super::{Slots, Workers};
use std::sync::Arc;
use trunkline_core::ids::{PeerId, RunKey};
use trunkline_core::peer::{FromPeer, Registration, ToPeer};

const PEER: PeerId = PeerId(1);

fn abilities(turn_slots: u32) -> Registration {
    Registration {
        turn_slots,
        ..Registration::default()
    }
}

fn free(workers: &Workers) -> Option<u32> {
    let mut free = None;
    workers.dispatch(|offers| free = offers.first().map(|offer| offer.turns));
    free
}

fn use_one(workers: &Workers) {
    workers.dispatch(|offers| offers[0].turns -= 1);
}

#[test]
fn a_forgotten_turn_frees_its_slot_once() {
    let workers = Workers::new(Arc::from([]));
    let slots = Arc::default();
    workers.register(PEER, Arc::clone(&slots), abilities(2));
    use_one(&workers);
    let run = RunKey(1);
    let turn = ToPeer::Turn(trunkline_core::peer::Turn {
        run,
        id: trunkline_core::ids::RunId::new("w", "1"),
        version: 1,
        token: trunkline_core::ids::Token(1),
        consumed: 0,
        from: 0,
        chunks: Vec::new(),
        started_at: Default::default(),
        now: Default::default(),
    });
    workers.told(&slots, &[turn]);
    assert_eq!(free(&workers), Some(1));
    workers.told(&slots, &[ToPeer::Forget { run }]);
    assert_eq!(free(&workers), Some(2));
    workers.heard(
        &slots,
        &[FromPeer::Evicted { run }, FromPeer::Evicted { run }],
    );
    assert_eq!(free(&workers), Some(2), "it was free already");
}

#[test]
fn a_second_registration_keeps_count_of_what_is_out() {
    let workers = Workers::new(Arc::from([]));
    let slots: Arc<Slots> = Arc::default();
    workers.register(PEER, Arc::clone(&slots), abilities(3));
    use_one(&workers);
    use_one(&workers);
    workers.register(PEER, Arc::clone(&slots), abilities(1));
    assert_eq!(free(&workers), Some(0), "two are out, and one is allowed");
    workers.register(PEER, slots, abilities(4));
    assert_eq!(free(&workers), Some(2));
    workers.withdraw(PEER);
    assert_eq!(free(&workers), None);
}

#[test]
fn a_closed_door_gives_nothing_out() {
    let workers = Workers::new(Arc::from([]));
    workers.register(PEER, Arc::default(), abilities(3));
    workers.close();
    assert_eq!(free(&workers), None);
}
