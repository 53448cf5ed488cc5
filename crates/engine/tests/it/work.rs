//! Workers that come, go, answer late or twice.

use crate::{Folder, PATIENCE, outcome, player, start};
use std::time::Duration;
use trunkline_core::peer::{FromPeer, ToPeer};

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_a_peer_that_is_gone_is_given_to_another() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 8, 8);
    engine.request(start("pair", "1", "\"a\"")).await.unwrap();
    let task = player::next_task(&session, &mut mailbox).await;
    assert_eq!(task.attempt, 1);
    drop((session, mailbox));
    let _player = player::play(&engine);
    outcome(&engine, "pair", "1").await;
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_worker_gets_more_than_it_has_slots_for() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 2, 3);
    for id in 0..30 {
        engine
            .request(start("pair", &id.to_string(), "\"a\""))
            .await
            .unwrap();
    }
    let (mut turns, mut tasks, mut done) = (Vec::new(), Vec::new(), 0);
    while done < 60 {
        let messages = tokio::time::timeout(PATIENCE, mailbox.recv())
            .await
            .unwrap();
        for message in messages.unwrap() {
            match message {
                ToPeer::Turn(turn) => turns.push(turn),
                ToPeer::Task(task) => tasks.push(task),
                _ => {}
            }
        }
        assert!(turns.len() <= 2, "{} turns", turns.len());
        assert!(tasks.len() <= 3, "{} tasks", tasks.len());
        // Let it pile up a little, then answer everything, some of it twice: that frees no slot.
        tokio::time::sleep(Duration::from_millis(1)).await;
        done += tasks.len();
        let mut answers: Vec<_> = tasks.drain(..).map(|task| player::do_task(&task)).collect();
        answers.extend(answers.clone());
        let played = turns.drain(..).map(|turn| player::play_turn(&turn));
        answers.extend(played.map(FromPeer::TurnDone));
        session.send(answers);
    }
    // Turns are still with the worker; a shutdown would wait for them.
    drop(session);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_drains_gets_nothing_new() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 8, 8);
    session.send(vec![FromPeer::Drain]);
    engine.request(start("pair", "1", "\"a\"")).await.unwrap();
    let player = player::play(&engine);
    outcome(&engine, "pair", "1").await;
    let nothing = tokio::time::timeout(Duration::from_millis(50), mailbox.recv()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    engine.shutdown(PATIENCE).await;
    assert!(player.await.unwrap() >= 2);
    drop(session);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_is_disconnected() {
    let folder = Folder::new();
    let mut config = folder.config();
    config.mailbox_bytes_max = 20_000;
    let engine = trunkline_engine::Engine::open(config, tokio::runtime::Handle::current()).unwrap();
    let (session, mut mailbox) = player::worker(&engine, 10_000, 0);
    for id in 0..200 {
        engine
            .request(start("pair", &id.to_string(), "\"a\""))
            .await
            .unwrap();
    }
    crate::eventually("it is dropped", async || engine.stats().peers_dropped == 1).await;
    assert!(mailbox.recv().await.is_none());
    let (reader, readers_mailbox) = player::worker(&engine, 8, 8);
    let _player = tokio::spawn(player::run(reader, readers_mailbox));
    outcome(&engine, "pair", "150").await;
    engine.shutdown(PATIENCE).await;
    drop(session);
}
