//! What is asked of schedules: put, update, list, trigger, delete; and what is refused.

use super::*;
use crate::code::Code;
use crate::schedule::{FireCounts, FireEnd};
use std::format;

#[test]
fn an_update_keeps_the_identity_and_does_not_reach_into_the_past() {
    let mut world = known_world();
    let created = Timestamp(world.now);
    put(&mut world, minutely(Overlap::Skip)).expect("usable");
    world.pass(3 * MINUTE);
    let before = described(&mut world).state;
    world.pass(10_000);
    let update = Schedule {
        when: vec![When::Every {
            every_ms: 1_000,
            offset_ms: 0,
        }],
        ..minutely(Overlap::Skip)
    };
    let Ok(Reply::SchedulePut { created: false, .. }) = put(&mut world, update) else {
        panic!("it was there");
    };
    let after = described(&mut world).state;
    assert_eq!((after.created_at, after.revision), (created, 2));
    assert_eq!(after.updated_at, Timestamp(world.now));
    assert_eq!(
        (&after.running, &after.recent, after.counts),
        (&before.running, &before.recent, before.counts)
    );
    assert!(after.next > Some(Timestamp(world.now)));
    world.crash();
    world.pass(0);
    assert_eq!(described(&mut world).state, after);
    // The same again changes nothing at all.
    let again = described(&mut world).schedule;
    put(&mut world, again).expect("usable");
    assert_eq!(described(&mut world).state, after);
}

#[test]
fn an_update_does_not_lose_a_fire_that_is_being_put_off() {
    let mut world = known_world();
    let schedule = Schedule {
        jitter_ms: 30_000,
        when: vec![When::Cron(Name::from("*/10 * * * *"))],
        ..minutely(Overlap::AllowAll)
    };
    put(&mut world, schedule.clone()).expect("usable");
    let state = described(&mut world).state;
    let (next, due) = (state.next.expect("a fire"), state.due.expect("a fire"));
    assert!(due > next.plus_ms(1), "this name and instant have a jitter");
    world.pass(next.plus_ms(1).since_ms(Timestamp(world.now)));
    let update = Schedule {
        when: vec![When::Cron(Name::from("5 0 * * *"))],
        ..schedule
    };
    put(&mut world, update).expect("usable");
    world.crash();
    world.pass(30_000);
    let state = described(&mut world).state;
    assert_eq!(state.running[0].at, next);
    assert_eq!(
        texts(&[state.next.expect("a fire")]),
        ["1970-01-02T00:05:00Z"]
    );
}

#[test]
fn a_trigger_fires_once_however_often_it_is_repeated() {
    let mut world = known_world();
    put(&mut world, minutely(Overlap::AllowAll)).expect("usable");
    let Reply::Fired { run: first, .. } = trigger(&mut world, 9) else {
        panic!("a fire");
    };
    world.crash();
    let Reply::Fired { run: again, .. } = trigger(&mut world, 9) else {
        panic!("a fire");
    };
    assert_eq!(first, again);
    assert_eq!(runs(&mut world).len(), 1);
    // Two at the same time are two.
    trigger(&mut world, 10);
    trigger(&mut world, 11);
    assert_eq!(runs(&mut world).len(), 3);
}

#[test]
fn a_run_gets_the_workflow_the_version_the_input_the_tags_and_the_time_out() {
    let mut world = known_world();
    let mut schedule = minutely(Overlap::AllowAll);
    schedule.zone = Name::from("Asia/Tokyo");
    schedule.action.id = Name::from("{schedule}/{date}/{number}");
    schedule.action.timeout_ms = Some(5_000);
    put(&mut world, schedule).expect("usable");
    world.feed(Input::WorkflowKnown {
        workflow: Name::from("Checkout"),
        version: 4,
    });
    world.pass(20_000);
    let run = RunId::new("Checkout", "nightly/1970-01-01/1");
    let Some(Ok(Reply::Run(run))) = world.ask(Op::DescribeRun { run }) else {
        panic!("the run");
    };
    assert_eq!(
        (run.version, run.tags.clone()),
        (4, vec![Name::from("by:clock")])
    );
    assert_eq!(run.timeout_at, Some(Timestamp(world.now + 5_000)));
    // Its time-out is an end like any other.
    world.pass(5_000);
    let fire = described(&mut world).state.recent.remove(0);
    assert_eq!(format!("{:?}", fire.end), "Ended(TimedOut)");
}

#[test]
fn a_start_that_is_refused_is_remembered_and_the_schedule_goes_on() {
    let mut world = known_world();
    put(&mut world, minutely(Overlap::BufferAll)).expect("usable");
    // A client has taken the id.
    world.start("r-1-1970-01-01T00:17:00Z");
    world.pass(20_000);
    let state = described(&mut world).state;
    let FireEnd::Refused(rejection) = &state.recent[0].end else {
        panic!("{:?}", state.recent);
    };
    assert_eq!((rejection.code, state.running.len()), (Code::RunExists, 0));
    assert_eq!((state.counts.started, state.counts.refused), (1, 1));
    world.crash();
    world.pass(MINUTE);
    assert_eq!(described(&mut world).state.running.len(), 1);

    // A workflow that nobody has registered.
    let mut world = World::new();
    put(&mut world, minutely(Overlap::Skip)).expect("usable");
    world.pass(20_000);
    let end = described(&mut world).state.recent.remove(0).end;
    assert!(matches!(end, FireEnd::Refused(rejection) if rejection.code == Code::UnknownWorkflow));
    know(&mut world);
    world.pass(MINUTE);
    assert_eq!(runs(&mut world).len(), 1);
}

#[test]
fn a_deleted_schedule_fires_no_more_and_its_runs_go_on() {
    let mut world = known_world();
    put(&mut world, minutely(Overlap::BufferAll)).expect("usable");
    world.pass(3 * MINUTE);
    let name = Name::from("nightly");
    let op = Op::DeleteSchedule { name };
    assert_eq!(world.ask(op.clone()), Some(Ok(Reply::Done)));
    let refused = world.ask(op).expect("an answer").expect_err("it is gone");
    assert_eq!(refused.code, Code::ScheduleNotFound);
    world.crash();
    world.pass(10 * MINUTE);
    assert_eq!(runs(&mut world), ["1 running"]);
    // One of the same name is another: the end of the old run is nothing to it.
    put(&mut world, minutely(Overlap::BufferAll)).expect("usable");
    world.pass(MINUTE);
    end_run(&mut world, &Name::from("r-1-1970-01-01T00:17:00Z"));
    let state = described(&mut world).state;
    assert_eq!((state.running.len(), state.counts.started), (1, 1));
}

#[test]
fn schedules_are_listed_by_name_page_by_page() {
    let mut world = known_world();
    for name in ["c", "a", "b"] {
        let schedule = Schedule {
            name: Name::from(name),
            ..minutely(Overlap::Skip)
        };
        put(&mut world, schedule).expect("usable");
    }
    let mut page = |after: Option<&str>, limit| {
        let after = after.map(Name::from);
        match world.ask(Op::ListSchedules { after, limit }) {
            Some(Ok(Reply::Schedules(found))) => found
                .iter()
                .map(|one| one.name.to_string())
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(page(None, 2), ["a", "b"]);
    assert_eq!(page(Some("b"), 2), ["c"]);
    assert_eq!(page(Some("aa"), 10), ["b", "c"]);
    let counters = world.shard.counters();
    assert_eq!(
        (
            counters.schedules,
            counters.schedules_paused,
            counters.fires
        ),
        (3, 0, FireCounts::default())
    );
}

#[test]
fn settings_that_are_not_usable_are_refused_and_change_nothing() {
    let usable = minutely(Overlap::Skip);
    let with = |change: &dyn Fn(&mut Schedule)| {
        let mut schedule = usable.clone();
        change(&mut schedule);
        schedule
    };
    let never = "0 0 30 2 *";
    let refused = [
        (
            with(&|s| s.when = vec![When::Cron("61 * * * *".into())]),
            Code::CronInvalid,
            "character 1",
        ),
        (
            with(&|s| s.zone = "Mars/Olympus".into()),
            Code::ZoneUnknown,
            "Mars/Olympus",
        ),
        (
            with(&|s| s.when = vec![]),
            Code::ScheduleInvalid,
            "1 to 100 rules",
        ),
        (
            with(&|s| s.when = vec![When::Cron(never.into())]),
            Code::ScheduleInvalid,
            "it never fires",
        ),
        (
            with(&|s| s.ends_at = Some(Timestamp(1_000))),
            Code::ScheduleInvalid,
            "it never fires",
        ),
        (
            with(&|s| s.action.id = "report".into()),
            Code::ScheduleInvalid,
            "`{time}` or `{number}`",
        ),
        (
            with(&|s| s.action.id = "{time}-{tmie}".into()),
            Code::ScheduleInvalid,
            "and nothing else",
        ),
        (
            with(&|s| s.action.id = "{time}}".into()),
            Code::ScheduleInvalid,
            "and nothing else",
        ),
        (
            with(&|s| s.action.id = format!("{{time}}{}", "x".repeat(240)).into()),
            Code::ScheduleInvalid,
            "256 bytes",
        ),
        (
            with(&|s| s.jitter_ms = 86_400_001),
            Code::ScheduleInvalid,
            "jitter_ms",
        ),
        (
            with(&|s| s.buffer_max = 0),
            Code::ScheduleInvalid,
            "buffer_max",
        ),
        (
            with(&|s| s.buffer_max = 1_001),
            Code::ScheduleInvalid,
            "buffer_max",
        ),
        (
            with(&|s| s.remaining = Some(0)),
            Code::ScheduleInvalid,
            "remaining",
        ),
        (
            with(&|s| s.action.timeout_ms = Some(0)),
            Code::ScheduleInvalid,
            "timeout_ms",
        ),
        (
            with(&|s| (s.starts_at, s.ends_at) = (Some(Timestamp(9)), Some(Timestamp(9)))),
            Code::ScheduleInvalid,
            "`ends_at`",
        ),
    ];
    for exists in [false, true] {
        let mut world = known_world();
        if exists {
            put(&mut world, usable.clone()).expect("usable");
            world.pass(2 * MINUTE);
        }
        let rows = world.rows.clone();
        for (schedule, code, says) in &refused {
            let rejection = put(&mut world, schedule.clone()).expect_err(says);
            assert_eq!(rejection.code, *code, "{says}");
            assert!(rejection.detail.contains(says), "{}", rejection.detail);
            assert!(world.rows == rows, "{says}");
        }
        let backfill = |from, to| Op::BackfillSchedule {
            name: "nightly".into(),
            from: Timestamp(from),
            to: Timestamp(to),
            overlap: None,
            nonce: Nonce(0),
        };
        for op in [backfill(9, 8), backfill(0, u64::MAX)] {
            let rejection = world.ask(op).expect("an answer").expect_err("no range");
            let expected = if exists {
                Code::ScheduleInvalid
            } else {
                Code::ScheduleNotFound
            };
            assert_eq!(rejection.code, expected);
        }
        world.crash();
    }
}
