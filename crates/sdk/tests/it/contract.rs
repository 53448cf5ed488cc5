//! The services and workflows of the tests.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trunkline::prelude::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ShopError {
    SoldOut { left: u32 },
}

impl std::fmt::Display for ShopError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::SoldOut { left } = self;
        write!(f, "sold out, {left} left")
    }
}

impl std::error::Error for ShopError {}

#[service]
pub(crate) trait Shop {
    async fn suffix(&self, t: &TaskCx, text: String) -> Result<String>;
    async fn add(&self, t: &TaskCx, a: u32, b: u32) -> Result<u32>;
    async fn flaky(&self, t: &TaskCx, failures: u32) -> Result<u32>;
    async fn reserve(&self, t: &TaskCx, items: u32) -> Result<u32, ShopError>;
    async fn release(&self, t: &TaskCx, items: u32) -> Result<()>;
    async fn hang(&self, t: &TaskCx) -> Result<()>;
    async fn panics_once(&self, t: &TaskCx) -> Result<u32>;
    async fn slow(&self, t: &TaskCx, ms: u64) -> Result<u32>;
}

/// An implementation that remembers what it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    pub(crate) done: Arc<Mutex<Vec<String>>>,
    pub(crate) slow_begun: Arc<AtomicU32>,
}

impl Counter {
    fn note(&self, what: impl Into<String>) {
        self.done.lock().unwrap().push(what.into());
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.done.lock().unwrap().clone()
    }
}

impl Shop for Counter {
    async fn suffix(&self, _: &TaskCx, text: String) -> Result<String> {
        Ok(text + "!")
    }

    async fn add(&self, _: &TaskCx, a: u32, b: u32) -> Result<u32> {
        tokio::task::yield_now().await;
        Ok(a + b)
    }

    async fn flaky(&self, t: &TaskCx, failures: u32) -> Result<u32> {
        self.note(format!("attempt {} {}", t.attempt(), t.idempotency_key()));
        if t.attempt() <= failures {
            return Err(Error::new("Busy", "come back later"));
        }
        Ok(t.attempt())
    }

    async fn reserve(&self, t: &TaskCx, items: u32) -> Result<u32, ShopError> {
        if items > 10 {
            return Err(t.fatal(ShopError::SoldOut { left: 10 }));
        }
        self.note(format!("reserve {items}"));
        Ok(items)
    }

    async fn release(&self, _: &TaskCx, items: u32) -> Result<()> {
        self.note(format!("release {items}"));
        Ok(())
    }

    async fn hang(&self, _: &TaskCx) -> Result<()> {
        std::future::pending().await
    }

    async fn panics_once(&self, t: &TaskCx) -> Result<u32> {
        assert!(t.attempt() > 1, "the first attempt always panics");
        Ok(t.attempt())
    }

    async fn slow(&self, _: &TaskCx, ms: u64) -> Result<u32> {
        let begun = self.slow_begun.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.note("slow");
        Ok(begun)
    }
}

#[workflow]
pub(crate) async fn two_tasks(cx: Cx, text: String) -> Result<String> {
    let shop = cx.service::<ShopStub>();
    let text = shop.suffix(text).await?;
    Ok(shop.suffix(text).await?)
}

#[workflow]
pub(crate) async fn sums(cx: Cx, count: u32) -> Result<u32> {
    let shop = cx.service::<ShopStub>();
    let sums = cx.try_join_all((0..count).map(|n| shop.add(n, 1))).await?;
    Ok(sums.into_iter().sum())
}

#[workflow]
pub(crate) async fn patient(cx: Cx, failures: u32) -> Result<u32> {
    let retry = Retry::exponential().initial(millis(5)).attempts(4);
    Ok(cx
        .service::<ShopStub>()
        .flaky(failures)
        .retry(retry)
        .await?)
}

#[workflow]
pub(crate) async fn reserving(cx: Cx, items: u32) -> Result<u32, ShopError> {
    match cx.service::<ShopStub>().reserve(items).await {
        Ok(items) => Ok(items),
        Err(TaskError::Failed(error, _)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[workflow]
pub(crate) async fn impatient(cx: Cx) -> Result<String> {
    let once = Retry::never();
    let hang = cx
        .service::<ShopStub>()
        .hang()
        .timeout(millis(50))
        .retry(once);
    match hang.await {
        Err(TaskError::TimedOut(report)) => Ok(report.failure().name.to_string()),
        other => Ok(format!("{other:?}")),
    }
}

#[workflow]
pub(crate) async fn surviving(cx: Cx) -> Result<u32> {
    let retry = Retry::fixed(millis(5));
    Ok(cx.service::<ShopStub>().panics_once().retry(retry).await?)
}

#[workflow]
pub(crate) async fn slow_one(cx: Cx, ms: u64) -> Result<u32> {
    Ok(cx.service::<ShopStub>().slow(ms).await?)
}

#[derive(Debug, Workflow)]
pub(crate) struct Approval {
    pub(crate) status: Prop<String>,
    pub(crate) granted: Channel<bool>,
}

#[workflow]
impl Approval {
    #[run]
    async fn run(&self, cx: Cx, patience_ms: u64) -> Result<bool> {
        let shop = cx.service::<ShopStub>();
        self.status.set("reserving".into());
        let reserved = cx
            .saga(async |saga: &Saga| {
                let items = shop.reserve(3).await?;
                saga.undo(shop.release(items));
                cx.add_tags(["state:waiting"]);
                self.status.set("waiting".into());
                let granted = select! {
                    granted = self.granted.recv() => granted?,
                    slept = cx.sleep(millis(patience_ms)) => { slept?; false }
                };
                if granted {
                    Ok(())
                } else {
                    Err(Error::new("Refused", "nobody granted it"))
                }
            })
            .await;
        match reserved {
            Ok(()) => Ok(true),
            Err(error) if error.failure().name.as_str() == "Refused" => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[workflow]
pub(crate) async fn steps(cx: Cx, rounds: u32) -> Result<u32> {
    let mut sum = 0;
    for round in 0..rounds {
        sum += cx
            .step("wait", move || async move {
                if round % 2 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Ok(round)
            })
            .await?;
    }
    Ok(sum)
}

#[workflow]
pub(crate) async fn shipping(cx: Cx, count: u32) -> Result<Vec<String>> {
    let mut jobs = Vec::new();
    for number in 0..count {
        let job = cx
            .egress("warehouse")
            .lane("a")
            .object("stock")
            .body(&number)
            .send()?;
        jobs.push(job.to_string());
    }
    cx.sleep(millis(5)).await?;
    Ok(jobs)
}

#[workflow]
pub(crate) async fn clockwork(cx: Cx) -> Result<u64> {
    let before = cx.now().0;
    cx.service::<ShopStub>().suffix("tick".into()).await?;
    let _ = cx.now();
    cx.sleep(millis(30)).await?;
    Ok(cx.now().0 - before)
}

#[derive(Debug, Workflow)]
pub(crate) struct Listener {
    pub(crate) numbers: Channel<u32>,
}

#[workflow]
impl Listener {
    #[run]
    async fn run(&self, cx: Cx, count: usize) -> Result<Vec<u32>> {
        let mut heard = Vec::new();
        while heard.len() < count {
            heard.push(self.numbers.recv().await?);
            if heard.len() % 10 == 0 {
                cx.service::<ShopStub>().add(1, 2).await?;
            }
        }
        Ok(heard)
    }
}
