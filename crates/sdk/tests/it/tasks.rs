//! Tasks: results, retries, errors, time-outs, panics.

use crate::contract::{ShopError, impatient, patient, reserving, sums, surviving, two_tasks};
use crate::house::{House, MODES};
use trunkline::RunError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tasks_follow_one_another() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house
            .client
            .workflow::<two_tasks>("1")
            .execute("hi".into())
            .await;
        assert_eq!(result.unwrap(), "hi!!");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_runs_at_once_all_end() {
    for mode in MODES {
        let house = House::open(mode).await;
        let runs = (0..500).map(|n| {
            let start = house.client.workflow::<two_tasks>(n.to_string());
            async move { start.execute(n.to_string()).await }
        });
        let results = futures_util::future::join_all(runs).await;
        for (n, result) in results.into_iter().enumerate() {
            assert_eq!(result.unwrap(), format!("{n}!!"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_tasks_are_joined() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house.client.workflow::<sums>("1").execute(200).await;
        assert_eq!(result.unwrap(), 200 * 199 / 2 + 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_repeated_under_the_same_key_until_it_succeeds() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house.client.workflow::<patient>("1").execute(3).await;
        assert_eq!(result.unwrap(), 4);
        let keys: Vec<String> = house
            .counter
            .notes()
            .iter()
            .map(|note| note.split(' ').next_back().unwrap().to_owned())
            .collect();
        assert_eq!(keys.len(), 4);
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_uses_up_its_attempts_fails_the_run() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house.client.workflow::<patient>("1").execute(9).await;
        let error = result.unwrap_err();
        assert_eq!(error.failure().unwrap().name.as_str(), "Busy");
        assert_eq!(house.counter.notes().len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_error_reaches_the_client() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house.client.workflow::<reserving>("1").execute(11).await;
        match result.unwrap_err() {
            RunError::Failed(ShopError::SoldOut { left: 10 }, report) => {
                assert_eq!(report.failure().name.as_str(), "SoldOut");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_hangs_times_out() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house.client.workflow::<impatient>("1").execute(()).await;
        assert_eq!(result.unwrap(), "TL0071");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_panics_is_repeated() {
    for mode in MODES {
        let house = House::open(mode).await;
        let result = house.client.workflow::<surviving>("1").execute(()).await;
        assert_eq!(result.unwrap(), 2);
    }
}
