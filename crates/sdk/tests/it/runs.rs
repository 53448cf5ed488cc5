//! Runs: signals, properties, timers, steps, cancelling, jobs, deployments.

use crate::contract::{Approval, Listener, clockwork, shipping, slow_one, steps, two_tasks};
use crate::house::{House, MODES};
use std::time::Duration;
use trunkline::core::code::Code;
use trunkline::core::egress::Destination;
use trunkline::core::peer::{Op, Reply};
use trunkline::core::run::RunStatus;
use trunkline::prelude::*;
use trunkline::{RunError, RunHandle};

/// Waits until a property has a value.
async fn reached(run: &RunHandle<Approval>, status: &str) {
    for _ in 0..1_000 {
        if run.prop(|w| &w.status).await.unwrap().as_deref() == Some(status) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the run never became {status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_comes_early_is_received() {
    for mode in MODES {
        let mut house = House::without_worker().await;
        house.work(&house.engine.clone(), mode).await;
        // Registered and gone: the run is accepted, and nobody moves it.
        let probe = house
            .client
            .workflow::<two_tasks>("0")
            .execute("x".into())
            .await;
        assert_eq!(probe.unwrap(), "x!!");
        house.dismiss().await;
        let run = house
            .client
            .workflow::<Approval>("1")
            .tag("test:1")
            .start(60_000)
            .await
            .unwrap();
        run.send(|w| &w.granted, true).await.unwrap();
        assert_eq!(run.prop(|w| &w.status).await.unwrap(), None);
        house.work(&house.engine.clone(), mode).await;
        assert!(run.result().await.unwrap());
        let described = run.describe().await.unwrap();
        assert_eq!(described.status, RunStatus::Completed);
        let tags: Vec<&str> = described.tags.iter().map(|tag| tag.as_str()).collect();
        assert_eq!(tags, ["state:waiting", "test:1"]);
        assert_eq!(house.counter.notes(), ["reserve 3"]);
        assert_eq!(
            run.send(|w| &w.granted, true).await.unwrap_err().code(),
            Code::RunFinished
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_ends_the_wait_and_the_saga_undoes() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house.client.workflow::<Approval>("1").execute(20).await;
        assert!(!result.unwrap());
        assert_eq!(house.counter.notes(), ["reserve 3", "release 3"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_cleans_up_and_ends_as_cancelled() {
    for mode in MODES {
        let house = House::open(mode).await;
        let run = house
            .client
            .workflow::<Approval>("1")
            .start(60_000)
            .await
            .unwrap();
        reached(&run, "waiting").await;
        run.cancel("changed my mind").await.unwrap();
        match run.result().await.unwrap_err() {
            RunError::Cancelled(_) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(house.counter.notes(), ["reserve 3", "release 3"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_is_refused_or_attached() {
    for mode in MODES {
        let house = House::open(mode).await;
        let client = &house.client;
        let first = client.workflow::<two_tasks>("1").execute("a".into()).await;
        assert_eq!(first.unwrap(), "a!!");
        let second = client.workflow::<two_tasks>("1").start("b".into()).await;
        assert_eq!(second.unwrap_err().code(), Code::RunExists);
        let third = client
            .workflow::<two_tasks>("1")
            .attach()
            .execute("c".into())
            .await;
        assert_eq!(third.unwrap(), "a!!");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_run_in_the_worker_and_are_journaled() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house.client.workflow::<steps>("1").execute(9).await;
        assert_eq!(result.unwrap(), 36);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_run_does_not_run_backwards() {
    for mode in MODES {
        let house = House::open(mode).await;
        let passed = house.client.workflow::<clockwork>("1").execute(()).await;
        assert!(passed.unwrap() >= 30);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_accepted_with_the_turn() {
    for mode in MODES {
        let house = House::open(mode).await;
        let destination = Destination {
            name: "warehouse".into(),
            url: "http://127.0.0.1:9/".into(),
            paused: true,
            ..Destination::default()
        };
        house
            .client
            .request(Op::PutDestination {
                destination: Box::new(destination),
            })
            .await
            .unwrap();
        let sent = house
            .client
            .workflow::<shipping>("1")
            .execute(3)
            .await
            .unwrap();
        let list = Op::ListJobs {
            destination: "warehouse".into(),
            state: None,
            lane: None,
            after: None,
            limit: 10,
        };
        // The jobs travel to the shard of the destination; the run may be faster.
        let mut accepted = Vec::new();
        for _ in 0..1_000 {
            match house.client.request(list.clone()).await.unwrap() {
                Reply::JobList { jobs, .. } => accepted = jobs,
                other => panic!("not a list of jobs: {other:?}"),
            }
            if accepted.len() == sent.len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        accepted.sort_by_key(|job| job.lane_sequence);
        let accepted: Vec<String> = accepted.iter().map(|job| job.id.to_string()).collect();
        assert_eq!(accepted, sent);
    }
}

mod deployed {
    use trunkline::prelude::*;

    #[workflow(name = "slow_one")]
    pub(super) async fn changed(cx: Cx, ms: u64) -> Result<u32> {
        cx.sleep(millis(ms)).await?;
        Ok(0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_code_pauses_the_run_and_the_old_code_finishes_it() {
    let mut house = House::open(0).await;
    let run = house
        .client
        .workflow::<slow_one>("1")
        .start(200)
        .await
        .unwrap();
    while house
        .counter
        .slow_begun
        .load(std::sync::atomic::Ordering::SeqCst)
        == 0
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Stops with the task done, and its result not played.
    house
        .employ(Worker::builder(&house.engine).workflow::<deployed::changed>())
        .await;
    let mut paused = None;
    for _ in 0..1_000 {
        let described = run.describe().await.unwrap();
        if described.status != RunStatus::Running {
            paused = described.paused_because;
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reason = paused.expect("the run is paused");
    assert!(
        reason.contains("TL0074") && reason.contains("the code asks for StartTimer"),
        "{reason}"
    );
    house.dismiss().await;
    house.work(&house.engine.clone(), 0).await;
    run.untyped().resume().await.unwrap();
    assert_eq!(run.result().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_are_received_in_the_order_in_which_they_were_sent() {
    for mode in MODES {
        let house = House::open(mode).await;
        let run = house
            .client
            .workflow::<Listener>("1")
            .start(60)
            .await
            .unwrap();
        for number in 0..60 {
            run.send(|w| &w.numbers, number).await.unwrap();
        }
        let expected: Vec<u32> = (0..60).collect();
        assert_eq!(run.result().await.unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_after_the_engine_was_opened_again() {
    for mode in MODES {
        let house = House::open(mode).await;
        let run = house
            .client
            .workflow::<Approval>("1")
            .start(60_000)
            .await
            .unwrap();
        reached(&run, "waiting").await;
        drop(run);
        let mut house = house.reopen().await;
        let run = house.client.run::<Approval>("1");
        // No worker is needed for this.
        assert_eq!(
            run.prop(|w| &w.status).await.unwrap().as_deref(),
            Some("waiting")
        );
        run.send(|w| &w.granted, true).await.unwrap();
        house.work(&house.engine.clone(), mode).await;
        assert!(run.result().await.unwrap());
        assert_eq!(house.counter.notes(), ["reserve 3"], "not reserved again");
    }
}
