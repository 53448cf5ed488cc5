//! Starting runs and looking at them.

use crate::answer::{Answer, Refusal, content_type, json, json_with};
use crate::app::{App, unexpected};
use crate::input::{Asked, Body, Names};
use crate::{nonce, waiting};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::filter::{RunCount, RunQuery};
use trunkline_api::history::{HistoryPage, entries_in};
use trunkline_api::history_file::HistoryFile;
use trunkline_api::name;
use trunkline_api::run::{HistoryQuery, RunBody, RunPage, RunStarted, StartRun};

/// A query as names and values.
type Pairs = Vec<(String, String)>;

/// `POST /v1/workflows/{workflow}/runs`
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    Names(workflow): Names<String>,
    headers: HeaderMap,
    Body(request): Body<StartRun>,
) -> Answer {
    let wait = match request.wait {
        true => Some(waiting::span(&app, request.timeout_ms)?),
        false => None,
    };
    let nonce = nonce::of_request(&headers, &format!("start {workflow}/{}", request.id))?;
    let start = request.into_start(&workflow, nonce)?;
    let run = start.run.clone();
    let (created, version) = match app.ask(Op::Start(start)).await? {
        Reply::Started { created, version } => (created, version),
        other => return Err(unexpected(&other).into()),
    };
    let mut answer = RunStarted {
        workflow: run.workflow.to_string(),
        id: run.id.to_string(),
        version,
        created,
        status: None,
        result: None,
        failure: None,
    };
    if let Some(wait) = wait {
        let ended = waiting::outcome(&app, &run, wait).await?;
        answer.status = Some(ended.status);
        answer.result = ended.result;
        answer.failure = ended.failure;
    }
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    json_with(status, &answer)
}

/// `GET /v1/runs`
pub(crate) async fn list(State(app): State<Arc<App>>, Asked(pairs): Asked<Pairs>) -> Answer {
    let query = RunQuery::parse(pairs)?;
    match app.ask(Op::ListRuns(Box::new(query.filter()?))).await? {
        Reply::Runs { runs, next } => json(&RunPage {
            runs: runs
                .iter()
                .map(|run| RunBody::from(run).kept_for(app.engine.retention_ms()))
                .collect(),
            next_cursor: next.map(|next| query.next_cursor(next)),
        }),
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/runs/count`
pub(crate) async fn count(State(app): State<Arc<App>>, Asked(pairs): Asked<Pairs>) -> Answer {
    let query = RunQuery::parse(pairs)?;
    if query.limit.is_some() || query.cursor.is_some() {
        let detail = "a count has neither `limit` nor `cursor`";
        return Err(Refusal::new(Code::UnknownField, detail));
    }
    match app.ask(Op::Count(Box::new(query.of.filter()?))).await? {
        Reply::Counted { count, .. } => json(&RunCount { count }),
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/workflows/{workflow}/runs/{id}`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let mut body = match app.ask(Op::DescribeRun { run: run.clone() }).await? {
        Reply::Run(run) => RunBody::from(&*run).kept_for(app.engine.retention_ms()),
        other => return Err(unexpected(&other).into()),
    };
    body.waits = Some(match app.ask(Op::Waits { run }).await? {
        Reply::Waits(waits) => waits.iter().map(ToString::to_string).collect(),
        other => return Err(unexpected(&other).into()),
    });
    json(&body)
}

/// `GET /v1/workflows/{workflow}/runs/{id}/history`
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
    Asked(query): Asked<HistoryQuery>,
) -> Answer {
    let from = query.from.unwrap_or(0);
    let run = name::run(&workflow, &id)?;
    match app.ask(Op::History { run, from }).await? {
        Reply::History {
            from: first,
            chunks,
            next,
        } => {
            let entries = entries_in(first, &chunks, from).map_err(|error| {
                Refusal::new(
                    Code::Internal,
                    format!("the run's history cannot be read: {error}"),
                )
            })?;
            json(&HistoryPage { entries, next })
        }
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/workflows/{workflow}/runs/{id}/export`
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let Reply::Run(described) = app.ask(Op::DescribeRun { run: run.clone() }).await? else {
        return Err(Refusal::new(Code::Internal, "the engine described no run"));
    };
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let run = run.clone();
        let reply = app.ask(Op::History { run, from }).await?;
        let Reply::History { chunks, next, .. } = reply else {
            return Err(unexpected(&reply).into());
        };
        all.extend(chunks);
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    json(&HistoryFile::new(
        &run,
        described.version,
        described.started_at,
        Some(described.status_shown()),
        &all,
    )?)
}

/// `GET /v1/workflows/{workflow}/runs/{id}/properties/{name}`
pub(crate) async fn property(
    State(app): State<Arc<App>>,
    Names((workflow, id, property)): Names<(String, String, String)>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let name = name::name("name", &property)?;
    match app.ask(Op::Property { run, name }).await? {
        Reply::Property(value) => {
            let text = trunkline_api::json::json_of(&value);
            let bytes = text.get().to_owned();
            Ok(([content_type("application/json")], bytes).into_response())
        }
        other => Err(unexpected(&other).into()),
    }
}
