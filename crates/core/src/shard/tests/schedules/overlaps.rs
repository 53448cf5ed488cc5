//! What a fire does while a run of the schedule has not ended: each policy, and the ends of runs.

use super::*;
use crate::schedule::{FireCounts, FireEnd};
use expect_test::{Expect, expect};
use std::format;

/// Three fires while the first run is open, then the ends of runs: what is there after each step.
fn story(overlap: Overlap, expected: &Expect) {
    let mut world = known_world();
    put(&mut world, minutely(overlap)).expect("usable");
    let mut told = String::new();
    let mut tell = |world: &mut World, what: &str| {
        let runs = runs(world).join(", ");
        let state = described(world).state;
        let waiting = state.waiting.len();
        let FireCounts { skipped, .. } = state.counts;
        told += &format!("{what}: {runs} | {waiting} waiting, {skipped} skipped\n");
        world.crash();
    };
    for what in ["first", "second", "third"] {
        world.pass(MINUTE);
        tell(&mut world, what);
    }
    // The clock stands still for the ends: they come within the same minute.
    for _ in 0..2 {
        if described(&mut world).state.running.is_empty() {
            break;
        }
        end_oldest(&mut world);
        tell(&mut world, "end");
    }
    expected.assert_eq(&told);
}

#[test]
fn skip_starts_nothing_while_a_run_is_open() {
    story(
        Overlap::Skip,
        &expect![[r#"
            first: 1 running | 0 waiting, 0 skipped
            second: 1 running | 0 waiting, 1 skipped
            third: 1 running | 0 waiting, 2 skipped
            end: 1 terminated | 0 waiting, 2 skipped
        "#]],
    );
}

#[test]
fn buffer_one_keeps_one_fire() {
    story(
        Overlap::BufferOne,
        &expect![[r#"
            first: 1 running | 0 waiting, 0 skipped
            second: 1 running | 1 waiting, 0 skipped
            third: 1 running | 1 waiting, 1 skipped
            end: 1 terminated, 2 running | 0 waiting, 1 skipped
            end: 1 terminated, 2 terminated | 0 waiting, 1 skipped
        "#]],
    );
}

#[test]
fn buffer_all_keeps_them_in_order() {
    story(
        Overlap::BufferAll,
        &expect![[r#"
            first: 1 running | 0 waiting, 0 skipped
            second: 1 running | 1 waiting, 0 skipped
            third: 1 running | 2 waiting, 0 skipped
            end: 1 terminated, 2 running | 1 waiting, 0 skipped
            end: 1 terminated, 2 terminated, 3 running | 0 waiting, 0 skipped
        "#]],
    );
}

#[test]
fn cancel_other_asks_the_run_to_cancel_and_starts_the_newest_fire_when_it_has_ended() {
    story(
        Overlap::CancelOther,
        &expect![[r#"
            first: 1 running | 0 waiting, 0 skipped
            second: 1 cancelling | 1 waiting, 0 skipped
            third: 1 cancelling | 1 waiting, 1 skipped
            end: 1 terminated, 2 running | 0 waiting, 1 skipped
            end: 1 terminated, 2 terminated | 0 waiting, 1 skipped
        "#]],
    );
}

#[test]
fn terminate_other_ends_the_run_and_starts_the_newest_fire() {
    story(
        Overlap::TerminateOther,
        &expect![[r#"
            first: 1 running | 0 waiting, 0 skipped
            second: 1 terminated, 2 running | 0 waiting, 0 skipped
            third: 1 terminated, 2 terminated, 3 running | 0 waiting, 0 skipped
            end: 1 terminated, 2 terminated, 3 terminated | 0 waiting, 0 skipped
        "#]],
    );
}

#[test]
fn allow_all_starts_runs_side_by_side() {
    story(
        Overlap::AllowAll,
        &expect![[r#"
            first: 1 running | 0 waiting, 0 skipped
            second: 1 running, 2 running | 0 waiting, 0 skipped
            third: 1 running, 2 running, 3 running | 0 waiting, 0 skipped
            end: 1 terminated, 2 running, 3 running | 0 waiting, 0 skipped
            end: 1 terminated, 2 terminated, 3 running | 0 waiting, 0 skipped
        "#]],
    );
}

#[test]
fn a_buffer_is_bounded_and_what_does_not_fit_is_skipped() {
    let mut world = known_world();
    let schedule = Schedule {
        buffer_max: 2,
        ..minutely(Overlap::BufferAll)
    };
    put(&mut world, schedule).expect("usable");
    world.pass(5 * MINUTE);
    let state = described(&mut world).state;
    assert_eq!((state.waiting.len(), state.counts.skipped), (2, 2));
    // They start in their order, each with its own instant.
    let waiting: Vec<Timestamp> = state.waiting.iter().map(|waiting| waiting.at).collect();
    for expected in waiting {
        end_oldest(&mut world);
        world.crash();
        assert_eq!(described(&mut world).state.running[0].at, expected);
    }
}

#[test]
fn a_trigger_may_have_a_policy_of_its_own() {
    let mut world = known_world();
    put(&mut world, minutely(Overlap::Skip)).expect("usable");
    world.pass(MINUTE);
    assert!(matches!(
        trigger(&mut world, 0),
        Reply::Fired {
            end: FireEnd::Skipped,
            ..
        }
    ));
    let op = Op::TriggerSchedule {
        name: Name::from("nightly"),
        overlap: Some(Overlap::AllowAll),
        nonce: Nonce(0),
    };
    assert!(matches!(
        world.ask(op),
        Some(Ok(Reply::Fired {
            run: Some(_),
            end: FireEnd::Starting
        }))
    ));
    assert_eq!(runs(&mut world), ["1 running", "2 running"]);
}

#[test]
fn an_end_that_is_not_of_the_schedules_own_run_changes_nothing() {
    let mut world = known_world();
    put(&mut world, minutely(Overlap::BufferAll)).expect("usable");
    world.start("somebody-elses");
    world.pass(2 * MINUTE);
    end_run(&mut world, &Name::from("somebody-elses"));
    let state = described(&mut world).state;
    assert_eq!((state.running.len(), state.waiting.len()), (1, 1));
}
