//! Turns played behind a result, the time and randomness of a run, and eviction.

use super::flow::parallel;
use super::*;
use crate::core::ids::RunId;
use crate::worker::runs::Work;

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
fn a_turn_that_crosses_one_played_ahead_is_answered_with_evicted() {
    let mut script = Script::start::<sequence>(&3, 10);
    script.settle();
    script.signal("anything", &1);
    let turn = script.lease();
    // Played ahead, and sent, before the turn for the signal arrives.
    script.finish_task(0, &"ritz");
    script.hand(turn);
    assert_eq!((script.ahead, script.evicted), (0, 1));
    script.settle();
    script.completed(1, &"lh1");
    script.settle();
    assert!(script.is_finished() && script.stuck.is_none());
}

#[test]
fn a_turn_for_a_future_that_is_not_there_is_answered_with_evicted() {
    let mut script = Script::start::<sequence>(&3, 1);
    script.settle();
    script
        .runs
        .take_in(Work::Forget(RunId::new("sequence", "1").key()));
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
