//! `trunkline task …`: looking at the tasks of a run, and answering one.

use crate::args::TaskCommand;
use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::numbers::{date, shortened};
use crate::run::{json_of, path};
use crate::table::Table;
use std::io::Write;
use trunkline_api::task::{FailTask, HeartbeatTask, TaskAlive, TaskList};

/// Does what the command says.
pub(crate) fn carry_out(
    command: TaskCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        TaskCommand::List { run, json } => {
            let answer = client.get(&format!("{}/tasks", path(&run, client)?))?;
            if json {
                writeln!(out, "{}", answer.text())?;
                return Ok(());
            }
            list(&answer.read()?, out)
        }
        TaskCommand::Complete { task, value, key } => {
            json_of("VALUE", &value)?;
            client.post_keyed(&at(&task, "complete"), value.into_bytes(), key.as_deref())?;
            writeln!(out, "answered")?;
            Ok(())
        }
        TaskCommand::Fail {
            task,
            message,
            name,
            fatal,
        } => {
            let body = FailTask {
                name,
                message,
                detail: None,
                non_retryable: fatal,
            };
            client.post(&at(&task, "fail"), &body)?;
            writeln!(out, "answered: its attempt has failed")?;
            Ok(())
        }
        TaskCommand::Heartbeat { task, details } => {
            let details = details.map(|text| json_of("DETAILS", &text)).transpose()?;
            let answer = client.post(&at(&task, "heartbeat"), &HeartbeatTask { details })?;
            let alive: TaskAlive = answer.read()?;
            let more = if alive.cancelling {
                "; it was asked to end"
            } else {
                ""
            };
            writeln!(out, "noted{more}")?;
            Ok(())
        }
        TaskCommand::Cancel { task } => {
            client.post_nothing(&at(&task, "cancel"))?;
            writeln!(out, "asked to end")?;
            Ok(())
        }
    }
}

fn list(list: &TaskList, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = Table::new(["TASK", "STATE", "ATTEMPT", "DUE", "LAST FAILURE", "ID"]);
    for task in &list.tasks {
        let failure = task.last_failure.as_ref();
        let failure = failure.map(|failure| format!("{}: {}", failure.name, failure.message));
        let state = match (task.cancelling, task.answered) {
            (true, _) => format!("{}, asked to end", task.state),
            (false, true) => format!("{}, answered", task.state),
            (false, false) => task.state.clone(),
        };
        table.row([
            format!("{}.{}", task.service, task.task),
            state,
            task.attempt.to_string(),
            task.due_at.map(date).unwrap_or_default(),
            shortened(&failure.unwrap_or_default(), 60),
            task.id.clone(),
        ]);
    }
    table.write("no open tasks", out)?;
    Ok(())
}

fn at(task: &str, what: &str) -> String {
    format!("/v1/tasks/{}/{what}", encoded(task))
}
