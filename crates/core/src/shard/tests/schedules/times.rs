//! When schedules fire: outages, catch-up, jitter, bounds, clocks that are turned.

use super::*;
use crate::schedule::{CATCH_UP_MS, Cause, FireEnd};
use std::collections::BTreeSet;

#[test]
fn a_schedule_fires_at_each_of_its_instants_once_and_never_early() {
    let mut world = known_world();
    put(&mut world, minutely(Overlap::AllowAll)).expect("usable");
    // 00:16:40: the next whole minute is 20 s away.
    world.pass(19_999);
    assert!(runs(&mut world).is_empty());
    world.crash();
    world.pass(1);
    assert_eq!(runs(&mut world), ["1 running"]);
    for _ in 0..3 {
        world.crash();
        world.pass(0);
    }
    assert_eq!(runs(&mut world), ["1 running"], "it fires once");
    world.pass(3 * MINUTE);
    assert_eq!(runs(&mut world).len(), 4);
    let open = described(&mut world).state.running;
    let ids: Vec<&str> = open.iter().map(|open| open.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "r-1-1970-01-01T00:17:00Z",
            "r-2-1970-01-01T00:18:00Z",
            "r-3-1970-01-01T00:19:00Z",
            "r-4-1970-01-01T00:20:00Z"
        ]
    );
}

#[test]
fn after_an_outage_what_was_due_within_the_catch_up_window_fires_and_the_rest_is_missed() {
    let mut world = known_world();
    let schedule = Schedule {
        catch_up_ms: 10 * MINUTE,
        ..minutely(Overlap::AllowAll)
    };
    put(&mut world, schedule).expect("usable");
    world.pass(20_000);
    // An hour of nothing, and then an opening: 60 instants were due.
    world.now += 60 * MINUTE;
    world.crash();
    world.pass(0);
    let state = described(&mut world).state;
    assert_eq!((state.counts.missed, state.counts.started), (49, 12));
    let first = state.running[1].at;
    assert_eq!(first.since_ms(state.running[0].at), 50 * MINUTE);
    world.crash();
    world.pass(0);
    assert_eq!(
        described(&mut world).state,
        state,
        "what is dealt with stays so"
    );
}

#[test]
fn by_default_no_outage_is_too_long() {
    let mut world = known_world();
    let schedule = Schedule {
        when: vec![When::Cron(Name::from("0 0 1 * *"))],
        ..minutely(Overlap::BufferAll)
    };
    assert!(schedule.catch_up_ms == CATCH_UP_MS);
    put(&mut world, schedule).expect("usable");
    world.now += CATCH_UP_MS - 86_400_000 * 31;
    world.crash();
    world.pass(0);
    let state = described(&mut world).state;
    assert_eq!((state.counts.missed, state.running.len()), (0, 1));
    assert_eq!(state.waiting.len(), 10, "one after the other, all of them");
}

#[test]
fn an_outage_with_very_many_fires_is_worked_off_in_pieces() {
    let mut world = known_world();
    let schedule = Schedule {
        when: vec![When::Every {
            every_ms: 100,
            offset_ms: 0,
        }],
        catch_up_ms: 100_000,
        ..minutely(Overlap::Skip)
    };
    put(&mut world, schedule).expect("usable");
    world.now += 5_000_000;
    world.crash();
    world.pass(0);
    let counts = described(&mut world).state.counts;
    assert_eq!(counts.started + counts.skipped + counts.missed, 50_000);
    assert_eq!((counts.started, counts.missed), (1, 48_999));
}

#[test]
fn jitter_is_the_same_again_stays_in_its_bounds_and_never_passes_the_next_fire() {
    let mut dues = Vec::new();
    for crash in [false, true] {
        let mut world = known_world();
        let schedule = Schedule {
            jitter_ms: 2 * MINUTE,
            ..minutely(Overlap::AllowAll)
        };
        put(&mut world, schedule).expect("usable");
        let mut found = Vec::new();
        for _ in 0..50 {
            let state = described(&mut world).state;
            let (next, due) = (state.next.expect("a fire"), state.due.expect("a fire"));
            assert!(due >= next && due.since_ms(next) < MINUTE);
            found.push(due.since_ms(next));
            if crash {
                world.crash();
            }
            world.pass(due.since_ms(Timestamp(world.now)));
            let fired = described(&mut world).state.running.last().cloned();
            assert_eq!(
                fired.expect("it has fired").at,
                next,
                "the run stands for its instant"
            );
        }
        dues.push(found);
    }
    assert_eq!(dues[0], dues[1]);
    let different: BTreeSet<u64> = dues[0].iter().copied().collect();
    assert!(different.len() > 40, "{different:?}");
}

/// The only thing that is still due is to sweep the feed, a day after the last event.
fn assert_nothing_fires_today(world: &World) {
    let due = world.shard.next_deadline(Timestamp(world.now));
    let today = Timestamp(world.now + 12 * 60 * MINUTE);
    assert!(due.is_none_or(|due| due > today), "{due:?}");
}

#[test]
fn a_schedule_keeps_to_its_bounds_and_its_number_of_runs() {
    let mut world = known_world();
    let start = Timestamp(world.now + 10 * MINUTE);
    let schedule = Schedule {
        starts_at: Some(start),
        ends_at: Some(start.plus_ms(5 * MINUTE)),
        ..minutely(Overlap::AllowAll)
    };
    put(&mut world, schedule).expect("usable");
    assert_eq!(
        texts(&described(&mut world).upcoming),
        [
            "1970-01-01T00:27:00Z",
            "1970-01-01T00:28:00Z",
            "1970-01-01T00:29:00Z"
        ]
    );
    world.pass(60 * MINUTE);
    let state = described(&mut world).state;
    assert_eq!((state.counts.started, state.next), (5, None));
    assert_nothing_fires_today(&world);

    let mut world = known_world();
    let schedule = Schedule {
        remaining: Some(3),
        ..minutely(Overlap::Skip)
    };
    put(&mut world, schedule.clone()).expect("usable");
    // What is skipped does not count, nor what is triggered.
    world.pass(2 * MINUTE);
    assert_eq!(described(&mut world).state.remaining, Some(2));
    end_oldest(&mut world);
    trigger(&mut world, 0);
    end_oldest(&mut world);
    world.pass(MINUTE);
    end_oldest(&mut world);
    assert_eq!(described(&mut world).upcoming.len(), 1);
    world.crash();
    world.pass(10 * MINUTE);
    let state = described(&mut world).state;
    assert_eq!(
        (state.remaining, state.next, state.counts.started),
        (Some(0), None, 4)
    );
    // The same again is no new count; another one is.
    put(&mut world, schedule.clone()).expect("usable");
    assert_eq!(described(&mut world).state.remaining, Some(0));
    put(
        &mut world,
        Schedule {
            remaining: Some(1),
            ..schedule
        },
    )
    .expect("usable");
    assert_eq!(described(&mut world).state.remaining, Some(1));
}

#[test]
fn clocks_that_are_turned_neither_lose_nor_double_a_daily_run() {
    for (day, expected) in [
        (
            "2026-03-27T12:00:00",
            [
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z",
            ],
        ),
        (
            "2026-10-23T12:00:00",
            [
                "2026-10-24T00:30:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ],
        ),
    ] {
        let mut world = known_world();
        world.now = at(day);
        let schedule = Schedule {
            when: vec![When::Cron(Name::from("30 2 * * *"))],
            zone: Name::from("Europe/Berlin"),
            ..minutely(Overlap::AllowAll)
        };
        put(&mut world, schedule).expect("usable");
        assert_eq!(texts(&described(&mut world).upcoming), expected);
        world.pass(3 * 24 * 60 * MINUTE);
        let open = described(&mut world).state.running;
        let fired: Vec<Timestamp> = open.iter().map(|open| open.at).collect();
        assert_eq!(texts(&fired), expected);
    }
}

#[test]
fn a_paused_schedule_does_not_fire_and_does_not_make_up_for_it() {
    let mut world = known_world();
    put(&mut world, minutely(Overlap::BufferAll)).expect("usable");
    world.pass(2 * MINUTE);
    pause(&mut world, Some("the database moves"));
    world.crash();
    world.pass(60 * MINUTE);
    let status = described(&mut world);
    assert_eq!(status.state.paused.as_deref(), Some("the database moves"));
    assert!(status.upcoming.is_empty());
    assert_nothing_fires_today(&world);
    // What waits for a run waits for the end of the pause, too; what somebody asks for does not.
    end_oldest(&mut world);
    assert_eq!(runs(&mut world), ["1 terminated"]);
    trigger(&mut world, 0);
    assert_eq!(runs(&mut world), ["1 terminated", "2 running"]);
    end_oldest(&mut world);
    world.crash();
    pause(&mut world, None);
    let state = described(&mut world).state;
    assert_eq!(
        state.running[0].at,
        Timestamp(18 * MINUTE),
        "the fire that has waited"
    );
    world.pass(MINUTE);
    let counts = described(&mut world).state.counts;
    assert_eq!((counts.started, counts.missed, counts.skipped), (3, 0, 0));
}

#[test]
fn a_range_of_the_past_is_filled_in_order_whatever_crashes() {
    for crash in [false, true] {
        let mut world = known_world();
        put(&mut world, minutely(Overlap::Skip)).expect("usable");
        pause(&mut world, Some("only the past"));
        world.now += 60 * MINUTE;
        let op = Op::BackfillSchedule {
            name: Name::from("nightly"),
            from: Timestamp(20 * MINUTE),
            to: Timestamp(24 * MINUTE),
            overlap: None,
            nonce: Nonce(7),
        };
        // A repeat of the request does nothing.
        for _ in 0..2 {
            assert_eq!(world.ask(op.clone()), Some(Ok(Reply::Done)));
        }
        let mut filled = Vec::new();
        loop {
            if crash {
                world.crash();
            }
            let open = described(&mut world).state.running;
            assert!(open.len() <= 1, "one after the other");
            let Some(open) = open.first() else {
                break;
            };
            filled.push(open.at.0 / MINUTE);
            end_oldest(&mut world);
        }
        assert_eq!(filled, [20, 21, 22, 23, 24]);
        let state = described(&mut world).state;
        assert!(state.backfills.is_empty());
        assert!(
            state
                .recent
                .iter()
                .all(|fire| fire.cause == Cause::Backfill)
        );
    }
}

#[test]
fn a_long_range_side_by_side_is_filled_as_there_is_room() {
    let mut world = known_world();
    put(&mut world, minutely(Overlap::Skip)).expect("usable");
    pause(&mut world, Some("only the past"));
    world.now += 2_000 * MINUTE;
    let op = Op::BackfillSchedule {
        name: Name::from("nightly"),
        from: Timestamp(MINUTE),
        to: Timestamp(1_010 * MINUTE),
        overlap: Some(Overlap::AllowAll),
        nonce: Nonce(0),
    };
    assert_eq!(world.ask(op), Some(Ok(Reply::Done)));
    world.pass(0);
    assert_eq!(described(&mut world).state.running.len(), 1_000);
    for _ in 0..10 {
        end_oldest(&mut world);
    }
    world.pass(0);
    let state = described(&mut world).state;
    assert_eq!((state.counts.started, state.running.len()), (1_010, 1_000));
    // That it is done is found out when there is room again.
    end_oldest(&mut world);
    assert!(described(&mut world).state.backfills.is_empty());
}

#[test]
fn what_has_run_already_is_not_run_again_by_a_backfill() {
    let mut world = known_world();
    let mut schedule = minutely(Overlap::Skip);
    schedule.action.id = Name::from("r-0-{time}");
    put(&mut world, schedule).expect("usable");
    world.pass(3 * MINUTE);
    end_oldest(&mut world);
    pause(&mut world, Some("only the past"));
    let now = Timestamp(world.now);
    let op = Op::BackfillSchedule {
        name: Name::from("nightly"),
        from: Timestamp(17 * MINUTE),
        to: now,
        overlap: None,
        nonce: Nonce(0),
    };
    assert_eq!(world.ask(op), Some(Ok(Reply::Done)));
    // 00:17 has run; 00:18 and 00:19 had been skipped.
    let state = described(&mut world).state;
    assert_eq!(state.running[0].at, Timestamp(18 * MINUTE));
    let of_17 = state
        .recent
        .iter()
        .rev()
        .find(|fire| fire.at.0 == 17 * MINUTE);
    assert!(matches!(
        of_17.expect("it is remembered").end,
        FireEnd::Ended(_)
    ));
    assert_eq!(runs(&mut world).len(), 2);
}
