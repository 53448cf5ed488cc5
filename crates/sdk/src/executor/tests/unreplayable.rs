//! Code that cannot be replayed, or not be given its input.

use super::*;

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

#[workflow]
async fn looks_and_strays(cx: Cx) -> Result<()> {
    let late = cx.defer(cx.sleep(hours(1)));
    assert!(!late.is_done());
    // Nothing that the history could resolve, whatever has been begun.
    std::future::pending::<()>().await;
    late.await?;
    Ok(())
}

#[test]
fn what_is_only_looked_at_does_not_hide_an_await_that_nothing_resolves() {
    let trace = told::<looks_and_strays>(&(), |_| {});
    assert!(trace.contains("\u{2717} TL00"), "{trace}");
}
