//! The commands about tasks, word by word.

use crate::program::{Folder, Server};
use crate::worker::{answer, connect, hear, registration, tell};
use expect_test::expect;
use trunkline_api::core::peer::{FromPeer, ToPeer};
use trunkline_api::frame::SUBPROTOCOL;

/// A worker that plays turns and delegates every task.
fn attach_delegating_worker(server: &Server) {
    let address = server.address();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut socket = connect(address, Some(SUBPROTOCOL)).await.unwrap();
            tell(&mut socket, &[registration(100)]).await;
            while let Some(batch) = hear(&mut socket).await {
                for message in batch {
                    let said = match &message {
                        ToPeer::Task(task) => Some(FromPeer::TaskDelegated {
                            run: task.run,
                            command: task.command,
                            token: task.token,
                        }),
                        other => answer(other),
                    };
                    tell(&mut socket, said.as_slice()).await;
                }
            }
        });
    });
    server.run_until(&["run", "start", "Wait", "first", "--attach"], |_| true);
}

#[test]
fn a_delegated_task_is_listed_kept_alive_and_answered() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    attach_delegating_worker(&server);
    server.out(&["run", "start", "Greet", "a", "--input", "\"you\""]);
    let listed = server.run_until(&["task", "list", "Greet/a"], |out| {
        out.contains("delegated")
    });
    let id = listed.out.split_whitespace().last().unwrap().to_owned();
    let nameless = |text: &str| text.replace(&id, "<id>");
    expect![[r#"
        TASK         STATE      ATTEMPT  DUE  LAST FAILURE  ID
        Hello.greet  delegated  1                           <id>
    "#]]
    .assert_eq(&nameless(&listed.out));
    let shown = server.run(&["run", "show", "Greet/a"]).out;
    expect!["  task Hello.greet: delegated, waits for the answer to <id>"]
        .assert_eq(nameless(&shown).lines().last().unwrap());
    expect![[r#"
        noted
    "#]]
    .assert_eq(&server.out(&["task", "heartbeat", &id, "{\"page\":7}"]));
    expect![[r#"
        answered: its attempt has failed
    "#]]
    .assert_eq(&server.out(&["task", "fail", &id, "not now", "--name", "Busy"]));
    // Its next attempt is delegated too, in a second.
    server.run_until(&["task", "list", "Greet/a", "--json"], |out| {
        out.contains("\"delegated\"") && out.contains("\"attempt\":2")
    });
    expect![[r#"
        answered
    "#]]
    .assert_eq(&server.out(&["task", "complete", &id, "\"well\""]));
    let result = server.out(&["run", "result", "Greet/a", "--wait-ms", "20000"]);
    assert_eq!(result, "\"well\"\n");
    let late = server.run(&["task", "complete", &id, "1"]);
    assert_eq!(late.code, Some(1));
    expect!["error[TL0082]: the task has ended, or has its answer: task <id> has completed (run 'trunkline explain TL0082')\n"]
        .assert_eq(&nameless(&late.err));
}

#[test]
fn a_delegated_task_is_cancelled() {
    let folder = Folder::new();
    let server = Server::start(&folder);
    attach_delegating_worker(&server);
    server.out(&["run", "start", "Greet", "a", "--input", "\"you\""]);
    let listed = server.run_until(&["task", "list", "Greet/a"], |out| {
        out.contains("delegated")
    });
    let id = listed.out.split_whitespace().last().unwrap().to_owned();
    expect![[r#"
        asked to end
    "#]]
    .assert_eq(&server.out(&["task", "cancel", &id]));
    let said = server.run(&["run", "result", "Greet/a", "--wait-ms", "20000"]);
    expect![[r#"
        Greet/a failed
          failure: Greeting: no greeting
          caused by: TL0080: the task was cancelled (in task Hello.greet)
    "#]]
    .assert_eq(&server.timeless(&said.out));
}
