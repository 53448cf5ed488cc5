//! Signals to runs, and commands that steer them.

use crate::answer::{Answer, done};
use crate::app::App;
use crate::input::{Body, Names, Optional};
use crate::nonce;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::value::RawValue;
use std::sync::Arc;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::Op;
use trunkline_api::problem::Problem;
use trunkline_api::run::StopRun;
use trunkline_api::{json, name};

/// `POST …/signals/{channel}`
pub(crate) async fn signal(
    State(app): State<Arc<App>>,
    Names((workflow, id, channel)): Names<(String, String, String)>,
    headers: HeaderMap,
    Body(value): Body<Box<RawValue>>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let op = Op::Signal {
        channel: name::name("channel", &channel)?,
        payload: json::payload_of("the signal", &value)?,
        nonce: nonce::of_request(&headers, &format!("signal {run}"))?,
        run,
    };
    app.tell(op).await?;
    done()
}

/// `POST …/cancel`
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Names(named): Names<(String, String)>,
    Optional(body): Optional<StopRun>,
) -> Answer {
    let (run, reason) = stop(&named, body)?;
    app.tell(Op::Cancel { run, reason }).await?;
    done()
}

/// `POST …/terminate`
pub(crate) async fn terminate(
    State(app): State<Arc<App>>,
    Names(named): Names<(String, String)>,
    Optional(body): Optional<StopRun>,
) -> Answer {
    let (run, reason) = stop(&named, body)?;
    app.tell(Op::Terminate { run, reason }).await?;
    done()
}

fn stop((workflow, id): &(String, String), body: StopRun) -> Result<(RunId, Name), Problem> {
    let reason = match body.reason {
        Some(reason) => name::name("reason", &reason)?,
        None => Name::from("asked for over the API"),
    };
    Ok((name::run(workflow, id)?, reason))
}

/// `POST …/pause`
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    app.tell(Op::Pause { run }).await?;
    done()
}

/// `POST …/resume`
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    app.tell(Op::Resume { run }).await?;
    done()
}
