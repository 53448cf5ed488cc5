//! What runs can do: tasks, joins, races, signals, steps, jobs.

use super::*;
use trunkline_api::core::entry::{Command, Entry, Notification};
use trunkline_api::core::ids::CommandId;
use trunkline_api::core::time::Timestamp;

#[test]
fn tasks_follow_one_another() {
    let trace = told::<sequence>(&3, |script| {
        script.completed(0, &"ritz");
        script.settle();
        script.completed(1, &"lh1");
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 Trip.hotel 3
            ◀ completed 0 "ritz"
            ▶ 1 Trip.flight 4
            ◀ completed 1 "lh1"
            ▶ finish ok "ritz lh1"
        "#]],
    );
}

#[test]
fn a_failure_of_a_task_ends_the_run_with_its_message() {
    let trace = told::<sequence>(&3, |script| script.failed(0, "closed in winter"));
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 Trip.hotel 3
            ◀ failed 0 closed in winter
            ▶ finish Application Broken: closed in winter
        "#]],
    );
}

#[workflow]
pub(super) async fn parallel(cx: Cx) -> Result<(String, String)> {
    let trip = cx.service::<TripStub>();
    let (hotel, flight) = join!(trip.hotel(1), trip.flight(2)).await;
    cx.add_tags(["both"]);
    Ok((hotel?, flight?))
}

#[test]
fn joined_tasks_begin_together_and_end_in_any_order() {
    let trace = told::<parallel>(&(), |script| {
        script.completed(1, &"lh1");
        script.settle();
        script.completed(0, &"ritz");
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 Trip.hotel 1
            ▶ 1 Trip.flight 2
            ◀ completed 1 "lh1"
            ◀ completed 0 "ritz"
            ▶ +tags [both]
            ▶ finish ok ["ritz","lh1"]
        "#]],
    );
}

#[workflow]
async fn first_error(cx: Cx) -> Result<u32> {
    let trip = cx.service::<TripStub>();
    let failed = try_join!(trip.hotel(1), trip.flight(2)).await;
    if failed.is_err() {
        trip.undo("all".into()).detach();
    }
    failed?;
    Ok(0)
}

#[test]
fn a_try_join_ends_with_the_first_error() {
    let trace = told::<first_error>(&(), |script| script.failed(1, "full"));
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 Trip.hotel 1
            ▶ 1 Trip.flight 2
            ◀ failed 1 full
            ▶ 2 Trip.undo "all"
            ▶ finish Application Broken: full
        "#]],
    );
}

#[workflow]
async fn fan_out(cx: Cx, count: u32) -> Result<usize> {
    let trip = cx.service::<TripStub>();
    let hotels = cx
        .try_join_all((0..count).map(|night| trip.hotel(night)))
        .await?;
    Ok(hotels.len())
}

#[test]
fn a_fan_out_ends_with_its_last_task() {
    let trace = told::<fan_out>(&40, |script| {
        for command in (0..40).rev() {
            script.completed(command, &"x");
            if command % 7 == 0 {
                script.settle();
            }
        }
    });
    assert!(trace.ends_with("▶ finish ok 40\n"), "{trace}");
}

#[derive(Workflow)]
struct Approval {
    granted: Channel<bool>,
    status: Prop<String>,
}

#[workflow]
impl Approval {
    #[run]
    async fn run(&self, cx: Cx) -> Result<bool> {
        self.status.set("waiting".into());
        let granted = select! {
            granted = self.granted.recv() => granted?,
            _ = cx.sleep(hours(24)) => false,
        };
        self.status.set(format!("granted: {granted}"));
        Ok(granted)
    }
}

#[test]
fn a_signal_wins_against_a_timer_which_is_cancelled() {
    let trace = told::<Approval>(&(), |script| script.signal("granted", &true));
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ status = "waiting"
            ▶ 0 timer
            ◀ signal granted true
            ▶ cancel timer 0
            ▶ status = "granted: true"
            ▶ finish ok true
        "#]],
    );
}

#[test]
fn a_timer_wins_against_a_signal_that_comes_later_in_the_same_turn() {
    let trace = told::<Approval>(&(), |script| {
        script.fired(0);
        script.signal("granted", &true);
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ status = "waiting"
            ▶ 0 timer
            ◀ fired 0
            ◀ signal granted true
            ▶ status = "granted: false"
            ▶ finish ok false
        "#]],
    );
}

#[workflow]
impl Inbox {
    #[run]
    async fn run(&self, cx: Cx) -> Result<Vec<u32>> {
        let mut got = Vec::new();
        cx.service::<TripStub>().hotel(1).await?;
        while let Some(number) = self.numbers.recv_timeout(secs(1)).await? {
            got.push(number);
        }
        Ok(got)
    }
}

#[derive(Workflow)]
struct Inbox {
    numbers: Channel<u32>,
}

#[test]
fn signals_before_the_first_receive_wait_in_order() {
    let trace = told::<Inbox>(&(), |script| {
        script.signal("numbers", &1);
        script.settle();
        script.signal("numbers", &2);
        script.completed(0, &"ritz");
        script.settle();
        script.signal("numbers", &3);
        script.settle();
        let last = script
            .trace()
            .lines()
            .filter_map(|line| {
                line.strip_prefix("▶ ")?
                    .strip_suffix(" timer")?
                    .parse()
                    .ok()
            })
            .next_back()
            .unwrap();
        script.fired(last);
    });
    assert!(trace.ends_with("▶ finish ok [1,2,3]\n"), "{trace}");
}

#[test]
fn a_signal_of_another_type_is_an_error_of_the_receive() {
    let trace = told::<Inbox>(&(), |script| {
        script.signal("numbers", &"one");
        script.completed(0, &"ritz");
    });
    assert!(trace.contains("▶ finish Application TL0079"), "{trace}");
}

#[workflow]
async fn stepwise(cx: Cx, rounds: u32) -> Result<u32> {
    let mut sum = 0;
    for round in 0..rounds {
        sum += cx.step("add", move || async move { Ok(round) }).await?;
    }
    Ok(sum)
}

#[test]
fn steps_run_one_after_the_other_without_asking_the_engine() {
    let trace = told::<stepwise>(&3, |_| {});
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 step add
            ◀ step 0 ok 0
            ▶ 1 step add
            ◀ step 1 ok 1
            ▶ 2 step add
            ◀ step 2 ok 2
            ▶ finish ok 3
        "#]],
    );
    let mut script = Script::start::<stepwise>(&2_000, 10);
    script.turn();
    assert!(
        script.is_finished(),
        "one turn, and the rest behind results"
    );
    assert_eq!(script.ahead, 2_000);
}

#[test]
fn an_open_step_is_run_again_after_its_worker_is_gone() {
    let mut script = Script::start::<stepwise>(&1, 0);
    script.turn();
    // As if the worker had died before it said how the step ended.
    script.history.truncate(3);
    script.deploy::<stepwise>(Strictness::Shape);
    script.turn();
    script.settle();
    assert!(
        script.trace().ends_with("▶ finish ok 0\n"),
        "{}",
        script.trace()
    );
}

#[workflow]
async fn broken_step(cx: Cx) -> Result<()> {
    cx.step("read", || async {
        std::fs::read("/nonexistent").map(|_| ())?;
        Ok(())
    })
    .await
    .map_err(|error| error.context("the order file"))
}

#[test]
fn a_failed_step_keeps_its_causes() {
    let trace = told::<broken_step>(&(), |_| {});
    assert!(
        trace.contains("▶ finish Application Os: the order file ← Os: No such file"),
        "{trace}"
    );
}

#[workflow]
async fn typed_error(cx: Cx) -> Result<u32> {
    match cx.service::<TripStub>().flight(1).await {
        Err(TaskError::Failed(BookError::Full { seats }, _)) => Ok(seats),
        Err(other) => Err(other.into()),
        Ok(_) => Ok(0),
    }
}

#[test]
fn the_error_of_a_task_keeps_its_type() {
    use crate::Fault;
    let trace = told::<typed_error>(&(), |script| {
        let failure = BookError::Full { seats: 17 }.into_failure();
        assert_eq!(failure.name.as_str(), "Full");
        script.note(Notification::TaskFailed {
            command: CommandId(0),
            failure,
        });
    });
    assert!(trace.ends_with("▶ finish ok 17\n"), "{trace}");
}

#[workflow]
async fn shipping(cx: Cx) -> Result<String> {
    let job = cx
        .egress("shop")
        .lane("sku-1")
        .object("stock")
        .action("update")
        .ids(["sku-1"])
        .body(&serde_json::json!({ "delta": -2 }))
        .send()?;
    cx.sleep(secs(1)).await?;
    Ok(job.to_string())
}

#[test]
fn a_job_is_created_with_the_turn_and_keeps_its_identity_on_replay() {
    let trace = told::<shipping>(&(), |script| script.fired(1));
    assert!(
        trace.contains("▶ 0 job shop lane sku-1 stock update [sku-1] {\"delta\":-2}\n▶ 1 timer"),
        "{trace}"
    );
}

#[workflow]
async fn foreign_combinators(cx: Cx) -> Result<(String, usize)> {
    use futures_util::stream::{FuturesUnordered, StreamExt};
    let trip = cx.service::<TripStub>();
    let (hotel, nap) = futures_util::future::join(trip.hotel(0).start(), cx.sleep(secs(1))).await;
    nap?;
    let mut open: FuturesUnordered<_> = (1..4).map(|day| trip.hotel(day).start()).collect();
    let mut ended = 0;
    while let Some(hotel) = open.next().await {
        trip.undo(hotel?).detach();
        ended += 1;
    }
    Ok((hotel?, ended))
}

#[test]
fn combinators_of_other_crates_are_deterministic() {
    let trace = told::<foreign_combinators>(&(), |script| {
        script.fired(1);
        script.completed(0, &"ritz");
        script.settle();
        script.completed(4, &"c");
        script.completed(2, &"a");
        script.settle();
        script.completed(3, &"b");
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 Trip.hotel 0
            ▶ 1 timer
            ◀ fired 1
            ◀ completed 0 "ritz"
            ▶ 2 Trip.hotel 1
            ▶ 3 Trip.hotel 2
            ▶ 4 Trip.hotel 3
            ◀ completed 4 "c"
            ◀ completed 2 "a"
            ▶ 5 Trip.undo "c"
            ▶ 6 Trip.undo "a"
            ◀ completed 3 "b"
            ▶ 7 Trip.undo "b"
            ▶ finish ok ["ritz",3]
        "#]],
    );
}

#[workflow]
async fn too_much(cx: Cx, count: usize) -> Result<u32> {
    let trip = cx.service::<TripStub>();
    let text = "x".repeat(3 << 20);
    for _ in 0..count {
        trip.undo(text.clone()).detach();
    }
    match cx
        .call::<(), Error>("Trip", "undo", &"x".repeat(5 << 20))
        .await
    {
        Err(TaskError::Broken(report)) if report.failure().name.as_str() == "TL0004" => Ok(1),
        _ => Ok(0),
    }
}

#[test]
fn an_argument_that_is_too_large_is_an_error_of_the_call() {
    let trace = told::<too_much>(&0, |_| {});
    assert!(trace.ends_with("▶ finish ok 1\n"), "{trace}");
}

#[test]
fn a_turn_that_fits_into_no_message_pauses_the_run() {
    let trace = told::<too_much>(&5, |_| {});
    assert!(
        trace.contains("✗ TL0004: the code asks for 6 things"),
        "{trace}"
    );
}

#[test]
fn a_rewind_behind_a_turn_that_played_the_start_alone_counts_from_the_next_turn_on() {
    let mut script = Script::start::<sequence>(&3, 0);
    script.turn();
    // A signal came while the first turn was with the worker, so it stands before what that turn asked for. A rewind that keeps
    // the turn stands before the signal.
    let rewound = Notification::Rewound {
        next: CommandId(5),
        dropped: 2,
        source: None,
    };
    let at = Timestamp(1_015);
    script.history.insert(1, Entry::Notification(at, rewound));
    script.completed(0, &"ritz");
    script.settle();
    assert_eq!(script.stuck, None);
    let asked = |wanted: u32| {
        let commands = script.commands();
        let mut commands = commands.into_iter();
        commands.any(|it| matches!(it, Command::ScheduleTask { command, .. } if *command == CommandId(wanted)))
    };
    assert!(asked(0) && asked(5) && !asked(1));
}
