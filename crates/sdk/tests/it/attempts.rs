//! What goes on around attempts: heartbeats, cancellation with grace, delegated and batched tasks, limits of a worker.

use crate::bridge::Bridge;
use crate::desk::{
    Office, asking, charging, crowd, patient, printing, resuming, silent, until, waiting,
};
use crate::house::MODES;
use futures_util::future::join_all;
use std::sync::atomic::Ordering;
use std::time::Duration;
use trunkline::TaskId;
use trunkline::core::code::Code;
use trunkline::prelude::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_heartbeats_and_meta_say_reaches_the_next_attempt() {
    for mode in MODES {
        let office = Office::open(mode).await;
        let result = office.execute::<resuming>(()).await;
        assert_eq!(result, "100 3 red 2 Jam: after 2");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_falls_silent_is_told_and_repeated() {
    for mode in MODES {
        let office = Office::open(mode).await;
        assert_eq!(office.execute::<silent>(()).await, "TL0081 page 1");
        office.clerk.until("ended: TimedOut").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_cancelled_comes_to_its_end_in_its_grace() {
    for mode in MODES {
        let office = Office::open(mode).await;
        let result = office.change_its_mind(60_000).await;
        assert_eq!(result, "the task was cancelled: as asked");
        assert_eq!(office.clerk.notes(), ["waits", "gives back: Cancelled"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_without_grace_ends_at_once() {
    for mode in MODES {
        let office = Office::open(mode).await;
        let result = office.change_its_mind(0).await;
        assert_eq!(result, "the task was cancelled");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_has_its_awaited_task_come_to_an_end() {
    for mode in MODES {
        let office = Office::open(mode).await;
        let run = office
            .house
            .client
            .workflow::<waiting>("1")
            .start(())
            .await
            .unwrap();
        office.clerk.until("waits").await;
        run.cancel("enough").await.unwrap();
        let error = run.result().await.unwrap_err();
        assert_eq!(error.failure().unwrap().name.as_str(), "TL0076");
        office.clerk.until("gives back: Cancelled").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_out_is_observed_and_what_comes_in_the_grace_is_ignored() {
    for mode in MODES {
        let office = Office::open(mode).await;
        assert_eq!(office.execute::<patient>(()).await, "in time");
        office.clerk.until("timed out").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_before_the_task_is_delegated_is_kept() {
    for mode in MODES {
        let office = Office::open(mode).await;
        assert_eq!(office.execute::<asking>("early".into()).await, "quick");
        assert_eq!(office.clerk.asked().len(), 1, "one attempt did it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegated_task_is_answered_over_another_connection_and_over_a_restart() {
    for mode in MODES {
        let mut office = Office::open(mode).await;
        let start = office.house.client.workflow::<asking>("1");
        start.start("later".into()).await.unwrap();
        until(|| office.clerk.asked().len() == 1).await;
        let id = office.clerk.asked()[0];
        // The engine has heard of it: else the answer would be a kept one.
        until_delegated(&office.house.client, id).await;
        let Office { house, clerk } = office;
        let house = house.reopen().await;
        office = Office { house, clerk };
        let bridge = Bridge::open(&office.house.engine).await;
        let client = Client::connect(bridge.url()).await.unwrap();
        let task = client.task(&id.to_string()).unwrap();
        assert!(!task.heartbeat("on it").await.unwrap());
        // The attempt is over: another one asks again.
        task.fail(Error::new("Busy", "not now")).await.unwrap();
        office.work(mode).await;
        until(|| office.clerk.asked().len() == 2).await;
        assert_eq!(
            office.clerk.asked()[1],
            id,
            "the id is the same for all attempts"
        );
        task.complete("yes").await.unwrap();
        task.complete("yes").await.unwrap();
        let run = office.house.client.run::<asking>("1");
        assert_eq!(run.result().await.unwrap(), "yes");
        let late = task.complete("no").await.unwrap_err();
        assert_eq!(late.code(), Code::TaskEnded);
        let late = task.heartbeat("still").await.unwrap_err();
        assert_eq!(late.code(), Code::TaskEnded);
        assert_eq!(
            client.task("nonsense").unwrap_err().code(),
            Code::NameInvalid
        );
    }
}

async fn until_delegated(client: &Client, id: TaskId) {
    use trunkline::core::ids::RunId;
    use trunkline::core::peer::{Op, Reply, TaskState};
    let run = RunId::new("asking", "1");
    assert_eq!(run.key(), id.run);
    let patience = async {
        loop {
            match client.request(Op::OpenTasks { run: run.clone() }).await {
                Ok(Reply::Tasks(tasks)) if tasks[0].state == TaskState::Delegated => return,
                Ok(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), patience)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegated_task_fails_for_good_if_its_answer_says_so() {
    for mode in MODES {
        let office = Office::open(mode).await;
        let start = office.house.client.workflow::<asking>("1");
        let run = start.start("later".into()).await.unwrap();
        until(|| office.clerk.asked().len() == 1).await;
        let task = office.house.client.task(office.clerk.asked()[0]).unwrap();
        task.fail(Error::new("Never", "no way")).await.unwrap();
        assert_eq!(run.result().await.unwrap(), "failed: no way");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_cancels_one_task() {
    for mode in MODES {
        let office = Office::open(mode).await;
        let start = office.house.client.workflow::<asking>("1");
        let run = start.start("later".into()).await.unwrap();
        until(|| office.clerk.asked().len() == 1).await;
        let task = office.house.client.task(office.clerk.asked()[0]).unwrap();
        task.cancel().await.unwrap();
        assert!(
            task.heartbeat("still on it").await.unwrap(),
            "it hears of it"
        );
        task.fail(Error::new("Stopped", "well then")).await.unwrap();
        let result = run.result().await.unwrap();
        assert_eq!(result, "failed: the task was cancelled: well then");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_has_no_more_at_once_than_its_slots() {
    for mode in MODES {
        let mut office = Office::open(mode).await;
        let worker = office.worker(mode).service_slots("Desk", 2);
        office.house.employ(worker.workflow_slots("crowd", 1)).await;
        assert_eq!(office.execute::<crowd>(30).await, 30);
        assert!(office.clerk.busy_max.load(Ordering::SeqCst) <= 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_says_how_calls_are_retried() {
    for mode in MODES {
        let office = Office::open(mode).await;
        assert_eq!(
            office.execute::<charging>("Declined".into()).await,
            "Declined"
        );
        assert_eq!(office.clerk.notes(), ["Declined 1"], "final at once");
        let start = office.house.client.workflow::<charging>("2");
        assert_eq!(start.execute("Busy".into()).await.unwrap(), "Busy");
        assert_eq!(office.clerk.notes()[1..], ["Busy 1", "Busy 2"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_item_spoils_no_other_of_its_batch() {
    for mode in MODES {
        let office = Office::open(mode).await;
        let pages = ["a 1", "a 2", "a poison", "a blank", "b 1", "b 2", "c 1"];
        let pages = pages.map(String::from).to_vec();
        let printed = office.execute::<printing>(pages).await;
        assert_eq!(printed[0], "a 1 printed");
        assert_eq!(printed[1], "a 2 printed");
        assert!(printed[2].contains("ink everywhere"), "{}", printed[2]);
        assert_eq!(printed[3], "nothing on it");
        assert_eq!(printed[4..], ["b 1 printed", "b 2 printed", "c 1 printed"]);
        let batches = office.clerk.batches.lock().unwrap().clone();
        assert!(batches.iter().any(|batch| batch.len() == 4), "{batches:?}");
        for batch in &batches {
            let key = |page: &String| page.split(' ').next().unwrap().to_owned();
            assert!(
                batch.iter().all(|page| key(page) == key(&batch[0])),
                "{batch:?}"
            );
            assert!(batch.len() <= 4);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_of_many_runs_go_together() {
    for mode in MODES {
        let office = Office::open(mode).await;
        let runs = (0..40).map(|n| {
            let start = office.house.client.workflow::<printing>(n.to_string());
            start.execute(vec![format!("x {n}")])
        });
        for (n, printed) in join_all(runs).await.into_iter().enumerate() {
            assert_eq!(printed.unwrap(), [format!("x {n} printed")]);
        }
        let batches = office.clerk.batches.lock().unwrap().len();
        assert!(batches < 40, "{batches} batches for 40 items");
    }
}
