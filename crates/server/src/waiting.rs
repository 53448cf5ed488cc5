//! Waiting for the end of a run, for a bounded time.

use crate::answer::{Answer, Refusal, json, json_with};
use crate::app::{App, unexpected};
use crate::input::{Asked, Names};
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::name;
use trunkline_api::problem::Problem;
use trunkline_api::run::{ResultQuery, RunBody, RunResult};

/// `GET /v1/workflows/{workflow}/runs/{id}/result`
pub(crate) async fn result(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
    Asked(query): Asked<ResultQuery>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let wait = span(&app, Some(query.wait_ms.unwrap_or(0)))?;
    let result = outcome(&app, &run, wait).await?;
    if result.result.is_some() || result.failure.is_some() {
        json(&result)
    } else {
        json_with(StatusCode::ACCEPTED, &result)
    }
}

/// How long a request may be held.
pub(crate) fn span(app: &App, wait_ms: Option<u64>) -> Result<Duration, Refusal> {
    let wait = wait_ms.map_or(app.config.wait_default, Duration::from_millis);
    if wait > app.config.wait_max {
        let detail = format!(
            "a request may wait {} ms at most; ask again after a 202",
            app.config.wait_max.as_millis()
        );
        return Err(Refusal::new(Code::WrongType, detail));
    }
    Ok(wait)
}

/// How `run` has ended, or where it stands after `wait`.
pub(crate) async fn outcome(app: &App, run: &RunId, wait: Duration) -> Result<RunResult, Problem> {
    if !wait.is_zero() {
        let ended = app.ask(Op::AwaitOutcome { run: run.clone() });
        tokio::select! {
            reply = ended => match reply? {
                Reply::Outcome { status, outcome } => return Ok(RunResult::ended(status, &outcome)),
                other => return Err(unexpected(&other)),
            },
            () = tokio::time::sleep(wait) => {}
            () = app.stopped() => {}
        }
    }
    match app.ask(Op::DescribeRun { run: run.clone() }).await? {
        Reply::Run(run) => {
            let body = RunBody::from(&*run);
            Ok(RunResult {
                status: body.status,
                result: body.result,
                failure: body.failure,
            })
        }
        other => Err(unexpected(&other)),
    }
}
