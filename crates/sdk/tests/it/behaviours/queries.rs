//! Queries: questions that a worker answers from a run, and that leave no trace.

use crate::behaviours::branches::{Notebook, house};
use crate::house::{House, MODES};
use trunkline::core::code::Code;
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;

/// A run whose queries misbehave.
#[derive(Debug, Workflow)]
pub(crate) struct Curious {
    pub(crate) count: Prop<u32>,
    pub(crate) more: Channel<u32>,
}

#[workflow]
impl Curious {
    #[run]
    async fn run(&self, cx: Cx, upto: u32) -> Result<u32> {
        let _ = cx;
        while self.count.get() < upto {
            let more = self.more.recv().await?;
            self.count.update(|count| *count += more);
        }
        Ok(self.count.get())
    }

    #[query]
    fn count_and(&self, more: u32) -> u32 {
        self.count.get() + more
    }

    #[query]
    fn sets(&self) -> u32 {
        self.count.set(1_000);
        self.count.get()
    }

    #[query]
    fn takes(&self) -> Option<u32> {
        self.more.try_recv().ok().flatten()
    }

    #[query]
    fn panics(&self) {
        assert!(self.count.get() > 1_000, "too few");
    }
}

async fn curious(mode: usize) -> House {
    let mut house = House::without_worker().await;
    let worker = house.worker(&house.engine, mode).workflow::<Curious>();
    house.employ(worker).await;
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q1_a_query_sees_what_was_sent_before_it_and_leaves_no_trace() {
    for mode in MODES {
        let house = curious(mode).await;
        let run = house.client.workflow::<Curious>("1").start(100);
        let run = run.await.unwrap();
        for number in 1..=5 {
            run.send(|w| &w.more, 1).await.unwrap();
            assert_eq!(run.query(|w| w.count_and(10)).await.unwrap(), 10 + number);
        }
        let entries = run.describe().await.unwrap().entries;
        assert_eq!(run.query(|w| w.count_and(0)).await.unwrap(), 5);
        assert_eq!(run.describe().await.unwrap().entries, entries);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_a_query_that_panics_or_changes_something_is_an_error_and_the_run_goes_on() {
    for mode in MODES {
        let house = curious(mode).await;
        let run = house.client.workflow::<Curious>("1").start(3);
        let run = run.await.unwrap();
        run.send(|w| &w.more, 1).await.unwrap();
        let errors = [
            run.query(|w| w.sets()).await.unwrap_err(),
            run.query(|w| w.takes()).await.unwrap_err(),
            run.query(|w| w.panics()).await.unwrap_err(),
            run.untyped()
                .query::<u32>("count_and", "three")
                .await
                .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.code(), Code::QueryFailed, "{error}");
        }
        assert_eq!(run.query(|w| w.count_and(0)).await.unwrap(), 1);
        run.send(|w| &w.more, 2).await.unwrap();
        assert_eq!(run.result().await.unwrap(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q3_an_unknown_query_is_refused() {
    for mode in MODES {
        let house = curious(mode).await;
        let run = house.client.workflow::<Curious>("1").start(3);
        let run = run.await.unwrap();
        let asked = run.untyped().query::<u32>("weight", &()).await;
        assert_eq!(asked.unwrap_err().code(), Code::UnknownMethod);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q4_a_run_that_has_ended_is_asked_like_any_other() {
    for mode in MODES {
        let house = house(mode).await;
        let run = house.client.workflow::<Notebook>("1").start("a".into());
        let run = run.await.unwrap();
        run.call(|w| w.add("b".into())).await.unwrap();
        run.send(|w| &w.close, "c".into()).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "abc");
        assert_eq!(run.query(|w| w.read()).await.unwrap(), "abc");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q5_without_a_worker_a_query_ends_with_a_code_and_words() {
    let mut house = curious(0).await;
    let run = house.client.workflow::<Curious>("1").start(3);
    let run = run.await.unwrap();
    assert_eq!(run.query(|w| w.count_and(0)).await.unwrap(), 0);
    house.dismiss().await;
    let error = run.query(|w| w.count_and(0)).timeout(millis(30)).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::QueryTimedOut);
    assert!(
        error
            .to_string()
            .contains("no worker has `Curious` version 1"),
        "{error}"
    );
    assert_eq!(run.describe().await.unwrap().status, RunStatus::Running);
    // A property needs no worker.
    assert_eq!(run.prop(|w| &w.count).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_a_query_waits_for_the_worker_that_comes_later() {
    for mode in MODES {
        let mut house = curious(mode).await;
        let run = house.client.workflow::<Curious>("1").start(3);
        let run = run.await.unwrap();
        house.dismiss().await;
        run.send(|w| &w.more, 2).await.unwrap();
        let asked = tokio::spawn({
            let run = run.clone();
            async move { run.query(|w| w.count_and(0)).timeout(secs(30)).await }
        });
        let worker = house.worker(&house.engine, mode).workflow::<Curious>();
        house.employ(worker).await;
        assert_eq!(asked.await.unwrap().unwrap(), 2);
    }
}
