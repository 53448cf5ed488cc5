//! A service and workflows for what goes on around attempts, and an engine with a worker that has them.

use crate::house::House;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trunkline::prelude::*;
use trunkline::{Batch, Ending, Item, TaskId, Worker};

#[service]
pub(crate) trait Desk {
    async fn resumes(&self, t: &TaskCx) -> Result<String>;
    async fn falls_silent(&self, t: &TaskCx) -> Result<String>;
    async fn waits(&self, t: &TaskCx) -> Result<String>;
    async fn takes_too_long(&self, t: &TaskCx) -> Result<String>;
    async fn asks(&self, t: &TaskCx, when: String) -> Result<String>;
    async fn alone(&self, t: &TaskCx) -> Result<u32>;
    #[task(
        attempts = 2,
        initial_ms = 1,
        never_on = "Declined, Expired",
        timeout_ms = 20_000
    )]
    async fn charge(&self, t: &TaskCx, with: String) -> Result<String>;
    async fn print(&self, t: &TaskCx, page: String) -> Result<String>;
}

#[derive(Clone, Default)]
pub(crate) struct Clerk {
    pub(crate) notes: Arc<Mutex<Vec<String>>>,
    pub(crate) asked: Arc<Mutex<Vec<TaskId>>>,
    pub(crate) client: Arc<Mutex<Option<Client>>>,
    pub(crate) busy: Arc<AtomicU32>,
    pub(crate) busy_max: Arc<AtomicU32>,
    pub(crate) batches: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Clerk {
    fn note(&self, what: impl Into<String>) {
        self.notes.lock().unwrap().push(what.into());
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }

    pub(crate) fn asked(&self) -> Vec<TaskId> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) async fn until(&self, what: &str) {
        until(|| self.notes().iter().any(|note| note == what)).await;
    }
}

pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let patience = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience)
        .await
        .unwrap();
}

impl Desk for Clerk {
    async fn resumes(&self, t: &TaskCx) -> Result<String> {
        let visits = t.meta::<u32>("visits").unwrap_or_default() + 1;
        t.set_meta("visits", visits)?;
        let from: u32 = t.heartbeat_details().unwrap_or_default();
        if t.attempt() < 3 {
            // Faster than heartbeats are told: the last one counts.
            for page in 0..50 {
                t.heartbeat(from + page + 1)?;
            }
            return Err(Error::new("Jam", format!("after {visits}")));
        }
        let last = t.last_failure().unwrap();
        let colour: String = t.meta("colour").unwrap();
        let tags = t.tags().len();
        Ok(format!(
            "{from} {visits} {colour} {tags} {}: {}",
            last.name, last.message
        ))
    }

    async fn falls_silent(&self, t: &TaskCx) -> Result<String> {
        // On a busy machine an attempt may be over before its heartbeat is heard.
        let Some(page) = t.heartbeat_details::<String>() else {
            t.heartbeat("page 1")?;
            self.note(format!("ended: {:?}", t.cancelled().await));
            return Ok("what nobody looks at".into());
        };
        let name = t.last_failure().unwrap().name.to_string();
        Ok(format!("{name} {page}"))
    }

    async fn waits(&self, t: &TaskCx) -> Result<String> {
        self.note("waits");
        let ending = t.cancelled().await;
        self.note(format!("gives back: {ending:?}"));
        Err(Error::new("Stopped", "as asked"))
    }

    async fn takes_too_long(&self, t: &TaskCx) -> Result<String> {
        if t.attempt() > 1 {
            return Ok("in time".into());
        }
        let (clerk, left) = (self.clone(), t.deadline() - tokio::time::Instant::now());
        assert!(left <= Duration::from_millis(40), "{left:?}");
        t.on_timeout(move || clerk.note("timed out"));
        assert_eq!(t.cancelled().await, Ending::TimedOut);
        assert!(t.is_cancelled());
        Ok("late".into())
    }

    async fn asks(&self, t: &TaskCx, when: String) -> Result<String> {
        self.asked.lock().unwrap().push(t.id());
        if when == "early" && t.attempt() == 1 {
            let client = self.client.lock().unwrap().clone().unwrap();
            client.task(t.id())?.complete("quick").await?;
        }
        t.delegate().await
    }

    async fn alone(&self, _: &TaskCx) -> Result<u32> {
        let busy = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
        self.busy_max.fetch_max(busy, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.busy.fetch_sub(1, Ordering::SeqCst);
        Ok(busy)
    }

    async fn charge(&self, t: &TaskCx, with: String) -> Result<String> {
        self.note(format!("{with} {}", t.attempt()));
        Err(Error::new(with, "no"))
    }

    async fn print(&self, _: &TaskCx, page: String) -> Result<String> {
        Ok(page)
    }
}

#[workflow]
pub(crate) async fn resuming(cx: Cx, (): ()) -> Result<String> {
    let call = cx.service::<DeskStub>().resumes();
    let call = call.retry(Retry::fixed(millis(1)));
    Ok(call.meta("colour", "red").tag("a").tag("b").await?)
}

#[workflow]
pub(crate) async fn silent(cx: Cx, (): ()) -> Result<String> {
    let call = cx.service::<DeskStub>().falls_silent();
    let call = call.retry(Retry::fixed(millis(1)));
    Ok(call.heartbeat_timeout(millis(60)).await?)
}

#[derive(Workflow)]
pub(crate) struct ChangingItsMind {
    pub(crate) go: Channel<()>,
}

#[workflow]
impl ChangingItsMind {
    #[run]
    async fn run(&self, cx: Cx, grace_ms: u64) -> Result<String> {
        let call = cx.service::<DeskStub>().waits();
        let task = call.grace(millis(grace_ms)).start();
        self.go.recv().await?;
        task.cancel();
        match task.await {
            Err(error @ TaskError::Cancelled(_)) => Ok(error.to_string()),
            other => Ok(format!("{other:?}")),
        }
    }
}

#[workflow]
pub(crate) async fn waiting(cx: Cx, (): ()) -> Result<String> {
    Ok(cx.service::<DeskStub>().waits().grace(secs(60)).await?)
}

#[workflow]
pub(crate) async fn patient(cx: Cx, (): ()) -> Result<String> {
    let call = cx.service::<DeskStub>().takes_too_long();
    let call = call.retry(Retry::fixed(millis(1)));
    Ok(call.timeout(millis(40)).await?)
}

#[workflow]
pub(crate) async fn asking(cx: Cx, when: String) -> Result<String> {
    let call = cx.service::<DeskStub>().asks(when).grace(secs(60));
    match call.retry(Retry::fixed(millis(1)).never_on("Never")).await {
        Ok(answer) => Ok(answer),
        Err(error) => Ok(format!("failed: {error}")),
    }
}

#[workflow]
pub(crate) async fn crowd(cx: Cx, size: u32) -> Result<u32> {
    let desk = cx.service::<DeskStub>();
    let all = cx.try_join_all((0..size).map(|_| desk.alone())).await?;
    Ok(u32::try_from(all.len()).unwrap())
}

#[workflow]
pub(crate) async fn charging(cx: Cx, with: String) -> Result<String> {
    let error = cx.service::<DeskStub>().charge(with).await.unwrap_err();
    Ok(error.failure().name.to_string())
}

#[workflow]
pub(crate) async fn printing(cx: Cx, pages: Vec<String>) -> Result<Vec<String>> {
    let desk = cx.service::<DeskStub>();
    let calls = pages.into_iter().map(|page| {
        let retry = Retry::fixed(millis(1)).attempts(2);
        desk.print(page).retry(retry).start()
    });
    let printed = cx.join_all(calls).await.into_iter();
    Ok(printed
        .map(|page| page.unwrap_or_else(|error| format!("{error}")))
        .collect())
}

pub(crate) struct Office {
    pub(crate) house: House,
    pub(crate) clerk: Clerk,
}

impl Office {
    pub(crate) async fn open(mode: usize) -> Self {
        let mut office = Self {
            house: House::without_worker().await,
            clerk: Clerk::default(),
        };
        *office.clerk.client.lock().unwrap() = Some(office.house.client.clone());
        office.work(mode).await;
        office
    }

    pub(crate) fn worker(&self, mode: usize) -> Worker {
        let clerk = self.clerk.clone();
        let batch = Batch::new().max_messages(4).max_wait(millis(40));
        let batch = batch.key(|page: &String| page.split(' ').next().unwrap().to_owned());
        let desk = self.clerk.clone().into_service();
        let desk = desk.batch("print", batch, move |pages: Vec<Item<String>>| {
            let clerk = clerk.clone();
            async move { clerk.print_all(&pages) }
        });
        Worker::builder(&self.house.engine)
            .register(desk)
            .workflow::<resuming>()
            .workflow::<silent>()
            .workflow::<ChangingItsMind>()
            .workflow::<waiting>()
            .workflow::<patient>()
            .workflow::<asking>()
            .workflow::<crowd>()
            .workflow::<charging>()
            .workflow::<printing>()
            .cache_runs(mode)
            .strict()
    }

    pub(crate) async fn work(&mut self, mode: usize) {
        let worker = self.worker(mode);
        self.house.employ(worker).await;
    }

    /// Starts the run, and has it change its mind once the task is with the worker.
    pub(crate) async fn change_its_mind(&self, grace_ms: u64) -> String {
        let start = self.house.client.workflow::<ChangingItsMind>("1");
        let run = start.start(grace_ms).await.unwrap();
        self.clerk.until("waits").await;
        run.send(|w| &w.go, ()).await.unwrap();
        run.result().await.unwrap()
    }

    pub(crate) async fn execute<W: Workflow>(&self, input: W::Input) -> W::Output
    where
        W::Error: std::fmt::Debug,
    {
        let result = self.house.client.workflow::<W>("1").execute(input).await;
        result.unwrap()
    }
}

impl Clerk {
    fn print_all(&self, pages: &[Item<String>]) -> Vec<Result<String>> {
        let names: Vec<String> = pages.iter().map(|page| page.input.clone()).collect();
        self.batches.lock().unwrap().push(names.clone());
        assert!(
            !names.iter().any(|page| page.ends_with("poison")),
            "ink everywhere"
        );
        let print = |page: String| match page.ends_with("blank") {
            true => Err(Error::new("Blank", "nothing on it")),
            false => Ok(page + " printed"),
        };
        names.into_iter().map(print).collect()
    }
}
