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

#[test]
fn a_limit_of_a_service_is_given_out_once_and_back_once() {
    let workers = Workers::new(Arc::from([]));
    let slots: Arc<Slots> = Arc::default();
    let limited = |max| Registration {
        task_slots: 10,
        service_slots: Some(vec![("printer".into(), max)]),
        ..Registration::default()
    };
    workers.register(PEER, Arc::clone(&slots), limited(2));
    let room = || {
        let mut room = None;
        workers.dispatch(|offers| room = Some((offers[0].tasks, offers[0].service_tasks[0])));
        room.unwrap()
    };
    workers.dispatch(|offers| {
        offers[0].tasks -= 1;
        offers[0].service_tasks[0] -= 1;
    });
    let (run, token) = (RunKey(1), trunkline_core::ids::Token(1));
    let command = trunkline_core::ids::CommandId(0);
    let task = ToPeer::Task(Box::new(trunkline_core::peer::TaskAttempt {
        run,
        id: trunkline_core::ids::RunId::new("w", "1"),
        command,
        token,
        service: "printer".into(),
        task: "print".into(),
        input: trunkline_core::payload::Payload::null(),
        attempt: 1,
        options: Default::default(),
        meta: None,
        last_failure: None,
        heartbeat_details: None,
        began: Default::default(),
    }));
    workers.told(&slots, &[task]);
    assert_eq!(room(), (9, 1));
    workers.register(PEER, Arc::clone(&slots), limited(1));
    assert_eq!(room(), (9, 0), "one is out, and one is allowed");
    let delegated = || FromPeer::TaskDelegated {
        run,
        command,
        token,
    };
    workers.heard(&slots, &[delegated(), delegated()]);
    assert_eq!(room(), (10, 1), "it is with nobody now");
}
