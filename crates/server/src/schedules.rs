//! Schedules: what starts runs by the clock.

use crate::answer::{Answer, done, json, json_with};
use crate::app::{App, unexpected};
use crate::input::{Asked, Body, Names, Optional};
use crate::nonce;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::sync::Arc;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::core::schedule::Overlap;
use trunkline_api::name::name;
use trunkline_api::run::limit_of;
use trunkline_api::schedule::status::state_text;
use trunkline_api::schedule::{
    BackfillSchedule, PauseSchedule, PutSchedule, ScheduleBody, ScheduleLine, SchedulePage,
    ScheduleQuery, ShowQuery, TriggerSchedule, Triggered,
};

/// Fires listed unless somebody wants more.
const UPCOMING: u32 = 5;

/// `GET /v1/schedules`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Asked(query): Asked<ScheduleQuery>,
) -> Answer {
    let limit = limit_of(query.limit)?;
    let after = query.after.as_deref();
    let after = after.map(|text| name("after", text)).transpose()?;
    match app.ask(Op::ListSchedules { after, limit }).await? {
        Reply::Schedules(found) => {
            let is_full = found.len() >= limit as usize;
            let last = found.last().filter(|_| is_full);
            json(&SchedulePage {
                next_after: last.map(|schedule| schedule.name.to_string()),
                schedules: found.iter().map(ScheduleLine::from).collect(),
            })
        }
        other => Err(unexpected(&other).into()),
    }
}

/// `PUT /v1/schedules/{name}`
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    Body(request): Body<PutSchedule>,
) -> Answer {
    let paused = request.paused;
    let schedule = Box::new(request.into_schedule(&called)?);
    match app.ask(Op::PutSchedule { schedule, paused }).await? {
        Reply::SchedulePut { created, status } => {
            let code = if created {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            json_with(code, &ScheduleBody::from(&*status))
        }
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/schedules/{name}`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    Asked(query): Asked<ShowQuery>,
) -> Answer {
    let name = name("name", &called)?;
    let upcoming = query.fires.unwrap_or(UPCOMING);
    match app.ask(Op::DescribeSchedule { name, upcoming }).await? {
        Reply::Schedule(status) => json(&ScheduleBody::from(&*status)),
        other => Err(unexpected(&other).into()),
    }
}

/// `DELETE /v1/schedules/{name}`
pub(crate) async fn delete(State(app): State<Arc<App>>, Names(called): Names<String>) -> Answer {
    let name = name("name", &called)?;
    app.tell(Op::DeleteSchedule { name }).await?;
    done()
}

/// `POST /v1/schedules/{name}/pause`
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    Optional(body): Optional<PauseSchedule>,
) -> Answer {
    let note = match body.note {
        Some(note) => name("note", &note)?,
        None => Name::from("asked for over the API"),
    };
    let (name, note) = (name("name", &called)?, Some(note));
    app.tell(Op::PauseSchedule { name, note }).await?;
    done()
}

/// `POST /v1/schedules/{name}/resume`
pub(crate) async fn resume(State(app): State<Arc<App>>, Names(called): Names<String>) -> Answer {
    let (name, note) = (name("name", &called)?, None);
    app.tell(Op::PauseSchedule { name, note }).await?;
    done()
}

/// `POST /v1/schedules/{name}/trigger`
pub(crate) async fn trigger(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    headers: HeaderMap,
    Optional(body): Optional<TriggerSchedule>,
) -> Answer {
    let op = Op::TriggerSchedule {
        name: name("name", &called)?,
        overlap: body.overlap.map(Overlap::from),
        nonce: nonce::of_request(&headers, &format!("trigger {called}"))?,
    };
    match app.ask(op).await? {
        Reply::Fired { run, end } => json(&Triggered {
            run: run.as_ref().map(Name::to_string),
            state: state_text(&end).to_owned(),
        }),
        other => Err(unexpected(&other).into()),
    }
}

/// `POST /v1/schedules/{name}/backfill`
pub(crate) async fn backfill(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    headers: HeaderMap,
    Body(body): Body<BackfillSchedule>,
) -> Answer {
    let op = Op::BackfillSchedule {
        name: name("name", &called)?,
        from: body.from.0,
        to: body.to.0,
        overlap: body.overlap.map(Overlap::from),
        nonce: nonce::of_request(&headers, &format!("backfill {called}"))?,
    };
    app.tell(op).await?;
    done()
}
