//! What a worker keeps of runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use trunkline::prelude::*;
use trunkline::testing::TestKit;

/// How many futures of runs there are.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Counted while it lives.
struct Counted;

impl Counted {
    fn new() -> Self {
        LIVE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Workflow)]
struct Guest {
    leave: Channel<()>,
}

#[workflow]
impl Guest {
    #[run]
    async fn run(&self, cx: Cx, (): ()) -> Result<()> {
        let _counted = Counted::new();
        let _ = cx;
        self.leave.recv().await?;
        self.leave.recv().await?;
        Ok(())
    }
}

#[tokio::test]
async fn ca1_a_worker_keeps_no_more_runs_than_it_may() {
    // One thread, because each has runs of its own.
    for (keeps, live) in [(3, 3), (0, 0), (100, 50)] {
        let kit = TestKit::new().workflow::<Guest>();
        let bed = kit.worker(|worker| worker.cache_runs(keeps).threads(1));
        let bed = bed.start().await;
        let mut runs = Vec::new();
        for number in 0..50 {
            let run = bed.workflow::<Guest>(format!("{number}")).start(());
            runs.push(run.await.unwrap());
        }
        bed.rest().await;
        assert_eq!(LIVE.load(Ordering::SeqCst), live);
        for _ in 0..2 {
            for run in &runs {
                run.send(|w| &w.leave, ()).await.unwrap();
            }
            bed.rest().await;
            assert!(LIVE.load(Ordering::SeqCst) <= live);
        }
        for run in &runs {
            run.result().await.unwrap();
        }
        bed.rest().await;
        assert_eq!(LIVE.load(Ordering::SeqCst), 0, "nothing is left of them");
    }
}
