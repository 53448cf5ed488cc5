//! Methods, queries and timers of runs.

use crate::answer::{Answer, Refusal, content_type, json, json_with};
use crate::app::{App, unexpected};
use crate::input::{Asked, Names, Optional};
use crate::{nonce, waiting};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use trunkline_api::core::code::Code;
use trunkline_api::core::entry::Outcome;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::payload::Payload;
use trunkline_api::core::peer::{self, CallMethod, Op, Reply};
use trunkline_api::method::{AskQuery, CallBody, CompleteTimers, TimersCompleted, WaitQuery};
use trunkline_api::problem::Problem;
use trunkline_api::{json, name};

/// An argument: any JSON, or nothing.
type Argument = Option<Box<RawValue>>;

fn payload(argument: Argument) -> Result<Payload, Problem> {
    match argument {
        Some(argument) => json::payload_of("the argument", &argument),
        None => Ok(Payload::null()),
    }
}

/// `POST …/methods/{method}`
pub(crate) async fn call(
    State(app): State<Arc<App>>,
    Names((workflow, id, method)): Names<(String, String, String)>,
    Asked(query): Asked<WaitQuery>,
    headers: HeaderMap,
    Optional(argument): Optional<Argument>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let wait = waiting::span(&app, query.wait_ms)?;
    let op = Op::CallMethod(CallMethod {
        method: name::name("method", &method)?,
        input: payload(argument)?,
        nonce: nonce::of_request(&headers, &format!("call {run}"))?,
        run: run.clone(),
        wait: false,
    });
    let (call, created) = match app.ask(op).await? {
        Reply::MethodCalled { call, created } => (call, created),
        other => return Err(unexpected(&other).into()),
    };
    let body = returned(&app, run, call, wait).await?;
    answer(&CallBody {
        created: Some(created),
        ..body
    })
}

/// `GET …/calls/{call}`
pub(crate) async fn await_call(
    State(app): State<Arc<App>>,
    Names((workflow, id, call)): Names<(String, String, u32)>,
    Asked(query): Asked<WaitQuery>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let wait = waiting::span(&app, Some(query.wait_ms.unwrap_or(0)))?;
    answer(&returned(&app, run, call, wait).await?)
}

fn answer(body: &CallBody) -> Answer {
    if body.has_returned() {
        json(body)
    } else {
        json_with(StatusCode::ACCEPTED, body)
    }
}

/// How a call has returned, or that it has not within `wait`.
async fn returned(app: &App, run: RunId, call: u32, wait: Duration) -> Result<CallBody, Problem> {
    let op = Op::AwaitMethod {
        run: run.clone(),
        call,
        nonce: None,
    };
    // Requests to one run are answered in order: when this is, a call that has returned has said so.
    let waited = async {
        let described = app.ask(Op::DescribeRun { run }).await;
        tokio::time::sleep(wait).await;
        described
    };
    tokio::select! {
        biased;
        reply = app.ask(op) => match reply? {
            Reply::MethodEnded { call, outcome } => {
                let unknown = Code::UnknownMethod;
                match &outcome {
                    Outcome::Failed(failure) if failure.name.as_str() == unknown.to_string() => {
                        Err(Problem::new(unknown, failure.message.to_string()))
                    }
                    outcome => Ok(CallBody::returned(call, outcome)),
                }
            }
            other => Err(unexpected(&other)),
        },
        described = waited => described.map(|_| CallBody::open(call)),
        () = app.stopped() => Ok(CallBody::open(call)),
    }
}

/// `GET …/queries/{query}` and `POST …/queries/{query}`
pub(crate) async fn query(
    State(app): State<Arc<App>>,
    Names((workflow, id, query)): Names<(String, String, String)>,
    Asked(asked): Asked<AskQuery>,
    Optional(argument): Optional<Argument>,
) -> Answer {
    let op = Op::Query(peer::AskQuery {
        run: name::run(&workflow, &id)?,
        query: name::name("query", &query)?,
        input: payload(argument)?,
        timeout_ms: asked.timeout_ms,
    });
    match app.ask(op).await? {
        Reply::Answer(value) => {
            let text = json::json_of(&value).get().to_owned();
            Ok(([content_type("application/json")], text).into_response())
        }
        other => Err(unexpected(&other).into()),
    }
}

/// `POST …/complete-timers`
pub(crate) async fn complete_timers(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
    Optional(body): Optional<CompleteTimers>,
) -> Answer {
    let run = name::run(&workflow, &id)?;
    let which = body.which().map_err(Refusal::from)?;
    match app.ask(Op::CompleteTimers { run, which }).await? {
        Reply::TimersCompleted { count } => json(&TimersCompleted { completed: count }),
        other => Err(unexpected(&other).into()),
    }
}
