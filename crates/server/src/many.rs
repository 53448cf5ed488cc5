//! Retries, forks and purges of runs, and what is done to many of them: by tag, and in bulk.

use crate::answer::{Answer, done, json, json_with};
use crate::app::{App, unexpected};
use crate::input::{Body, Names, Optional};
use crate::nonce;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::sync::Arc;
use trunkline_api::core::ids::CommandId;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::many::{ActedOn, ActionBody, BulkBody, BulkList, ForkRun, RetryRun, StartBulk};
use trunkline_api::name;
use trunkline_api::run::RunStarted;

/// `POST …/retry`
pub(crate) async fn retry(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
    Optional(body): Optional<RetryRun>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let at = body.at.map(CommandId);
    app.tell(Op::RetryRun { run, at }).await?;
    done()
}

/// `POST …/fork`
pub(crate) async fn fork(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
    headers: HeaderMap,
    Body(body): Body<ForkRun>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let new_id = name::name("new_id", &body.new_id)?;
    let nonce = nonce::of_request(&headers, &format!("fork {run} as {new_id}"))?;
    let op = Op::Fork {
        run,
        at: CommandId(body.at),
        new_id,
        nonce,
    };
    match app.ask(op).await? {
        Reply::Started { created, version } => {
            let status = if created {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            json_with(
                status,
                &RunStarted {
                    workflow,
                    id: body.new_id,
                    version,
                    created,
                    status: None,
                    result: None,
                    failure: None,
                },
            )
        }
        other => Err(unexpected(&other).into()),
    }
}

/// `POST …/purge`
pub(crate) async fn purge(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    app.tell(Op::Purge { run }).await?;
    done()
}

/// `POST /v1/workflows/{workflow}/tags/{tag}`
pub(crate) async fn act_on_tagged(
    State(app): State<Arc<App>>,
    Names((workflow, tag)): Names<(String, String)>,
    headers: HeaderMap,
    Body(body): Body<ActionBody>,
) -> Answer {
    let workflow = name::workflow(&workflow)?;
    let tag = name::name("tag", &tag)?;
    let nonce = nonce::of_request(&headers, &format!("tagged {workflow}/{tag}"))?;
    let op = Op::Tagged {
        workflow,
        tag,
        action: body.action(nonce)?,
        after: None,
    };
    match app.ask(op).await? {
        Reply::Counted { count, .. } => json(&ActedOn { count }),
        other => Err(unexpected(&other).into()),
    }
}

/// `POST /v1/bulk`
pub(crate) async fn start_bulk(State(app): State<Arc<App>>, Body(body): Body<StartBulk>) -> Answer {
    let bulk = body.bulk()?;
    if body.dry_run {
        return match app.ask(Op::Count(Box::new(body.meant()?))).await? {
            Reply::Counted { count, .. } => json(&BulkBody::dry(&body.id, &body.run.action, count)),
            other => Err(unexpected(&other).into()),
        };
    }
    let op = Op::BulkStart {
        bulk: Box::new(bulk),
        expected: 0,
    };
    bulk_answer(&app, op, StatusCode::ACCEPTED).await
}

/// `GET /v1/bulk/{id}`
pub(crate) async fn show_bulk(State(app): State<Arc<App>>, Names(id): Names<String>) -> Answer {
    let id: Name = name::name("id", &id)?;
    bulk_answer(&app, Op::BulkShow { id }, StatusCode::OK).await
}

/// `POST /v1/bulk/{id}/cancel`
pub(crate) async fn cancel_bulk(State(app): State<Arc<App>>, Names(id): Names<String>) -> Answer {
    let id: Name = name::name("id", &id)?;
    bulk_answer(&app, Op::BulkCancel { id }, StatusCode::OK).await
}

pub(crate) async fn bulk_answer(app: &App, op: Op, status: StatusCode) -> Answer {
    match app.ask(op).await? {
        Reply::Bulk(bulk) => json_with(status, &BulkBody::from(&bulk)),
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/bulk`
pub(crate) async fn list_bulk(State(app): State<Arc<App>>) -> Answer {
    match app.ask(Op::BulkList).await? {
        Reply::Bulks(all) => json(&BulkList {
            bulk: all.iter().map(BulkBody::from).collect(),
        }),
        other => Err(unexpected(&other).into()),
    }
}
