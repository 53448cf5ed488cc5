//! Opening, working, stopping, opening again.

use crate::{Folder, PATIENCE, describe, eventually, outcome, player, signal, start};
use std::time::Duration;
use tokio::runtime::Handle;
use trunkline_core::code::Code;
use trunkline_core::entry::Outcome;
use trunkline_core::ids::RunId;
use trunkline_core::peer::{FromPeer, Op, Reply, RunFilter, ToPeer};
use trunkline_core::run::RunStatus;
use trunkline_engine::{Engine, Health};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_two_tasks_ends_with_the_result_of_the_second() {
    let folder = Folder::new();
    let engine = folder.open();
    let _player = player::play(&engine);
    engine.request(start("pair", "1", "\"a\"")).await.unwrap();
    let Reply::Outcome { status, outcome } = outcome(&engine, "pair", "1").await else {
        panic!("an outcome");
    };
    assert_eq!(status, RunStatus::Completed);
    assert_eq!(outcome, Outcome::Completed(b"\"a!!\""[..].into()));
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_drop_without_shutdown() {
    let folder = Folder::new();
    let engine = folder.open();
    let player = player::play(&engine);
    for id in 0..40 {
        let op = start("news", &id.to_string(), "1");
        engine.request(op).await.unwrap();
        engine
            .request(signal("news", &id.to_string(), 1))
            .await
            .unwrap();
    }
    eventually("the first turns are done", async || {
        engine.counters().await.turns_in_flight + engine.counters().await.turns_ready == 0
    })
    .await;
    let mut before = Vec::new();
    for id in 0..40 {
        before.push(describe(&engine, "news", &id.to_string()).await);
    }
    drop(engine);
    player.abort();
    let _ = player.await;

    let engine = folder.open();
    for (id, before) in before.iter().enumerate() {
        let run = describe(&engine, "news", &id.to_string()).await;
        assert_eq!(run, *before, "a run is as it was");
    }
    // And it goes on: the workflow is known, the history complete.
    let _player = player::play(&engine);
    for id in 0..40 {
        for nonce in [2, 3] {
            let op = signal("news", &id.to_string(), nonce);
            engine.request(op).await.unwrap();
        }
        let Reply::Outcome { status, .. } = outcome(&engine, "news", &id.to_string()).await else {
            panic!("an outcome");
        };
        assert_eq!(status, RunStatus::Completed);
    }
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_trims_the_journal_and_the_state_is_read_from_the_store() {
    let folder = Folder::new();
    let engine = folder.open();
    let player = player::play(&engine);
    let text = format!("\"{}\"", "x".repeat(4_000));
    for id in 0..200 {
        engine
            .request(start("pair", &id.to_string(), &text))
            .await
            .unwrap();
    }
    for id in 0..200 {
        outcome(&engine, "pair", &id.to_string()).await;
    }
    let before = engine.stats();
    assert!(before.journal_bytes > 2 * (256 << 10), "several segments");
    engine.checkpoint().await;
    eventually("the journals are trimmed", async || {
        engine.request(start("nap", "again", "3600000")).await.ok();
        engine.stats().journal_bytes <= 2 * (256 << 10)
    })
    .await;
    assert!(engine.stats().checkpoints >= 1);
    let run = describe(&engine, "pair", "7").await;
    drop(engine);
    player.abort();
    let _ = player.await;

    let engine = folder.open();
    assert_eq!(describe(&engine, "pair", "7").await, run);
    assert_eq!(
        engine.counters().await.runs[RunStatus::Completed as usize],
        200
    );
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_shutdown_nothing_is_left_to_replay_and_everything_is_refused() {
    let folder = Folder::new();
    let engine = folder.open();
    let player = player::play(&engine);
    engine.request(start("pair", "1", "\"a\"")).await.unwrap();
    outcome(&engine, "pair", "1").await;
    engine.shutdown(PATIENCE).await;
    assert!(player.await.unwrap() >= 2, "the mailbox has ended");
    let refused = engine
        .request(start("pair", "2", "\"a\""))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::ShuttingDown);
    assert_eq!(engine.health(), Health::Stopping);

    // The folder is free although the handle is still there.
    let again = folder.open();
    assert_eq!(
        describe(&again, "pair", "1").await.status,
        RunStatus::Completed
    );
    assert_eq!(
        again.stats().commits,
        again.stats().commits.min(8),
        "only new epochs"
    );
    again.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_engine_on_the_same_folder_is_refused() {
    let folder = Folder::new();
    let engine = folder.open();
    let error = Engine::open(folder.config(), Handle::current()).unwrap_err();
    assert_eq!(error.code, Code::DataFolderInUse);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_the_shards_and_threads_it_was_made_with() {
    let folder = Folder::new();
    folder.open().shutdown(PATIENCE).await;
    let mut config = folder.config();
    config.shards = Some(9);
    let error = Engine::open(config.clone(), Handle::current()).unwrap_err();
    assert_eq!(error.code, Code::DataFolderSettings);
    config.shards = None;
    config.threads = None;
    let engine = Engine::open(config, Handle::current()).unwrap();
    assert_eq!(engine.shards(), 8);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_without_anybody_asking_and_an_idle_engine_does_not_wake() {
    let folder = Folder::new();
    let engine = folder.open();
    let _player = player::play(&engine);
    engine
        .request(start("nap", "long", "3600000"))
        .await
        .unwrap();
    engine.request(start("nap", "short", "50")).await.unwrap();
    outcome(&engine, "nap", "short").await;
    let settled = async || {
        let before = engine.stats();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let after = engine.stats();
        (before.wakeups, before.syncs) == (after.wakeups, after.syncs)
    };
    eventually("the threads are parked, with a timer an hour away", settled).await;
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_without_a_worker_waits_without_waking_anybody() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mailbox) = player::worker(&engine, 0, 0);
    for id in 0..20 {
        engine
            .request(start("pair", &id.to_string(), "\"a\""))
            .await
            .unwrap();
    }
    assert_eq!(engine.counters().await.turns_ready, 20);
    let quiet = async || {
        let before = engine.stats().wakeups;
        tokio::time::sleep(Duration::from_millis(300)).await;
        engine.stats().wakeups == before
    };
    eventually("the threads are parked, with work to give out", quiet).await;
    // Then a worker comes with one slot of each kind, and all of it gets done.
    session.send(vec![FromPeer::Register(player::abilities(1, 1))]);
    let _player = tokio::spawn(player::run(session, mailbox));
    for id in 0..20 {
        outcome(&engine, "pair", &id.to_string()).await;
    }
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_runs_goes_through_all_shards_page_by_page() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 0, 0);
    for id in 0..50 {
        engine
            .request(start("pair", &id.to_string(), "\"a\""))
            .await
            .unwrap();
    }
    let filter = RunFilter {
        limit: 7,
        ..RunFilter::default()
    };
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let (runs, next) = engine.list_runs(filter.clone(), cursor).await.unwrap();
        assert!(runs.len() <= 7);
        found.extend(runs.into_iter().map(|run| run.id.key()));
        let Some(next) = next else { break };
        cursor = Some(next);
    }
    let mut sorted = found.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((found.len(), &found), (50, &sorted), "each once, in order");

    // The same through a session, where the last run says where to go on.
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let op = Op::ListRuns(Box::new(RunFilter {
            after,
            ..filter.clone()
        }));
        let request = trunkline_core::ids::RequestId(1);
        session.send(vec![FromPeer::Request(request, op)]);
        let answer = mailbox.recv().await.unwrap().pop().unwrap();
        let ToPeer::Reply(_, Ok(Reply::Runs { runs, next })) = answer else {
            panic!("a page, not {answer:?}");
        };
        found.extend(runs.into_iter().map(|run| run.id.key()));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, sorted);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_lets_a_task_finish_that_is_with_a_worker() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 8, 8);
    engine.request(start("pair", "1", "\"a\"")).await.unwrap();
    let task = player::next_task(&session, &mut mailbox).await;
    let stopping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.shutdown(PATIENCE).await }
    });
    eventually("it stops", async || engine.health() == Health::Stopping).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!stopping.is_finished(), "it waits for the task");
    session.send(vec![player::do_task(&task)]);
    tokio::time::timeout(PATIENCE, stopping)
        .await
        .unwrap()
        .unwrap();

    let engine = folder.open();
    let history = Op::DescribeRun {
        run: RunId::new("pair", "1"),
    };
    let Reply::Run(run) = engine.request(history).await.unwrap() else {
        panic!("a run");
    };
    assert_eq!((run.open_tasks, run.unconsumed), (0, 1), "the result is in");
    engine.shutdown(PATIENCE).await;
}
