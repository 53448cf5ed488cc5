//! What an operator decides about what waits: lanes that stand still, jobs that wait for others, breakers.

use crate::answer::{Answer, done, json};
use crate::app::{App, unexpected};
use crate::input::{Names, Optional};
use axum::extract::State;
use std::sync::Arc;
use trunkline_api::core::peer::{EgressOp, Op, Reply, WhichJobs};
use trunkline_api::egress::{ReleaseLane, Released, job_id_of};
use trunkline_api::name::name;

/// `POST …/lanes/{lane}/release`
pub(crate) async fn release_lane(
    State(app): State<Arc<App>>,
    Names((called, lane)): Names<(String, String)>,
    Optional(body): Optional<ReleaseLane>,
) -> Answer {
    let op = EgressOp::ReleaseLane {
        destination: name("name", &called)?,
        lane: name("lane", &lane)?,
        give_up: body.give_up,
    };
    app.tell(Op::Egress(op)).await?;
    done()
}

/// `POST …/jobs/{id}/release`
pub(crate) async fn release_job(
    State(app): State<Arc<App>>,
    Names((called, id)): Names<(String, String)>,
) -> Answer {
    let op = EgressOp::ReleaseJobs {
        destination: name("name", &called)?,
        which: WhichJobs::Job(job_id_of(&id)?),
    };
    app.tell(Op::Egress(op)).await?;
    done()
}

/// `POST …/batches/{batch}/release`
pub(crate) async fn release_batch(
    State(app): State<Arc<App>>,
    Names((called, batch)): Names<(String, String)>,
) -> Answer {
    let op = EgressOp::ReleaseJobs {
        destination: name("name", &called)?,
        which: WhichJobs::Batch(name("batch", &batch)?),
    };
    match app.ask(Op::Egress(op)).await? {
        Reply::Counted { count, .. } => json(&Released { count }),
        other => Err(unexpected(&other).into()),
    }
}

/// `POST …/breaker/open`
pub(crate) async fn open_breaker(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
) -> Answer {
    set_breaker(&app, &called, true).await
}

/// `POST …/breaker/close`
pub(crate) async fn close_breaker(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
) -> Answer {
    set_breaker(&app, &called, false).await
}

async fn set_breaker(app: &App, called: &str, open: bool) -> Answer {
    let destination = name("name", called)?;
    app.tell(Op::Egress(EgressOp::SetBreaker { destination, open }))
        .await?;
    done()
}
