//! Jobs: accepting them, looking at them, and what an operator does with dead letters.

use crate::answer::{Answer, Refusal, done, json, json_with};
use crate::app::{App, unexpected};
use crate::input::{Asked, Names, Optional, Unread};
use crate::nonce;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::core::egress::{NewJob, Taken};
use trunkline_api::core::ids::JobId;
use trunkline_api::core::limits::JOBS_PER_REQUEST_MAX;
use trunkline_api::core::payload::Name;
use trunkline_api::core::peer::{JobsOp, Op, Reply};
use trunkline_api::egress::{
    JobBody, JobPage, JobQuery, JobTaken, JobsAccepted, JobsOfDestination, NewJobBody, ReplayJob,
    Replayed, job_id_of, state_of,
};
use trunkline_api::json::payload_of;
use trunkline_api::name::name;
use trunkline_api::problem::Problem;
use trunkline_api::{cursor, json as json_body, run};

/// `POST /v1/egress/jobs`
pub(crate) async fn create(State(app): State<Arc<App>>, Unread(body): Unread) -> Answer {
    let bodies = one_or_many(&body)?;
    if bodies.len() > JOBS_PER_REQUEST_MAX {
        let detail = format!("{} jobs; the limit is {JOBS_PER_REQUEST_MAX}", bodies.len());
        return Err(Refusal::new(Code::TooManyItems, detail));
    }
    let mut ids = Vec::with_capacity(bodies.len());
    let mut others = Vec::new();
    let mut groups: Vec<(Name, Vec<(JobId, NewJob)>)> = Vec::new();
    for (at, body) in bodies.into_iter().enumerate() {
        let (id, job) = body
            .into_job(JobId(nonce::fresh()))
            .map_err(|mut problem| {
                problem.detail = format!("job {at}: {}", problem.detail);
                problem
            })?;
        ids.push(id.to_string());
        match groups.iter_mut().find(|(to, _)| *to == job.destination) {
            Some((_, jobs)) => jobs.push((id, job)),
            None => groups.push((job.destination.clone(), vec![(id, job)])),
        }
    }
    // Most mistakes are misspelt destinations. Seen before the first job is accepted, they refuse the whole request.
    if groups.len() > 1 {
        for (name, _) in &groups {
            app.ask(Op::DescribeDestination { name: name.clone() })
                .await?;
        }
    }
    let mut destinations = Vec::with_capacity(groups.len());
    let mut refused = None;
    for (destination, jobs) in groups {
        let identities: Vec<JobId> = jobs.iter().map(|(id, _)| *id).collect();
        let taken = accept(&app, jobs).await;
        if let Ok((_, _, not_simply)) = &taken {
            let named = not_simply.iter().filter_map(|(place, taken)| {
                let id = identities.get(*place as usize)?;
                Some(JobTaken::new(id.to_string(), taken))
            });
            others.extend(named);
        }
        destinations.push(report(&destination, &taken));
        refused = taken.err().or(refused);
    }
    let some = destinations.iter().any(|one| one.refused.is_none());
    match refused {
        Some(problem) if !some => Err(problem.into()),
        Some(_) => json_with(
            StatusCode::MULTI_STATUS,
            &JobsAccepted {
                ids,
                destinations,
                others,
            },
        ),
        None => json(&JobsAccepted {
            ids,
            destinations,
            others,
        }),
    }
}

fn one_or_many(body: &[u8]) -> Result<Vec<NewJobBody>, Problem> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        json_body::parse(body)
    } else {
        json_body::parse(body).map(|one| vec![one])
    }
}

/// How many were accepted, how many were known, and what became of those that were not simply accepted.
type Accepted = (u32, u32, Vec<(u32, Taken)>);

async fn accept(app: &App, jobs: Vec<(JobId, NewJob)>) -> Result<Accepted, Problem> {
    match app.ask(Op::CreateJobs { jobs }).await? {
        Reply::Jobs {
            accepted,
            known,
            others,
        } => Ok((accepted, known, others.unwrap_or_default())),
        other => Err(unexpected(&other)),
    }
}

fn report(destination: &Name, taken: &Result<Accepted, Problem>) -> JobsOfDestination {
    let (accepted, known) = match taken {
        Ok((accepted, known, _)) => (*accepted, *known),
        Err(_) => (0, 0),
    };
    let problem = taken.as_ref().err();
    JobsOfDestination {
        destination: destination.to_string(),
        accepted,
        known,
        refused: problem.map(|problem| problem.code.to_string()),
        detail: problem.map(|problem| problem.detail.clone()),
    }
}

/// `GET /v1/egress/destinations/{name}/jobs`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Names(called): Names<String>,
    Asked(query): Asked<JobQuery>,
) -> Answer {
    let filters = [
        Some(called.as_str()),
        query.state.as_deref(),
        query.lane.as_deref(),
    ];
    let after = query
        .cursor
        .as_deref()
        .map(|text| cursor::read(text, &filters))
        .transpose()?;
    let op = Op::ListJobs {
        destination: name("name", &called)?,
        state: query.state.as_deref().map(state_of).transpose()?,
        lane: query
            .lane
            .as_deref()
            .map(|lane| name("lane", lane))
            .transpose()?,
        after: after.map(JobId),
        limit: run::limit_of(query.limit)?,
    };
    match app.ask(op).await? {
        Reply::JobList { jobs, next } => json(&JobPage {
            jobs: jobs.iter().map(JobBody::from).collect(),
            next_cursor: next.map(|next| cursor::write(next.0, &filters)),
        }),
        other => Err(unexpected(&other).into()),
    }
}

/// `GET /v1/egress/destinations/{name}/jobs/{id}`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Names((called, id)): Names<(String, String)>,
) -> Answer {
    let (destination, job) = named(&called, &id)?;
    match app.ask(Op::DescribeJob { destination, job }).await? {
        Reply::Job { job, blocked_on } => {
            let mut body = JobBody::from(&*job);
            body.blocked_on = blocked_on.as_ref().map(Name::to_string);
            json(&body)
        }
        other => Err(unexpected(&other).into()),
    }
}

/// `POST …/jobs/{id}/replay`
pub(crate) async fn replay(
    State(app): State<Arc<App>>,
    Names((called, id)): Names<(String, String)>,
    headers: HeaderMap,
    Optional(request): Optional<ReplayJob>,
) -> Answer {
    let (destination, job) = named(&called, &id)?;
    let Some(body) = &request.body else {
        app.tell(Op::ReplayJob { destination, job }).await?;
        return done();
    };
    let new = JobId(nonce::of_request(&headers, &format!("replay {called}/{job}"))?.0);
    let op = JobsOp::Correct {
        destination,
        job,
        id: new,
        body: payload_of("body", body)?,
    };
    app.tell(Op::Jobs(op)).await?;
    json(&Replayed {
        id: new.to_string(),
    })
}

/// `POST …/jobs/{id}/cancel`
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    Names((called, id)): Names<(String, String)>,
) -> Answer {
    let (destination, job) = named(&called, &id)?;
    app.tell(Op::CancelJob { destination, job }).await?;
    done()
}

fn named(called: &str, id: &str) -> Result<(Name, JobId), Problem> {
    Ok((name("name", called)?, job_id_of(id)?))
}
