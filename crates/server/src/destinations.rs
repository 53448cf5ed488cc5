//! Destinations: where jobs are delivered to.

use crate::answer::{Answer, json};
use crate::app::{App, unexpected};
use crate::input::{Body, Names};
use axum::extract::State;
use std::sync::Arc;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::egress::{DestinationBody, DestinationList, PutDestination};
use trunkline_api::name::name;
use trunkline_api::problem::Problem;

/// `GET /v1/egress/destinations`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Answer {
    let all = app
        .engine
        .list_destinations()
        .await
        .map_err(Problem::from)?;
    let mut destinations: Vec<DestinationBody> = all.iter().map(DestinationBody::from).collect();
    destinations.sort_by(|a, b| a.name.cmp(&b.name));
    json(&DestinationList { destinations })
}

/// `PUT /v1/egress/destinations/{name}`
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    Body(request): Body<PutDestination>,
) -> Answer {
    let destination = request.into_destination(&called)?;
    let name = destination.name.clone();
    app.tell(Op::PutDestination {
        destination: Box::new(destination),
    })
    .await?;
    describe(&app, name).await
}

/// `GET /v1/egress/destinations/{name}`
pub(crate) async fn show(State(app): State<Arc<App>>, Names(called): Names<String>) -> Answer {
    describe(&app, name("name", &called)?).await
}

async fn describe(app: &App, name: Name) -> Answer {
    match app.ask(Op::DescribeDestination { name }).await? {
        Reply::Destination(status) => json(&DestinationBody::from(&*status)),
        other => Err(unexpected(&other).into()),
    }
}
