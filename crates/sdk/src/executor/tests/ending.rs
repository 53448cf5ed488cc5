//! How runs end before their time: sagas and cancellation.

use super::*;

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
            ▶ cancel task 1
            ▶ 2 Trip.undo "ritz"
            ◀ cancel: enough
            ◀ completed 2 null
            ▶ finish Cancelled TL0076: the run was cancelled
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
            ▶ cancel task 1
            ▶ cancel timer 0
            ▶ 2 Trip.undo "hotel"
            ◀ completed 1 "late"
            ◀ completed 2 null
            ▶ finish Cancelled TL0076: the run was cancelled
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
async fn shielded(cx: Cx) -> Result<String> {
    let trip = cx.service::<TripStub>();
    let hotel = cx.shield(trip.hotel(1)).await?;
    match cx.sleep(hours(1)).await {
        Err(Cancelled) => Ok(format!("{hotel}, then stopped")),
        Ok(()) => Ok(hotel),
    }
}

#[test]
fn a_request_to_cancel_waits_behind_a_shield() {
    let trace = told::<shielded>(&(), |script| {
        script.cancel();
        script.settle();
        script.completed(0, &"ritz");
    });
    check(
        &trace,
        &expect![[r#"
            ◀ started
            ▶ 0 Trip.hotel 1
            ◀ cancel: enough
            ◀ completed 0 "ritz"
            ▶ 1 timer
            ▶ cancel timer 1
            ▶ finish ok "ritz, then stopped"
        "#]],
    );
}
