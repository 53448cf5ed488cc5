//! Limiters that destinations share.

use crate::answer::{Answer, done, json};
use crate::app::{App, unexpected};
use crate::input::{Body, Names};
use axum::extract::State;
use std::sync::Arc;
use trunkline_api::core::peer::{EgressOp, Op, Reply};
use trunkline_api::egress::{LimiterBody, LimiterList, PutLimiter};
use trunkline_api::name::name;

/// `GET /v1/egress/limiters`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Answer {
    match app.ask(Op::Egress(EgressOp::ListLimiters)).await? {
        Reply::Limiters(all) => json(&LimiterList {
            limiters: all.iter().map(LimiterBody::from).collect(),
        }),
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/egress/limiters/{name}`
pub(crate) async fn show(State(app): State<Arc<App>>, Names(called): Names<String>) -> Answer {
    let name = name("name", &called)?;
    let op = Op::Egress(EgressOp::DescribeLimiter { name });
    match app.ask(op).await? {
        Reply::Limiters(found) if found.len() == 1 => json(&LimiterBody::from(&found[0])),
        other => Err(unexpected(&other).into()),
    }
}

/// `PUT /v1/egress/limiters/{name}`
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    Body(request): Body<PutLimiter>,
) -> Answer {
    let limiter = request.into_limiter(&called)?;
    app.tell(Op::Egress(EgressOp::PutLimiter { limiter }))
        .await?;
    done()
}

/// `DELETE /v1/egress/limiters/{name}`
pub(crate) async fn delete(State(app): State<Arc<App>>, Names(called): Names<String>) -> Answer {
    let name = name("name", &called)?;
    app.tell(Op::Egress(EgressOp::DeleteLimiter { name }))
        .await?;
    done()
}
