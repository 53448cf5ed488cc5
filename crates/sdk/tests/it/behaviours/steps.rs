//! Inline steps.

use super::beds;
use std::sync::atomic::{AtomicU32, Ordering};
use trunkline::Cx;
use trunkline::prelude::*;
use trunkline::testing::TestKit;

static RAN: AtomicU32 = AtomicU32::new(0);

#[workflow]
async fn measuring(cx: Cx, factor: u32) -> Result<u32> {
    let step = cx.step("measure", move || async move {
        RAN.fetch_add(1, Ordering::SeqCst);
        Ok(2 * factor)
    });
    let measured = step.await?;
    // Replayed behind it, the step is not run again.
    cx.sleep(secs(1)).await?;
    Ok(measured)
}

#[tokio::test]
async fn i1_a_step_runs_once_and_its_result_is_kept() {
    for bed in beds(|| TestKit::new().workflow::<measuring>()).await {
        let before = RAN.load(Ordering::SeqCst);
        let run = bed.workflow::<measuring>("1").execute(7).await;
        assert_eq!(run.unwrap(), 14);
        assert_eq!(RAN.load(Ordering::SeqCst), before + 1);
    }
}

/// A type for which this can be named is not `Send`: else the name would be ambiguous, and this would not compile.
trait NotSend<Mark> {
    fn is_none() {}
}

impl<T> NotSend<()> for T {}
impl<T: Send> NotSend<u8> for T {}

#[test]
fn i2_a_step_can_hold_nothing_of_the_run() {
    // A step's closure must be `Send`, so that neither the run's handle nor what is made with it can be in it.
    <Cx as NotSend<_>>::is_none();
    <trunkline::TaskHandle<u32, Error> as NotSend<_>>::is_none();
    <trunkline::ChildHandle<measuring> as NotSend<_>>::is_none();
    <trunkline::Deferred<u32> as NotSend<_>>::is_none();
    <crate::contract::ShopStub as NotSend<_>>::is_none();
}
