//! Runs that an operator lets go on: retried in place, or forked. And what is done to many runs by tag.

use crate::house::{House, MODES};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use trunkline::core::ids::CommandId;
use trunkline::core::peer::{Action, RunFilter};
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;

#[service]
trait Depot {
    async fn pay(&self, t: &TaskCx) -> Result<u32>;
    async fn ship(&self, t: &TaskCx) -> Result<u32>;
    async fn refund(&self, t: &TaskCx) -> Result<u32>;
}

/// Ships only while it is open.
#[derive(Clone, Debug, Default)]
struct Gated {
    open: Arc<AtomicBool>,
    paid: Arc<AtomicU32>,
    refunded: Arc<AtomicU32>,
}

impl Depot for Gated {
    async fn pay(&self, _: &TaskCx) -> Result<u32> {
        Ok(self.paid.fetch_add(1, Ordering::SeqCst) + 1)
    }

    async fn ship(&self, t: &TaskCx) -> Result<u32> {
        if self.open.load(Ordering::SeqCst) {
            return Ok(7);
        }
        Err(t.fatal(Error::new("Closed", "nobody is there")))
    }

    async fn refund(&self, _: &TaskCx) -> Result<u32> {
        Ok(self.refunded.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[derive(Debug, Workflow)]
struct Parcel {
    note: Channel<String>,
}

#[workflow]
impl Parcel {
    #[run]
    async fn run(&self, cx: Cx, undo: bool) -> Result<String> {
        let depot = cx.service::<DepotStub>();
        let paid = depot.pay().await?;
        let shipped = match depot.ship().await {
            Ok(shipped) => shipped,
            Err(error) => {
                if undo {
                    depot.refund().await?;
                }
                return Err(error.into());
            }
        };
        let note = self.note.recv().await?;
        Ok(format!("{paid} {shipped} {note}"))
    }
}

async fn house(mode: usize) -> (House, Gated) {
    let gated = Gated::default();
    let mut house = House::without_worker().await;
    let worker = house
        .worker(&house.engine, mode)
        .register(gated.clone().into_service())
        .workflow::<Parcel>();
    house.employ(worker).await;
    (house, gated)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_retried_continues_where_it_stopped_with_its_signals() {
    for mode in MODES {
        let (house, gated) = house(mode).await;
        let run = house.client.workflow::<Parcel>("1").start(true);
        let run = run.await.unwrap();
        run.send(|w| &w.note, "fragile".into()).await.unwrap();
        assert!(run.result().await.is_err());
        // It fails again, and is compensated again.
        run.untyped().retry().await.unwrap();
        assert!(run.result().await.is_err());
        assert_eq!(gated.refunded.load(Ordering::SeqCst), 2);
        gated.open.store(true, Ordering::SeqCst);
        run.untyped().retry().await.unwrap();
        assert_eq!(run.result().await.unwrap(), "1 7 fragile");
        assert_eq!(gated.paid.load(Ordering::SeqCst), 1, "paid once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_goes_its_own_way_and_leaves_its_source_as_it_was() {
    for mode in MODES {
        let (house, gated) = house(mode).await;
        let run = house.client.workflow::<Parcel>("1").start(false);
        let run = run.await.unwrap();
        assert!(run.result().await.is_err());
        let before = run.describe().await.unwrap();
        gated.open.store(true, Ordering::SeqCst);
        let fork = run.untyped().fork(CommandId(1), "2").await.unwrap();
        fork.send("note", "again").await.unwrap();
        let result: String = fork.result().await.unwrap();
        assert_eq!(result, "1 7 again");
        assert_eq!(
            gated.paid.load(Ordering::SeqCst),
            1,
            "what was paid is taken over"
        );
        assert_eq!(run.describe().await.unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_on_all_shards_are_reached_by_their_tag() {
    for mode in MODES {
        let (house, gated) = house(mode).await;
        gated.open.store(true, Ordering::SeqCst);
        let mut runs = Vec::new();
        for number in 0..12 {
            let start = house.client.workflow::<Parcel>(format!("p{number}"));
            runs.push(start.tag("batch:9").start(false).await.unwrap());
        }
        let sent = house.client.send_tagged("Parcel", "batch:9", "note", "all");
        assert_eq!(sent.await.unwrap(), 12);
        for run in &runs {
            assert!(run.result().await.unwrap().ends_with(" 7 all"));
        }
        let done = RunFilter {
            tag: Some("batch:9".into()),
            status: Some(RunStatus::Completed),
            ..RunFilter::default()
        };
        assert_eq!(house.client.count(done).await.unwrap(), 12);
        let purged = house
            .client
            .act_on_tagged("Parcel", "batch:9", Action::Purge);
        assert_eq!(purged.await.unwrap(), 12);
        assert!(runs[0].describe().await.is_err());
    }
}
