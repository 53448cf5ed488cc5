//! A worker that plays small workflows from their history alone, never holding a run's future.
//!
//! | workflow | what it does |
//! | --- | --- |
//! | pair | two tasks, one after the other; returns the second's result |
//! | nap | sleeps for its input's milliseconds |
//! | news | returns after three signals |
//! | ship | creates a job for the destination `shop`, lane `a`, and returns |

use trunkline_core::egress::NewJob;
use trunkline_core::entry::{Command, Entry, Notification, Outcome};
use trunkline_core::ids::CommandId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::peer::{FromPeer, Registration, TaskAttempt, ToPeer, Turn, TurnDone};
use trunkline_engine::{Engine, Mailbox, Session};

pub(crate) const WORKFLOWS: [&str; 4] = ["pair", "nap", "news", "ship"];

pub(crate) fn abilities(turn_slots: u32, task_slots: u32) -> Registration {
    Registration {
        name: Some(Name::from("player")),
        workflows: WORKFLOWS.map(|name| (Name::from(name), 1)).to_vec(),
        services: vec![Name::from("echo")],
        turn_slots,
        task_slots,
        ..Registration::default()
    }
}

/// Connects a worker, and lets it play until it is dropped or the engine ends.
pub(crate) fn play(engine: &Engine) -> tokio::task::JoinHandle<u64> {
    let (session, mailbox) = worker(engine, 64, 64);
    tokio::spawn(run(session, mailbox))
}

/// Connects a worker that does nothing yet.
pub(crate) fn worker(engine: &Engine, turn_slots: u32, task_slots: u32) -> (Session, Mailbox) {
    let (session, mailbox) = engine.connect();
    session.send(vec![FromPeer::Register(abilities(turn_slots, task_slots))]);
    (session, mailbox)
}

/// Plays until the mailbox ends; says how many tasks it did.
pub(crate) async fn run(session: Session, mut mailbox: Mailbox) -> u64 {
    let mut tasks = 0;
    while let Some(messages) = mailbox.recv().await {
        let mut answers = Vec::new();
        for message in messages {
            match message {
                ToPeer::Turn(turn) => answers.push(FromPeer::TurnDone(play_turn(&turn))),
                ToPeer::Task(task) => {
                    tasks += 1;
                    answers.push(do_task(&task));
                }
                _ => {}
            }
        }
        session.send(answers);
    }
    tasks
}

/// Plays turns until a task comes.
pub(crate) async fn next_task(session: &Session, mailbox: &mut Mailbox) -> TaskAttempt {
    loop {
        for message in mailbox.recv().await.unwrap() {
            match message {
                ToPeer::Turn(turn) => session.send(vec![FromPeer::TurnDone(play_turn(&turn))]),
                ToPeer::Task(task) => return *task,
                _ => {}
            }
        }
    }
}

/// Does the task: adds a mark to its input.
pub(crate) fn do_task(task: &TaskAttempt) -> FromPeer {
    let text: String = serde_json::from_slice(&task.input).unwrap();
    let result = serde_json::to_vec(&format!("{text}!")).unwrap();
    FromPeer::TaskDone {
        run: task.run,
        command: task.command,
        token: task.token,
        outcome: Outcome::Completed(Payload::from(result)),
        then: None,
    }
}

fn task(command: u32, input: Payload) -> Command {
    Command::ScheduleTask {
        command: CommandId(command),
        service: Name::from("echo"),
        task: Name::from("mark"),
        input,
        options: Box::default(),
    }
}

fn finish(result: Payload) -> Command {
    Command::Finish {
        outcome: Outcome::Completed(result),
    }
}

pub(crate) fn play_turn(turn: &Turn) -> TurnDone {
    assert_eq!(turn.from, 0, "this worker holds nothing");
    let entries: Vec<Entry> = turn
        .chunks
        .iter()
        .flat_map(|chunk| minicbor::decode::<Vec<Entry>>(chunk).unwrap())
        .collect();
    let Some(Entry::Notification(_, Notification::Started { input, .. })) = entries.first() else {
        panic!("a history begins with `Started`");
    };
    let news =
        |entry: &&Entry| matches!(entry, Entry::Notification(_, Notification::Signal { .. }));
    let mut commands = Vec::new();
    for entry in &entries[turn.consumed as usize..] {
        let Entry::Notification(_, notification) = entry else {
            continue;
        };
        match (&*turn.id.workflow, notification) {
            ("pair", Notification::Started { input, .. }) => commands.push(task(0, input.clone())),
            ("pair", Notification::TaskCompleted { command, result }) => {
                commands.push(if command.0 == 0 {
                    task(1, result.clone())
                } else {
                    finish(result.clone())
                });
            }
            ("nap", Notification::Started { input, .. }) => {
                let ms: u64 = serde_json::from_slice(input).unwrap();
                commands.push(Command::StartTimer {
                    command: CommandId(0),
                    at: turn.started_at.plus_ms(ms),
                    call: None,
                });
            }
            ("nap", Notification::TimerFired { .. }) => commands.push(finish(Payload::null())),
            ("ship", Notification::Started { input, .. }) => {
                commands.push(Command::CreateJob {
                    command: CommandId(0),
                    job: Box::new(job("a", input.clone())),
                });
                commands.push(finish(Payload::null()));
            }
            _ => {}
        }
    }
    if &*turn.id.workflow == "news" && entries.iter().filter(news).count() == 3 {
        commands.push(finish(input.clone()));
    }
    TurnDone {
        run: turn.run,
        token: turn.token,
        from: turn.consumed,
        upto: entries.len() as u32,
        commands,
        held: false,
    }
}

pub(crate) fn job(lane: &str, body: Payload) -> NewJob {
    NewJob {
        destination: Name::from("shop"),
        lane: Name::from(lane),
        object_type: Name::from("stock"),
        action: Name::from("update"),
        object_ids: vec![Name::from("85123A")],
        body,
        ..NewJob::default()
    }
}
