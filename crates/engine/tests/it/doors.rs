//! What is refused at the door, and what is let in again.

use crate::{Folder, PATIENCE, eventually, outcome, player, signal, small, start};
use std::sync::Arc;
use tokio::runtime::Handle;
use trunkline_core::code::Code;
use trunkline_core::egress::{Destination, NewJob};
use trunkline_core::entry::{Command, Entry, Notification, Outcome};
use trunkline_core::ids::{CommandId, JobId, RequestId, RunId};
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{
    Bulk, FromPeer, JobAction, JobFilter, JobWork, Keep, Kept, Op, Registration, Reply, ToPeer,
    Work,
};
use trunkline_core::run::RunStatus;
use trunkline_engine::{Config, Engine, Health};
use trunkline_journal::{Disk, SimDisk};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_gets_its_code_and_changes_nothing() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 0, 0);
    let large = "1".repeat(5 << 20);
    let put = |url: &str| Op::PutDestination {
        destination: Box::new(Destination {
            name: Name::from("shop"),
            url: Name::from(url),
            ..Destination::default()
        }),
    };
    let elsewhere = NewJob {
        destination: Name::from("elsewhere"),
        ..player::job("a", Payload::null())
    };
    let Op::Start(begun) = start("pair", "forged", "1") else {
        panic!("a start");
    };
    let enabling = Op::BulkStart {
        bulk: Box::new(Bulk {
            id: Name::from("forged"),
            work: Work::Jobs(JobWork {
                filter: JobFilter::default(),
                action: JobAction::Cancel,
                enables: true,
            }),
            per_second: None,
        }),
        expected: 0,
    };
    let forked = Op::StartForked {
        start: Box::new(begun),
        source: RunId::new("pair", "1"),
        at: CommandId(1),
        chunks: Vec::new(),
    };
    let cases = [
        (start("unheard", "1", "1"), Code::UnknownWorkflow),
        (start("pair", "", "1"), Code::NameInvalid),
        (start("pair", &"x".repeat(257), "1"), Code::NameInvalid),
        (start("pair", "a\nb", "1"), Code::NameInvalid),
        (start("pa/ir", "1", "1"), Code::NameInvalid),
        (start("pair", "1", &large), Code::PayloadTooLarge),
        (signal("pair", "1", 1), Code::RunNotFound),
        (put("ftp://localhost/"), Code::DestinationInvalid),
        (put("shop.local"), Code::DestinationInvalid),
        (
            put("http://me:secret@shop.local/"),
            Code::DestinationInvalid,
        ),
        (Op::CreateJobs { jobs: Vec::new() }, Code::TooManyItems),
        (
            Op::CreateJobs {
                jobs: vec![
                    (JobId(1), player::job("a", Payload::null())),
                    (JobId(2), elsewhere),
                ],
            },
            Code::DestinationInvalid,
        ),
        (
            Op::Keep(Keep {
                kept: Kept::Credential,
                name: Name::from("shop"),
                value: None,
                news: None,
            }),
            Code::ProtocolError,
        ),
        (forked, Code::ProtocolError),
        (enabling, Code::ProtocolError),
    ];
    for (number, (op, code)) in cases.into_iter().enumerate() {
        let refused = engine.request(op.clone()).await.unwrap_err();
        assert_eq!(refused.code, code, "{refused:?}");
        // And the same through a session.
        let request = RequestId(number as u64);
        session.send(vec![FromPeer::Request(request, op)]);
        let answer = mailbox.recv().await.unwrap().pop().unwrap();
        assert_eq!(answer, ToPeer::Reply(request, Err(refused)));
    }
    assert_eq!(engine.counters().await.runs, [0; 7]);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_command_pauses_its_run_with_the_reason() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 1, 1);
    engine.request(start("pair", "1", "\"a\"")).await.unwrap();
    let Some(ToPeer::Turn(turn)) = mailbox.recv().await.unwrap().pop() else {
        panic!("a turn");
    };
    let mut done = player::play_turn(&turn);
    done.commands = vec![Command::SetProperty {
        name: Name::from("x".repeat(300)),
        value: Payload::null(),
    }];
    session.send(vec![FromPeer::TurnDone(done)]);
    eventually("it is paused", async || {
        crate::describe(&engine, "pair", "1").await.status == RunStatus::Paused
    })
    .await;
    let run = crate::describe(&engine, "pair", "1").await;
    let reason = run.paused_because.unwrap();
    assert!(
        reason.contains("TL0006") && reason.contains("300 bytes"),
        "{reason}"
    );
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_would_not_fit_in_the_journal_pauses_its_run() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 1, 1);
    engine.request(start("pair", "1", "\"a\"")).await.unwrap();
    let Some(ToPeer::Turn(turn)) = mailbox.recv().await.unwrap().pop() else {
        panic!("a turn");
    };
    let mut done = player::play_turn(&turn);
    let set = |number: u32| Command::SetProperty {
        name: Name::from(number.to_string()),
        value: Payload::from(vec![b'1'; 4 << 20]),
    };
    done.commands = (0..5).map(set).collect();
    session.send(vec![FromPeer::TurnDone(done)]);
    eventually("it is paused", async || {
        let run = crate::describe(&engine, "pair", "1").await;
        run.paused_because
            .is_some_and(|reason| reason.contains("TL0004"))
    })
    .await;
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_too_large_fails_its_task() {
    let folder = Folder::new();
    let engine = folder.open();
    let (session, mut mailbox) = player::worker(&engine, 1, 1);
    engine.request(start("pair", "1", "\"a\"")).await.unwrap();
    let failure = 'failed: loop {
        for message in mailbox.recv().await.unwrap() {
            match message {
                ToPeer::Turn(turn) => {
                    let last = turn.chunks.last().unwrap();
                    let entries: Vec<Entry> = minicbor::decode(last).unwrap();
                    if let Some(Entry::Notification(_, Notification::TaskFailed { failure, .. })) =
                        entries.last()
                    {
                        break 'failed failure.clone();
                    }
                    session.send(vec![FromPeer::TurnDone(player::play_turn(&turn))]);
                }
                ToPeer::Task(task) => {
                    let FromPeer::TaskDone {
                        run,
                        command,
                        token,
                        ..
                    } = player::do_task(&task)
                    else {
                        panic!("an answer");
                    };
                    session.send(vec![FromPeer::TaskDone {
                        run,
                        command,
                        token,
                        outcome: Outcome::Completed(Payload::from(vec![b'1'; 5 << 20])),
                        then: None,
                    }]);
                }
                _ => {}
            }
        }
    };
    assert_eq!(&*failure.name, "TL0004");
    drop(session);
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_refused_while_too_much_waits() {
    let folder = Folder::new();
    let mut config = folder.config();
    config.inbox_inputs_max = 0;
    let engine = Engine::open(config, Handle::current()).unwrap();
    let (_session, _mailbox) = player::worker(&engine, 0, 0);
    let refused = engine
        .request(start("pair", "1", "\"a\""))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::Overloaded);
    engine.shutdown(PATIENCE).await;
}

/// One segment in use, and two in reserve.
async fn spares_are_ready(disk: &SimDisk) {
    eventually("the spares are ready", async || {
        let names = disk.list("journal-0").unwrap();
        names.iter().filter(|name| name.ends_with(".seg")).count() == 3
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_new_work_finishes_what_runs_and_heals() {
    let disk = SimDisk::new();
    let mut config = Config::new("unused");
    config.shards = Some(4);
    config.threads = Some(1);
    small(&mut config);
    let engine = Engine::open_on(Arc::new(disk.clone()), &config, Handle::current()).unwrap();
    let (session, mailbox) = player::worker(&engine, 64, 64);
    let text = format!("\"{}\"", "x".repeat(2_000));
    // These are under way when the disk fills up, with runs that no worker plays.
    for id in 0..10 {
        engine
            .request(start("pair", &format!("early-{id}"), "\"a\""))
            .await
            .unwrap();
    }
    session.send(vec![FromPeer::Register(Registration {
        workflows: vec![(Name::from("idle"), 1)],
        ..Registration::default()
    })]);
    spares_are_ready(&disk).await;
    disk.set_capacity(Some(disk.used_bytes() + 1_000));
    let mut filled = 0;
    let refused = loop {
        filled += 1;
        assert!(filled < 10_000, "it never refuses");
        match engine
            .request(start("idle", &filled.to_string(), &text))
            .await
        {
            Ok(_) => {}
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code, Code::DiskFull);
    assert_eq!(engine.health(), Health::DiskFull);
    // The reserve lets work in flight go on.
    session.send(vec![FromPeer::Register(player::abilities(64, 64))]);
    let _player = tokio::spawn(player::run(session, mailbox));
    for id in 0..10 {
        outcome(&engine, "pair", &format!("early-{id}")).await;
    }
    assert_eq!(engine.health(), Health::DiskFull);

    disk.set_capacity(None);
    eventually("it is well again", async || engine.health() == Health::Ok).await;
    let reply = engine
        .request(start("pair", "late", "\"a\""))
        .await
        .unwrap();
    assert!(matches!(reply, Reply::Started { created: true, .. }));
    outcome(&engine, "pair", "late").await;
    assert_eq!(
        engine.counters().await.runs.iter().sum::<u64>(),
        10 + filled
    );
    engine.shutdown(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_can_be_shut_down_while_the_disk_is_full() {
    let disk = SimDisk::new();
    let mut config = Config::new("unused");
    config.shards = Some(4);
    config.threads = Some(1);
    small(&mut config);
    let engine = Engine::open_on(Arc::new(disk.clone()), &config, Handle::current()).unwrap();
    let (session, _mailbox) = player::worker(&engine, 0, 0);
    engine.request(start("news", "1", "1")).await.unwrap();
    spares_are_ready(&disk).await;
    disk.set_capacity(Some(disk.used_bytes() + 1_000));
    let text = format!("\"{}\"", "x".repeat(4_000));
    let mut acknowledged = 0;
    while engine
        .request(start("pair", &acknowledged.to_string(), &text))
        .await
        .is_ok()
    {
        acknowledged += 1;
    }
    // Cancellations are not new work: they are taken until not even the reserve is left.
    let mut asked = Vec::new();
    for id in 0..acknowledged {
        let engine = engine.clone();
        let op = Op::Cancel {
            run: RunId::new("pair", id.to_string()),
            reason: Name::from(&text[..2_000]),
        };
        asked.push(tokio::spawn(async move { engine.request(op).await }));
    }
    tokio::time::timeout(
        PATIENCE,
        engine.shutdown(std::time::Duration::from_millis(100)),
    )
    .await
    .expect("it ends although it cannot write");
    for asked in asked {
        assert!(
            !matches!(asked.await.unwrap(), Err(refused) if refused.code != Code::ShuttingDown)
        );
    }
    drop((engine, session));
    disk.set_capacity(None);
    let engine = Engine::open_on(Arc::new(disk.restart()), &config, Handle::current()).unwrap();
    assert_eq!(
        engine.counters().await.runs.iter().sum::<u64>(),
        1 + acknowledged
    );
    engine.shutdown(PATIENCE).await;
}
