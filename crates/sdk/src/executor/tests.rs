//! The executor: turns, replay and mismatches, played from written histories.

use super::Strictness;
use crate::prelude::*;
use crate::worker::script::{Script, told};
use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum BookError {
    Full { seats: u32 },
}

impl std::fmt::Display for BookError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no seats left")
    }
}

impl std::error::Error for BookError {}

#[service]
trait Trip {
    async fn hotel(&self, t: &TaskCx, night: u32) -> Result<String>;
    async fn flight(&self, t: &TaskCx, day: u32) -> Result<String, BookError>;
    async fn undo(&self, t: &TaskCx, what: String) -> Result<()>;
}

fn check(trace: &str, expected: &Expect) {
    expected.assert_eq(trace);
}

#[workflow]
async fn sequence(cx: Cx, night: u32) -> Result<String> {
    let trip = cx.service::<TripStub>();
    let hotel = trip.hotel(night).await?;
    let flight = trip.flight(night + 1).await?;
    Ok(format!("{hotel} {flight}"))
}

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
async fn parallel(cx: Cx) -> Result<(String, String)> {
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
async fn trip_saga(cx: Cx) -> Result<String> {
    let trip = cx.service::<TripStub>();
    cx.saga(async |saga: &Saga| {
        let hotel = trip.hotel(1).await?;
        saga.undo(trip.undo(hotel.clone()));
        let flight = trip.flight(2).await?;
        saga.undo(trip.undo(flight));
        trip.hotel(3).await?;
        Ok(hotel)
    })
    .await
}

#[test]
fn a_saga_undoes_in_reverse_what_has_succeeded() {
    let trace = told::<trip_saga>(&(), |script| {
        script.completed(0, &"ritz");
        script.settle();
        script.completed(1, &"lh1");
        script.settle();
        script.failed(2, "full");
        script.settle();
        script.completed(3, &());
        script.settle();
        script.completed(4, &());
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 Trip.hotel 1
            ◀ completed 0 "ritz"
            ▶ 1 Trip.flight 2
            ◀ completed 1 "lh1"
            ▶ 2 Trip.hotel 3
            ◀ failed 2 full
            ▶ 3 Trip.undo "lh1"
            ◀ completed 3 null
            ▶ 4 Trip.undo "ritz"
            ◀ completed 4 null
            ▶ finish Application Broken: full
        "#]],
    );
}

#[test]
fn a_cancelled_saga_undoes_and_a_second_request_does_not_stop_it() {
    let trace = told::<trip_saga>(&(), |script| {
        script.completed(0, &"ritz");
        script.settle();
        script.cancel();
        script.settle();
        script.cancel();
        script.settle();
        script.completed(2, &());
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 Trip.hotel 1
            ◀ completed 0 "ritz"
            ▶ 1 Trip.flight 2
            ◀ cancel: enough
            ▶ 2 Trip.undo "ritz"
            ◀ cancel: enough
            ◀ completed 2 null
            ▶ finish Cancelled Cancelled: cancelled
        "#]],
    );
}

#[test]
fn a_compensation_that_fails_for_good_does_not_stop_the_others() {
    let trace = told::<trip_saga>(&(), |script| {
        script.completed(0, &"ritz");
        script.completed(1, &"lh1");
        script.settle();
        script.failed(2, "full");
        script.settle();
        script.failed(3, "too late");
        script.settle();
        script.completed(4, &());
    });
    assert!(
        trace.ends_with(
            "▶ 4 Trip.undo \"ritz\"\n◀ completed 4 null\n▶ finish Application Broken: \
             full; and a compensation failed: too late ← Broken: full\n"
        ),
        "{trace}"
    );
}

#[workflow]
async fn cleaned_up(cx: Cx) -> Result<()> {
    let trip = cx.service::<TripStub>();
    let (sleep, task) = join!(cx.sleep(hours(1)), trip.hotel(1)).await;
    trip.undo("hotel".into()).await?;
    sleep?;
    task?;
    Ok(())
}

#[test]
fn a_request_to_cancel_ends_every_pending_await_once() {
    let trace = told::<cleaned_up>(&(), |script| {
        script.cancel();
        script.settle();
        script.completed(1, &"late");
        script.settle();
        script.completed(2, &());
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 timer
            ▶ 1 Trip.hotel 1
            ◀ cancel: enough
            ▶ cancel timer 0
            ▶ 2 Trip.undo "hotel"
            ◀ completed 1 "late"
            ◀ completed 2 null
            ▶ finish Cancelled Cancelled: cancelled
        "#]],
    );
}

#[workflow]
async fn own_way(cx: Cx) -> Result<String> {
    select! {
        reason = cx.cancelled() => Ok(format!("stopped: {reason}")),
        done = cx.sleep(hours(1)) => { done?; Ok("slept".into()) }
    }
}

#[test]
fn a_run_may_end_well_though_it_was_cancelled() {
    let trace = told::<own_way>(&(), Script::cancel);
    assert!(
        trace.ends_with("▶ finish ok \"stopped: enough\"\n"),
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
        script.note(crate::core::entry::Notification::TaskFailed {
            command: crate::core::ids::CommandId(0),
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
async fn chance(cx: Cx) -> Result<(u64, String, u64)> {
    let first = cx.random();
    cx.sleep(secs(1)).await?;
    let uuid = cx.uuid();
    cx.service::<TripStub>().hotel(1).await?;
    let now = cx.now().0;
    cx.sleep(secs(1)).await?;
    Ok((first, uuid, now))
}

#[test]
fn time_and_randomness_are_the_same_on_replay() {
    let tell = |script: &mut Script| {
        script.fired(0);
        script.settle();
        script.completed(1, &"ritz");
        script.settle();
        script.fired(2);
    };
    let trace = told::<chance>(&(), tell);
    assert!(
        trace.contains("-4") && trace.contains("finish ok ["),
        "{trace}"
    );
}

#[test]
fn a_run_that_asks_for_the_time_behind_a_result_gets_its_turn_from_the_engine() {
    let mut script = Script::start::<chance>(&(), 10);
    script.settle();
    script.fired(0);
    script.settle();
    script.finish_task(1, &"ritz");
    assert_eq!((script.ahead, script.evicted), (0, 1));
    script.settle();
    script.fired(2);
    script.settle();
    assert!(script.is_finished() && script.stuck.is_none());
}

#[test]
fn a_worker_that_finishes_the_only_task_continues_the_run_at_once() {
    let mut script = Script::start::<sequence>(&3, 10);
    script.settle();
    script.finish_task(0, &"ritz");
    script.finish_task(1, &"lh1");
    assert!(script.is_finished());
    assert_eq!(script.ahead, 2);
}

#[test]
fn nothing_is_played_ahead_while_something_else_is_open() {
    let mut script = Script::start::<parallel>(&(), 10);
    script.settle();
    script.finish_task(0, &"ritz");
    assert_eq!(script.ahead, 0);
    script.settle();
    script.finish_task(1, &"lh1");
    assert_eq!(script.ahead, 1);
    assert!(script.is_finished());
}

#[test]
fn a_turn_played_ahead_of_a_signal_is_given_up_for_a_replay() {
    let mut script = Script::start::<sequence>(&3, 10);
    script.settle();
    // The signal is in the history before the result, and the worker does not know.
    script.signal("anything", &1);
    script.finish_task(0, &"ritz");
    assert_eq!(script.ahead, 0);
    script.settle();
    script.finish_task(1, &"lh1");
    assert!(script.is_finished() && script.stuck.is_none());
}

#[test]
fn a_turn_for_a_future_that_is_not_there_is_answered_with_evicted() {
    let mut script = Script::start::<sequence>(&3, 1);
    script.settle();
    script
        .runs
        .take_in(super::super::worker::runs::Work::Forget(
            crate::core::ids::RunId::new("sequence", "1").key(),
        ));
    script.completed(0, &"ritz");
    script.settle();
    assert_eq!(script.evicted, 1);
    assert!(script.trace().contains("▶ 1 Trip.flight 4"));
}

/// Asks for something when it is dropped, as a clumsy guard would.
struct Guard(Cx);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add_tags(["dropped"]);
        self.0.service::<TripStub>().hotel(99).detach();
    }
}

#[workflow]
async fn guarded(cx: Cx) -> Result<()> {
    let _guard = Guard(cx.clone());
    let _idle = cx.sleep(hours(1));
    cx.service::<TripStub>().hotel(1).await?;
    Ok(())
}

#[test]
fn dropping_an_evicted_future_asks_for_nothing() {
    let trace = told::<guarded>(&(), |script| {
        script.signal("wake", &0);
        script.settle();
        script.completed(1, &"ritz");
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 timer
            ▶ 1 Trip.hotel 1
            ◀ signal wake 0
            ◀ completed 1 "ritz"
            ▶ cancel timer 0
            ▶ +tags [dropped]
            ▶ 2 Trip.hotel 99
            ▶ finish ok null
        "#]],
    );
}

// Code that no longer matches.

/// `sequence`, deployed with other code under the same name and version.
mod changed {
    use super::TripStub;
    use crate::prelude::*;

    #[workflow(name = "sequence")]
    pub(super) async fn renamed(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().undo(night.to_string()).await?;
        Ok(())
    }

    #[workflow(name = "sequence")]
    pub(super) async fn other_kind(cx: Cx, _night: u32) -> Result<()> {
        cx.sleep(secs(1)).await?;
        Ok(())
    }

    #[workflow(name = "sequence")]
    pub(super) async fn shorter(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().hotel(night).await?;
        Ok(())
    }

    #[workflow(name = "sequence")]
    pub(super) async fn waits_more(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().hotel(night).await?;
        std::future::pending::<()>().await;
        Ok(())
    }

    #[workflow(name = "sequence")]
    pub(super) async fn other_argument(cx: Cx, night: u32) -> Result<()> {
        cx.service::<TripStub>().hotel(night + 5).await?;
        cx.service::<TripStub>().flight(night).await?;
        Ok(())
    }
}

fn after_deployment<W: Workflow>(strictness: Strictness) -> String {
    let mut script = Script::start::<sequence>(&3, 0);
    script.settle();
    script.completed(0, &"ritz");
    script.settle();
    script.deploy::<W>(strictness);
    script.completed(1, &"lh1");
    script.settle();
    script
        .stuck
        .unwrap_or_else(|| format!("not stuck: {}", script.history.len()))
}

#[test]
fn a_changed_task_pauses_the_run_with_the_field_that_differs() {
    check(
        &after_deployment::<changed::renamed>(Strictness::Shape),
        &expect![[
            r#"TL0074: the code no longer matches the run's history, at command 1 of the turn that consumed 1 entries: ScheduleTask.task was "hotel" and is now "undo""#
        ]],
    );
}

#[test]
fn a_changed_kind_pauses_the_run() {
    check(
        &after_deployment::<changed::other_kind>(Strictness::Shape),
        &expect![[
            r#"TL0074: the code no longer matches the run's history, at command 1 of the turn that consumed 1 entries: the history has ScheduleTask (command 0, service "Trip", task "hotel"), the code asks for StartTimer (command 0)"#
        ]],
    );
}

#[test]
fn a_command_that_is_no_longer_asked_for_pauses_the_run() {
    check(
        &after_deployment::<changed::shorter>(Strictness::Shape),
        &expect![[
            r#"TL0074: the code no longer matches the run's history, at command 1 of the turn that consumed 4 entries: the history has ScheduleTask (command 1, service "Trip", task "flight"), the code asks for Finish (outcome completed)"#
        ]],
    );
}

#[test]
fn an_await_that_the_history_cannot_resolve_pauses_the_run() {
    let stuck = after_deployment::<changed::waits_more>(Strictness::Shape);
    assert!(
        stuck.starts_with("TL0075: the code awaits something that is not durable"),
        "{stuck}"
    );
}

#[test]
fn arguments_are_compared_when_strict() {
    assert_eq!(
        after_deployment::<changed::other_argument>(Strictness::Shape),
        "not stuck: 9"
    );
    let stuck = after_deployment::<changed::other_argument>(Strictness::Arguments);
    assert!(
        stuck.contains("ScheduleTask.input was 3 and is now 8"),
        "{stuck}"
    );
}

// Code that cannot be replayed.

#[workflow]
async fn outside(cx: Cx) -> Result<()> {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        drop(sender);
    });
    select! {
        _ = cx.sleep(hours(1)) => {}
        _ = receiver => {}
    }
    drop(thread);
    Ok(())
}

#[test]
fn a_wake_from_outside_pauses_the_run() {
    let mut script = Script::start::<outside>(&(), 10);
    script.turn();
    assert_eq!(
        script.stuck, None,
        "the timer is durable, so the run may rest"
    );
    std::thread::sleep(std::time::Duration::from_millis(200));
    script.signal("anything", &0);
    script.turn();
    let stuck = script.stuck.unwrap();
    assert!(
        stuck.starts_with("TL0075: the code was woken from outside"),
        "{stuck}"
    );
}

#[workflow]
async fn panics(cx: Cx) -> Result<()> {
    cx.service::<TripStub>().hotel(1).await?;
    panic!("out of cheese");
}

#[test]
fn a_panic_pauses_the_run_with_its_message() {
    let trace = told::<panics>(&(), |script| script.completed(0, &"ritz"));
    assert!(
        trace.ends_with("✗ TL0073: the workflow's code panicked: out of cheese\n"),
        "{trace}"
    );
}

#[workflow]
async fn spins(_cx: Cx) -> Result<()> {
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    })
    .await;
    Ok(())
}

#[test]
fn code_that_wakes_itself_without_end_pauses_the_run() {
    let trace = told::<spins>(&(), |_| {});
    assert!(trace.contains("✗ TL0075: the code wakes itself"), "{trace}");
}

#[workflow]
async fn yields(cx: Cx) -> Result<u32> {
    let mut turns = 0;
    std::future::poll_fn(|context| {
        turns += 1;
        context.waker().wake_by_ref();
        if turns > 5 {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    cx.sleep(secs(1)).await?;
    Ok(turns)
}

#[test]
fn code_may_yield_to_itself() {
    let trace = told::<yields>(&(), |script| script.fired(0));
    assert!(trace.ends_with("▶ finish ok 6\n"), "{trace}");
}

#[test]
fn an_input_of_another_type_fails_the_run_with_a_code() {
    #[workflow(name = "typed_input")]
    async fn before(_cx: Cx, _text: String) -> Result<()> {
        Ok(())
    }
    #[workflow(name = "typed_input")]
    async fn after(_cx: Cx, _number: u32) -> Result<()> {
        Ok(())
    }
    let mut script = Script::start::<before>(&"text".into(), 0);
    script.deploy::<after>(Strictness::Shape);
    script.settle();
    assert!(
        script.trace().contains("▶ finish Application TL0079"),
        "{}",
        script.trace()
    );
}
