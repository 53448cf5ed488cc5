//! What an operator does with many jobs, and sees of lanes and objects.

use crate::answer::{Answer, done, json, json_with};
use crate::app::{App, unexpected};
use crate::input::{Asked, Body, Names, Optional};
use crate::many::bulk_answer;
use crate::nonce;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use trunkline_api::core::egress::ObjectRef;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{JobsOp, Op, Reply};
use trunkline_api::egress::{
    EnableDestination, LaneBody, LanePage, LaneQuery, ObjectQuery, StartJobBulk,
};
use trunkline_api::many::BulkBody;
use trunkline_api::name::name;
use trunkline_api::run;

/// `POST /v1/egress/jobs/bulk`
pub(crate) async fn start_bulk(
    State(app): State<Arc<App>>,
    Body(body): Body<StartJobBulk>,
) -> Answer {
    let bulk = body.bulk()?;
    let called = bulk.work.as_str();
    if !body.dry_run {
        let op = Op::BulkStart {
            bulk: Box::new(bulk),
            expected: 0,
        };
        return bulk_answer(&app, op, StatusCode::ACCEPTED).await;
    }
    let (filter, action) = body.meant()?;
    let op = JobsOp::Count {
        filter: Box::new(filter),
        action,
        after: None,
    };
    match app.ask(Op::Jobs(op)).await? {
        Reply::JobsCounted { count, .. } => json(&BulkBody::dry(&body.id, called, count)),
        other => Err(unexpected(&other).into()),
    }
}

/// `POST /v1/egress/destinations/{name}/enable`
pub(crate) async fn enable(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    Optional(body): Optional<EnableDestination>,
) -> Answer {
    let bulk = match &body.id {
        Some(id) => name("id", id)?,
        None => Name::from(format!("enable-{:016x}", nonce::fresh() as u64)),
    };
    let op = JobsOp::Enable {
        destination: name("name", &called)?,
        backlog: body.backlog()?,
        bulk,
    };
    match app.ask(Op::Jobs(op)).await? {
        Reply::Done => done(),
        Reply::Bulk(status) => json_with(StatusCode::ACCEPTED, &BulkBody::from(&status)),
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/egress/objects/{type}/{id}`
pub(crate) async fn object(
    State(app): State<Arc<App>>,
    Names((object_type, object_id)): Names<(String, String)>,
    Asked(query): Asked<ObjectQuery>,
) -> Answer {
    let object = ObjectRef {
        object_type: name("type", &object_type)?,
        object_id: name("id", &object_id)?,
    };
    let destination = query.destination.as_deref();
    let op = JobsOp::OfObject {
        object: Box::new(object.clone()),
        destination: destination
            .map(|called| name("destination", called))
            .transpose()?,
        after: None,
        behind: query.behind(&object)?,
        limit: run::limit_of(query.limit)?,
    };
    match app.ask(Op::Jobs(op)).await? {
        Reply::ObjectJobs { jobs, more, .. } => json(&query.page(&object, &jobs, more)),
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/egress/destinations/{name}/lanes`
pub(crate) async fn lanes(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    Asked(query): Asked<LaneQuery>,
) -> Answer {
    let after = query.after.as_deref();
    let op = JobsOp::Lanes {
        destination: name("name", &called)?,
        after: after.map(|lane| name("after", lane)).transpose()?,
        limit: run::limit_of(query.limit)?,
    };
    match app.ask(Op::Jobs(op)).await? {
        Reply::Lanes { lanes, next } => json(&LanePage {
            lanes: lanes.iter().map(LaneBody::from).collect(),
            next_after: next.as_ref().map(Name::to_string),
        }),
        other => Err(unexpected(&other).into()),
    }
}
