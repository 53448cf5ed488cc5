//! Tasks: looking at those of a run, and answering one from outside.

use crate::answer::{Answer, done, json};
use crate::app::{App, unexpected};
use crate::input::{Body, Names, Optional};
use crate::nonce;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::value::RawValue;
use std::sync::Arc;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::json::payload_of;
use trunkline_api::name;
use trunkline_api::task::{FailTask, HeartbeatTask, TaskAlive, TaskBody, TaskList, task_id};

/// `GET …/runs/{id}/tasks`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    match app.ask(Op::OpenTasks { run }).await? {
        Reply::Tasks(tasks) => json(&TaskList {
            tasks: tasks.iter().map(TaskBody::from).collect(),
        }),
        other => Err(unexpected(&other).into()),
    }
}

/// `POST /v1/tasks/{task}/complete`
pub(crate) async fn complete(
    State(app): State<Arc<App>>,
    Names(task): Names<String>,
    headers: HeaderMap,
    Body(value): Body<Box<RawValue>>,
) -> Answer {
    let outcome = Outcome::Completed(payload_of("the result", &value)?);
    answer(&app, &task, &headers, outcome).await
}

/// `POST /v1/tasks/{task}/fail`
pub(crate) async fn fail(
    State(app): State<Arc<App>>,
    Names(task): Names<String>,
    headers: HeaderMap,
    Body(body): Body<FailTask>,
) -> Answer {
    answer(&app, &task, &headers, body.into_outcome()?).await
}

async fn answer(app: &App, task: &str, headers: &HeaderMap, outcome: Outcome) -> Answer {
    let op = Op::CompleteTask {
        task: task_id(task)?,
        outcome,
        nonce: nonce::of_request(headers, &format!("task {task}"))?,
    };
    app.tell(op).await?;
    done()
}

/// `POST /v1/tasks/{task}/heartbeat`
pub(crate) async fn heartbeat(
    State(app): State<Arc<App>>,
    Names(task): Names<String>,
    Optional(body): Optional<HeartbeatTask>,
) -> Answer {
    let details = body.details.as_deref();
    let op = Op::HeartbeatTask {
        task: task_id(&task)?,
        details: details
            .map(|details| payload_of("details", details))
            .transpose()?,
    };
    match app.ask(op).await? {
        Reply::TaskAlive { cancelling } => json(&TaskAlive { cancelling }),
        other => Err(unexpected(&other).into()),
    }
}

/// `POST /v1/tasks/{task}/cancel`
pub(crate) async fn cancel(State(app): State<Arc<App>>, Names(task): Names<String>) -> Answer {
    let task = task_id(&task)?;
    app.tell(Op::CancelTask { task }).await?;
    done()
}
